//! Access tokens that are good for a while yet.

use document::Mistake;
use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::Gate;
use super::https::{Credential, Https};
use super::kept::Kept;
use super::logins::{Change, Login, Logins, LoginsFile};
use super::rotating::{Refreshed, Rotating};
use super::server::Server;

/// An access token of whoever is signed in at a gate, refreshed if little is left of it. Of several
/// commands at once one refreshes, and the others wait for what it got.
///
/// # Errors
/// Nobody is signed in there, the gate ended it, or a refresh is due and the gate cannot be reached.
pub(in crate::cli) async fn fresh_token(
    file: &LoginsFile,
    server: &Server,
    now: Timestamp,
) -> Result<Kept, Failure> {
    if let Some(token) = kept(&file.read()?, server)?.tokens.fresh(now) {
        return Ok(token.clone());
    }
    let mut change = file.change()?;
    let tokens = kept(&change.logins, server)?.tokens.clone();
    if let Some(token) = tokens.fresh(now) {
        return Ok(token.clone());
    }
    match refresh_now(&mut change, server, now).await {
        // It need not be there as long as the token holds.
        Err(failure) if failure.exit == Exit::Impossible => {
            tokens.good(now).cloned().ok_or(failure)
        }
        refreshed => refreshed,
    }
}

/// The same, from the gate in any case.
///
/// # Errors
/// As [`fresh_token`].
pub(in crate::cli) async fn refresh_now(
    change: &mut Change<'_>,
    server: &Server,
    now: Timestamp,
) -> Result<Kept, Failure> {
    let login = kept(&change.logins, server)?.clone();
    let gate = Gate::Https(Https::new(server.clone(), login.ca.as_deref(), Credential::Nobody)?);
    let answer = refresh(&gate, &login.tokens).await.map_err(|failure| match failure.exit {
        Exit::Impossible => failure,
        _ => ended(server, &login),
    })?;
    let token = answer.access_token.clone();
    let tokens = login.tokens.after(answer, now);
    change.logins.gates.insert(server.clone(), Login { tokens, ..login });
    // The successor is written down before the token is used.
    change.save()?;
    Ok(token)
}

/// What is kept for a gate.
fn kept<'a>(logins: &'a Logins, server: &Server) -> Result<&'a Login, Failure> {
    logins.gates.get(server).ok_or_else(|| {
        let mistake = Mistake::new(format!("nobody is signed in at {server}"));
        Failure::new(Exit::Denied, &mistake.help(format!("run `portcullis login {server}`")))
    })
}

/// The gate's answer to the first of the refresh tokens that it knows.
async fn refresh(gate: &Gate, tokens: &Rotating) -> Result<Refreshed, Failure> {
    let mut refused = None;
    for token in tokens.refresh_tokens() {
        let body = json!({ "refresh_token": token.expose() });
        match gate.ask(Method::POST, "/refresh", Some(&body)).await {
            Err(failure) if failure.exit != Exit::Impossible => {
                refused.get_or_insert(failure);
            }
            asked => return asked,
        }
    }
    Err(refused.unwrap_or_else(|| Failure::input(&Mistake::new("there is no refresh token"))))
}

fn ended(server: &Server, login: &Login) -> Failure {
    let text = format!("the sign-in of {} at {server} has ended", login.subject);
    let help = format!("sign in again: `portcullis login {server}`");
    Failure::new(Exit::Denied, &Mistake::new(text).help(help))
}
