//! The shadow policy decides as it would if it were in force.

use super::*;
use crate::audit;
use crate::shadow::{Asked, Comparison, Content as Sent, Judged, Verdict, compare};
use crate::upstream::fake::Reply;

const OPEN: &str = r#"
rules:
  - {name: everyone, subjects: [anyone], images: ["**"], allow: [all]}
"#;

const REQUESTS: [&str; 22] = [
    "GET team/app/manifests/v1",
    "HEAD team/app/manifests/v1",
    "GET team/app/manifests/dev",
    "HEAD team/app/manifests/dev",
    "GET team/app/manifests/FALLBACK",
    "HEAD team/app/manifests/FALLBACK",
    "GET team/app/manifests/TWO",
    "GET team/app/manifests/HIDDEN",
    "GET team/app/manifests/SIGNATURE",
    "GET team/app/blobs/BASE-LAYER",
    "HEAD team/app/blobs/BASE-LAYER",
    "GET team/app/referrers/TWO",
    "GET team/app/referrers/DEV",
    "GET team/app/tags/list",
    "POST team/app/blobs/uploads/",
    "DELETE team/app/manifests/v2",
    "DELETE team/app/manifests/dev",
    "DELETE team/app/manifests/TWO",
    "DELETE team/app/manifests/DEV",
    "DELETE team/app/manifests/ARM",
    "DELETE team/app/manifests/LOOSE",
    "DELETE team/app/blobs/BASE-LAYER",
];

impl World {
    fn asked(&self, request: &str, manifest: Option<&Sample>) -> Asked {
        let content = match manifest {
            Some(sample) => Sent::Seen(sample.bytes.clone().into(), None),
            None => Sent::None,
        };
        Asked { operation: self.operation(request), content }
    }

    async fn decided(&self, question: Question<'_>, asked: &Asked) -> Result<Permit, Refusal> {
        match asked.content.clone() {
            Sent::Seen(bytes, _) => {
                put_manifest(question, asked.operation.clone()).await?.judge(bytes, None).await
            }
            _ => authorize(question, asked.operation.clone()).await,
        }
    }

    /// What comes of a request by `force`, and what would come of it by the world's own policy.
    async fn compared(&self, force: &Policy, who: &Principal, asked: &Asked) -> Option<Comparison> {
        let question = Question { policy: force, ..self.question(who) };
        let decided = self.decided(question, asked).await;
        compare(question, &self.policy, asked, decided.as_ref()).await
    }
}

fn verdict(is_allowed: bool) -> Verdict {
    if is_allowed { Verdict::Allow } else { Verdict::Deny }
}

#[tokio::test]
async fn every_request_is_judged_as_it_would_be_decided() {
    let open = policy(OPEN);
    for request in REQUESTS {
        for who in CALLERS {
            let who = user(who);
            // Deciding teaches the inventory, so each decision has a world of its own.
            let (world, other) = (World::new().await, World::new().await);
            let asked = world.asked(request, None);
            let comparison = world.compared(&open, &who, &asked).await.unwrap();
            assert_eq!(comparison.decision, audit::Decision::Allow);
            let wanted = other.decided(other.question(&who), &asked).await;
            assert_eq!(comparison.shadow.verdict, verdict(wanted.is_ok()), "{request} {who:?}");
            if let Ok(permit) = wanted {
                assert_eq!(comparison.shadow.rule.as_deref(), permit.rule(), "{request} {who:?}");
            } else {
                assert!(comparison.shadow.reason.is_some());
            }
            // And the other way round, in the same world.
            let wanted = other.decided(other.question(&who), &asked).await;
            let back = compare(other.question(&who), &open, &asked, wanted.as_ref()).await.unwrap();
            assert_eq!(back.decision.as_str(), verdict(wanted.is_ok()).as_str(), "{request}");
            assert_eq!(back.shadow.verdict, Verdict::Allow, "{request}");
        }
    }
}

#[tokio::test]
async fn a_manifest_is_judged_with_its_content_and_with_what_is_there() {
    let (open, world) = (policy(OPEN), World::new().await);
    let index = index(&[&world.content.hidden, &world.content.arm]);
    let about = signature("about two", Some(&world.content.two.digest));
    for request in ["v1", "new", "dev-new", "FALLBACK"] {
        let request = format!("PUT team/app/manifests/{request}");
        for manifest in [&world.content.two, &world.content.dev, &index, &about] {
            for who in CALLERS {
                let (who, other) = (user(who), World::new().await);
                let asked = world.asked(&request, Some(manifest));
                let wanted = other.decided(other.question(&who), &asked).await;
                let comparison = world.compared(&open, &who, &asked).await.unwrap();
                assert_eq!(
                    comparison.shadow.verdict,
                    verdict(wanted.is_ok()),
                    "{request} {who:?} {:?}",
                    comparison.shadow.reason
                );
            }
        }
    }
}

