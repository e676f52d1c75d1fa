//! The admin API on the state itself, while no gate serves.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use document::Mistake;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use rustix::process::geteuid;
use serde_json::Value;
use tokio::runtime::Handle;
use tower::ServiceExt as _;

use super::super::failure::{Exit, Failure};
use super::answer::{self, Answer};
use crate::app;
use crate::audit::{self, Audit};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{Authenticator, Observer};
use crate::issue::Issue;
use crate::metrics::Metrics;
use crate::policy_folder;
use crate::service::api::{self, Api, LocalAdministrator};
use crate::state::State;
use crate::store::{self, StoreUrl};
use crate::token::{KeyFolder, Succession};

/// The API of a gate that is not running, in this process.
#[derive(Debug)]
pub(in crate::cli) struct InProcess(Router);

impl InProcess {
    /// Opens what the gate would open. No other process has its state then.
    ///
    /// # Errors
    /// The gate could not start either, or its files are another user's.
    pub(super) async fn open(config: &Config) -> Result<Self, Failure> {
        let opened = match owner(config).map_err(app::Error::from)? {
            Some(owner) if owner != geteuid().as_raw() => return Err(another_user(owner)),
            _ => Self::parts(config).await?,
        };
        Ok(opened)
    }

    async fn parts(config: &Config) -> Result<Self, app::Error> {
        let clock = Arc::new(Clock::start());
        let store = store::open(&config.state).await?;
        let staleness = config.state.max_staleness;
        let state = State::start(store, Handle::current(), Arc::clone(&clock), staleness).await?;
        let folder = KeyFolder::open(&config.signing_keys, clock.now())?;
        let keys = folder.keys(config.tokens.verify_for(), jiff::Timestamp::now)?;
        let users = Arc::new(ArcSwap::from_pointee(config.user_files().load()?));
        let policy = policy_folder::load(&config.policies)?.policy;
        let policy = Arc::new(policy);
        let audit = Arc::new(Audit::open(&audit::Settings {
            file: config.audit_file.clone(),
            rotate: config.audit_rotate,
            keep: config.audit_keep,
        })?);
        // Nobody shows a credential here, so there is nothing to observe.
        let authenticator = Authenticator::new(
            config.public_url.clone(),
            keys,
            Arc::clone(&users),
            Arc::clone(&state),
            Observer::new(|_| {}),
        )?;
        let issue = Issue {
            authenticator: Arc::new(authenticator),
            state,
            succession: Succession::new(&folder.sealing_key()),
            settings: config.tokens,
            policy: Box::new(move || Arc::clone(&policy)),
            now: Box::new(move || clock.now()),
        };
        let api = Api { issue: Arc::new(issue), users, audit, metrics: Arc::new(Metrics::new()) };
        Ok(Self(api::router(Arc::new(api))))
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .extension(LocalAdministrator { uid: geteuid().as_raw() })
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .map_err(|error| Failure::impossible(&error))?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, answer::MAX_SIZE).collect().await;
        let body = body.map_err(|error| Failure::impossible(&*error))?;
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// Whose the state is; none if it is not there yet. What another user makes in the gate's folders,
/// even root, the gate could not open.
fn owner(config: &Config) -> io::Result<Option<u32>> {
    let folder = match &config.state.url {
        StoreUrl::Sqlite(file) => file.parent().unwrap_or(Path::new(".")),
        StoreUrl::Postgres(_) => &config.signing_keys,
    };
    match fs::metadata(folder) {
        Ok(found) => Ok(Some(found.uid())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn another_user(owner: u32) -> Failure {
    let mistake = Mistake::new(format!("the state belongs to the user with the number {owner}"));
    let help = "start the gate, or run this as that user: what another one makes there, the gate \
                could not open";
    Failure::new(Exit::Impossible, &mistake.help(help))
}
