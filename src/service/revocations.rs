//! `/.well-known/revocations`: what this gate has revoked, for the gates that trust it.

use std::collections::HashMap;
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
use tokio::sync::Mutex;

use crate::log::Causes;
use crate::public_url::PublicUrl;
use crate::state::State;
use crate::store::{FamilyQuery, Revoked, Sequence, Store, StoreError};
use crate::token::{Grant, KeyRing, RevocationList, TokenId, UnsignedList};

/// Whether a grant would still be given: its subject is there, is not disabled, and has the groups
/// that the grant names.
pub type Stands = Box<dyn Fn(&Grant) -> bool + Send + Sync>;

/// The keys that sign at this moment.
pub type Keys = Box<dyn Fn() -> Arc<KeyRing> + Send + Sync>;

/// What time it is.
pub type Now = Box<dyn Fn() -> Timestamp + Send + Sync>;

/// How long one list serves everybody who asks. Replicas must not tell of times that lie further
/// apart than those who follow them take between two looks: it would look like a step back.
const KEPT: Duration = Duration::from_secs(1);

/// How many families are asked for at once.
const PAGE: u32 = 1000;

/// Makes the list of revocations when somebody asks and the last one is not of this moment.
pub struct Feed {
    state: Arc<State>,
    issuer: PublicUrl,
    keys: Keys,
    stands: Stands,
    now: Now,
    /// Locked while a list is made, so that it is made once for all who ask meanwhile.
    made: Mutex<Made>,
}

#[derive(Default)]
struct Made {
    list: Option<(Timestamp, Bytes)>,
    /// Whether what is revoked concerns others; that never changes, and asking costs a look-up.
    concerns_others: HashMap<TokenId, bool>,
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
    /// Takes the state, the name and the keys of the gate, who still stands, and the time.
    #[must_use]
    pub fn new(state: Arc<State>, issuer: PublicUrl, keys: Keys, stands: Stands, now: Now) -> Self {
        Self { state, issuer, keys, stands, now, made: Mutex::default() }
    }

    async fn list(&self) -> Result<Bytes, Failed> {
        let mut made = self.made.lock().await;
        let now = (self.now)();
        if let Some((at, list)) = &made.list
            && is_just_before(*at, now)
        {
            return Ok(list.clone());
        }
        made.list = None;
        // The families come first: one that is revoked meanwhile is found afterwards. What memory
        // holds may lag behind what another replica has told already, so it is brought up to date.
        let outstanding = self.state.ask(move |store| outstanding(store, now)).await?;
        self.state.look().await?;
        let gone = outstanding.into_iter().filter(|(_, grant)| !(self.stands)(grant));
        let (revoked, sequence) = self.revoked(&mut made.concerns_others).await?;
        let gone = gone.map(|(id, _)| id);
        let list = RevocationList::new(&self.issuer, revoked, gone, sequence, now);
        let list = Bytes::from(list.sign(&(self.keys)())?);
        made.list = Some((now, list.clone()));
        Ok(list)
    }

    /// All that is revoked and concerns others, and the number of the change up to which that is
    /// known.
    async fn revoked(
        &self,
        concerns_others: &mut HashMap<TokenId, bool>,
    ) -> Result<(Vec<Revoked>, Sequence), StoreError> {
        let (ids, mut revoked, sequence) = self.state.revocations(|revocations, sequence| {
            let ids: HashMap<_, _> =
                revocations.ids().map(|(id, until)| (id.clone(), until)).collect();
            let subjects = revocations.subjects().filter_map(|(subject, second)| {
                Some(Revoked::Subject(subject.clone(), Timestamp::from_second(second).ok()?))
            });
            let everything = revocations.everything().into_iter().filter_map(|second| {
                Some(Revoked::Everything(Timestamp::from_second(second).ok()?))
            });
            (ids, subjects.chain(everything).collect::<Vec<_>>(), sequence)
        });
        concerns_others.retain(|id, _| ids.contains_key(id));
        let new: Vec<_> =
            ids.keys().filter(|id| !concerns_others.contains_key(id)).cloned().collect();
        let new = self.state.ask(move |store| concerning_others(store, new)).await?;
        concerns_others.extend(new);
        let ids = ids.into_iter().filter(|(id, _)| concerns_others.get(id) != Some(&false));
        revoked.extend(ids.map(|(id, until)| Revoked::Id { id, until }));
        Ok((revoked, sequence))
    }
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

/// Which of these are of families for others, or access tokens of their own. What has a row and is
/// for this gate alone is nothing to others.
async fn concerning_others(
    store: Arc<dyn Store>,
    ids: Vec<TokenId>,
) -> Result<Vec<(TokenId, bool)>, StoreError> {
    let mut concerning = Vec::with_capacity(ids.len());
    for id in ids {
        let family = store.family(&id).await?;
        concerning.push((id, family.is_none_or(|family| family.audience.is_some())));
    }
    Ok(concerning)
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
