//! Starts a gate, and stops it.
//!
//! Everything is read and understood before a port is bound: a first start with a bad configuration
//! opens none.

mod assemble;
mod error;
mod files;
mod images;
mod inventory;
mod manage;
mod observe;
mod policies;
mod scanning;
mod shadow;
mod tokens;

use std::sync::Arc;
use std::thread;

use tokio::sync::watch;

pub use error::Error;
pub(crate) use images::api_alone;
use tokens::Tokens;

use crate::audit::Record;
use crate::config::{Config, LogFormat};
use crate::last_good::Keeper;
use crate::log;
use crate::proxy::tls::ServerTls;
use crate::proxy::{Bound, ListenError, Listeners, Stop};
use crate::release::Expiries;
use crate::reload::UpstreamPassword;
use crate::service::socket::AdminSocket;
use crate::watch::Reloaded;
use assemble::gate;
use files::watch_files;
use manage::manage;
use policies::Policies;

/// The stack of a worker, in bytes. A decision that asks the registry, and is made once more by the
/// shadow policy, is a deep nest of futures; only what is used of it takes memory.
const WORKER_STACK: usize = 8 << 20;

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
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("management")
        .enable_all()
        .build()?;
    let mut tokens = runtime.block_on(Tokens::open(config))?;
    tokens.shadow = config.shadow_policies.clone().map(|folder| {
        let policy = Arc::clone(&tokens.policy);
        let telling = shadow::Telling {
            metrics: &tokens.metrics,
            audit: &tokens.audit,
            reloads: &tokens.status.reloads,
        };
        Arc::new(shadow::start(folder, policy, tokens.clock.now(), &telling))
    });
    let ledger = inventory::ledger(config, &tokens);
    let (images, trusted_keys) = images::open(config, &tokens, Arc::clone(&ledger) as _)?;
    let gate = Arc::new(gate(config, &tokens, images.clone(), trusted_keys)?);
    let api = tokens.api(images);
    let Tokens { state, user_files, users, peers, clock, policy_refused, status, .. } = tokens;
    let keeper = Arc::new(Keeper::new(Arc::clone(&state), Arc::clone(&gate.metrics)));
    let policies = Policies {
        gate: Arc::clone(&gate),
        keeper: Arc::clone(&keeper),
        status: Arc::clone(&status),
    };
    policies.started(policy_refused.as_ref());
    let polling = peers.follow(runtime.handle(), &state, &clock.reader());
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
        let thread = thread::Builder::new().name(format!("worker-{worker}"));
        let thread = thread.stack_size(WORKER_STACK).spawn(move || {
            listeners.work(sockets, &stopped).inspect_err(|error| {
                tracing::error!(%error, "a worker ended");
            })
        })?;
        threads.push(thread);
    }
    let watch = watch_files(Arc::clone(&gate), policies, user_files, users, tls, password)?;
    for bound in &bound {
        tracing::info!(address = %bound.address, "listening");
    }
    tracing::info!(address = %config.management, "management is listening");

    let (halt, halted) = watch::channel(false);
    let scanning = scanning::start(runtime.handle(), config, &gate, &status, halted.clone())?;
    let crawling = inventory::crawl(runtime.handle(), &gate, halted.clone())?;
    let describing = inventory::describe(runtime.handle(), &gate, halted)?;
    let (end, ended) = watch::channel(false);
    let mut stopping = ended.clone();
    let keeping = runtime.spawn(keeper.run(ended.clone()));
    let learning = inventory::keep(runtime.handle(), &gate, ledger, ended.clone());
    let expiries = Expiries {
        state: Arc::clone(&state),
        clock: Arc::clone(&gate.clock),
        audit: Arc::clone(&gate.audit),
    };
    // Before the state is told of a later time.
    let told = runtime.block_on(expiries.told_until());
    let telling = runtime.spawn(expiries.run(told, ended.clone()));
    let following = runtime.spawn(state.follow(ended));
    let administering = runtime.spawn(async move {
        // Over as well when there is nobody left to say so.
        let stopping = async move { drop(stopping.wait_for(|end| *end).await) };
        socket.serve(api, stopping).await
    });
    runtime.block_on(manage(Arc::clone(&gate), status, management, &watch))?;
    // Without a crawl and a scanner there is nobody to tell.
    let _ = halt.send(true);
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
        if keeping.await.is_err() {
            tracing::error!("keeping the last good policy had panicked");
        }
        if let Some(crawling) = crawling
            && crawling.await.is_err()
        {
            tracing::error!("crawling the upstream had panicked");
        }
        if let Some(describing) = describing
            && describing.await.is_err()
        {
            tracing::error!("looking into images had panicked");
        }
        if let Some(scanning) = scanning
            && scanning.await.is_err()
        {
            tracing::error!("having images scanned had panicked");
        }
        if learning.await.is_err() {
            tracing::error!("keeping what is learned of the upstream had panicked");
        }
        if telling.await.is_err() {
            tracing::error!("telling what has expired had panicked");
        }
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
