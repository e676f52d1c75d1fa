//! The files that take effect while the gate runs.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::policies::Policies;
use super::shadow;
use crate::audit::Record;
use crate::identity::users::Users;
use crate::log::Causes;
use crate::proxy::Gate;
use crate::proxy::tls::ServerTls;
use crate::reload::{UpstreamPassword, UserFiles};
use crate::signature::TrustedKeys;
use crate::watch::{INTERVAL, Reloaded, Watch};

/// Looks each second whether files changed.
pub(super) fn watch_files(
    gate: Arc<Gate>,
    policies: Policies,
    user_files: Reloaded<UserFiles>,
    users: Arc<ArcSwap<Users>>,
    tls: Option<Arc<ServerTls>>,
    password: Option<Reloaded<UpstreamPassword>>,
) -> io::Result<Watch> {
    if let Some(tls) = &tls {
        gate.metrics.certificate(tls.expires_at());
    }
    let mut keys = Arc::clone(&gate.authenticator.keys());
    Watch::every(INTERVAL, move |cause| {
        policies.look(cause);
        if let Some(shadow) = &gate.shadow {
            let telling = shadow::Telling {
                metrics: &gate.metrics,
                audit: &gate.audit,
                reloads: &policies.status.reloads,
            };
            shadow::follow(shadow, cause, gate.clock.now(), &telling);
        }
        // Told in the log by `poll` itself; the last good ones stay in force.
        if let Ok(true) = user_files.poll() {
            users.store(Arc::clone(&user_files.current()));
            gate.audit.queue(Record::new("users.loaded"));
            tracing::info!("users loaded");
        }
        if let Some(password) = &password
            && let Ok(true) = password.poll()
            && let Err(error) = gate.upstream.set_password(&password.current())
        {
            tracing::error!(error = %Causes(&error), "the old password stays in use");
        }
        if let Ok(true) = gate.trusted_keys.poll() {
            gate.audit.queue(trusted_keys_loaded(&gate.trusted_keys.current()));
        }
        // A request may have had the folder read before.
        gate.authenticator.poll_keys();
        let keys_now = Arc::clone(&gate.authenticator.keys());
        if !Arc::ptr_eq(&keys, &keys_now) {
            gate.audit.queue(keys_loaded(keys_now.kid()));
            tracing::info!(signing = keys_now.kid(), "keys loaded");
            keys = keys_now;
        }
        if let Some(tls) = &tls
            && let Ok(true) = tls.reload()
        {
            gate.metrics.certificate(tls.expires_at());
            tracing::info!(expires_at = %tls.expires_at(), "certificate loaded");
        }
    })
}

/// Names the key that signs.
fn keys_loaded(kid: &str) -> Record {
    Record { reason: Some(kid.to_owned()), ..Record::new("keys.loaded") }
}

/// Names the keys that are trusted.
fn trusted_keys_loaded(keys: &TrustedKeys) -> Record {
    let names: Vec<_> = keys.names().collect();
    Record { reason: Some(names.join(", ")), ..Record::new("trusted_keys.loaded") }
}
