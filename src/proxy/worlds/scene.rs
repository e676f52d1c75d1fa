//! A registry on a port, a gate in front of it, and a client: the whole path of a request, with a
//! token of each person.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, Version};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use policy::{Bounds, Subject};
use tempfile::TempDir;

use super::super::connection::Connection;
use super::super::{Gate, Held, Limits, RequestIds, Turns, request};
use super::content::Library;
use super::generate::Person;
use super::registry::{Manners, Registry};
use crate::audit::{self, Audit};
use crate::authorize::Locks;
use crate::clock::Clock;
use crate::identity::users::Users;
use crate::identity::{Access, Authenticator, Observer, Principal};
use crate::inventory::{self, Forgetful, Inventory};
use crate::metrics::Metrics;
use crate::proxy::seal::Seal;
use crate::public_url::PublicUrl;
use crate::release::Release;
use crate::reload::PolicyFiles;
use crate::signature::KeyFiles;
use crate::state::sample;
use crate::token::{Grant, KeyFolder, Kind, Order, mint};
use crate::upstream::Upstream;
use crate::upstream::fake::Fake;
use crate::watch::Reloaded;

/// What was answered.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A request of a client.
#[derive(Debug, Clone, Default)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// What all worlds share, so that each is cheap: one registry on one port, one set of keys, one
/// connection.
pub(super) struct Scene {
    pub(super) registry: Arc<Mutex<Registry>>,
    gate: Arc<Mutex<Arc<Gate>>>,
    sender: SendRequest<Full<Bytes>>,
    shared: Shared,
    policy: Arc<Reloaded<PolicyFiles>>,
    tokens: BTreeMap<Person, String>,
    principals: BTreeMap<Person, Principal>,
    folder: TempDir,
    _state_folder: TempDir,
    _fake: Fake,
}

impl Scene {
    pub(super) async fn new() -> Self {
        let manners = Manners {
            referrers: true,
            filters: true,
            page: None,
            unsorted: false,
            converts: false,
            mixes: false,
        };
        let registry = Arc::new(Mutex::new(Registry::new(Library::default(), manners)));
        let behind = Arc::clone(&registry);
        let fake = Fake::start(move |asked| behind.lock().unwrap().answer(asked).into()).await;
        // Each denial is written through, which in memory costs nothing.
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("policies")).unwrap();
        std::fs::write(at("policies/policy.yaml"), "rules: []").unwrap();
        let key_folder = KeyFolder::open(&at("keys"), jiff::Timestamp::now()).unwrap();
        let keys = key_folder.keys(Duration::from_secs(3600), jiff::Timestamp::now).unwrap();
        let clock = Arc::new(Clock::start());
        let (state, state_folder) = sample::kept(Arc::clone(&clock));
        state.add_service("ci", clock.now()).await.unwrap();
        let users = ["alice", "bob", "mallory", "root"];
        let hash =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
        let hash = hash.hash_password(b"nobody comes with it").unwrap();
        let users = users.map(|name| format!("  {name}: {{password: '{hash}'}}\n")).concat();
        let users = Users::parse(Path::new("users.yaml"), &format!("users:\n{users}")).unwrap();
        let users = Arc::new(ArcSwap::from_pointee(users));
        let issuer = PublicUrl::new("https://gate.example").unwrap();
        let authenticator = Authenticator::new(issuer, keys, users, state, Observer::none());
        let shared = Shared {
            authenticator: Arc::new(authenticator.unwrap()),
            upstream: Arc::new(fake.upstream()),
            audit: Arc::new(Audit::open(&audit::Settings::new(at("audit.jsonl"))).unwrap()),
            metrics: Arc::new(Metrics::new()),
            clock,
        };
        let policy = Arc::new(Reloaded::start(PolicyFiles(at("policies"))).unwrap());
        let gate = shared.gate(&policy, inventory::Settings::default());
        let gate = Arc::new(Mutex::new(gate));
        let sender = connect(Arc::clone(&gate)).await;
        Self {
            registry,
            gate,
            sender,
            shared,
            policy,
            tokens: BTreeMap::new(),
            principals: BTreeMap::new(),
            folder,
            _state_folder: state_folder,
            _fake: fake,
        }
    }

    /// Another registry, and another policy.
    pub(super) fn set(&mut self, registry: Registry, policy: &str) {
        *self.registry.lock().unwrap() = registry;
        let policies = self.folder.path().join("policies");
        std::fs::write(policies.join("policy.yaml"), policy).unwrap();
        self.policy = Arc::new(Reloaded::start(PolicyFiles(policies)).unwrap_or_else(|error| {
            panic!("{}\n{policy}", crate::log::Causes(&error));
        }));
    }

    /// A gate that knows nothing.
    pub(super) fn fresh(&self, settings: inventory::Settings) {
        *self.gate.lock().unwrap() = self.shared.gate(&self.policy, settings);
    }

    pub(super) fn policy(&self) -> Arc<policy::Policy> {
        Arc::clone(&self.policy.current().policy)
    }

    /// Asks the gate.
    pub(super) async fn ask(&mut self, person: &Person, ask: &Ask) -> Answer {
        let token = self.token(person).to_owned();
        let mut request = Request::builder().method(ask.method).uri(&ask.target);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let request = request
            .header("host", "gate.example")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Full::new(Bytes::from(ask.body.clone())))
            .unwrap();
        self.sender.ready().await.unwrap();
        let (head, body) = self.sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// As the gate knows that person.
    pub(super) async fn principal(&mut self, person: &Person) -> Principal {
        if let Some(known) = self.principals.get(person) {
            return known.clone();
        }
        let mut headers = HeaderMap::new();
        let token = format!("Bearer {}", self.token(person));
        headers.insert(AUTHORIZATION, token.parse().unwrap());
        let (address, now) = ([127, 0, 0, 1].into(), self.shared.clock.now());
        let known = self.shared.authenticator.authenticate(&headers, address, now).await;
        let mut principal = known.unwrap().unwrap();
        let circumstances = &mut principal.caller.circumstances;
        (circumstances.at, circumstances.address) = (Some(now), Some(address));
        self.principals.insert(person.clone(), principal.clone());
        principal
    }

    fn token(&mut self, person: &Person) -> &str {
        let Self { tokens, shared: Shared { authenticator, clock, .. }, .. } = self;
        tokens.entry(person.clone()).or_insert_with(|| {
            let subject: Subject = person.subject.parse().unwrap();
            let kind = match &subject {
                Subject::User(_) => Kind::User,
                Subject::Service(_) => Kind::Service,
                _ => Kind::Anonymous,
            };
            let bounds = person.bounds.as_ref().map(|(images, actions)| {
                Arc::new(Bounds::new(images.clone(), actions.iter().copied()).unwrap())
            });
            let grant = Grant { bounds, ..Grant::unlimited(subject, kind, clock.now()) };
            let order = Order {
                grant,
                family: None,
                audience: None,
                access: access(person),
                lifetime: Duration::from_secs(24 * 3600),
                not_after: None,
            };
            let (token, _) =
                mint(order, &authenticator.keys(), authenticator.issuer(), clock.now()).unwrap();
            token.expose().to_owned()
        })
    }
}

