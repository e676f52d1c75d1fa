//! `portcullis login` and `portcullis logout`.

mod docker_config;
mod out;
mod prompt;

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use document::{Mistake, printable};
use jiff::Timestamp;
use serde_json::json;

use super::client::{self, Credential, Kept, Login, LoginsFile, Server, adopt, sign_in, sign_out};
use super::failure::{Exit, Failure};
use super::output::{self, OutputArgument};
use super::secret_input::{MAX_TOKEN, one_line};
use crate::token::refresh;
use docker_config::DockerConfig;

pub(super) use out::{Arguments as LogoutArguments, forget, run as run_logout};

/// The name under which docker looks for its credential helper.
pub(super) const HELPER: &str = "docker-credential-portcullis";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The gate's address, such as `https://gate.example:5443`.
    #[arg(value_name = "URL")]
    server: Server,
    /// Who signs in; asked for on a terminal. `oidc:NAME` with an ID token as the password signs in
    /// through an identity provider.
    #[arg(long, value_name = "NAME", conflicts_with = "token_stdin")]
    username: Option<String>,
    /// Read the password from the standard input.
    #[arg(long, requires = "username", conflicts_with = "token_stdin")]
    password_stdin: bool,
    /// Read a token from the standard input instead: an access token, or a refresh token, which is
    /// then kept and refreshed here and nowhere else.
    #[arg(long)]
    token_stdin: bool,
    /// The certificate of the CA that vouches for the gate; without it, the one of the last time, or
    /// what the system trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Have docker use this sign-in.
    #[arg(long)]
    docker: bool,
    #[command(flatten)]
    output: OutputArgument,
}

/// With what somebody signs in.
enum Shown {
    Password { name: String, password: Kept },
    Access(Kept),
    Refresh(Kept),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let file = LoginsFile::of_user()?;
    // Before anything is asked for: it would be in vain.
    drop(file.change()?);
    let docker = arguments.docker.then(DockerConfig::of_user).transpose()?;
    let shown = shown(arguments)?;
    client::block_on(keep(&file, arguments, &shown))?;
    if let Some(docker) = &docker {
        docker.use_helper(&arguments.server)?;
    }
    told(&file, arguments)
}

fn shown(arguments: &Arguments) -> Result<Shown, Failure> {
    if arguments.token_stdin {
        let help = "give one line: `portcullis login … --token-stdin < FILE`";
        let token = Kept(one_line(io::stdin(), "the token", MAX_TOKEN, help)?);
        let is_refresh = token.expose().starts_with(refresh::PREFIX);
        return Ok(if is_refresh { Shown::Refresh(token) } else { Shown::Access(token) });
    }
    if !arguments.password_stdin && !io::stdin().is_terminal() {
        let mistake = Mistake::new("there is no terminal to ask for a password on");
        let help = "add `--username NAME --password-stdin`, or `--token-stdin`";
        return Err(Failure::input(&mistake.help(help)));
    }
    let name = match &arguments.username {
        Some(name) => name.clone(),
        None => prompt::line("user name: ")?,
    };
    let password = if arguments.password_stdin {
        let help = "give one line: `printf %s PASSWORD | portcullis login … --password-stdin`";
        one_line(io::stdin(), "the password", MAX_TOKEN, help)?
    } else {
        prompt::hidden(&format!("password of {name}: "))?
    };
    Ok(Shown::Password { name, password: Kept(password) })
}

/// Signs in, writes it down, and ends the sign-in that was there before.
async fn keep(file: &LoginsFile, arguments: &Arguments, shown: &Shown) -> Result<(), Failure> {
    let (server, now) = (&arguments.server, Timestamp::now());
    // The one of the last time serves again.
    let earlier = file.read()?.gates.remove(server).and_then(|login| login.ca);
    let ca = arguments.ca.as_deref().or(earlier.as_deref());
    let login = match shown {
        Shown::Password { name, password } => {
            let (name, password) = (name.clone(), password.0.clone());
            sign_in(server, ca, Credential::Password { name, password }, now).await?
        }
        Shown::Access(token) => {
            let credential = Credential::Token { token: token.0.clone(), help: String::new() };
            sign_in(server, ca, credential, now).await?
        }
        Shown::Refresh(token) => adopt(server, ca, token, now).await?,
    };
    let mut change = file.change()?;
    let earlier = change.logins.gates.insert(server.clone(), login);
    change.save()?;
    drop(change);
    // What was made with a token ends together with what that token came from, which may be this.
    if let (Some(earlier), Shown::Password { .. }) = (earlier, shown)
        && sign_out(server, &earlier).await.is_err()
    {
        output::aside("note: the earlier sign-in at this gate could not be ended");
    }
    Ok(())
}

fn told(file: &LoginsFile, arguments: &Arguments) -> Result<Exit, Failure> {
    let server = &arguments.server;
    let Some(Login { subject, tokens, .. }) = file.read()?.gates.remove(server) else {
        return Ok(Exit::Done);
    };
    let path = file.path().display().to_string();
    let docker = about_docker(arguments, helper_is_there());
    // Who one is, is told by the gate.
    let who = printable(&subject);
    let text = format!("signed in at {server} as {who}\nkept in {path}\n{docker}");
    let json = json!({ "server": server, "subject": subject, "id": tokens.id, "file": path });
    arguments.output.print(&text, &json)?;
    Ok(Exit::Done)
}

fn about_docker(arguments: &Arguments, helper_is_there: bool) -> String {
    let name = arguments.server.authority();
    match (arguments.docker, helper_is_there) {
        (false, _) => format!("for docker as well: portcullis login {name} --docker"),
        (true, true) => format!("docker uses it for {name}"),
        (true, false) => format!(
            "docker uses it for {name} as soon as it finds {HELPER}:\n  \
             ln -s \"$(command -v portcullis)\" /usr/local/bin/{HELPER}"
        ),
    }
}

/// Whether docker would find the helper.
fn helper_is_there() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder: PathBuf| Path::new(&folder).join(HELPER).is_file())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use insta::assert_snapshot;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn what_docker_needs_is_said() {
        let line = |text: &str| Line::parse_from(text.split(' ')).arguments;
        let plain = line("login gate.example:5443");
        let docker = line("login gate.example:5443 --docker");
        assert_snapshot!(about_docker(&plain, true), @"for docker as well: portcullis login gate.example:5443 --docker");
        assert_snapshot!(about_docker(&docker, true), @"docker uses it for gate.example:5443");
        assert_snapshot!(about_docker(&docker, false), @r#"
        docker uses it for gate.example:5443 as soon as it finds docker-credential-portcullis:
          ln -s "$(command -v portcullis)" /usr/local/bin/docker-credential-portcullis
        "#);
    }

    #[test]
    fn one_credential_is_given_in_one_way() {
        for (text, good) in [
            ("login gate --token-stdin", true),
            ("login gate --username a --password-stdin", true),
            ("login gate --username a --token-stdin", false),
            ("login gate --password-stdin", false),
            ("login http://gate.example", false),
        ] {
            assert_eq!(Line::try_parse_from(text.split(' ')).is_ok(), good, "{text}");
        }
    }
}
