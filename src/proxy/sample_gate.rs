//! A gate for tests, without a port of its own.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::{Request, Response};
use oci::Operation;
use policy::Caller;
use tempfile::TempDir;

use super::exchange::Exchange;
use super::forward::Forwarding;
use super::headers::Forwarded;
use super::{Gate, Held, Limits, RequestIds, Turns};
use crate::audit::{self, Audit};
use crate::authorize::{Locks, Question, authorize, put_manifest};
use crate::body::Body;
use crate::clock::Clock;
use crate::identity::users::Users;
use crate::identity::{Authenticator, Ceiling, Observer, Principal};
use crate::inventory::{self, Forgetful, Inventory};
use crate::metrics::Metrics;
use crate::proxy::seal::Seal;
use crate::public_url::PublicUrl;
use crate::refusal::Refusal;
use crate::release::Release;
use crate::reload::PolicyFiles;
use crate::signature::KeyFiles;
use crate::state::{State, sample};
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
    gate_on(sample::absent(), policy, upstream, limits, inventory)
}

/// The same on this state.
pub(super) fn gate_on(
    state: Arc<State>,
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
        release: Arc::new(Release::sample(state)),
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

/// Sends `request`, such as `GET a/app/manifests/v1`, through authorizing and forwarding. With a body
/// it is a manifest to be stored.
pub(super) async fn ask(
    gate: &Arc<Gate>,
    caller: Caller,
    request: &str,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    forward(gate, caller, request, async |forwarding, operation| {
        let permit = match operation {
            Operation::PutManifest { .. } => {
                let pending = put_manifest(forwarding.question, operation).await?;
                pending.judge(body.to_vec().into(), None).await?
            }
            read => authorize(forwarding.question, read).await?,
        };
        forwarding.run(permit, None).await
    })
    .await
}

/// Does something with `request` that was parsed, and with what a gate has for it.
pub(super) async fn forward<T>(
    gate: &Arc<Gate>,
    caller: Caller,
    request: &str,
    act: impl AsyncFnOnce(Forwarding<'_>, Operation) -> T,
) -> T {
    let (method, target) = request.split_once(' ').unwrap();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let operation = Operation::parse(method, &format!("/v2/{path}"), query).unwrap();
    let principal = Principal { caller, ceiling: Ceiling::Unlimited, token_id: None };
    let (head, ()) = Request::get("/").body(()).unwrap().into_parts();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut exchange = Exchange::new(Arc::clone(gate), "r1", address, &head, Instant::now());
    let policy = gate.policy.current().policy.clone();
    let question = Question {
        policy: &policy,
        inventory: &gate.inventory,
        upstream: &gate.upstream,
        release: &gate.release,
        locks: &gate.locks,
        seal: &gate.seal,
        principal: &principal,
        now: gate.clock.now(),
        max_requests: gate.inventory.settings().max_requests,
    };
    let forwarding = Forwarding {
        gate,
        question,
        head: &head,
        forwarded: Forwarded { address, request_id: "r1" },
        exchange: &mut exchange,
        is_unconditional: false,
    };
    act(forwarding, operation).await
}
