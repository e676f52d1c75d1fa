//! Monitoring, and the signals that stop a gate.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::proxy::Gate;
use crate::service::management;
use crate::status::Status;
use crate::watch::Watch;

/// Serves monitoring and listens to signals; returns when it is time to stop.
pub(super) async fn manage(
    gate: Arc<Gate>,
    status: Arc<Status>,
    listener: std::net::TcpListener,
    watch: &Watch,
) -> io::Result<()> {
    let metrics = {
        let gate = Arc::clone(&gate);
        move || {
            gate.metrics.audit(&gate.audit);
            gate.release.observe(gate.clock.now());
            let state = gate.authenticator.state();
            gate.metrics.revocations(state.revocations(|revocations, _| revocations.len()));
            gate.metrics.encode()
        }
    };
    let readiness = {
        let (status, state) = (Arc::clone(&status), Arc::clone(gate.authenticator.state()));
        move || status.readiness(&state)
    };
    let router = management::router(metrics, readiness);
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => watch.now(),
        }
    }
    status.stops();
    tracing::info!("stopping");
    Ok(())
}