/// What the token endpoint would write into the token.
fn access(person: &Person) -> Option<Vec<Access>> {
    use policy::Action::{Attach, Create, Inspect, Overwrite, Pull};
    let (repositories, catalog) = person.access.as_ref()?;
    let actions = |word: &&str| match *word {
        "pull" => vec![Pull, Inspect],
        _ => vec![Create, Overwrite, Attach],
    };
    let access = repositories.iter().map(|(name, words)| Access::Repository {
        name: oci::RepositoryName::new(name).unwrap(),
        actions: words.iter().flat_map(actions).collect(),
    });
    Some(access.chain(catalog.then_some(Access::Catalog)).collect())
}

/// The parts of a gate that no world changes.
struct Shared {
    authenticator: Arc<Authenticator>,
    upstream: Arc<Upstream>,
    audit: Arc<Audit>,
    metrics: Arc<Metrics>,
    clock: Arc<Clock>,
}

impl Shared {
    fn gate(
        &self,
        policy: &Arc<Reloaded<PolicyFiles>>,
        settings: inventory::Settings,
    ) -> Arc<Gate> {
        Arc::new(Gate {
            authenticator: Arc::clone(&self.authenticator),
            clock: Arc::clone(&self.clock),
            policy: Arc::clone(policy),
            shadow: None,
            inventory: Inventory::new(settings, Arc::new(Forgetful)),
            release: Arc::new(Release::sample(sample::absent())),
            trusted_keys: Arc::new(Reloaded::start(KeyFiles::default()).unwrap()),
            upstream: Arc::clone(&self.upstream),
            locks: Locks::default(),
            seal: Seal::new(&[7; 32]),
            audit: Arc::clone(&self.audit),
            metrics: Arc::clone(&self.metrics),
            limits: Limits::default(),
            held: Held::default(),
            lists: Turns::default(),
            mirrors: oci::Mirrors::default(),
            trusted_proxies: Vec::new(),
            request_ids: RequestIds::new().unwrap(),
            services: axum::Router::new(),
        })
    }
}

/// A connection to whichever gate is there when a request comes.
async fn connect(gate: Arc<Mutex<Arc<Gate>>>) -> SendRequest<Full<Bytes>> {
    let (client, server) = tokio::io::duplex(64 << 10);
    let service = service_fn(move |asked| {
        let connection = Connection {
            peer: SocketAddr::from(([127, 0, 0, 1], 1)),
            tls: false,
            _alive: Arc::default(),
        };
        let gate = Arc::clone(&gate.lock().unwrap());
        async move { Ok::<_, Infallible>(request::answer(gate, Arc::new(connection), asked).await) }
    });
    tokio::spawn(
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service),
    );
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(client)).await.unwrap();
    tokio::spawn(connection);
    sender
}
