//! A second policy that decides every request as well, and changes none.
//!
//! So a gate is put in front of a registry in use, and a change is tried on live traffic, without
//! denying anyone anything. What the two policies decide differently is audited, counted and listed.

mod files;
mod judge;
mod report;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::policy_folder::LoadError;
use crate::reload::{LoadedPolicy, PolicyFiles};
use crate::watch::{Cause, Fingerprint, Reloaded};

pub use files::ShadowFiles;
pub use judge::{Asked, Comparison, Content, Judged, MAX_REQUESTS, PATIENCE, compare};
pub use report::{Difference, Entry, InvalidCursor, Page, Pair, Report};

/// What the shadow policy would have done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Let it go on.
    Allow,
    /// Refused it.
    Deny,
    /// It could not be found out, or not in time.
    Undecided,
}

impl Verdict {
    /// As in the audit trail and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The shadow policy beside the one in force, and what they decided differently.
#[derive(Debug)]
pub struct Shadow {
    policy: Arc<Reloaded<PolicyFiles>>,
    files: Reloaded<ShadowFiles>,
    report: Report,
}

impl Shadow {
    /// Reads the folder. A folder that cannot be used keeps nobody from serving: the error is told,
    /// and there is no shadow policy until the folder can be read.
    pub fn start(
        folder: PathBuf,
        policy: Arc<Reloaded<PolicyFiles>>,
        now: Timestamp,
    ) -> (Self, Option<LoadError>) {
        let (files, error) = match Reloaded::start_settled(ShadowFiles::new(folder), None) {
            Ok(files) => (files, None),
            Err(refused) => {
                let (files, error) = refused.replaced_by(None, Fingerprint::of([]));
                (files, Some(error))
            }
        };
        (Self { policy, files, report: Report::new(now) }, error)
    }

    /// The shadow policy as it stands now, if there is one.
    #[must_use]
    pub fn policy(&self) -> Option<Arc<LoadedPolicy>> {
        self.files.current().as_ref().clone()
    }

    /// Looks at the folder; true if there is a new policy.
    ///
    /// # Errors
    /// It changed and is wrong; the last good one stays.
    pub fn poll(&self, cause: Cause) -> Result<bool, LoadError> {
        self.files.poll_by(cause)
    }

    /// Writes down how a request was decided by two policies. What was decided by others than those
    /// that stand now belongs to no report.
    pub fn decided(&self, by: Pair, difference: Option<Difference>, now: Timestamp) {
        if self.pair() == Some(by) {
            self.report.add(by, difference, now);
        }
    }

    /// A part of the report about the two policies that stand now.
    ///
    /// # Errors
    /// The cursor is of no report, or of one that has ended.
    pub fn page(
        &self,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, InvalidCursor> {
        self.report.page(self.pair(), cursor, limit, now)
    }

    fn pair(&self) -> Option<Pair> {
        let shadow = self.policy()?.sha256;
        Some(Pair { policy: self.policy.current().sha256, shadow })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn decisions_count_for_the_two_policies_that_stand_now_and_for_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (now, next) = (folder.path().join("now"), folder.path().join("next"));
        fs::create_dir(&now).unwrap();
        fs::write(now.join("a.yaml"), "rules: []").unwrap();
        let policy = Arc::new(Reloaded::start(PolicyFiles(now)).unwrap());
        let (shadow, error) = Shadow::start(next.clone(), Arc::clone(&policy), at(0));
        assert!(error.is_some());
        assert!(shadow.policy().is_none());
        let asked = |shadow: &Shadow| {
            let page = shadow.page(None, 10, at(9)).unwrap();
            serde_json::to_value(page).unwrap()["requests"].as_u64().unwrap()
        };
        assert_eq!(asked(&shadow), 0);

        fs::create_dir(&next).unwrap();
        fs::write(next.join("a.yaml"), "rules: []").unwrap();
        assert!(shadow.poll(Cause::Interval).unwrap());
        let loaded = shadow.policy().unwrap();
        assert!(loaded.take_files().is_empty(), "nobody else needs them");
        let pair = Pair { policy: policy.current().sha256, shadow: loaded.sha256 };
        shadow.decided(pair, None, at(1));
        assert_eq!(asked(&shadow), 1);
        let other = Fingerprint::of([]);
        for stale in [Pair { policy: other, ..pair }, Pair { shadow: other, ..pair }] {
            shadow.decided(stale, None, at(2));
            assert_eq!(asked(&shadow), 1, "a request that began before a change");
        }

        fs::write(next.join("a.yaml"), "rules: [").unwrap();
        assert!(shadow.poll(Cause::Interval).is_err());
        shadow.decided(pair, None, at(3));
        assert_eq!(asked(&shadow), 2, "the last good one stays");
    }
}
