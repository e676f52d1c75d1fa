//! The shadow policy, and what is told of it.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::policies::{contents, record};
use crate::audit::{Audit, Record};
use crate::log::Causes;
use crate::metrics::Metrics;
use crate::policy_folder::LoadError;
use crate::reload::PolicyFiles;
use crate::shadow::{Shadow, ShadowFiles};
use crate::watch::{Cause, Reloaded, Source as _};

/// Reads the shadow policy for the first time. What is wrong with it is told, and keeps nobody from
/// serving.
pub(super) fn start(
    folder: PathBuf,
    policy: Arc<Reloaded<PolicyFiles>>,
    now: Timestamp,
    metrics: &Metrics,
    audit: &Audit,
) -> Shadow {
    let (shadow, error) = Shadow::start(folder, policy, now);
    match error {
        None => loaded(&shadow, "at the start", metrics, audit),
        Some(error) => {
            tracing::error!(
                error = %Causes(&error),
                help = ShadowFiles::help(&error),
                "there is no shadow policy until its folder can be used"
            );
            refused(&error, metrics, audit);
        }
    }
    shadow
}

/// Takes up a shadow policy that changed.
pub(super) fn follow(shadow: &Shadow, cause: Cause, metrics: &Metrics, audit: &Audit) {
    match shadow.poll(cause) {
        Ok(false) => {}
        Ok(true) => loaded(shadow, "after a change", metrics, audit),
        // Told in the log as well, by `poll` itself.
        Err(error) => refused(&error, metrics, audit),
    }
}

fn loaded(shadow: &Shadow, how: &str, metrics: &Metrics, audit: &Audit) {
    let Some(policy) = shadow.policy() else { return };
    metrics.shadow_loaded(policy.sha256, policy.loaded_at);
    let reason = format!("{how}: {}", contents(&policy));
    tracing::info!(sha256 = %policy.sha256, "shadow policy loaded {reason}");
    audit.queue(record("shadow_policy.loaded", &policy, reason));
}

fn refused(error: &LoadError, metrics: &Metrics, audit: &Audit) {
    metrics.shadow_refused();
    let reason = Some(Causes(error).to_string());
    audit.queue(Record { reason, ..Record::new("shadow_policy.refused") });
}
