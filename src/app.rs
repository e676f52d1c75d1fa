//! Builds the parts once; owns start-up and shutdown.
//!
//! Everything is read and understood before a port is bound: a first start with a bad configuration
//! opens none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use arc_swap::ArcSwap;
use axum::Router;
use policy::Subject;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::audit::{self, Audit, Record};
use crate::authorize::Locks;
use crate::clock::Clock;
use crate::config::{Config, LogFormat};
use crate::fetch::FetchError;
use crate::identity::federation::Federation;
use crate::identity::peers::{self, Peers};
use crate::identity::users::{self, Users};
use crate::identity::{Authenticator, NoRandom, Observer, TokenEvent};
use crate::inventory::{self, Inventory};
use crate::issue::Issue;
use crate::log::{self, Causes};
use crate::metrics::Metrics;
use crate::policy_folder::LoadError;
use crate::proxy::seal::Seal;
use crate::proxy::tls::{ServerTls, TlsError};
use crate::proxy::{Bound, Gate, Held, ListenError, Listeners, RequestIds, Stop};
use crate::reload::{PolicyFiles, UpstreamPassword, UserFiles};
use crate::service::revocations::{Feed, Subjects};
use crate::service::{
    self,
    api::Api,
    management::{self, Readiness},
    socket::{AdminSocket, SocketError},
};
use crate::state::State;
use crate::store::{self, StoreError};
use crate::token::{Grant, KeyError, KeyFolder, Succession};
use crate::upstream::{self, Origin, PasswordError, Upstream};
use crate::watch::{INTERVAL, Reloaded, Watch};

