//! Builds a gate around what gives out tokens.

use std::sync::Arc;

use policy::Subject;

use super::error::Error;
use super::tokens::Tokens;
use crate::authorize::Locks;
use crate::config::Config;
use crate::identity::NoRandom;
use crate::inventory::{Inventory, Journal};
use crate::proxy::seal::Seal;
use crate::proxy::{Gate, Held, RequestIds, Turns};
use crate::release::{Release, Signers};
use crate::service;
use crate::service::revocations::{Feed, Subjects};
use crate::signature::KeyFiles;
use crate::token::Grant;
use crate::upstream::{Origin, Upstream};
use crate::watch::Reloaded;

/// Everything that requests need.
pub(super) fn gate(
    config: &Config,
    tokens: &Tokens,
    journal: Arc<dyn Journal>,
) -> Result<Gate, Error> {
    let public = Origin {
        tls: config.public_url.is_https(),
        authority: config.public_url.authority().clone(),
    };
    let upstream = Arc::new(Upstream::new(config.upstream.clone(), public)?);
    let trusted_keys = Arc::new(Reloaded::start(config.trusted_keys.clone())?);
    let services = service::token::router(Arc::clone(&tokens.issue))
        .merge(service::revocations::router(Arc::new(feed(tokens))))
        .merge(tokens.api());
    Ok(Gate {
        authenticator: Arc::clone(&tokens.issue.authenticator),
        clock: Arc::clone(&tokens.clock),
        policy: Arc::clone(&tokens.policy),
        shadow: tokens.shadow.clone(),
        inventory: Inventory::with_metrics(config.inventory, journal, Arc::clone(&tokens.metrics)),
        release: release(config, tokens, Arc::clone(&trusted_keys)),
        trusted_keys,
        upstream,
        locks: Locks::between(tokens.state.replica_locks()),
        seal: Seal::new(&tokens.key_folder.sealing_key()),
        audit: Arc::clone(&tokens.audit),
        metrics: Arc::clone(&tokens.metrics),
        limits: config.limits,
        held: Held::default(),
        lists: Turns::default(),
        mirrors: config.mirrors.clone().into_iter().collect(),
        trusted_proxies: config.trusted_proxies.clone(),
        request_ids: RequestIds::new().map_err(|_| NoRandom)?,
        services,
    })
}

/// What judges images, by the keys that are trusted now.
fn release(config: &Config, tokens: &Tokens, keys: Arc<Reloaded<KeyFiles>>) -> Release {
    let signers = Signers::new(move || Arc::clone(&keys.current()), config.inventory.freshness);
    Release::new(Arc::clone(&tokens.state), signers, Arc::clone(&tokens.metrics))
}

/// What gates that trust this one are told.
fn feed(tokens: &Tokens) -> Feed {
    let disabled = {
        let (state, users) = (Arc::clone(&tokens.state), Arc::clone(&tokens.users));
        move || {
            let users = users.load();
            let users = users.iter().filter(|(_, user)| user.disabled);
            let users = users.map(|(name, _)| Subject::User(name.to_owned()));
            let services = state.services().into_iter().filter(|service| service.disabled);
            users.chain(services.map(|service| Subject::Service(service.name))).collect()
        }
    };
    let authenticator = &tokens.issue.authenticator;
    let stands = {
        let (authenticator, policy) = (Arc::clone(authenticator), Arc::clone(&tokens.policy));
        let now = tokens.clock.reader();
        move |grant: &Grant| {
            authenticator.stands(grant, &[], now()).is_ok_and(|groups| {
                let held = policy.current().policy.groups_of(&grant.caller(groups));
                grant.groups.iter().flatten().all(|group| held.contains(group))
            })
        }
    };
    let keys = {
        let authenticator = Arc::clone(authenticator);
        move || Arc::clone(&authenticator.keys())
    };
    let subjects = Subjects { disabled: Box::new(disabled), stands: Box::new(stands) };
    let now = tokens.clock.reader();
    let (state, issuer) = (Arc::clone(&tokens.state), authenticator.issuer().clone());
    Feed::new(state, issuer, Box::new(keys), subjects, now)
}
