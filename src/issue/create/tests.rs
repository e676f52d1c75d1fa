use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use oci::{RepositoryName, Tag};
use policy::{Action, Image, SourceFile};
use proptest::prelude::*;

use super::*;
use crate::identity::{Access, Ceiling, GrantType, Principal};
use crate::issue::new_token::{self, Audience, Comment};
use crate::issue::sample::{an_hour, some_bounds, some_of, strings};
use crate::token::{Claims, InvalidToken, made_here, verify};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

const POLICY: &str = r#"
administrators: ["user:root", "group:admins", "group:chiefs"]
groups:
  chiefs: external
  staff: ["user:alice", "group:backend"]
  ci: ["service:ci/build"]
  admins: []
  backend: external
rules:
  - {name: reads, subjects: ["group:staff"], images: ["**"], allow: [pull]}
  - {name: writes, subjects: ["group:backend"], images: ["team/**"], allow: [push]}
  - {name: own, subjects: ["user:alice"], images: ["home/alice/**"], allow: [all]}
  - {name: not-that, subjects: ["group:staff"], images: ["team/secret"], deny: [all]}
"#;

const USERS: &str = "users:\n  \
    alice: {password: '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', groups: [backend]}\n  \
    gone: {password: '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', disabled: true}\n";

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

struct Scene {
    policy: Policy,
    users: Users,
    settings: Settings,
    issuer: PublicUrl,
    keys: KeyRing,
}

impl Scene {
    fn new() -> Self {
        let file = SourceFile { path: "policy.yaml".into(), text: POLICY.into() };
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self {
            policy: Policy::compile(&[file]).unwrap().policy,
            users: Users::parse(Path::new("users.yaml"), USERS).unwrap(),
            settings: Settings::default(),
            issuer: PublicUrl::new("https://gate.example").unwrap(),
            keys: KeyRing::new(der.as_ref(), []).unwrap(),
        }
    }

    fn facts<'a>(&'a self, parent: Option<&'a Family>) -> Facts<'a> {
        Facts {
            policy: &self.policy,
            users: &self.users,
            services: &|name| {
                ["ci/build", "ci/off"].contains(&name).then(|| Service {
                    name: name.to_owned(),
                    disabled: name == "ci/off",
                    made_at: now(),
                })
            },
            parent,
            settings: &self.settings,
            issuer: &self.issuer,
            begins: &|_| now(),
            now: now(),
        }
    }

    fn plan(&self, maker: &Maker, wanted: &NewToken) -> Result<Plan, Refused> {
        plan(maker, wanted, &self.facts(None))
    }

    fn made(&self, maker: &Maker, wanted: NewToken, parent: Option<&Family>) -> Made {
        let facts = self.facts(parent);
        let plan = plan(maker, &wanted, &facts).unwrap();
        make(maker, wanted, plan, &facts, &self.keys).unwrap()
    }

    fn claims(&self, made: &Made) -> Claims {
        verify(made.access_token.expose(), &self.keys, &self.issuer, now()).unwrap()
    }

    /// Somebody who showed a password.
    fn maker(&self, user: &str) -> Maker {
        Maker::known(self.known(user), &self.policy)
    }

    fn known(&self, user: &str) -> Authenticated {
        let subject = Subject::User(user.to_owned());
        let groups = self.users.get(user).map(|user| user.groups.clone()).unwrap_or_default();
        let caller = Caller::new(subject.clone(), groups);
        Authenticated {
            principal: Principal { caller, ceiling: Ceiling::Unlimited, token_id: None },
            grant: Grant::unlimited(subject, Kind::User, now()),
            family: None,
            by: GrantType::Password,
            expires: None,
        }
    }

    /// The same with a token of a kept family.
    fn with_token(&self, user: &str, family: &Family) -> Maker {
        let mut known = self.known(user);
        known.family = Some(family.id.clone());
        known.expires = Some(now() + HOUR);
        known.grant.auth_time = family.grant.auth_time;
        Maker::known(known, &self.policy)
    }
}

fn for_(subject: &str) -> NewToken {
    NewToken { subject: Some(subject.parse().unwrap()), ..an_hour() }
}

fn groups(names: &[&str], wanted: NewToken) -> NewToken {
    NewToken { groups: Some(strings(names)), ..wanted }
}

fn text<T: std::fmt::Debug>(result: Result<T, Refused>) -> String {
    let refused = result.unwrap_err();
    let kind = format!("{refused:?}");
    format!("{}: {refused}", kind.split('(').next().unwrap())
}

