//! `/.well-known/revocations`: what this gate has revoked, for the gates that trust it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use jiff::Timestamp;
use policy::Subject;
use tokio::sync::Mutex;

use crate::clock::Now;
use crate::log::Causes;
use crate::public_url::PublicUrl;
use crate::state::{Revocations, State};
use crate::store::{FamilyQuery, Revoked, Store, StoreError};
use crate::token::{Grant, KeyRing, RevocationList, TokenId, UnsignedList};

/// What is known of subjects at this moment.
pub struct Subjects {
    /// Those that may do nothing, though they are known.
    pub disabled: Box<dyn Fn() -> Vec<Subject> + Send + Sync>,
    /// Whether a grant would still be given: its subject is there, and has the groups that the grant
    /// names.
    pub stands: Box<dyn Fn(&Grant) -> bool + Send + Sync>,
}

/// The keys that sign at this moment.
pub type Keys = Box<dyn Fn() -> Arc<KeyRing> + Send + Sync>;

/// How long one list serves everybody who asks. Replicas must not tell of times that lie further
/// apart than those who follow them take between two looks: it would look like a step back.
const KEPT: Duration = Duration::from_secs(1);

/// How many families are asked for at once.
const PAGE: u32 = 200;

/// Makes the list of revocations when somebody asks and the last one is not of this moment.
pub struct Feed {
    state: Arc<State>,
    issuer: PublicUrl,
    keys: Keys,
    subjects: Subjects,
    now: Now,
    /// Locked while a list is made, so that it is made once for all who ask meanwhile.
    made: Mutex<Option<(Timestamp, Bytes)>>,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unsigned(#[from] UnsignedList),
}

impl Feed {
    /// Takes the state, the name and the keys of the gate, its subjects, and the time.
    #[must_use]
    pub fn new(
        state: Arc<State>,
        issuer: PublicUrl,
        keys: Keys,
        subjects: Subjects,
        now: Now,
    ) -> Self {
        Self { state, issuer, keys, subjects, now, made: Mutex::default() }
    }

    async fn list(&self) -> Result<Bytes, Failed> {
        let mut made = self.made.lock().await;
        let now = (self.now)();
        if let Some((at, list)) = &*made
            && is_just_before(*at, now)
        {
            return Ok(list.clone());
        }
        *made = None;
        // The families come first: one that is revoked meanwhile is found afterwards. What memory
        // holds may lag behind what another replica has told already, so it is brought up to date.
        let outstanding = self.state.ask(move |store| outstanding(store, now)).await?;
        self.state.look().await?;
        let gone = outstanding.into_iter().filter(|(_, grant)| !(self.subjects.stands)(grant));
        let gone = gone.map(|(id, _)| id);
        let (mut revoked, sequence) = self
            .state
            .revocations(|revocations, sequence| (all(revocations).collect::<Vec<_>>(), sequence));
        let disabled = (self.subjects.disabled)().into_iter();
        revoked.extend(disabled.map(|subject| Revoked::Subject(subject, now)));
        let list = RevocationList::new(&self.issuer, revoked, gone, sequence, now);
        let list = Bytes::from(list.sign(&(self.keys)())?);
        *made = Some((now, list.clone()));
        Ok(list)
    }
}

/// Everything that is revoked. Whatever has a name here may have been exchanged for a token for
/// another gate, which belongs to the same family.
fn all(revocations: &Revocations) -> impl Iterator<Item = Revoked> {
    let ids = revocations.ids().map(|(id, until)| Revoked::Id { id: id.clone(), until });
    let time = |second| Timestamp::from_second(second).ok();
    let subjects = revocations.subjects().filter_map(move |(subject, second)| {
        Some(Revoked::Subject(subject.clone(), time(second)?))
    });
    let everything = revocations.everything().and_then(time).map(Revoked::Everything);
    ids.chain(subjects).chain(everything)
}

/// A clock that was set back must not keep an old list alive.
fn is_just_before(then: Timestamp, now: Timestamp) -> bool {
    Duration::try_from(now.duration_since(then)).is_ok_and(|passed| passed < KEPT)
}

/// The families for others that hold.
async fn outstanding(
    store: Arc<dyn Store>,
    now: Timestamp,
) -> Result<Vec<(TokenId, Grant)>, StoreError> {
    let mut outstanding = Vec::new();
    let mut query = FamilyQuery {
        holding_at: Some(now),
        for_others: true,
        limit: PAGE,
        ..FamilyQuery::default()
    };
    loop {
        let families = store.families(&query).await?;
        query.after = families.last().map(|last| (last.made_at, last.id.clone()));
        let full = families.len() >= PAGE as usize;
        outstanding.extend(families.into_iter().map(|family| (family.id, family.grant)));
        if !full {
            return Ok(outstanding);
        }
    }
}

/// `/.well-known/revocations`, for everybody.
pub fn router(feed: Arc<Feed>) -> Router {
    Router::new().route("/.well-known/revocations", get(list)).with_state(feed)
}

async fn list(Shared(feed): Shared<Arc<Feed>>) -> Response {
    match feed.list().await {
        Ok(list) => {
            let headers = [(CONTENT_TYPE, "application/jwt"), (CACHE_CONTROL, "max-age=5")];
            (headers, list).into_response()
        }
        Err(error) => {
            tracing::error!(error = %Causes(&error), "there is no list of revocations");
            let headers = [(CONTENT_TYPE, "text/plain"), (CACHE_CONTROL, "no-store")];
            let text = "there is no list of revocations at the moment\n";
            (StatusCode::SERVICE_UNAVAILABLE, headers, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests;
