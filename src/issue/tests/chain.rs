//! Whatever is made of a credential, however often: it is never good for more.

use std::sync::LazyLock;

use oci::{RepositoryName, Tag};
use policy::{Bounds, Image};
use proptest::prelude::*;

use super::federated::eve;
use super::*;
use crate::issue::sample::{some_bounds, some_of};
use crate::state::sample::runtime;

/// One gate for all cases: what is in its state already is in nobody's way.
static SCENE: LazyLock<Scene> = LazyLock::new(scene);

const REPOSITORIES: [&str; 4] = ["team/app", "team/secret", "home/alice/x", "other"];

/// What can be done with a credential to have another one.
#[derive(Debug, Clone)]
enum Step {
    /// An access token of the token endpoint.
    Access(Vec<String>),
    /// The identity token of `docker login`.
    Login,
    /// A token that is made on purpose.
    Create { groups: Option<Vec<String>>, bounds: Option<Arc<Bounds>>, life: u64 },
    /// The same, and then its successor.
    Refresh { groups: Option<Vec<String>>, bounds: Option<Arc<Bounds>>, life: u64, times: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let scope = (0..REPOSITORIES.len(), "(pull|push|pull,push|delete|\\*)");
    let scope =
        scope.prop_map(|(at, actions)| format!("repository:{}:{actions}", REPOSITORIES[at]));
    let groups = || proptest::option::weighted(0.4, some_of(&["staff", "backend", "release"]));
    let bounds = || proptest::option::weighted(0.4, some_bounds());
    let life = || 60_u64..8_000_000;
    prop_oneof![
        proptest::collection::vec(scope, 0..4).prop_map(Step::Access),
        Just(Step::Login),
        (groups(), bounds(), life()).prop_map(|(groups, bounds, life)| Step::Create {
            groups: groups.flatten(),
            bounds: bounds.flatten(),
            life
        }),
        (groups(), bounds(), life(), 1_u8..4).prop_map(|(groups, bounds, life, times)| {
            Step::Refresh { groups: groups.flatten(), bounds: bounds.flatten(), life, times }
        }),
    ]
}

impl Step {
    /// Whoever has what comes of the step. None: it is not to be had.
    async fn take(self, scene: &Scene, known: &Authenticated) -> Option<Authenticated> {
        match self {
            Self::Access(scopes) => {
                let scopes = Scopes::parse(scopes.iter().map(String::as_str)).unwrap();
                let wanted = Wanted::here(&scopes);
                let issued = scene.issue.access(known, wanted, scene.occasion()).ok()?;
                Some(scene.bearer(&issued.token).await.unwrap())
            }
            Self::Login => {
                let token = scene.issue.login(known, "docker", scene.occasion()).await.unwrap();
                Some(scene.basic("token", &token?.written()).await.unwrap())
            }
            Self::Create { groups, bounds, life } => {
                let life = Duration::from_secs(life);
                let wanted = NewToken { groups, bounds, life, ..an_hour() };
                let made = scene.create(&scene.maker(known.clone()), wanted).await.ok()?;
                Some(scene.bearer(&made.access_token).await.unwrap())
            }
            Self::Refresh { groups, bounds, life, times } => {
                let life = Duration::from_secs(life);
                let wanted = NewToken { groups, bounds, life, ..refreshable(an_hour()) };
                let made = scene.create(&scene.maker(known.clone()), wanted).await.ok()?;
                let mut tokens = (made.access_token, made.refresh_token.unwrap());
                for _ in 0..times {
                    tokens = scene.renewed(&tokens.1).await.unwrap();
                }
                Some(scene.bearer(&tokens.0).await.unwrap())
            }
        }
    }
}

/// One thing that can be done.
type Allowed = (Action, &'static str, Option<&'static str>);

/// All that a credential is good for, in a small world.
fn allowed(scene: &Scene, known: &Authenticated) -> Vec<Allowed> {
    let policy = (scene.issue.policy)();
    let mut allowed = Vec::new();
    for name in REPOSITORIES {
        let repository = RepositoryName::new(name).unwrap();
        for tag in [None, Some("v1"), Some("x")] {
            let parsed = tag.map(|tag| Tag::new(tag).unwrap());
            let image = Image { repository: &repository, tag: parsed.as_ref() };
            for action in Action::ALL {
                let principal = &known.principal;
                if principal.ceiling.covers(action, &repository)
                    && policy.decide(&principal.caller, action, image).is_allowed()
                {
                    allowed.push((action, name, tag));
                }
            }
        }
    }
    allowed
}

/// When all that comes of a credential has ended, in seconds: what is made with an access token of
/// a family lasts as long as the family may.
async fn end(scene: &Scene, known: &Authenticated) -> i64 {
    let family = match known.family.clone() {
        Some(id) => scene.issue.state.ask(|store| async move { store.family(&id).await }).await,
        None => Ok(None),
    };
    let end = family.unwrap().map(|family| family.ends_at).or(known.expires);
    end.map_or(i64::MAX, Timestamp::as_second)
}

/// A credential with what it is good for, and until when.
type Link = (Authenticated, Vec<Allowed>, i64);

async fn link(scene: &Scene, known: &Authenticated) -> Link {
    (known.clone(), allowed(scene, known), end(scene, known).await)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_of_a_credential_is_good_for_more(
        federated: bool,
        steps in proptest::collection::vec(step(), 1..6),
    ) {
        let scene = &*SCENE;
        let taken = runtime().block_on(async {
            let mut known = if federated { eve(scene) } else { alice(scene).await };
            let mut chain = vec![link(scene, &known).await];
            for step in steps {
                if let Some(next) = step.take(scene, &known).await {
                    known = next;
                    chain.push(link(scene, &known).await);
                }
            }
            chain
        });
        for pair in taken.windows(2) {
            let [(earlier, before, first), (later, after, then)] = pair else { unreachable!() };
            prop_assert!(after.iter().all(|one| before.contains(one)), "{earlier:?} {later:?}");
            prop_assert_eq!(&earlier.grant.subject, &later.grant.subject);
            prop_assert_eq!(earlier.grant.auth_time, later.grant.auth_time);
            prop_assert!(then <= first, "{earlier:?} {later:?}");
            prop_assert!(later.expires.is_some_and(|end| end.as_second() <= *then));
        }
    }
}
