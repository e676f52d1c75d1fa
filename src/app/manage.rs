//! Monitoring, and the signals that stop a gate.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::proxy::Gate;
use crate::service::management::{self, Readiness};
use crate::watch::Watch;

/// Serves monitoring and listens to signals; returns when it is time to stop.
pub(super) async fn manage(
    gate: Arc<Gate>,
    listener: std::net::TcpListener,
    watch: &Watch,
) -> io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
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
        let (stopping, gate) = (Arc::clone(&stopping), Arc::clone(&gate));
        move || {
            if stopping.load(Ordering::Relaxed) {
                Readiness::NotReady("it is stopping".into())
            } else if !gate.authenticator.state().is_fresh() {
                Readiness::NotReady("the state does not answer".into())
            } else {
                Readiness::Ready
            }
        }
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
    stopping.store(true, Ordering::Relaxed);
    tracing::info!("stopping");
    Ok(())
}
