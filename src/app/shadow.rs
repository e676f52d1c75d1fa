//! The shadow policy, and what is told of it.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::policies::{contents, record, refusal, reload};
use crate::audit::{Audit, Record};
use crate::log::Causes;
use crate::metrics::Metrics;
use crate::policy_folder::LoadError;
use crate::reload::PolicyFiles;
use crate::reloads::{Outcome, Reloads, Which};
use crate::shadow::{Shadow, ShadowFiles};
use crate::watch::{Cause, Reloaded, Source as _};

/// Where it is told.
pub(super) struct Telling<'a> {
    pub(super) metrics: &'a Metrics,
    pub(super) audit: &'a Audit,
    pub(super) reloads: &'a Reloads,
}

/// Reads the shadow policy for the first time. What is wrong with it is told, and keeps nobody from
/// serving.
pub(super) fn start(
    folder: PathBuf,
    policy: Arc<Reloaded<PolicyFiles>>,
    now: Timestamp,
    telling: &Telling<'_>,
) -> Shadow {
    let (shadow, error) = Shadow::start(folder, policy, now);
    match error {
        None => loaded(&shadow, "at the start", now, telling),
        Some(error) => {
            tracing::error!(
                error = %Causes(&error),
                help = ShadowFiles::help(&error),
                "there is no shadow policy until its folder can be used"
            );
            refused(&error, now, telling);
        }
    }
    shadow
}

/// Takes up a shadow policy that changed.
pub(super) fn follow(shadow: &Shadow, cause: Cause, now: Timestamp, telling: &Telling<'_>) {
    match shadow.poll(cause) {
        Ok(false) => {}
        Ok(true) => loaded(shadow, "after a change", now, telling),
        // Told in the log as well, by `poll` itself.
        Err(error) => refused(&error, now, telling),
    }
}

fn loaded(shadow: &Shadow, how: &str, now: Timestamp, telling: &Telling<'_>) {
    let Some(policy) = shadow.policy() else { return };
    let Telling { metrics, audit, reloads } = telling;
    metrics.shadow_loaded(policy.sha256, policy.loaded_at);
    let reason = format!("{how}: {}", contents(&policy));
    tracing::info!(sha256 = %policy.sha256, "shadow policy loaded {reason}");
    reloads.add(reload(Which::Shadow, Outcome::Loaded, reason.clone(), &policy, now));
    audit.queue(record("shadow_policy.loaded", &policy, reason));
}

fn refused(error: &LoadError, now: Timestamp, telling: &Telling<'_>) {
    let Telling { metrics, audit, reloads } = telling;
    metrics.shadow_refused();
    reloads.add(refusal(Which::Shadow, error, now));
    let reason = Some(Causes(error).to_string());
    audit.queue(Record { reason, ..Record::new("shadow_policy.refused") });
}
