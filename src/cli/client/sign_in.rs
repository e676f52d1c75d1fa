//! Signing in and out.

use std::path::{Path, PathBuf};

use document::Mistake;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::Gate;
use super::https::{Credential, Https};
use super::kept::Kept;
use super::logins::Login;
use super::rotating::{Refreshed, Rotating};
use super::server::Server;

/// The life of each access token; docker and others ask for a fresh one when they need it.
const EXPIRES: &str = "1h";

/// Signs in with a credential: makes a refreshable token with it. The credential itself is not
/// kept.
///
/// # Errors
/// The gate does not accept it, or cannot be reached.
pub(in crate::cli) async fn sign_in(
    server: &Server,
    ca: Option<&Path>,
    credential: Credential,
    now: Timestamp,
) -> Result<Login, Failure> {
    #[derive(Deserialize)]
    struct Made {
        subject: String,
        #[serde(flatten)]
        tokens: Refreshed,
    }
    let gate = Gate::Https(Https::new(server.clone(), ca, credential)?);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let comment = format!("portcullis login on {host}");
    let order = json!({ "expires": EXPIRES, "refreshable": true, "comment": comment });
    let made: Made = gate.ask(Method::POST, "/tokens", Some(&order)).await?;
    login(server, ca, made.subject, made.tokens, now)
}

/// Takes a refresh token that was made elsewhere as the sign-in of whom it is for: one of `portcullis
/// token create`, or docker's identity token.
///
/// # Errors
/// The gate does not accept it, or cannot be reached.
pub(in crate::cli) async fn adopt(
    server: &Server,
    ca: Option<&Path>,
    refresh_token: &Kept,
    now: Timestamp,
) -> Result<Login, Failure> {
    #[derive(Deserialize)]
    struct WhoAmI {
        subject: String,
    }
    let gate = Gate::Https(Https::new(server.clone(), ca, Credential::Nobody)?);
    let body = json!({ "refresh_token": refresh_token.expose() });
    let tokens: Refreshed = gate.ask(Method::POST, "/refresh", Some(&body)).await?;
    let token = tokens.access_token.0.clone();
    let credential = Credential::Token { token, help: String::new() };
    let gate = Gate::Https(Https::new(server.clone(), ca, credential)?);
    let WhoAmI { subject } = gate.ask(Method::GET, "/whoami", None).await?;
    login(server, ca, subject, tokens, now)
}

fn login(
    server: &Server,
    ca: Option<&Path>,
    subject: String,
    tokens: Refreshed,
    now: Timestamp,
) -> Result<Login, Failure> {
    let tokens = Rotating::new(tokens, now).ok_or_else(|| {
        let mistake = Mistake::new(format!("{server} gives no token that can be refreshed"));
        Failure::new(Exit::Impossible, &mistake)
    })?;
    Ok(Login { subject, ca: ca.map(absolute), tokens })
}

/// The file of a CA wherever a later command runs.
fn absolute(ca: &Path) -> PathBuf {
    std::path::absolute(ca).unwrap_or_else(|_| ca.to_owned())
}

/// Ends a sign-in at its gate, with all tokens that come from it.
///
/// # Errors
/// The gate cannot be reached. One that does not know the token any more is no error.
pub(in crate::cli) async fn sign_out(server: &Server, login: &Login) -> Result<(), Failure> {
    let gate = Gate::Https(Https::new(server.clone(), login.ca.as_deref(), Credential::Nobody)?);
    let body = json!({ "value": login.tokens.refresh_token().expose() });
    match gate.call(Method::POST, "/tokens/revoke", Some(&body)).await {
        Err(failure) if failure.exit == Exit::Impossible => Err(failure),
        _ => Ok(()),
    }
}