/// Why the gate does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log's settings.
    #[error(transparent)]
    Log(#[from] log::Error),
    /// The policies.
    #[error(transparent)]
    Policies(#[from] LoadError),
    /// The files of users.
    #[error(transparent)]
    Users(#[from] users::Error),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The state cannot be opened.
    #[error(transparent)]
    State(#[from] store::OpenError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificates by which a provider or a trusted gate is known.
    #[error(transparent)]
    Trust(#[from] FetchError),
    /// The admin socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The upstream's password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The upstream's settings.
    #[error(transparent)]
    Upstream(#[from] upstream::Error),
    /// The audit trail.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// The system.
    #[error(transparent)]
    Random(#[from] NoRandom),
    /// An address.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Threads or signals.
    #[error("the system does not give what the gate needs to run")]
    System(#[from] io::Error),
}

/// Serves until it is told to stop.
///
/// # Errors
/// The gate cannot start.
pub fn run(config: &Config) -> Result<(), Error> {
    log::init(&log::Settings {
        format: match config.log_format {
            LogFormat::Text => log::Format::Text,
            LogFormat::Json => log::Format::Json,
        },
        level: config.log_level.clone(),
    })?;
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let tls = config.tls.as_ref().map(ServerTls::load).transpose()?.map(Arc::new);
    let password = config.upstream.credentials.as_ref();
    let password = password.and_then(|credentials| credentials.password_file.clone());
    let password = password.map(|file| Reloaded::start(UpstreamPassword(file))).transpose()?;
    let user_files = Reloaded::start(UserFiles::new(config.user_files()))?;
    let users = Arc::new(ArcSwap::new(Arc::clone(&user_files.current())));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("management")
        .enable_all()
        .build()?;
    let clock = Arc::new(Clock::start());
    let state = runtime.block_on(state(config, runtime.handle().clone(), Arc::clone(&clock)))?;
    let peers = Arc::new(Peers::new(config.trust.clone(), &config.public_url)?);
    let now: peers::Now = {
        let clock = Arc::clone(&clock);
        Arc::new(move || clock.now())
    };
    let polling = peers.follow(runtime.handle(), &state, &now);
    let (gate, api) = gate(config, Arc::clone(&users), Arc::clone(&state), peers, clock)?;
    let gate = Arc::new(gate);
    let socket = AdminSocket::bind(&config.admin_socket())?;
    let mut bound = Vec::new();
    for listen in &config.listen {
        bound.push(Bound::new(listen, workers)?);
    }
    let management = std::net::TcpListener::bind(config.management)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| ListenError::new(config.management, "management.listen", source))?;

    let listeners = Listeners::new(Arc::clone(&gate), tls.as_ref().map(|tls| tls.config()));
    let (stop, stopped) = Stop::new();
    let mut threads = Vec::new();
    for worker in 0..workers {
        let sockets = Listeners::share(&mut bound);
        let (listeners, stopped) = (Arc::clone(&listeners), stopped.clone());
        let thread = thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
            listeners.work(sockets, &stopped).inspect_err(|error| {
                tracing::error!(%error, "a worker ended");
            })
        })?;
        threads.push(thread);
    }
    let watch = watch_files(Arc::clone(&gate), user_files, users, tls, password)?;
    for bound in &bound {
        tracing::info!(address = %bound.address, "listening");
    }
    tracing::info!(address = %config.management, "management is listening");

    let (end, ended) = watch::channel(false);
    let mut stopping = ended.clone();
    let following = runtime.spawn(Arc::clone(&state).follow(ended));
    let administering = runtime.spawn(async move {
        // Over as well when there is nobody left to say so.
        let stopping = async move { drop(stopping.wait_for(|end| *end).await) };
        socket.serve(api, stopping).await
    });
    runtime.block_on(manage(Arc::clone(&gate), management, &watch))?;
    // No worker listens any more only when all receivers are gone, and then there is none to tell.
    let _ = stop.send(true);
    for thread in threads {
        match thread.join() {
            Ok(ended) => ended?,
            Err(_) => tracing::error!("a worker had panicked"),
        }
    }
    drop((watch, polling));
    // Only now, as what the workers did last is to be written down too; as above.
    let _ = end.send(true);
    runtime.block_on(async {
        if following.await.is_err() {
            tracing::error!("following the state had panicked");
        }
        match administering.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the admin socket ended"),
            Err(_) => tracing::error!("the admin socket had panicked"),
        }
        gate.audit.queue(Record::new("gate.stopped"));
        gate.audit.close().await;
    });
    tracing::info!("stopped");
    Ok(())
}

/// Opens the state, and reads what each request is checked against.
async fn state(config: &Config, runtime: Handle, clock: Arc<Clock>) -> Result<Arc<State>, Error> {
    let store = store::open(&config.state).await?;
    Ok(State::start(store, runtime, clock, config.state.max_staleness).await?)
}

/// The gate, and the API of its admin socket.
fn gate(
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

fn policy_loaded(sha256: &impl std::fmt::Display) -> Record {
    Record { reason: Some(format!("sha256:{sha256}")), ..Record::new("policy.loaded") }
}

/// Names the key that signs.
fn keys_loaded(kid: &str) -> Record {
    Record { reason: Some(kid.to_owned()), ..Record::new("keys.loaded") }
}

/// Counts and records what becomes of credentials.
fn observer(metrics: Arc<Metrics>, audit: Arc<Audit>) -> Observer {
    Observer::new(move |event| match event {
        TokenEvent::Issued { grant, subject, token_id, address } => {
            metrics.token_issued(grant.label());
            audit.queue(Record {
                subject: Some(subject.to_string()),
                token_id: Some(token_id.to_owned()),
                address: Some(address),
                reason: Some(grant.label().to_owned()),
                ..Record::new("token.issued")
            });
        }
        TokenEvent::Reused { subject, family, address } => {
            tracing::warn!(%subject, family, %address, "a refresh token was used again: its family is revoked");
            audit.queue(Record {
                subject: Some(subject.to_string()),
                token_id: Some(family.to_owned()),
                address: Some(address),
                ..Record::new("token.reused")
            });
        }
        TokenEvent::Checked { result } => metrics.token_checked(result.label()),
        TokenEvent::LoginFailed { account, address, reason } => {
            metrics.login_failed(reason);
            audit.queue(Record {
                subject: Some(account.to_owned()),
                address: Some(address),
                reason: Some(reason.to_owned()),
                ..Record::new("login.failed")
            });
        }
    })
}

/// Looks each second whether files changed.
fn watch_files(
    gate: Arc<Gate>,
    user_files: Reloaded<UserFiles>,
    users: Arc<ArcSwap<Users>>,
    tls: Option<Arc<ServerTls>>,
    password: Option<Reloaded<UpstreamPassword>>,
) -> io::Result<Watch> {
    if let Some(tls) = &tls {
        gate.metrics.certificate(tls.expires_at());
    }
    let mut keys = Arc::clone(&gate.authenticator.keys());
    Watch::every(INTERVAL, move || {
        match gate.policy.poll() {
            Ok(false) => {}
            Ok(true) => {
                let sha256 = gate.policy.current().sha256;
                gate.metrics.policy_loaded(sha256);
                gate.audit.queue(policy_loaded(&sha256));
                tracing::info!(%sha256, "policies loaded");
            }
            Err(error) => {
                gate.metrics.policy_refused();
                let reason = Some(Causes(&error).to_string());
                gate.audit.queue(Record { reason, ..Record::new("policy.refused") });
            }
        }
        // Told in the log by `poll` itself; the last good ones stay in force.
        if let Ok(true) = user_files.poll() {
            users.store(Arc::clone(&user_files.current()));
            gate.audit.queue(Record::new("users.loaded"));
            tracing::info!("users loaded");
        }
        if let Some(password) = &password
            && let Ok(true) = password.poll()
            && let Err(error) = gate.upstream.set_password(&password.current())
        {
            tracing::error!(error = %Causes(&error), "the old password stays in use");
        }
        // A request may have had the folder read before.
        gate.authenticator.poll_keys();
        let keys_now = Arc::clone(&gate.authenticator.keys());
        if !Arc::ptr_eq(&keys, &keys_now) {
            gate.audit.queue(keys_loaded(keys_now.kid()));
            tracing::info!(signing = keys_now.kid(), "keys loaded");
            keys = keys_now;
        }
        if let Some(tls) = &tls
            && let Ok(true) = tls.reload()
        {
            gate.metrics.certificate(tls.expires_at());
            tracing::info!(expires_at = %tls.expires_at(), "certificate loaded");
        }
    })
}

/// Serves monitoring and listens to signals; returns when it is time to stop.
async fn manage(gate: Arc<Gate>, listener: std::net::TcpListener, watch: &Watch) -> io::Result<()> {
    let stopping = Arc::new(AtomicBool::new(false));
    let metrics = {
        let gate = Arc::clone(&gate);
        move || {
            gate.metrics.audit(&gate.audit);
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
