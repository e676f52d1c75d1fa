//! What is learned of the upstream: kept, followed, and looked for in the background.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::Error;
use super::tokens::Tokens;
use crate::config::Config;
use crate::identity::NoRandom;
use crate::inventory::{Crawl, Ledger, Pace};
use crate::proxy::Gate;
use crate::release::{Describing, DescribingPace};
use crate::token::TokenId;

/// The inventory's book in the state.
pub(super) fn ledger(config: &Config, tokens: &Tokens) -> Arc<Ledger> {
    let (state, clock) = (Arc::clone(&tokens.state), Arc::clone(&tokens.clock));
    Ledger::new(state, clock, Arc::clone(&tokens.metrics), config.inventory.linger)
}

/// Writes down what the gate learns and follows other replicas, until `stop` is told.
pub(super) fn keep(
    runtime: &Handle,
    gate: &Gate,
    ledger: Arc<Ledger>,
    stop: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let inventory = gate.inventory.clone();
    runtime.spawn(ledger.run(move |of, lesson| inventory.follow(of, lesson), stop))
}

/// Crawls until `stop` is told, if that is wanted.
pub(super) fn crawl(
    runtime: &Handle,
    gate: &Gate,
    stop: watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, Error> {
    if !gate.inventory.settings().crawl {
        return Ok(None);
    }
    let name = TokenId::random().map_err(|_| NoRandom)?;
    let crawl = Crawl::new(
        Arc::clone(gate.authenticator.state()),
        Arc::clone(&gate.upstream),
        Arc::clone(&gate.clock),
        Arc::clone(&gate.metrics),
        Pace::default(),
        name.as_str().to_owned(),
    );
    Ok(Some(runtime.spawn(crawl.run(stop))))
}

/// Looks into images until `stop` is told, where the upstream may be crawled.
pub(super) fn describe(
    runtime: &Handle,
    gate: &Gate,
    stop: watch::Receiver<bool>,
) -> Result<Option<JoinHandle<()>>, Error> {
    if !gate.inventory.settings().crawl {
        return Ok(None);
    }
    let name = TokenId::random().map_err(|_| NoRandom)?;
    let describing = Describing {
        state: Arc::clone(gate.authenticator.state()),
        upstream: Arc::clone(&gate.upstream),
        clock: Arc::clone(&gate.clock),
        pace: DescribingPace::default(),
        holder: name.as_str().to_owned(),
    };
    Ok(Some(runtime.spawn(describing.run(stop))))
}
