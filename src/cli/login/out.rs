//! `portcullis logout`.

use clap::Args;
use document::{Mistake, listed};
use serde_json::json;

use super::super::client::{self, LoginsFile, Server, sign_out};
use super::super::failure::{Exit, Failure};
use super::super::output::OutputArgument;
use super::docker_config::DockerConfig;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// The gate's address; without it, the gate that you are signed in to.
    #[arg(value_name = "URL")]
    server: Option<Server>,
    #[command(flatten)]
    output: OutputArgument,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let file = LoginsFile::of_user()?;
    let server = which(arguments, &file)?;
    let known = client::block_on(forget(&file, &server));
    // In any case as well.
    DockerConfig::of_user()?.forget(&server)?;
    if !known? {
        let mistake = Mistake::new(format!("nobody is signed in at {server}"));
        return Err(Failure::input(&mistake));
    }
    arguments.output.print(&format!("signed out at {server}"), &json!({ "server": server }))?;
    Ok(Exit::Done)
}

fn which(arguments: &Arguments, file: &LoginsFile) -> Result<Server, Failure> {
    if let Some(server) = &arguments.server {
        return Ok(server.clone());
    }
    let servers: Vec<Server> = file.read()?.gates.into_keys().collect();
    let mistake = match servers.as_slice() {
        [only] => return Ok(only.clone()),
        [] => Mistake::new("nobody is signed in at any gate"),
        several => {
            let names: Vec<&str> = several.iter().map(Server::as_str).collect();
            Mistake::new("which gate? you are signed in to several")
                .help(format!("name one: {}", listed(&names)))
        }
    };
    Err(Failure::input(&mistake))
}

/// Ends the sign-in at the gate and forgets it here. What is here goes in any case: whoever signs
/// out must not stay signed in because the gate is away. False: there was none.
pub(in crate::cli) async fn forget(file: &LoginsFile, server: &Server) -> Result<bool, Failure> {
    // No refresh may be under way, which would write the sign-in down again.
    let mut change = file.change()?;
    let Some(login) = change.logins.gates.get(server).cloned() else { return Ok(false) };
    let ended = sign_out(server, &login).await;
    change.logins.gates.remove(server);
    change.save()?;
    if ended.is_err() {
        let mistake = Mistake::new(format!(
            "signed out here, but {server} could not be told: what was made from it still holds"
        ));
        let help = "when it is back: sign in, and end it with `portcullis token revoke`";
        return Err(Failure::new(Exit::Impossible, &mistake.help(help)));
    }
    Ok(true)
}
