//! The command line: one file per command, all of them thin.

mod certs;
mod check;
mod client;
mod completions;
mod credential;
mod exception;
mod failure;
mod gate;
mod healthcheck;
mod http_get;
mod image;
mod init;
mod keys;
mod login;
mod moment;
mod output;
mod policy;
#[cfg(test)]
pub(crate) mod printed;
mod secret_input;
mod serve;
mod service;
mod table;
mod token;
mod trust;
mod user;

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A gatekeeper for container registries.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gate.
    Serve(serve::Arguments),
    /// Make a folder that a gate can run from.
    Init(init::Arguments),
    /// Check configuration, certificate, policies, users and the upstream.
    Check(check::Arguments),
    /// Make certificates.
    #[command(subcommand)]
    Certs(certs::Command),
    /// Change who may sign in with a password.
    #[command(subcommand)]
    User(user::Command),
    /// Look at the keys that sign tokens, and make another.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Change which services there are, for which tokens are made.
    #[command(subcommand)]
    Service(service::Command),
    /// Make, list, refresh and revoke tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// Sign in at a gate, for this command line and for docker.
    Login(login::Arguments),
    /// Sign out at a gate.
    Logout(login::LogoutArguments),
    /// Give other programs the credentials of `login`.
    #[command(subcommand)]
    Credential(credential::Command),
    /// Read policy files, and ask what they decide.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Look at images, flag them, and hand in reports of them.
    #[command(subcommand)]
    Image(image::Command),
    /// Look at release gates, and at what they say of images.
    #[command(subcommand)]
    Gate(gate::Command),
    /// Break the glass of a release gate, for some hours.
    #[command(subcommand)]
    Exception(exception::Command),
    /// Ask a running gate whether it is alive: for containers.
    Healthcheck(healthcheck::Arguments),
    /// Print the completions for a shell.
    Completions(completions::Arguments),
}

/// Which gate is meant.
#[derive(Debug, Args)]
struct ConfigArgument {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "portcullis.yaml")]
    config: PathBuf,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse_from(words(env::args_os())).command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Init(arguments) => init::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Certs(command) => certs::run(&command),
        Command::User(command) => user::run(&command),
        Command::Keys(command) => keys::run(&command),
        Command::Service(command) => service::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Login(arguments) => login::run(&arguments),
        Command::Logout(arguments) => login::run_logout(&arguments),
        Command::Credential(command) => credential::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Image(command) => image::run(&command),
        Command::Gate(command) => gate::run(&command),
        Command::Exception(command) => exception::run(&command),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::aside(failure.text(colours(&io::stderr())));
            failure.exit.into()
        }
    }
}

/// The words of the command. Docker looks for credential helpers by the name of their program, so
/// that name stands for a command.
fn words(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = arguments.into_iter().collect();
    let name = words.first().and_then(|program| Path::new(program).file_name());
    if name.is_some_and(|name| name == login::HELPER) {
        words.splice(..1, ["portcullis", "credential", "docker"].map(OsString::from));
    }
    words
}

/// Whether to write in colours: on a terminal, unless `NO_COLOR` says otherwise (no-color.org).
fn colours(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn the_commands_are_declared_without_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_name_of_the_credential_helper_is_a_command() {
        let read = |line: &str| words(line.split(' ').map(OsString::from)).join(" ".as_ref());
        for program in ["docker-credential-portcullis", "/usr/bin/docker-credential-portcullis"] {
            assert_eq!(read(&format!("{program} get")), "portcullis credential docker get");
        }
        for line in ["portcullis login gate", "docker-credential-portcullis.sh get"] {
            assert_eq!(read(line), line);
        }
        assert!(words([]).is_empty());
    }

    #[test]
    fn two_folders_are_compared_or_what_a_gate_did_and_no_option_is_passed_over() {
        let read = |line: &str| Cli::try_parse_from(format!("portcullis {line}").split(' '));
        for line in [
            "policy diff old new",
            "policy diff old new --audit a --audit b --output json",
            "policy diff --live",
            "policy diff --live --config c",
            "policy diff --live --server gate.example --ca ca.crt --token -",
        ] {
            assert!(read(line).is_ok(), "{line}: {}", read(line).unwrap_err());
        }
        for line in [
            "policy diff",
            "policy diff old",
            "policy diff --config c",
            "policy diff --audit a",
            "policy diff --live old",
            "policy diff --live old new",
            "policy diff --live --audit a",
            "policy diff old new --config c",
            "policy diff old new --server gate.example",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        let told = |line: &str| read(line).unwrap_err().to_string();
        assert_snapshot!(told("policy diff"), @"
        error: the following required arguments were not provided:
          <OLD|--live>

        Usage: portcullis policy diff [--audit <FILE>]... [--output <OUTPUT>] <OLD> <NEW>
               portcullis policy diff --live [--server <URL>|--config <FILE>] [OPTIONS]

        For more information, try '--help'.
        ");
    }

    #[test]
    fn the_help_names_every_command() {
        assert_snapshot!(Cli::command().term_width(100).render_help(), @"
        A gatekeeper for container registries

        Usage: portcullis <COMMAND>

        Commands:
          serve        Run the gate
          init         Make a folder that a gate can run from
          check        Check configuration, certificate, policies, users and the upstream
          certs        Make certificates
          user         Change who may sign in with a password
          keys         Look at the keys that sign tokens, and make another
          service      Change which services there are, for which tokens are made
          token        Make, list, refresh and revoke tokens
          login        Sign in at a gate, for this command line and for docker
          logout       Sign out at a gate
          credential   Give other programs the credentials of `login`
          policy       Read policy files, and ask what they decide
          image        Look at images, flag them, and hand in reports of them
          gate         Look at release gates, and at what they say of images
          exception    Break the glass of a release gate, for some hours
          healthcheck  Ask a running gate whether it is alive: for containers
          completions  Print the completions for a shell
          help         Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version
        ");
    }
}
