//! Access tokens that are good for a while yet.

use document::Mistake;
use http::Method;
use jiff::Timestamp;
use serde_json::json;

use super::super::failure::{Exit, Failure};
use super::Gate;
use super::https::{Credential, Https};
use super::kept::Kept;
use super::logins::{Held, Login, Logins, LoginsFile};
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
    let logins = file.read()?;
    if let Some(token) = rotating(&logins, server)?.1.fresh(now) {
        return Ok(token.clone());
    }
    let mut change = file.change()?;
    let (login, tokens) = rotating(&change.logins, server)?;
    if let Some(token) = tokens.fresh(now) {
        return Ok(token.clone());
    }
    let gate = Gate::Https(Https::new(server.clone(), login.ca.as_deref(), Credential::Nobody)?);
    let answer = match refresh(&gate, tokens).await {
        Ok(answer) => answer,
        Err(failure) => {
            return match tokens.good(now) {
                Some(token) if failure.exit == Exit::Impossible => Ok(token.clone()),
                _ if failure.exit == Exit::Impossible => Err(failure),
                _ => Err(ended(server, login)),
            };
        }
    };
    let token = answer.access_token.clone();
    let tokens = Held::Rotating(tokens.after(answer, now));
    let login = Login { tokens, ..login.clone() };
    change.logins.gates.insert(server.clone(), login);
    // Its successor is written down before the token is used.
    change.save()?;
    Ok(token)
}

/// The tokens that are kept for a gate.
fn rotating<'a>(logins: &'a Logins, server: &Server) -> Result<(&'a Login, &'a Rotating), Failure> {
    let help = format!("run `portcullis login {server}`");
    match logins.gates.get(server) {
        Some(login @ Login { tokens: Held::Rotating(tokens), .. }) => Ok((login, tokens)),
        Some(Login { tokens: Held::Identity { .. }, .. }) => {
            let mistake = Mistake::new(format!("docker is signed in at {server}, and no one else"));
            Err(Failure::new(Exit::Denied, &mistake.help(help)))
        }
        None => {
            let mistake = Mistake::new(format!("nobody is signed in at {server}"));
            Err(Failure::new(Exit::Denied, &mistake.help(help)))
        }
    }
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
