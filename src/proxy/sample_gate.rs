//! A gate for tests, without a port of its own.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tempfile::TempDir;

use super::{Gate, Held, Limits, RequestIds, Turns};
use crate::audit::{self, Audit};
use crate::authorize::Locks;
use crate::clock::Clock;
use crate::identity::users::Users;
use crate::identity::{Authenticator, Observer};
use crate::inventory::{self, Forgetful, Inventory};
use crate::metrics::Metrics;
use crate::proxy::seal::Seal;
use crate::public_url::PublicUrl;
use crate::release::Release;
use crate::reload::PolicyFiles;
use crate::signature::KeyFiles;
use crate::state::sample;
use crate::token::KeyFolder;
use crate::upstream::Upstream;
use crate::watch::Reloaded;

/// A gate in front of `upstream`, with a policy of one file; and the folder that it lives in.
pub(crate) fn gate(
    policy: &str,
    upstream: Upstream,
    limits: Limits,
    inventory: inventory::Settings,
) -> (Arc<Gate>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("policies")).unwrap();
    std::fs::write(at("policies/policy.yaml"), policy).unwrap();
    let folder_of_keys = KeyFolder::open(&at("keys"), jiff::Timestamp::now()).unwrap();
    let keys = folder_of_keys.keys(Duration::from_secs(3600), jiff::Timestamp::now).unwrap();
    let state = sample::absent();
    let users = Arc::new(ArcSwap::from_pointee(Users::default()));
    let issuer = PublicUrl::new("https://gate.example").unwrap();
    let authenticator =
        Authenticator::new(issuer, keys, users, Arc::clone(&state), Observer::none()).unwrap();
    let gate = Gate {
        authenticator: Arc::new(authenticator),
        clock: Arc::new(Clock::start()),
        policy: Arc::new(Reloaded::start(PolicyFiles(at("policies"))).unwrap()),
        shadow: None,
        inventory: Inventory::new(inventory, Arc::new(Forgetful)),
        release: Release::sample(state),
        trusted_keys: Arc::new(Reloaded::start(KeyFiles::default()).unwrap()),
        upstream: Arc::new(upstream),
        locks: Locks::default(),
        seal: Seal::new(&folder_of_keys.sealing_key()),
        audit: Arc::new(Audit::open(&audit::Settings::new(at("audit.jsonl"))).unwrap()),
        metrics: Arc::new(Metrics::new()),
        limits,
        held: Held::default(),
        lists: Turns::default(),
        mirrors: oci::Mirrors::default(),
        trusted_proxies: Vec::new(),
        request_ids: RequestIds::new().unwrap(),
        services: axum::Router::new(),
    };
    (Arc::new(gate), folder)
}