#[test]
fn a_token_for_oneself_is_the_holder_with_less() {
    let scene = Scene::new();
    let bounds = new_token::bounds(Some(strings(&["team/**"])), Some(strings(&["pull"]))).unwrap();
    let wanted = NewToken {
        bounds: bounds.clone(),
        comment: Comment::new("ci".to_owned()).unwrap(),
        ..groups(&["staff"], an_hour())
    };
    let made = scene.made(&scene.maker("alice"), wanted, None);
    let claims = scene.claims(&made);
    assert_eq!((claims.sub.as_str(), claims.kind), ("user:alice", Kind::User));
    assert_eq!(claims.groups, Some(strings(&["staff"])));
    assert_eq!(claims.bounds, bounds);
    assert_eq!((claims.access, claims.exp - claims.iat), (None, 3600));
    assert_eq!((claims.jti, claims.family.clone()), (claims.family, made.family.id.clone()));
    let family = made.family;
    assert_eq!((family.kind, family.ends_at), (FamilyKind::Access, now() + HOUR));
    assert_eq!((family.made_by.as_str(), family.comment.as_str()), ("user:alice", "ci"));
    assert_eq!((family.parent, family.grant.groups), (None, Some(strings(&["staff"]))));
    assert!(made.refresh_token.is_none());
}

#[test]
fn a_refreshable_one_has_a_family_that_outlives_its_access_tokens() {
    let scene = Scene::new();
    let wanted = NewToken { refreshable: true, ..an_hour() };
    let made = scene.made(&scene.maker("alice"), wanted, None);
    let claims = scene.claims(&made);
    assert_eq!((&claims.family, made.expires_at), (&made.family.id, now() + HOUR));
    assert_ne!(claims.jti, claims.family);
    assert_eq!((made.family.kind, made.family.access_ttl), (FamilyKind::Rotating, HOUR));
    assert_eq!(made.family.ends_at, now() + 90 * DAY);
    assert!(made.refresh_token.is_some());
}

#[test]
fn nobody_carries_a_group_that_they_are_not_in() {
    let scene = Scene::new();
    let wanted = groups(&["staff", "admins"], an_hour());
    insta::assert_snapshot!(
        text(scene.plan(&scene.maker("alice"), &wanted)),
        @"Wrong: user:alice is not in the group `admins`"
    );
    insta::assert_snapshot!(
        text(scene.plan(&Maker::local(0), &groups(&["admins"], for_("user:alice")))),
        @"Wrong: user:alice is not in the group `admins`"
    );
}

#[test]
fn only_an_administrator_makes_tokens_for_others() {
    let scene = Scene::new();
    insta::assert_snapshot!(
        text(scene.plan(&scene.maker("alice"), &for_("user:root"))),
        @"Denied: only an administrator makes tokens for user:root"
    );
    assert!(scene.plan(&scene.maker("alice"), &for_("user:alice")).is_ok());
    let plan = scene.plan(&scene.maker("root"), &for_("user:alice")).unwrap();
    assert_eq!((plan.parent, plan.bound), (None, None));
    let made = scene.made(&Maker::local(1000), for_("user:alice"), None);
    assert_eq!(made.family.made_by, "local:1000");
}

#[test]
fn who_is_to_have_a_token_is_known_and_enabled() {
    let scene = Scene::new();
    let refused = |wanted: &NewToken| text(scene.plan(&Maker::local(0), wanted));
    insta::assert_snapshot!(refused(&for_("user:nobody")), @"Missing: there is no user `nobody`");
    insta::assert_snapshot!(
        refused(&for_("user:gone")),
        @"Conflict: the user `gone` is disabled: `portcullis user enable gone`"
    );
    insta::assert_snapshot!(
        refused(&for_("service:none")),
        @"Missing: there is no service `none`: `portcullis service add none`"
    );
    insta::assert_snapshot!(
        refused(&for_("service:ci/off")),
        @"Conflict: the service `ci/off` is disabled: `portcullis service enable ci/off`"
    );
    insta::assert_snapshot!(
        refused(&for_("peer:eu/user:alice")),
        @"Wrong: tokens are made for users and services, not for `peer:eu/user:alice`"
    );
    insta::assert_snapshot!(refused(&an_hour()), @"Wrong: `for` has to name whom the token is for");
}