#[tokio::test]
async fn a_mount_in_whose_place_an_upload_would_begin_is_denied() {
    let (open, world) = (policy(OPEN), World::new().await);
    let asked = world.asked("POST team/other/blobs/uploads/?mount=BASE-LAYER&from=team/app", None);
    let compared = async |who: &str| world.compared(&open, &user(who), &asked).await.unwrap();
    assert_eq!(compared("a-whole").await.shadow.verdict, Verdict::Allow);
    let comparison = compared("z-none").await;
    assert_eq!(comparison.shadow.verdict, Verdict::Deny);
    assert!(comparison.shadow.reason.unwrap().starts_with("the blob would be uploaded"));
    let who = user("z-none");
    let question = world.question(&who);
    let decided = world.decided(question, &asked).await;
    let back = compare(question, &open, &asked, decided.as_ref()).await.unwrap();
    assert_eq!((back.decision, back.shadow.verdict), (audit::Decision::Deny, Verdict::Allow));
}

#[tokio::test]
async fn what_was_refused_before_it_was_sent_is_judged_by_its_tag() {
    let (open, world, who) = (policy(OPEN), World::new().await, user("z-none"));
    let operation = world.operation("PUT team/app/manifests/v1");
    let asked = Asked { operation: operation.clone(), content: Sent::Unseen };
    let question = world.question(&who);
    let Err(refusal) = put_manifest(question, operation).await else { panic!("it is refused") };
    let comparison = compare(question, &open, &asked, Err(&refusal)).await.unwrap();
    let shadow = Judged {
        verdict: Verdict::Allow,
        rule: Some("everyone".to_owned()),
        reason: Some("the content was not sent, and so not judged".to_owned()),
    };
    assert_eq!(comparison, Comparison { decision: audit::Decision::Deny, shadow });
    let comparison = compare(question, &world.policy, &asked, Err(&refusal)).await.unwrap();
    assert!(!comparison.differs());
}

