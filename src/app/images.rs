//! What is asked about images: the registry, what is known of it, and what judges it.

use std::sync::Arc;

use axum::Router;

use super::error::Error;
use super::inventory;
use super::tokens::Tokens;
use crate::config::Config;
use crate::inventory::{Inventory, Journal};
use crate::proxy::seal::Seal;
use crate::release::{Release, Signers};
use crate::service::api::Images;
use crate::signature::KeyFiles;
use crate::upstream::{Origin, Upstream};
use crate::watch::Reloaded;

/// Opens it, and the keys whose signatures count.
///
/// # Errors
/// Something that the configuration names is not there or is wrong.
pub(super) fn open(
    config: &Config,
    tokens: &Tokens,
    journal: Arc<dyn Journal>,
) -> Result<(Images, Arc<Reloaded<KeyFiles>>), Error> {
    let public = Origin {
        tls: config.public_url.is_https(),
        authority: config.public_url.authority().clone(),
    };
    let upstream = Arc::new(Upstream::new(config.upstream.clone(), public)?);
    let keys = Arc::new(Reloaded::start(config.trusted_keys.clone())?);
    let signers = {
        let keys = Arc::clone(&keys);
        Signers::new(move || Arc::clone(&keys.current()), config.inventory.freshness)
    };
    let metrics = Arc::clone(&tokens.metrics);
    let release = Release::new(Arc::clone(&tokens.state), signers, Arc::clone(&metrics));
    let release = match &config.scanner {
        Some(scanner) => release.scanning(scanner.rescan_after),
        None => release,
    };
    let images = Images {
        inventory: Inventory::with_metrics(config.inventory, journal, metrics),
        upstream,
        release: Arc::new(release),
        seal: Arc::new(Seal::new(&tokens.key_folder.sealing_key())),
        has_scanner: config.scanner.is_some(),
    };
    Ok((images, keys))
}

/// The API on the state of a gate that does not run, for its administrator. What it learns of the
/// registry is not written down.
///
/// # Errors
/// The gate could not start either.
pub(crate) async fn api_alone(config: &Config) -> Result<Router, Error> {
    let tokens = Tokens::open(config).await?;
    let ledger = inventory::ledger(config, &tokens);
    let (images, _) = open(config, &tokens, ledger)?;
    Ok(tokens.api(images))
}
