//! What gives out tokens.

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use tokio::runtime::Handle;

use super::error::Error;
use super::observe::observer;
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::Authenticator;
use crate::identity::federation::Federation;
use crate::identity::peers::Peers;
use crate::identity::users::Users;
use crate::issue::Issue;
use crate::last_good;
use crate::metrics::Metrics;
use crate::policy_folder::LoadError;
use crate::release::Health;
use crate::reload::{PolicyFiles, UserFiles};
use crate::service::api::{self, Api, Images};
use crate::shadow::Shadow;
use crate::state::State;
use crate::status::Status;
use crate::store;
use crate::token::{KeyFolder, Succession};
use crate::watch::Reloaded;

/// All of a gate that has to do with tokens. A gate is built around it; a command that works on the
/// state of a gate that does not run needs no more.
///
/// It opens no port and follows nothing. So trusted gates are known by name only, until whoever
/// serves follows them: nobody from there gets in before.
pub(crate) struct Tokens {
    pub(super) clock: Arc<Clock>,
    pub(super) state: Arc<State>,
    pub(super) user_files: Reloaded<UserFiles>,
    pub(super) users: Arc<ArcSwap<Users>>,
    pub(super) policy: Arc<Reloaded<PolicyFiles>>,
    /// Why the policy is the last good one, and not that of the folder.
    pub(super) policy_refused: Option<LoadError>,
    /// None while there is nobody whose requests it could decide.
    pub(super) shadow: Option<Arc<Shadow>>,
    pub(super) key_folder: KeyFolder,
    pub(super) peers: Arc<Peers>,
    pub(super) audit: Arc<Audit>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) issue: Arc<Issue>,
    pub(super) status: Arc<Status>,
}

impl Tokens {
    /// Opens what the configuration names. Operations on the state run in the runtime in which this
    /// is called.
    ///
    /// # Errors
    /// Something of it is not there or is wrong.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let user_files = Reloaded::start(UserFiles::new(config.user_files()))?;
        let users = Arc::new(ArcSwap::new(Arc::clone(&user_files.current())));
        let clock = Arc::new(Clock::start());
        let store = store::open(&config.state).await?;
        let staleness = config.state.max_staleness;
        let state = State::start(store, Handle::current(), Arc::clone(&clock), staleness).await?;
        let peers = Arc::new(Peers::new(config.trust.clone(), &config.public_url)?);
        let started = last_good::start(PolicyFiles(config.policies.clone()), &state).await?;
        let (policy, policy_refused) = (Arc::new(started.policy), started.refused);
        let key_folder = KeyFolder::open(&config.signing_keys, clock.now())?;
        let now = clock.reader();
        let keys = key_folder.keys(config.tokens.verify_for(), {
            let now = Arc::clone(&now);
            move || now()
        })?;
        let metrics = Arc::new(Metrics::new());
        let audit = Arc::new(Audit::open(&audit::Settings {
            file: config.audit_file.clone(),
            rotate: config.audit_rotate,
            keep: config.audit_keep,
        })?);
        let authenticator = Authenticator::new(
            config.public_url.clone(),
            keys,
            Arc::clone(&users),
            Arc::clone(&state),
            observer(Arc::clone(&metrics), Arc::clone(&audit)),
        )?
        .federated(Federation::new(config.federation.clone())?)
        .trusting(Arc::clone(&peers));
        let issue = Arc::new(Issue {
            authenticator: Arc::new(authenticator),
            state: Arc::clone(&state),
            succession: Succession::new(&key_folder.sealing_key()),
            settings: config.tokens,
            policy: {
                let policy = Arc::clone(&policy);
                Box::new(move || Arc::clone(&policy.current().policy))
            },
            now: clock.reader(),
        });
        let scanner = config
            .scanner
            .as_ref()
            .map(|scanner| Arc::new(Health::new(scanner.adapter.url.host(), scanner.rescan_after)));
        let status = Arc::new(Status::new(now(), scanner));
        Ok(Self {
            clock,
            state,
            user_files,
            users,
            policy,
            policy_refused,
            shadow: None,
            key_folder,
            peers,
            audit,
            metrics,
            issue,
            status,
        })
    }

    /// What the API and the pages are made of.
    pub(super) fn asked(&self, images: Images) -> Arc<Api> {
        Arc::new(Api {
            issue: Arc::clone(&self.issue),
            users: Arc::clone(&self.users),
            audit: Arc::clone(&self.audit),
            metrics: Arc::clone(&self.metrics),
            shadow: self.shadow.clone(),
            policies: Arc::clone(&self.policy),
            peers: Arc::clone(&self.peers),
            status: Arc::clone(&self.status),
            images,
        })
    }

    /// The API, which asks for no credential where whoever asks is the machine's own administrator.
    pub(crate) fn api(&self, images: Images) -> Router {
        api::router(self.asked(images))
    }
}
