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
pub use judge::{Asked, Comparison, Content, Judged, compare};
pub use report::{Difference, InvalidCursor, Page, Pair, Report};

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
