//! `portcullis image`.

mod flag;

use clap::{Args, Subcommand};

use super::client::{self, GateArguments};
use super::failure::{Exit, Failure};
use super::output::OutputArgument;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say something of an image that a release gate asks for. It belongs to the digest that the
    /// name stands for now.
    Flag(flag::Arguments),
    /// Take a flag away.
    Unflag(flag::RemovalArguments),
}

/// Which gate is asked, and how the answer is printed.
#[derive(Debug, Args)]
pub(in crate::cli) struct Common {
    #[command(flatten)]
    pub(in crate::cli) gate: GateArguments,
    #[command(flatten)]
    pub(in crate::cli) output: OutputArgument,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    client::block_on(async {
        match command {
            Command::Flag(arguments) => flag::set(arguments).await,
            Command::Unflag(arguments) => flag::remove(arguments).await,
        }
    })
}
