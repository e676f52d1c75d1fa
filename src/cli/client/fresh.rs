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
/// commands at once one refreshes, and the others wait for what it got. `clock` tells what time it is.
///
/// # Errors
/// Nobody is signed in there, the gate ended it, or a refresh is due and the gate cannot be reached.
pub(in crate::cli) async fn fresh_token(
    file: &LoginsFile,
    server: &Server,
    clock: impl Fn() -> Timestamp,
) -> Result<Kept, Failure> {
    if let Some(token) = kept(&file.read()?, server)?.tokens.fresh(clock()) {
        return Ok(token.clone());
    }
    let mut change = file.change()?;
    // What another command got while this one waited is younger than the time before.
    let now = clock();
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::rotating::tests::answer;
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn what_another_command_got_meanwhile_is_used_and_not_refreshed_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = LoginsFile::at(folder.path().join("portcullis/login.json"));
        // Nobody answers there.
        let server: Server = "https://127.0.0.1:1".parse().unwrap();
        let keep = |second| {
            let tokens = Rotating::new(answer("pcr_secret", second, 3600), at(second)).unwrap();
            let login = Login { subject: "user:alice".to_owned(), ca: None, tokens };
            let mut change = file.change().unwrap();
            change.logins.gates.insert(server.clone(), login);
            change.save().unwrap();
        };
        keep(0);
        let looks = Cell::new(0);
        let clock = || match looks.replace(looks.get() + 1) {
            0 => {
                // Another command refreshes, right after this one has looked at its clock.
                keep(10_000);
                at(9_999)
            }
            _ => at(10_001),
        };
        let token = fresh_token(&file, &server, clock).await.unwrap();
        assert_eq!(token.expose(), answer("pcr_secret", 10_000, 3600).access_token.expose());
    }
}