#[test]
fn a_service_is_put_into_groups_that_policy_leaves_to_others() {
    let scene = Scene::new();
    let wanted = groups(&["ci", "backend", "elsewhere"], for_("service:ci/build"));
    let plan = scene.plan(&scene.maker("root"), &wanted).unwrap();
    assert_eq!(plan.grant.asserted, ["backend", "elsewhere"]);
    assert_eq!(plan.grant.groups, Some(strings(&["ci", "backend", "elsewhere"])));
    insta::assert_snapshot!(
        text(scene.plan(&scene.maker("root"), &groups(&["admins"], for_("service:ci/build")))),
        @"Wrong: service:ci/build is not in the group `admins`, whose members the policies list"
    );
    // Without groups it has those that policy gives it, whichever they will be.
    let plan = scene.plan(&scene.maker("root"), &for_("service:ci/build")).unwrap();
    assert_eq!((plan.grant.asserted.len(), plan.grant.groups), (0, None));
}

#[test]
fn a_credential_that_was_cut_down_makes_nothing() {
    let scene = Scene::new();
    let bounds = new_token::bounds(None, Some(strings(&["pull"]))).unwrap();
    let pull = Access::Repository {
        name: RepositoryName::new("team/app").unwrap(),
        actions: vec![Action::Pull],
    };
    let cuts: [&dyn Fn(&mut Authenticated); 3] = [
        &|known| known.principal.caller.granting = Some(strings(&["staff"])),
        &|known| known.principal.caller.bounds.clone_from(&bounds),
        &|known| known.principal.ceiling = Ceiling::Access(vec![pull.clone()]),
    ];
    // The second is an administrator, which changes nothing.
    for user in ["alice", "root"] {
        for cut in cuts {
            let mut known = scene.known(user);
            cut(&mut known);
            let maker = Maker::known(known, &scene.policy);
            assert!(maker.is_narrowed());
            for wanted in [an_hour(), for_("service:ci/build")] {
                assert!(matches!(scene.plan(&maker, &wanted), Err(Refused::Denied(_))));
            }
        }
    }
}

#[test]
fn a_credential_for_some_images_makes_no_administrator() {
    let scene = Scene::new();
    assert!(scene.maker("root").is_administrator());
    let mut known = scene.known("root");
    known.principal.caller.bounds = new_token::bounds(None, Some(strings(&["all"]))).unwrap();
    assert!(!Maker::known(known, &scene.policy).is_administrator());
    let mut known = scene.known("root");
    known.principal.ceiling = Ceiling::Access(Vec::new());
    assert!(!Maker::known(known, &scene.policy).is_administrator());
}

#[test]
fn a_credential_for_some_groups_administers_by_these_alone() {
    let scene = Scene::new();
    let administers = |user: &str, asserted: &[&str], carried: &[&str]| {
        let mut known = scene.known(user);
        known.principal.caller.groups = strings(asserted);
        known.principal.caller.granting = Some(strings(carried));
        Maker::known(known, &scene.policy).is_administrator()
    };
    assert!(administers("alice", &["chiefs"], &["chiefs"]));
    assert!(!administers("alice", &["chiefs"], &["staff"]));
    assert!(!administers("root", &[], &[]));
    assert!(!administers("root", &[], &["staff"]));
}

#[test]
fn what_is_made_with_a_token_belongs_to_it_and_ends_no_later() {
    let scene = Scene::new();
    let parent =
        scene.made(&scene.maker("alice"), NewToken { life: 2 * HOUR, ..an_hour() }, None).family;
    let maker = scene.with_token("alice", &parent);
    for refreshable in [false, true] {
        let wanted = NewToken { life: DAY, refreshable, ..an_hour() };
        let made = scene.made(&maker, wanted, Some(&parent));
        assert_eq!(made.family.parent.as_ref(), Some(&parent.id));
        assert_eq!((made.expires_at, made.family.ends_at), (parent.ends_at, parent.ends_at));
        assert_eq!(made.family.grant.auth_time, parent.grant.auth_time);
        // A family that is not kept ends with the token that is shown of it.
        let wanted = NewToken { life: DAY, refreshable, ..an_hour() };
        let made = scene.made(&maker, wanted, None);
        assert_eq!(made.family.ends_at, now() + HOUR);
    }
    let revoked = Family { revoked_at: Some(now()), ..parent.clone() };
    let ending = Family { ends_at: now() + Duration::from_secs(59), ..parent };
    for parent in [revoked, ending] {
        let facts = scene.facts(Some(&parent));
        assert!(matches!(plan(&maker, &an_hour(), &facts), Err(Refused::Denied(_))));
    }
}

#[test]
fn every_token_ends_in_time() {
    let scene = Scene::new();
    let maker = scene.maker("alice");
    let lives = |life| scene.plan(&maker, &NewToken { life, ..an_hour() });
    assert!(lives(90 * DAY).is_ok());
    assert!(lives(Duration::from_secs(60)).is_ok());
    insta::assert_snapshot!(
        text(lives(90 * DAY + Duration::from_secs(1))),
        @"Wrong: `expires` is at most `90d` here (`tokens.max_ttl`)"
    );
    insta::assert_snapshot!(
        text(lives(Duration::from_secs(59))),
        @"Wrong: `expires` has to be at least a minute (`1m`)"
    );
}

