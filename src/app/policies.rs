//! The policy in force, and what is told of it: in the audit trail, in metrics, in the log.

use std::sync::Arc;

use jiff::Timestamp;

use crate::audit::Record;
use crate::last_good::Keeper;
use crate::log::Causes;
use crate::policy_folder::LoadError;
use crate::proxy::Gate;
use crate::reload::LoadedPolicy;
use crate::reloads::{Outcome, Reload, Remarks, Which};
use crate::status::Status;
use crate::watch::Cause;

/// Follows the policy folder.
pub(super) struct Policies {
    pub(super) gate: Arc<Gate>,
    pub(super) keeper: Arc<Keeper>,
    pub(super) status: Arc<Status>,
}

impl Policies {
    /// Tells what the gate starts with. `refused`: why it is the last good policy.
    pub(super) fn started(&self, refused: Option<&LoadError>) {
        let metrics = &self.gate.metrics;
        metrics.policy_stale(self.gate.policy.is_stale());
        let Some(refused) = refused else {
            self.loaded("at the start");
            return;
        };
        self.refused(refused);
        let policy = self.gate.policy.current();
        let (sha256, loaded_at) = (policy.sha256, policy.loaded_at);
        tracing::error!(
            error = %Causes(refused),
            %sha256,
            %loaded_at,
            "the policy folder cannot be used: the gate starts with the last good policy"
        );
        metrics.policy_restored(sha256, loaded_at);
        metrics.policy_kept(true);
        let reason = format!("loaded at {loaded_at:.0}: {}", contents(&policy));
        self.note(Outcome::Restored, &reason, &policy);
        self.gate.audit.queue(record("policy.restored", &policy, reason));
    }

    /// Looks at the folder.
    pub(super) fn look(&self, cause: Cause) {
        match self.gate.policy.poll_by(cause) {
            Ok(false) => {}
            Ok(true) => self.loaded(match cause {
                Cause::Interval => "after a change",
                Cause::Hangup => "after a change, at a SIGHUP",
            }),
            // Told in the log as well, by `poll_by` itself.
            Err(error) => self.refused(&error),
        }
        self.gate.metrics.policy_stale(self.gate.policy.is_stale());
    }

    fn loaded(&self, how: &str) {
        let policy = self.gate.policy.current();
        // First of all: from here on nothing may tell that the state keeps this one.
        self.keeper.keep(&policy);
        self.gate.metrics.policy_loaded(policy.sha256, policy.loaded_at);
        let reason = format!("{how}: {}", contents(&policy));
        tracing::info!(sha256 = %policy.sha256, "policies loaded {reason}");
        self.note(Outcome::Loaded, &reason, &policy);
        self.gate.audit.queue(record("policy.loaded", &policy, reason));
    }

    fn refused(&self, error: &LoadError) {
        self.gate.metrics.policy_refused();
        let reason = Some(Causes(error).to_string());
        self.gate.audit.queue(Record { reason, ..Record::new("policy.refused") });
        self.status.reloads.add(refusal(Which::Policy, error, self.gate.clock.now()));
    }

    /// For who asks later what became of a change.
    fn note(&self, result: Outcome, how: &str, policy: &LoadedPolicy) {
        let (how, at) = (how.to_owned(), self.gate.clock.now());
        self.status.reloads.add(reload(Which::Policy, result, how, policy, at));
    }
}

/// A policy that is in use from now on.
pub(super) fn reload(
    of: Which,
    result: Outcome,
    how: String,
    policy: &LoadedPolicy,
    at: Timestamp,
) -> Reload {
    let (sha256, remarks) = (Some(policy.sha256.to_string()), policy.warnings.clone());
    Reload { at, of, result, how, sha256, remarks }
}

/// A policy that is not.
pub(super) fn refusal(of: Which, error: &LoadError, at: Timestamp) -> Reload {
    let how = "the last good one stays".to_owned();
    let remarks = Remarks::from(error);
    Reload { at, of, result: Outcome::Refused, how, sha256: None, remarks }
}

/// `2 files, 7 rules`.
pub(super) fn contents(policy: &LoadedPolicy) -> String {
    let count = |count: usize, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let rules = policy.policy.rule_count();
    format!("{}, {}", count(policy.file_count, "file"), count(rules, "rule"))
}

pub(super) fn record(event: &'static str, policy: &LoadedPolicy, reason: String) -> Record {
    let digest = Some(format!("sha256:{}", policy.sha256));
    Record { digest, reason: Some(reason), ..Record::new(event) }
}
