//! Builds the parts of a gate, once.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use policy::Subject;
use tokio::runtime::Handle;

use super::error::Error;
use super::files::policy_loaded;
use super::observe::observer;
use crate::audit::{self, Audit};
use crate::authorize::Locks;
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::federation::Federation;
use crate::identity::peers::Peers;
use crate::identity::users::Users;
use crate::identity::{Authenticator, NoRandom};
use crate::inventory::{self, Inventory};
use crate::issue::Issue;
use crate::metrics::Metrics;
use crate::proxy::seal::Seal;
use crate::proxy::{Gate, Held, RequestIds};
use crate::reload::PolicyFiles;
use crate::service;
use crate::service::api::Api;
use crate::service::revocations::{Feed, Subjects};
use crate::state::State;
use crate::store;
use crate::token::{Grant, KeyFolder, Succession};
use crate::upstream::{Origin, Upstream};
use crate::watch::Reloaded;

/// Opens the state, and reads what each request is checked against.
pub(super) async fn state(
    config: &Config,
    runtime: Handle,
    clock: Arc<Clock>,
) -> Result<Arc<State>, Error> {
    let store = store::open(&config.state).await?;
    Ok(State::start(store, runtime, clock, config.state.max_staleness).await?)
}

/// The gate, and the API of its admin socket.
pub(super) fn gate(
    config: &Config,
    users: Arc<ArcSwap<Users>>,
    state: Arc<State>,
    peers: Arc<Peers>,
    clock: Arc<Clock>,
) -> Result<(Gate, Router), Error> {
    let now = clock.now();
    let policy = Arc::new(Reloaded::start(PolicyFiles(config.policies.clone()))?);
    let key_folder = KeyFolder::open(&config.signing_keys, now)?;
    let keys = {
        let clock = Arc::clone(&clock);
        key_folder.keys(config.tokens.verify_for(), move || clock.now())?
    };
    let public = Origin {
        tls: config.public_url.is_https(),
        authority: config.public_url.authority().clone(),
    };
    let upstream = Arc::new(Upstream::new(config.upstream.clone(), public)?);
    let metrics = Arc::new(Metrics::new());
    let audit = Arc::new(Audit::open(&audit::Settings {
        file: config.audit_file.clone(),
        rotate: config.audit_rotate,
        keep: config.audit_keep,
    })?);
    let observer = observer(Arc::clone(&metrics), Arc::clone(&audit));
    let public_url = config.public_url.clone();
    let authenticator =
        Authenticator::new(public_url, keys, Arc::clone(&users), Arc::clone(&state), observer)?;
    let federation = Federation::new(config.federation.clone())?;
    let authenticator = Arc::new(authenticator.federated(federation).trusting(peers));
    let feed = feed(&authenticator, Arc::clone(&users), Arc::clone(&state), &policy, &clock);
    let issue = Issue {
        authenticator: Arc::clone(&authenticator),
        state,
        succession: Succession::new(&key_folder.sealing_key()),
        settings: config.tokens,
        policy: {
            let policy = Arc::clone(&policy);
            Box::new(move || Arc::clone(&policy.current().policy))
        },
        now: {
            let clock = Arc::clone(&clock);
            Box::new(move || clock.now())
        },
    };
    let issue = Arc::new(issue);
    let api = service::api::router(Arc::new(Api {
        issue: Arc::clone(&issue),
        users,
        audit: Arc::clone(&audit),
        metrics: Arc::clone(&metrics),
    }));
    let services = service::token::router(issue)
        .merge(service::revocations::router(Arc::new(feed)))
        .merge(api.clone());
    let loaded = policy.current();
    metrics.policy_loaded(loaded.sha256);
    audit.queue(policy_loaded(&loaded.sha256));
    drop(loaded);
    let gate = Gate {
        authenticator,
        clock,
        policy,
        inventory: Inventory::new(inventory::Settings {
            linger: config.inventory_linger,
            ..inventory::Settings::default()
        }),
        upstream,
        locks: Locks::default(),
        seal: Seal::new(&key_folder.sealing_key()),
        audit,
        metrics,
        limits: config.limits,
        held: Held::default(),
        mirrors: config.mirrors.clone().into_iter().collect(),
        trusted_proxies: config.trusted_proxies.clone(),
        request_ids: RequestIds::new().map_err(|_| NoRandom)?,
        services,
    };
    Ok((gate, api))
}

/// What gates that trust this one are told.
fn feed(
    authenticator: &Arc<Authenticator>,
    users: Arc<ArcSwap<Users>>,
    state: Arc<State>,
    policy: &Arc<Reloaded<PolicyFiles>>,
    clock: &Arc<Clock>,
) -> Feed {
    let disabled = {
        let state = Arc::clone(&state);
        move || {
            let users = users.load();
            let users = users.iter().filter(|(_, user)| user.disabled);
            let users = users.map(|(name, _)| Subject::User(name.to_owned()));
            let services = state.services().into_iter().filter(|service| service.disabled);
            users.chain(services.map(|service| Subject::Service(service.name))).collect()
        }
    };
    let stands = {
        let (authenticator, policy) = (Arc::clone(authenticator), Arc::clone(policy));
        let clock = Arc::clone(clock);
        move |grant: &Grant| {
            authenticator.stands(grant, &[], clock.now()).is_ok_and(|groups| {
                let held = policy.current().policy.groups_of(&Authenticator::caller(grant, groups));
                grant.groups.iter().flatten().all(|group| held.contains(group))
            })
        }
    };
    let keys = {
        let authenticator = Arc::clone(authenticator);
        move || Arc::clone(&authenticator.keys())
    };
    let clock = Arc::clone(clock);
    let subjects = Subjects { disabled: Box::new(disabled), stands: Box::new(stands) };
    let now = Box::new(move || clock.now());
    Feed::new(state, authenticator.issuer().clone(), Box::new(keys), subjects, now)
}
