//! The key sets of others: of identity providers, and of gates that are trusted.
//!
//! A set is asked for when somebody shows a token, and kept for a while. Two things must not
//! happen: that a key holds which its owner took out of the set, and that strangers make the gate
//! ask again and again, as anyone can invent the name of a key.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use document::Mistake;
use jiff::Timestamp;
use serde::Deserialize;

use crate::fetch::{FetchError, Fetcher, HttpsUrl};
use crate::files;
use crate::log::Causes;
use crate::token::{BadJwks, MAX_JWKS, VerifyingKeys};
use crate::watch::Fingerprint;

/// The longest discovery document, in bytes.
pub(crate) const MAX_DISCOVERY: usize = 256 * 1024;

/// A set that was fetched so long ago is fetched again before it is used.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// As [`FRESH`], for a file, which costs little to read.
const FRESH_FILE: Duration = Duration::from_secs(1);

/// Between two attempts lies at least so much, whatever is asked for.
const BETWEEN: Duration = Duration::from_secs(10);

/// As [`BETWEEN`], while an old set serves: those who have a key of it need not wait each time.
const BETWEEN_RENEWALS: Duration = Duration::from_secs(60);

/// An old set serves for so long while no new one is to be had.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Where a key set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksLocation {
    /// In a file of this machine.
    File(PathBuf),
    /// At an address.
    Url(HttpsUrl),
    /// Where the discovery document of this issuer says (OpenID Connect Discovery, section 4).
    Discovery(HttpsUrl),
}

impl JwksLocation {
    /// Reads what a configuration says: an https address, or the path of a file, which is relative
    /// to `folder`.
    ///
    /// # Errors
    /// It is another kind of address.
    pub fn new(text: &str, folder: &Path) -> Result<Self, Mistake> {
        if text.contains("://") {
            HttpsUrl::new(text).map(Self::Url)
        } else if text.is_empty() || text.contains('\0') {
            Err(Mistake::new("neither an address nor a path"))
        } else {
            Ok(Self::File(folder.join(text)))
        }
    }
}

/// The path, or the host alone: what stands behind it in an address is nobody's business.
impl fmt::Display for JwksLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) | Self::Discovery(url) => f.write_str(&url.host()),
        }
    }
}

/// A key set that follows its owner's. Clones share what they know.
#[derive(Debug, Clone)]
pub struct JwksSource(Arc<Source>);

#[derive(Debug)]
struct Source {
    location: JwksLocation,
    fetcher: Fetcher,
    state: Mutex<State>,
    /// Held by the one who is asking.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    /// The last set that was had.
    kept: Option<Kept>,
    /// When it was last tried to have one.
    tried: Option<Timestamp>,
    /// Why that failed, if it did.
    failed: Option<JwksError>,
}

#[derive(Debug, Clone)]
struct Kept {
    keys: Arc<VerifyingKeys>,
    /// When the owner last said that it is the set.
    confirmed: Timestamp,
    content: Fingerprint,
}

/// What became of asking for a key set, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySetState {
    /// How many keys are in the set that was had last; none before the first.
    pub keys: Option<usize>,
    /// When its owner last said that it is the set.
    pub confirmed_at: Option<Timestamp>,
    /// When it was asked for last.
    pub tried_at: Option<Timestamp>,
    /// Why that came to nothing, if it did.
    pub failed: Option<String>,
}

