//! `portcullis credential docker`, also as `docker-credential-portcullis`: how docker, podman and
//! others ask another program for credentials.
//!
//! They pass what they ask for on the standard input and read the answer, or the reason why there is
//! none, from the standard output. Some reasons they know by their exact words.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use document::Mistake;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::{
    self, Credential, Kept, LoginsFile, Server, adopt, fresh_token, refresh_now, sign_in, sign_out,
};
use super::failure::{Exit, Failure};
use super::login::forget;
use super::output;

/// Clients go on without a credential then.
const NOT_FOUND: &str = "credentials not found in native keychain";
const NO_SERVER: &str = "no credentials server URL";
const NO_NAME: &str = "no credentials username";

/// The name that says that the secret is an identity token.
const IDENTITY: &str = "<token>";
/// A name that a gate accepts together with any access token.
const TOKEN: &str = "token";

/// Longer than any credential.
const MAX_INPUT: u64 = 64 << 10;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The protocol of docker's credential helpers.
    Docker(Docker),
}

#[derive(Debug, Args)]
pub(super) struct Docker {
    /// What is asked for.
    #[arg(value_enum)]
    act: Act,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Act {
    /// The credential for a registry.
    Get,
    /// Keep a credential.
    Store,
    /// Forget a credential.
    Erase,
    /// For which registries there are credentials.
    List,
    /// The version of this program.
    Version,
}

/// A credential as the protocol writes it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    #[serde(rename = "ServerURL", default)]
    server: String,
    #[serde(default)]
    username: String,
    secret: Kept,
}

/// Why there is no answer.
enum Refused {
    /// In words that clients know.
    Known(&'static str),
    Failure(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let Command::Docker(Docker { act }) = command;
    let answered =
        LoginsFile::of_user().map_err(Refused::from).and_then(|file| answer(&file, *act));
    match answered {
        Ok(None) => Ok(Exit::Done),
        Ok(Some(text)) => output::line(&text).map(|()| Exit::Done),
        Err(Refused::Known(text)) => output::line(text).map(|()| Exit::Denied),
        Err(Refused::Failure(failure)) => {
            // Clients show the one or the other, and some neither the one.
            output::line(failure.text(false))?;
            Err(failure)
        }
    }
}

fn answer(file: &LoginsFile, act: Act) -> Result<Option<String>, Refused> {
    match act {
        Act::Get => {
            let name = input()?;
            let shown = get(file, &name)?;
            Ok(Some(serde_json::to_string(&shown).map_err(|e| Failure::impossible(&e))?))
        }
        Act::Store => store(file, &input()?).map(|()| None),
        Act::Erase => erase(file, &input()?).map(|()| None),
        Act::List => Ok(Some(list(file)?)),
        Act::Version => Ok(Some(format!("portcullis {}", env!("CARGO_PKG_VERSION")))),
    }
}

fn input() -> Result<zeroize::Zeroizing<String>, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = io::stdin().take(MAX_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::impossible(&error))?;
    Ok(text)
}

/// The gate that is meant: the one that somebody is signed in to under this name.
fn known(file: &LoginsFile, name: &str) -> Result<Server, Refused> {
    let server = server(name)?;
    let mut servers = file.read()?.gates.into_keys();
    let found = servers.find(|it| it.authority() == server.authority());
    found.ok_or(Refused::Known(NOT_FOUND))
}

fn server(name: &str) -> Result<Server, Refused> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Refused::Known(NO_SERVER));
    }
    // A registry that can be no gate of ours: nothing is kept for it.
    Server::of_registry(name).map_err(|_| Refused::Known(NOT_FOUND))
}

fn get(file: &LoginsFile, name: &str) -> Result<Shown, Refused> {
    let server = known(file, name)?;
    let secret = client::block_on(fresh_token(file, &server, Timestamp::now))?;
    Ok(Shown { server: name.trim().to_owned(), username: TOKEN.to_owned(), secret })
}

/// Signs in with what somebody gave another program, and keeps what came of it instead.
fn store(file: &LoginsFile, text: &str) -> Result<(), Refused> {
    let shown: Shown = serde_json::from_str(text).map_err(|error| {
        Failure::input(&Mistake::of(&error).about("the input is no credential"))
    })?;
    let server = server(&shown.server)?;
    if shown.username.is_empty() {
        return Err(Refused::Known(NO_NAME));
    }
    Ok(client::block_on(keep(file, &server, shown, Timestamp::now()))?)
}

async fn keep(
    file: &LoginsFile,
    server: &Server,
    shown: Shown,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut change = file.change()?;
    let earlier = change.logins.gates.get(server).cloned();
    let ca = earlier.as_ref().and_then(|login| login.ca.clone()).or_else(|| docker_ca(server));
    let is_identity = shown.username == IDENTITY;
    let login = if is_identity {
        adopt(server, ca.as_deref(), &shown.secret, now).await?
    } else {
        let credential = Credential::Password { name: shown.username, password: shown.secret.0 };
        sign_in(server, ca.as_deref(), credential, now).await?
    };
    // `docker login` with what it got from us brings an identity token that came from it, and would
    // end with it. What it came from does as well, if it is still good.
    let gone = match earlier {
        Some(earlier)
            if is_identity
                && earlier.subject == login.subject
                && refresh_now(&mut change, server, now).await.is_ok() =>
        {
            Some(login)
        }
        earlier => {
            change.logins.gates.insert(server.clone(), login);
            change.save()?;
            earlier
        }
    };
    if let Some(gone) = gone
        && sign_out(server, &gone).await.is_err()
    {
        output::aside("note: the earlier sign-in at this gate could not be ended");
    }
    Ok(())
}

/// Where docker's users put the CA of a registry.
fn docker_ca(server: &Server) -> Option<PathBuf> {
    let path = Path::new("/etc/docker/certs.d").join(server.authority()).join("ca.crt");
    path.is_file().then_some(path)
}

fn erase(file: &LoginsFile, name: &str) -> Result<(), Refused> {
    let server = known(file, name)?;
    client::block_on(forget(file, &server))?;
    Ok(())
}

fn list(file: &LoginsFile) -> Result<String, Failure> {
    let gates = file.read()?.gates;
    let names: serde_json::Map<_, _> =
        gates.keys().map(|server| (server.authority().to_owned(), json!(TOKEN))).collect();
    serde_json::to_string(&names).map_err(|error| Failure::impossible(&error))
}
