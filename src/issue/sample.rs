//! A gate that gives out tokens, for tests: on a state of its own, with a clock that they move.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::Ed25519KeyPair;
use policy::SourceFile;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::identity::federation::Federation;
use crate::identity::users::Users;
use crate::identity::{AuthError, Authenticated, Credentials, Observer};
use crate::public_url::PublicUrl;
use crate::secret::Secret;
use crate::state::sample;
use crate::token::{Family, KeyRing, RefreshToken, TokenId};
use new_token::{Comment, NewToken};
use policy::Bounds;

pub(crate) const START: i64 = 1_800_000_000;

/// All that is around [`Issue`], where it can be exchanged.
pub(crate) struct Scene {
    pub(crate) issue: Arc<Issue>,
    pub(crate) users: Arc<ArcSwap<Users>>,
    second: Arc<AtomicI64>,
    events: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Scene {
    pub(crate) fn new(policy: &str, users: Users, federation: Federation) -> Self {
        Self::on(sample::kept(Arc::new(Clock::start())), policy, users, federation)
    }

    /// The same on a state that is there, for as long as the folder is.
    pub(crate) fn on(
        (state, folder): (Arc<State>, TempDir),
        policy: &str,
        users: Users,
        federation: Federation,
    ) -> Self {
        let users = Arc::new(ArcSwap::from_pointee(users));
        let events = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&events);
        let observer = Observer::new(move |event| seen.lock().unwrap().push(format!("{event:?}")));
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let keys = Arc::new(KeyRing::new(der.as_ref(), []).unwrap());
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let authenticator =
            Authenticator::new(issuer, keys, Arc::clone(&users), Arc::clone(&state), observer);
        let file = SourceFile { path: "policy.yaml".into(), text: policy.into() };
        let policy = Arc::new(Policy::compile(&[file]).unwrap().policy);
        let second = Arc::new(AtomicI64::new(START));
        let issue = Issue {
            authenticator: Arc::new(authenticator.unwrap().federated(federation)),
            state,
            succession: Succession::new(&[7; 32]),
            settings: Settings::default(),
            policy: Box::new(move || Arc::clone(&policy)),
            now: {
                let second = Arc::clone(&second);
                Arc::new(move || Timestamp::from_second(second.load(Ordering::Relaxed)).unwrap())
            },
        };
        Self { issue: Arc::new(issue), users, second, events, _folder: folder }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.issue.now)()
    }

    pub(crate) fn wait(&self, seconds: i64) {
        self.second.fetch_add(seconds, Ordering::Relaxed);
    }

    pub(crate) fn occasion(&self) -> Occasion {
        Occasion { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), now: self.now() }
    }

    /// What was told since the last time that somebody asked, apart from tokens that were checked.
    pub(crate) fn events(&self) -> Vec<String> {
        let mut events = std::mem::take(&mut *self.events.lock().unwrap());
        events.retain(|event| !event.starts_with("Checked"));
        events
    }

    /// Whoever shows this token.
    pub(crate) async fn bearer(&self, token: &Secret) -> Result<Authenticated, AuthError> {
        self.check(&Credentials::Bearer(token.clone())).await
    }

    /// Whoever signs in with a name and a password, or what stands in its place.
    pub(crate) async fn basic(
        &self,
        name: &str,
        password: &Secret,
    ) -> Result<Authenticated, AuthError> {
        let (username, password) = (name.to_owned(), password.clone());
        self.check(&Credentials::Basic { username, password }).await
    }

    async fn check(&self, credentials: &Credentials) -> Result<Authenticated, AuthError> {
        let Occasion { address, now } = self.occasion();
        self.issue.authenticator.check(credentials, address, now).await
    }

    /// Makes a token that has to be had, and keeps it.
    pub(crate) async fn made(&self, maker: &Maker, wanted: NewToken) -> Made {
        self.create(maker, wanted).await.unwrap()
    }

    pub(crate) async fn create(&self, maker: &Maker, wanted: NewToken) -> Result<Made, Refused> {
        let users = self.users.load_full();
        let made = self.issue.create(maker, wanted, &users, self.now()).await?;
        self.issue.keep(&made).await?;
        Ok(made)
    }

    /// Somebody who shows a credential.
    pub(crate) fn maker(&self, known: Authenticated) -> Maker {
        Maker::known(known, &(self.issue.policy)())
    }

    /// The next access token of a family, and what to show after it.
    pub(crate) async fn renewed(
        &self,
        token: &RefreshToken,
    ) -> Result<(Secret, RefreshToken), AuthError> {
        let refreshed = self.issue.refresh(token, self.occasion()).await?;
        let issued = self.issue.renew(&refreshed, self.occasion()).unwrap();
        Ok((issued.token, refreshed.next))
    }

    /// What the state holds of a family.
    pub(crate) async fn family(&self, id: &TokenId) -> Family {
        let id = id.clone();
        let found = self.issue.state.ask(|store| async move { store.family(&id).await }).await;
        found.unwrap().unwrap()
    }
}

/// An hour, for oneself.
pub(crate) fn an_hour() -> NewToken {
    NewToken {
        subject: None,
        groups: None,
        bounds: None,
        life: std::time::Duration::from_secs(3600),
        refreshable: false,
        audience: None,
        comment: Comment::default(),
    }
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// None, or any of these.
pub(crate) fn some_of(
    names: &'static [&'static str],
) -> impl Strategy<Value = Option<Vec<String>>> {
    let list = proptest::sample::subsequence(names, 0..=names.len());
    proptest::option::of(list.prop_map(|names| strings(&names)))
}

pub(crate) fn some_bounds() -> impl Strategy<Value = Option<Arc<Bounds>>> {
    let images = some_of(&["**", "team/**", "team/app:v*", "home/alice/x"]);
    let actions = some_of(&["pull", "push", "all", "inspect", "delete"]);
    (images, actions)
        .prop_map(|(images, actions)| new_token::bounds(images, actions).unwrap_or(None))
}