/// Why there are no keys of someone.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the keys of {of} are not to be had")]
pub struct JwksError {
    of: String,
    #[source]
    cause: Arc<Cause>,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("cannot read the file; it must be one that the gate's user may read")]
    Unreadable(#[source] io::Error),
    #[error("the file is larger than {MAX_JWKS} bytes; look whether it is the right one")]
    TooLarge,
    #[error(transparent)]
    Set(#[from] BadJwks),
    #[error(
        "the discovery document has no `issuer` or no `jwks_uri`; name the key set with `jwks`"
    )]
    Discovery(#[source] serde_json::Error),
    #[error("the discovery document is of the issuer `{0}`; write `issuer` just like that")]
    OtherIssuer(String),
    #[error("the `jwks_uri` of the discovery document is {}", .0.message())]
    JwksUri(Mistake),
    #[error("the attempt to have them broke off")]
    BrokeOff,
    #[error("no attempt of the last {} h succeeded", LONGEST.as_secs() / 3600)]
    TooOld(#[source] Arc<Cause>),
}

impl JwksSource {
    /// Takes where the set is. `ca`, a PEM file, replaces the certificates that the system trusts.
    /// Nothing is asked for yet.
    ///
    /// # Errors
    /// The CA file cannot be used.
    pub fn new(location: JwksLocation, ca: Option<&Path>) -> Result<Self, FetchError> {
        Ok(Self(Arc::new(Source {
            location,
            fetcher: Fetcher::new(ca)?,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        })))
    }

    /// What became of asking for it.
    #[must_use]
    pub fn state(&self) -> KeySetState {
        let state = self.0.state();
        KeySetState {
            keys: state.kept.as_ref().map(|kept| kept.keys.kids().count()),
            confirmed_at: state.kept.as_ref().map(|kept| kept.confirmed),
            tried_at: state.tried,
            failed: state.failed.as_ref().map(|error| Causes(error).to_string()),
        }
    }

    /// The set, for checking a token that was signed with the key `wanted_kid`, which may be missing
    /// in it all the same.
    ///
    /// A set is fresh for five minutes (that of a file: a second), and then fetched again; at once
    /// if it lacks `wanted_kid`; but never twice within ten seconds, nor by two at a time. While
    /// that fails, the last set serves for up to 24 hours.
    ///
    /// # Errors
    /// There is no set, or it is too old.
    pub async fn keys(
        &self,
        wanted_kid: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifyingKeys>, JwksError> {
        if let Some(keys) = self.0.fresh(wanted_kid, now) {
            return Ok(keys);
        }
        let (source, wanted) = (Arc::clone(&self.0), wanted_kid.to_owned());
        // A task of its own, as whoever asked may go away: what they began counts as an attempt and
        // must come to an end.
        let flight = tokio::spawn(async move {
            let _flight = source.flight.lock().await;
            // Others may have landed meanwhile.
            if source.is_due(&wanted, now) {
                source.refresh(now).await;
            }
        });
        match flight.await {
            Ok(()) => self.0.kept(now),
            Err(_) => Err(self.0.error(Cause::BrokeOff)),
        }
    }
}

impl Source {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is a single assignment: there is nothing half done to be seen.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, cause: Cause) -> JwksError {
        JwksError { of: self.location.to_string(), cause: Arc::new(cause) }
    }

    /// The set, if it is fresh and has that key.
    fn fresh(&self, wanted_kid: &str, now: Timestamp) -> Option<Arc<VerifyingKeys>> {
        let fresh = match self.location {
            JwksLocation::File(_) => FRESH_FILE,
            JwksLocation::Url(_) | JwksLocation::Discovery(_) => FRESH,
        };
        let state = self.state();
        let kept = state.kept.as_ref()?;
        (kept.keys.get(wanted_kid).is_some() && is_within(fresh, kept.confirmed, now))
            .then(|| Arc::clone(&kept.keys))
    }

    /// Whether it is time for another attempt, as the set is not [`Self::fresh`].
    fn is_due(&self, wanted_kid: &str, now: Timestamp) -> bool {
        if self.fresh(wanted_kid, now).is_some() {
            return false;
        }
        let state = self.state();
        let serves = state.kept.as_ref().is_some_and(|kept| kept.keys.get(wanted_kid).is_some());
        let between = match self.location {
            JwksLocation::File(_) => FRESH_FILE,
            _ if serves && state.failed.is_some() => BETWEEN_RENEWALS,
            _ => BETWEEN,
        };
        state.tried.is_none_or(|tried| !is_within(between, tried, now))
    }

    /// The set as far as it may still be used.
    fn kept(&self, now: Timestamp) -> Result<Arc<VerifyingKeys>, JwksError> {
        let state = self.state();
        match (&state.kept, &state.failed) {
            (Some(kept), None) => Ok(Arc::clone(&kept.keys)),
            (Some(kept), Some(_)) if is_within(LONGEST, kept.confirmed, now) => {
                Ok(Arc::clone(&kept.keys))
            }
            (Some(_), Some(failed)) => Err(self.error(Cause::TooOld(Arc::clone(&failed.cause)))),
            (None, Some(failed)) => Err(failed.clone()),
            (None, None) => Err(self.error(Cause::BrokeOff)),
        }
    }

    async fn refresh(&self, now: Timestamp) {
        self.state().tried = Some(now);
        match self.fetch().await {
            Ok(content) => self.take(&content, now),
            Err(cause) => self.fail(cause),
        }
    }

    fn take(&self, content: &[u8], now: Timestamp) {
        let fingerprint = Fingerprint::of([content]);
        let mut state = self.state();
        if let Some(kept) = &mut state.kept
            && kept.content == fingerprint
        {
            kept.confirmed = now;
            state.failed = None;
            return;
        }
        let keys = match VerifyingKeys::from_jwks(content) {
            Ok(keys) => keys,
            // The owner says that no key holds.
            Err(error @ BadJwks::Unusable) => {
                tracing::warn!(of = %self.location, error = %Causes(&error), "no key holds any more");
                VerifyingKeys::default()
            }
            Err(error) => {
                drop(state);
                return self.fail(error.into());
            }
        };
        let kids: Vec<_> = keys.kids().collect();
        tracing::info!(of = %self.location, ?kids, "a new key set");
        state.kept = Some(Kept { keys: Arc::new(keys), confirmed: now, content: fingerprint });
        state.failed = None;
    }

    fn fail(&self, cause: Cause) {
        let error = self.error(cause);
        tracing::warn!(error = %Causes(&error), "the last key set serves for a while, if there is one");
        self.state().failed = Some(error);
    }

    async fn fetch(&self) -> Result<Vec<u8>, Cause> {
        match &self.location {
            JwksLocation::File(path) => read(path.clone()).await,
            JwksLocation::Url(url) => Ok(self.fetcher.bytes(url, MAX_JWKS).await?),
            JwksLocation::Discovery(issuer) => {
                let url = self.discover(issuer).await?;
                Ok(self.fetcher.bytes(&url, MAX_JWKS).await?)
            }
        }
    }

    /// Where the issuer's key set is.
    async fn discover(&self, issuer: &HttpsUrl) -> Result<HttpsUrl, Cause> {
        let document = self.fetcher.json(&issuer.discovery(), MAX_DISCOVERY).await?;
        let Discovery { issuer: found, jwks_uri } =
            serde_json::from_value(document).map_err(Cause::Discovery)?;
        // Section 4.3: otherwise one who hosts many could speak for the others.
        if found != issuer.as_str() {
            return Err(Cause::OtherIssuer(found));
        }
        issuer.leads_to(&jwks_uri).map_err(Cause::JwksUri)
    }
}

/// What of a discovery document counts here (OpenID Connect Discovery, section 3).
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

async fn read(path: PathBuf) -> Result<Vec<u8>, Cause> {
    let read = move || files::read(&path, MAX_JWKS as u64);
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(Cause::TooLarge),
        Ok(Err(error)) => Err(Cause::Unreadable(error)),
        Err(_) => Err(Cause::BrokeOff),
    }
}

/// Whether the two lie less than `span` apart. A time in the future by more than that is one of a
/// clock that went wrong, and says nothing.
pub(crate) fn is_within(span: Duration, since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since).unsigned_abs() < span
}

#[cfg(test)]
mod tests;
