//! The admin API on the state itself, while no gate serves.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use document::Mistake;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Limited};
use rustix::process::geteuid;
use tower::ServiceExt as _;

use super::super::failure::{Exit, Failure};
use super::answer::{self, Answer};
use super::{JSON, Payload};
use crate::app;
use crate::config::Config;
use crate::service::api::LocalAdministrator;
use crate::store::StoreUrl;

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
            _ => Self(app::api_alone(config).await?),
        };
        Ok(opened)
    }

    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Payload>,
    ) -> Result<Answer, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, body.as_ref().map_or(JSON, |body| body.kind))
            .extension(LocalAdministrator { uid: geteuid().as_raw() })
            .body(body.map_or_else(Body::empty, |body| Body::from(body.bytes)))
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
