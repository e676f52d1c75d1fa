//! When the registry was heard of last, for people who ask whether it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

use super::error::{Error, Kind};
use super::{Outgoing, Upstream};
use crate::body::Body;
use crate::log::Causes;

/// What came of the last requests to the registry, whoever made them.
#[derive(Debug, Default)]
pub struct Contact {
    /// In seconds since 1970; 0 is never. To the second, as each answer is noted.
    answered: AtomicI64,
    /// The last failure, until there is an answer.
    failed: ArcSwapOption<Failed>,
    is_probed: AtomicBool,
}

/// A request that came to nothing for want of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub why: String,
}

impl Contact {
    pub(super) fn note(&self, result: Result<StatusCode, &Error>) {
        let now = Timestamp::now();
        let failed = |why| self.failed.store(Some(Arc::new(Failed { at: now, why })));
        match result {
            Ok(status) if status.is_server_error() => failed(format!("it answered {status}")),
            Ok(_) => {
                // Workers share these: they are written where they change, and not for each answer.
                if self.answered.load(Ordering::Relaxed) != now.as_second() {
                    self.answered.store(now.as_second(), Ordering::Relaxed);
                }
                if self.failed.load().is_some() {
                    self.failed.store(None);
                }
            }
            Err(error) if is_of_the_registry(error) => failed(Causes(error).to_string()),
            Err(_) => {}
        }
    }

    /// When it answered last, if it did since the start.
    #[must_use]
    pub fn answered_at(&self) -> Option<Timestamp> {
        let second = Some(self.answered.load(Ordering::Relaxed)).filter(|second| *second != 0);
        second.and_then(|second| Timestamp::from_second(second).ok())
    }

    /// The last failure, unless it answered since.
    #[must_use]
    pub fn failing(&self) -> Option<Arc<Failed>> {
        self.failed.load_full()
    }

    /// True for whoever asks next whether it is there, until [`Self::probed`].
    pub(super) fn probes(&self) -> bool {
        !self.is_probed.swap(true, Ordering::Relaxed)
    }

    pub(super) fn probed(&self) {
        self.is_probed.store(false, Ordering::Relaxed);
    }
}

impl Upstream {
    /// Asks whether it is there (distribution spec, end-1), unless somebody just does;
    /// [`Self::contact`] has the answer.
    pub async fn probe(&self) {
        if !self.contact.probes() {
            return;
        }
        let outgoing = Outgoing {
            method: Method::GET,
            target: self.target("/v2/"),
            headers: HeaderMap::new(),
            body: Body::Empty,
            progress: Arc::default(),
        };
        if let Ok(answer) = self.send(outgoing).await {
            answer.discard().await;
        }
        self.contact.probed();
    }
}

/// Whether there was no registry to speak of. What one answer says is about what was asked for, and a
/// body that broke off may be the client's doing.
fn is_of_the_registry(error: &Error) -> bool {
    match error {
        Error::Body(_) | Error::Request(_) => false,
        error => !matches!(error.kind(), Kind::Wrong),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_failure_counts_until_the_registry_answers() {
        let contact = Contact::default();
        assert_eq!((contact.answered_at(), contact.failing()), (None, None));
        contact.note(Err(&Error::ResponseTimeout(Duration::from_secs(3))));
        assert_eq!(contact.failing().unwrap().why, "no answer within 3 seconds");
        contact.note(Ok(StatusCode::NOT_FOUND));
        assert_eq!(contact.failing(), None);
        assert!(contact.answered_at().is_some());
    }

    #[test]
    fn a_registry_that_fails_at_what_it_is_asked_is_not_called_good() {
        let contact = Contact::default();
        contact.note(Ok(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(contact.failing().unwrap().why, "it answered 503 Service Unavailable");
        assert_eq!(contact.answered_at(), None);
    }

    #[test]
    fn an_answer_that_is_wrong_in_itself_says_nothing_of_whether_it_is_there() {
        let contact = Contact::default();
        contact.note(Err(&Error::Wrong("no digest".to_owned())));
        assert_eq!((contact.answered_at(), contact.failing()), (None, None));
    }

    #[test]
    fn it_is_asked_by_one_at_a_time() {
        let contact = Contact::default();
        assert!(contact.probes());
        assert!(!contact.probes());
        contact.probed();
        assert!(contact.probes());
    }
}
