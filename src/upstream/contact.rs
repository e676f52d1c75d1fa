//! When the registry was heard of last, for people who ask whether it is there.

use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use std::sync::Arc;

use super::error::{Error, Kind};
use crate::log::Causes;

/// What came of the last requests to the registry, whoever made them.
#[derive(Debug, Default)]
pub struct Contact {
    /// In seconds since 1970; 0 is never. To the second, as each answer is noted.
    answered: AtomicI64,
    failed: ArcSwapOption<Failed>,
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
    pub(super) fn note<T>(&self, result: &Result<T, Error>) {
        let now = Timestamp::now();
        match result {
            Ok(_) => {
                // Workers share this: it is written once a second, and not for each answer.
                if self.answered.load(Ordering::Relaxed) != now.as_second() {
                    self.answered.store(now.as_second(), Ordering::Relaxed);
                }
            }
            Err(error) if is_of_the_registry(error) => {
                let failed = Failed { at: now, why: Causes(error).to_string() };
                self.failed.store(Some(Arc::new(failed)));
            }
            Err(_) => {}
        }
    }

    /// When it answered last, if it did since the start.
    #[must_use]
    pub fn answered_at(&self) -> Option<Timestamp> {
        let second = Some(self.answered.load(Ordering::Relaxed)).filter(|second| *second != 0);
        second.and_then(|second| Timestamp::from_second(second).ok())
    }

    /// The last failure, unless it answered later.
    #[must_use]
    pub fn failing(&self) -> Option<Arc<Failed>> {
        let failed = self.failed.load_full()?;
        let answered = self.answered.load(Ordering::Relaxed);
        (failed.at.as_second() >= answered).then_some(failed)
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
    fn a_failure_counts_until_the_registry_answers_later() {
        let contact = Contact::default();
        assert_eq!((contact.answered_at(), contact.failing()), (None, None));
        contact.note::<()>(&Err(Error::ResponseTimeout(Duration::from_secs(3))));
        assert_eq!(contact.failing().unwrap().why, "no answer within 3 seconds");
        let ahead = Timestamp::now().as_second() + 5;
        contact.answered.store(ahead, Ordering::Relaxed);
        assert_eq!(contact.failing(), None);
        assert_eq!(contact.answered_at().unwrap().as_second(), ahead);
    }

    #[test]
    fn an_answer_that_is_wrong_in_itself_says_that_the_registry_is_there() {
        let contact = Contact::default();
        contact.note::<()>(&Err(Error::Wrong("no digest".to_owned())));
        assert_eq!(contact.failing(), None);
        contact.note(&Ok(()));
        assert!(contact.answered_at().is_some());
    }
}