#[test]
fn a_token_for_another_gate_names_its_groups_and_is_of_no_use_here() {
    let scene = Scene::new();
    let elsewhere =
        || NewToken { audience: Some(Audience::new("other.example:5443").unwrap()), ..an_hour() };
    let made = scene.made(&scene.maker("alice"), elsewhere(), None);
    let token = made.access_token.expose();
    let refused = verify(token, &scene.keys, &scene.issuer, now());
    assert_eq!(refused, Err(InvalidToken::Audience));
    let claims = made_here(token, &scene.keys, &scene.issuer).unwrap();
    assert_eq!(claims.aud, "other.example:5443");
    assert_eq!(claims.groups, Some(strings(&["backend", "staff"])));
    let made = scene.made(&scene.maker("alice"), groups(&["staff"], elsewhere()), None);
    assert_eq!(made.family.grant.groups, Some(strings(&["staff"])));
    assert_eq!(made.family.audience.as_deref(), Some("other.example:5443"));
    let here = NewToken { audience: Some(Audience::new("GATE.example").unwrap()), ..an_hour() };
    insta::assert_snapshot!(
        text(scene.plan(&scene.maker("alice"), &here)),
        @"Wrong: `audience` is this gate itself; leave it out"
    );
}

#[test]
fn those_whom_this_gate_does_not_know_itself_make_nothing() {
    let scene = Scene::new();
    for (subject, kind) in [("peer:eu/user:alice", Kind::Peer), ("anonymous", Kind::Anonymous)] {
        let mut known = scene.known("alice");
        known.grant.kind = kind;
        known.grant.subject = subject.parse().unwrap();
        known.principal.caller.subject = known.grant.subject.clone();
        let maker = Maker::known(known, &scene.policy);
        assert!(matches!(scene.plan(&maker, &an_hour()), Err(Refused::Denied(_))), "{subject}");
    }
}

proptest! {
    /// Whatever is asked for: what is made allows nothing that its maker's credential does not
    /// allow, denies what that one denies, and ends no later.
    #[test]
    fn a_created_token_never_exceeds_its_maker(
        granting in proptest::option::weighted(0.1, some_of(&["staff", "backend"])),
        own_bounds in proptest::option::weighted(0.1, some_bounds()),
        ends in proptest::option::of(1_u64..10_000),
        wanted_groups in some_of(&["staff", "backend", "admins", "ci"]),
        bounds in some_bounds(),
        life in 0_u64..8_000_000,
        refreshable: bool,
    ) {
        let scene = Scene::new();
        let mut known = scene.known("alice");
        known.principal.caller.granting = granting.flatten();
        known.principal.caller.bounds = own_bounds.flatten();
        known.expires = ends.map(|seconds| now() + Duration::from_secs(seconds));
        let (makers, expires) = (known.principal.caller.clone(), known.expires);
        let maker = Maker::known(known, &scene.policy);
        let wanted = NewToken {
            groups: wanted_groups,
            bounds,
            life: Duration::from_secs(life),
            refreshable,
            ..an_hour()
        };
        let facts = scene.facts(None);
        let Ok(plan) = plan(&maker, &wanted, &facts) else { return Ok(()) };
        let made = make(&maker, wanted, plan, &facts, &scene.keys).unwrap();
        prop_assert!(expires.is_none_or(|end| made.expires_at <= end && made.family.ends_at <= end));
        prop_assert!(made.family.ends_at <= now() + scene.settings.max_ttl);
        let grant = made.family.grant;
        let tokens = grant.caller(scene.users.get("alice").unwrap().groups.clone());
        prop_assert!(!scene.policy.is_administrator(&tokens));
        let held: BTreeSet<_> = scene.policy.groups_of(&makers);
        prop_assert!(grant.groups.iter().flatten().all(|group| held.contains(group)));
        for repository in ["team/app", "team/secret", "home/alice/x", "other"] {
            let repository = RepositoryName::new(repository).unwrap();
            for tag in [None, Some(Tag::new("v1").unwrap()), Some(Tag::new("x").unwrap())] {
                let image = Image { repository: &repository, tag: tag.as_ref() };
                for action in Action::ALL {
                    let allows = |caller| scene.policy.decide(caller, action, image).is_allowed();
                    prop_assert!(!allows(&tokens) || allows(&makers), "{action} {repository}");
                }
            }
        }
    }
}
