//! Which gate a command asks, and as whom.

use std::path::PathBuf;

use clap::Args;
use document::Mistake;
use jiff::Timestamp;

use super::super::failure::Failure;
use super::super::secret_input::SecretSource;
use super::Gate;
use super::fresh::fresh_token;
use super::https::{Credential, Https};
use super::logins::LoginsFile;
use super::server::Server;
use crate::secret::Secret;
use crate::token::refresh;

#[derive(Debug, Args)]
pub(in crate::cli) struct GateArguments {
    /// The gate's address; without it, the gate that you are signed in to.
    #[arg(long, value_name = "URL")]
    server: Option<Server>,
    /// A file with an access token, or `-` for the standard input; without it, what `portcullis
    /// login` saved.
    #[arg(long, value_name = "FILE|-", requires = "server")]
    token: Option<SecretSource>,
    /// The certificate of the CA that vouches for the gate; without it, what the system trusts.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// On the gate's own machine: its configuration. No other credential is needed.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["server", "token", "ca"])]
    config: Option<PathBuf>,
}

impl GateArguments {
    /// The gate, for somebody who has a credential.
    ///
    /// # Errors
    /// There is none, or it does not hold any more.
    pub(in crate::cli) async fn signed_in(&self) -> Result<Gate, Failure> {
        if let Some(config) = &self.config {
            return Gate::of_config(config).await;
        }
        if let (Some(server), Some(source)) = (&self.server, &self.token) {
            let token = source.read("--token")?;
            if token.expose().starts_with(refresh::PREFIX) {
                let mistake = Mistake::new("--token: that is a refresh token");
                let help = "`portcullis token refresh --value …` makes an access token of it";
                return Err(Failure::input(&mistake.help(help)));
            }
            let help = "make another one: `portcullis token create`".to_owned();
            return self.at(server, Credential::Token { token, help });
        }
        let file = LoginsFile::of_user()?;
        let server = self.server_or_the_only_one(&file)?;
        let token: Secret = fresh_token(&file, &server, Timestamp::now).await?.0;
        let help = format!("sign in again: `portcullis login {server}`");
        self.at(&server, Credential::Token { token, help })
    }

    /// The gate, for a request that needs no credential but what is in it.
    ///
    /// # Errors
    /// It is not clear which gate is meant.
    pub(in crate::cli) async fn anyone(&self) -> Result<Gate, Failure> {
        if let Some(config) = &self.config {
            return Gate::of_config(config).await;
        }
        let server = self.server_or_the_only_one(&LoginsFile::of_user()?)?;
        self.at(&server, Credential::Nobody)
    }

    /// Whether the token is read from the standard input, which can be done once.
    pub(in crate::cli) fn takes_stdin(&self) -> bool {
        self.token.as_ref().is_some_and(SecretSource::is_stdin)
    }

    /// The CA is the one named, else the one of the sign-in there.
    fn at(&self, server: &Server, credential: Credential) -> Result<Gate, Failure> {
        let ca = match &self.ca {
            Some(ca) => Some(ca.clone()),
            None => {
                // With a token of one's own one need not have a home.
                let logins = LoginsFile::of_user().ok().map(|file| file.read()).transpose()?;
                let mut gates = logins.unwrap_or_default().gates;
                gates.remove(server).and_then(|login| login.ca)
            }
        };
        Ok(Gate::Https(Https::new(server.clone(), ca.as_deref(), credential)?))
    }

    fn server_or_the_only_one(&self, file: &LoginsFile) -> Result<Server, Failure> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let servers: Vec<Server> = file.read()?.gates.into_keys().collect();
        let mistake = match servers.as_slice() {
            [only] => return Ok(only.clone()),
            [] => Mistake::new("which gate?").help(
                "sign in with `portcullis login URL`; on the gate's own machine, add `--config portcullis.yaml`",
            ),
            several => {
                let names: Vec<&str> = several.iter().map(Server::as_str).collect();
                Mistake::new("which gate? you are signed in to several")
                    .help(format!("add `--server`: {}", document::listed(&names)))
            }
        };
        Err(Failure::input(&mistake))
    }
}
