//! Has images scanned while the gate serves.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::Error;
use crate::config::Config;
use crate::identity::NoRandom;
use crate::proxy::Gate;
use crate::release::{Pace, Scanning};
use crate::scanner::Adapter;
use crate::status::Status;
use crate::token::TokenId;

/// Scans until `stop` is told, if there is a scanner.
pub(super) fn start(
    runtime: &Handle,
    config: &Config,
    gate: &Gate,
    status: &Status,
    stop: watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, Error> {
    let (Some(settings), Some(health)) = (&config.scanner, &status.scanner) else {
        return Ok(None);
    };
    let holder = || TokenId::random().map(|id| id.as_str().to_owned()).map_err(|_| NoRandom);
    let policy = Arc::clone(&gate.policy);
    let scanning = Scanning {
        state: Arc::clone(gate.authenticator.state()),
        adapter: Adapter::new(&settings.adapter)?,
        upstream: Arc::clone(&gate.upstream),
        inventory: gate.inventory.clone(),
        authenticator: Arc::clone(&gate.authenticator),
        policy: Box::new(move || Arc::clone(&policy.current().policy)),
        clock: Arc::clone(&gate.clock),
        metrics: Arc::clone(&gate.metrics),
        audit: Arc::clone(&gate.audit),
        rescan_after: settings.rescan_after,
        pace: Pace::default(),
        health: Arc::clone(health),
    };
    Ok(Some(runtime.spawn(scanning.run([holder()?, holder()?], stop))))
}