#[tokio::test]
async fn reasons_are_the_whole_truth() {
    let (open, world) = (policy(OPEN), World::new().await);
    let mut told = Vec::new();
    for (who, request) in [
        ("c-but", "GET team/app/manifests/dev"),
        ("b-tags", "HEAD team/app/manifests/dev"),
        ("b-tags", "GET team/app/manifests/DEV"),
        ("b-tags", "HEAD team/app/blobs/DEV-LAYER"),
        ("d-push", "GET team/app/tags/list"),
        ("z-none", "GET team/app/tags/list"),
        ("h-delete", "DELETE team/app/manifests/DEV"),
    ] {
        let asked =
            world.asked(&request.replace("DEV-LAYER", &blob("dev layer").to_string()), None);
        let shadow = world.compared(&open, &user(who), &asked).await.unwrap().shadow;
        let reason = shadow.reason.unwrap();
        let reason = reason.split("; rule").next().unwrap();
        told.push(format!("{who} {request}: {:?} {reason}", shadow.rule));
    }
    let asked = world.asked("PUT team/app/manifests/v9", Some(&world.content.dev));
    let shadow = world.compared(&open, &user("b-tags"), &asked).await.unwrap().shadow;
    let reason = shadow.reason.unwrap();
    let (before, after) = reason.split_once("sha256:").unwrap();
    let after = after.split_once(',').unwrap().1;
    told.push(format!("{:?} {before}CONTENT,{after}", shadow.rule));
    insta::assert_snapshot!(told.join("\n"), @r#"
    c-but GET team/app/manifests/dev: Some("c-but-dev") rule `c-but-dev` (policy.yaml:6) denies pull
    b-tags HEAD team/app/manifests/dev: None no rule allows user:b-tags to pull team/app:dev
    b-tags GET team/app/manifests/DEV: None no tag that the caller may pull leads to it
    b-tags HEAD team/app/blobs/DEV-LAYER: None no tag that the caller may pull leads to it, so it would be pushed
    d-push GET team/app/tags/list: None there is no tag that the caller may pull
    z-none GET team/app/tags/list: None no rule allows user:z-none to pull team/app as a whole
    h-delete DELETE team/app/manifests/DEV: None no tag that the caller may pull leads to it
    None the manifest names CONTENT, which the caller neither pushed nor may pull by any tag
    "#);
}

#[tokio::test]
async fn a_token_that_the_policy_in_force_cut_down_is_no_reason() {
    let world = World::new().await;
    let closed = policy(
        r#"rules: [{name: reads, subjects: ["user:a-whole"], images: ["team/app"], allow: [pull]}]"#,
    );
    // What the token endpoint gives where no more than pulling is granted.
    let who = token("a-whole", &[Action::Pull]);
    let asked = world.asked("POST team/app/blobs/uploads/", None);
    let comparison = world.compared(&closed, &who, &asked).await.unwrap();
    assert_eq!(comparison.decision, audit::Decision::Deny);
    assert_eq!(comparison.shadow.verdict, Verdict::Allow);
    // The client comes again with another token, and that request is compared.
    assert_eq!(world.compared(&world.policy, &who, &asked).await, None);
}

#[tokio::test]
async fn what_is_wrong_in_itself_has_no_shadow() {
    let (open, world, who) = (policy(OPEN), World::new().await, user("z-none"));
    let request = "PUT team/app/manifests/v1";
    let content = Sent::Seen("{}".into(), None);
    let asked = Asked { operation: world.operation(request), content };
    assert_eq!(world.compared(&open, &who, &asked).await, None);
}

#[tokio::test]
async fn a_lock_that_the_request_holds_is_in_nobodys_way() {
    let (open, world, who) = (policy(OPEN), World::new().await, user("e-create"));
    let asked = world.asked("PUT team/app/manifests/v1", Some(&world.content.two));
    let question = Question { policy: &open, ..world.question(&who) };
    let decided = world.decided(question, &asked).await;
    assert_eq!(world.held(), ", lock shared", "by what was decided");
    let comparison = compare(question, &world.policy, &asked, decided.as_ref()).await.unwrap();
    assert_eq!(comparison.shadow.verdict, Verdict::Deny, "{comparison:?}");
    drop(decided);

    // The shadow has the lock to itself for this, too, and the request has it alone.
    let (who, asked) = (user("h-delete"), world.asked("DELETE team/app/manifests/v2", None));
    let question = Question { policy: &open, ..world.question(&who) };
    let decided = world.decided(question, &asked).await;
    assert_eq!(world.held(), ", lock alone", "by what was decided");
    let comparison = compare(question, &world.policy, &asked, decided.as_ref()).await.unwrap();
    assert_eq!(comparison.shadow.verdict, Verdict::Allow, "{comparison:?}");
}

#[tokio::test]
async fn a_registry_that_fails_or_is_silent_leaves_it_undecided() {
    let (open, world, who) = (policy(OPEN), World::new().await, user("h-delete"));
    let asked = world.asked("DELETE team/app/manifests/TWO", None);
    for (reply, reason) in [
        (Reply::new(500, ""), "the registry behind the gate did not answer as it should"),
        (Reply::nothing(), "the registry behind the gate did not answer as it should"),
        (Reply::never(), "the registry took too long to say what this depends on"),
    ] {
        let fake = Fake::start(move |_| reply.clone()).await;
        let upstream = Arc::new(fake.upstream());
        let question = Question { policy: &open, upstream: &upstream, ..world.question(&who) };
        let decided = world.decided(question, &asked).await;
        let comparison = compare(question, &world.policy, &asked, decided.as_ref()).await.unwrap();
        assert_eq!(comparison.decision, audit::Decision::Allow);
        assert_eq!(comparison.shadow.verdict, Verdict::Undecided);
        let told = comparison.shadow.reason.unwrap();
        assert!(told.starts_with(reason), "{told}");
    }
}

#[tokio::test]
async fn a_shadow_asks_the_registry_so_often_and_no_more() {
    let (open, world, who) = (policy(OPEN), World::new().await, user("h-delete"));
    let shelf = world.content.shelf();
    let fake = Fake::start(move |asked| match asked.target.contains("/tags/list") {
        true => {
            let tags: Vec<String> = (0..600).map(|n| format!("\"v{n}\"")).collect();
            Reply::new(200, format!(r#"{{"name": "team/app", "tags": [{}]}}"#, tags.join(",")))
        }
        false => shelf.answer(asked),
    })
    .await;
    let upstream = Arc::new(fake.upstream());
    let asked = world.asked("DELETE team/app/manifests/TWO", None);
    let question = Question { policy: &open, upstream: &upstream, ..world.question(&who) };
    let decided = world.decided(question, &asked).await;
    let comparison = compare(question, &world.policy, &asked, decided.as_ref()).await.unwrap();
    assert_eq!(comparison.shadow.verdict, Verdict::Undecided);
    assert!(fake.asked().len() <= 500, "{}", fake.asked().len());
}

#[tokio::test]
async fn what_a_push_finds_out_costs_nothing_more_with_a_shadow() {
    let (open, world) = (policy(OPEN), World::new().await);
    let pushes = token("b-tags", &[Action::Pull, Action::Create, Action::Overwrite]);
    for (request, verdict) in [
        ("HEAD team/app/blobs/BASE-LAYER", Verdict::Allow),
        ("HEAD team/app/blobs/DEV-LAYER", Verdict::Deny),
        ("HEAD team/app/blobs/NOTHING", Verdict::Deny),
        ("HEAD team/app/manifests/NOTHING", Verdict::Deny),
    ] {
        let asked = world.asked(request, None);
        let question = Question { policy: &open, ..world.question(&pushes) };
        let decided = world.decided(question, &asked).await;
        // Whether the shadow policy lets it push or not.
        for rights in ["[all]", "[pull]"] {
            let shadow = policy(&POLICY.replace("[all]", rights));
            let comparison = compare(question, &shadow, &asked, decided.as_ref()).await.unwrap();
            assert_eq!(comparison.shadow.verdict, verdict, "{request}");
        }
    }
    assert_eq!(world.fake.lines(), Vec::<String>::new());
    // Who pulls is told what is true.
    let asked = world.asked("GET team/app/blobs/NOTHING", None);
    let question = Question { policy: &open, ..world.question(&pushes) };
    let decided = world.decided(question, &asked).await;
    compare(question, &world.policy, &asked, decided.as_ref()).await.unwrap();
    assert!(!world.fake.lines().is_empty());
}
