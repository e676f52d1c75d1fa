//! The latest denials, in memory: whoever was denied something asks about it soon, and on a busy gate
//! much is written to the trail meanwhile.

use std::fmt;
use std::sync::Arc;

use super::search::Found;
use super::{Decision, Record, line};
use crate::recent::Recent;

/// Half of how many are held.
const DENIALS: usize = 1024;

/// The longest line that is held, in bytes. Others are in the files alone.
const LONGEST: usize = 8 * 1024;

/// Denials by the request's id.
pub(super) struct Denials(Recent<String, Arc<[u8]>>);

impl Default for Denials {
    fn default() -> Self {
        Self(Recent::new(DENIALS))
    }
}

impl Denials {
    /// Keeps a record, if it is one of a denial.
    pub(super) fn note(&self, record: &Record) {
        let (Some(Decision::Deny), Some(id)) = (record.decision, &record.request_id) else {
            return;
        };
        let mut written = Vec::new();
        if line::append(&mut written, record).is_ok() && written.len() <= LONGEST {
            self.0.insert(id.clone(), written.into());
        }
    }

    /// As it stands in the trail, or will.
    pub(super) fn find(&self, id: &str) -> Option<Found> {
        Found::read(&self.0.get(&id.to_owned())?)
    }
}

impl fmt::Debug for Denials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Denials")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(id: &str, reason: &str) -> Record {
        Record {
            request_id: Some(id.to_owned()),
            decision: Some(Decision::Deny),
            reason: Some(reason.to_owned()),
            ..Record::new("request")
        }
    }

    #[test]
    fn denials_are_found_as_they_are_written_and_nothing_else_is_kept() {
        let denials = Denials::default();
        denials.note(&denial("r1", "no\u{202e}"));
        denials.note(&Record { decision: Some(Decision::Allow), ..denial("r2", "") });
        denials.note(&Record { request_id: None, ..denial("r3", "") });
        denials.note(&Record { groups: vec!["g".repeat(500); 64], ..denial("r4", "") });
        let found = denials.find("r1").unwrap();
        assert_eq!(found.text("reason"), Some("no\u{202e}"));
        assert!(found.written().contains(r"no\u202e"), "{}", found.written());
        for absent in ["r2", "r3", "r4", ""] {
            assert!(denials.find(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn the_latest_are_there_and_a_flood_takes_no_more_room() {
        let denials = Denials::default();
        for number in 0..5 * DENIALS {
            denials.note(&denial(&number.to_string(), ""));
        }
        let kept = (0..5 * DENIALS).filter(|it| denials.find(&it.to_string()).is_some()).count();
        assert!((DENIALS..=2 * DENIALS).contains(&kept), "{kept}");
        assert!(denials.find(&(5 * DENIALS - 1).to_string()).is_some());
    }
}
