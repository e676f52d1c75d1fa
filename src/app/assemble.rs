//! Builds a gate around what gives out tokens.

use std::sync::Arc;

use policy::Subject;

use super::error::Error;
use super::tokens::Tokens;
use crate::authorize::Locks;
use crate::config::Config;
use crate::identity::NoRandom;
use crate::proxy::seal::Seal;
use crate::proxy::{Gate, Held, RequestIds, Turns};
use crate::service;
use crate::service::api::{self, Images};
use crate::service::revocations::{Feed, Subjects};
use crate::signature::KeyFiles;
use crate::token::Grant;
use crate::watch::Reloaded;
use crate::web;

/// Everything that requests need.
pub(super) fn gate(
    config: &Config,
    tokens: &Tokens,
    images: Images,
    trusted_keys: Arc<Reloaded<KeyFiles>>,
) -> Result<Gate, Error> {
    let api = tokens.asked(images.clone());
    let services = service::token::router(Arc::clone(&tokens.issue))
        .merge(service::revocations::router(Arc::new(feed(tokens))))
        .merge(api::router(Arc::clone(&api)))
        .merge(web::router(api));
    let Images { inventory, upstream, release, .. } = images;
    Ok(Gate {
        authenticator: Arc::clone(&tokens.issue.authenticator),
        clock: Arc::clone(&tokens.clock),
        policy: Arc::clone(&tokens.policy),
        shadow: tokens.shadow.clone(),
        inventory,
        release,
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
