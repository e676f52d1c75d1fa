//! `portcullis image`.

mod flag;
mod list;
mod report;
mod scan;
mod show;

use clap::{Args, Subcommand};

use super::client::{self, GateArguments};
use super::failure::{Exit, Failure};
use super::output::OutputArgument;

pub(super) use flag::expiry;
pub(super) use show::Verdicts;

/// What is printed of answers, for the tests of the API that gives them.
#[cfg(test)]
pub(in crate::cli) mod printed {
    pub(in crate::cli) use super::flag::{flagged, unflagged};
    pub(in crate::cli) use super::list::printed as listed;
    pub(in crate::cli) use super::report::printed as reported;
    pub(in crate::cli) use super::scan::printed as scanned;
    pub(in crate::cli) use super::show::printed as shown;
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the images that you may know of, as far as the gate has seen them.
    List(list::Arguments),
    /// Look for images by their names, or by what is in them.
    Search(list::SearchArguments),
    /// Print what is known of an image, and what its gates say.
    Show(show::Arguments),
    /// Say something of an image that a release gate asks for. It belongs to the digest that the
    /// name stands for now.
    Flag(flag::Arguments),
    /// Take a flag away.
    Unflag(flag::RemovalArguments),
    /// Hand in a report of a vulnerability scanner about an image, or an OpenVEX document.
    Report(report::Arguments),
    /// Have an image scanned.
    Scan(scan::Arguments),
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
            Command::List(arguments) => list::run(arguments).await,
            Command::Search(arguments) => list::search(arguments).await,
            Command::Show(arguments) => show::run(arguments).await,
            Command::Report(arguments) => report::run(arguments).await,
            Command::Scan(arguments) => scan::run(arguments).await,
            Command::Flag(arguments) => flag::set(arguments).await,
            Command::Unflag(arguments) => flag::remove(arguments).await,
        }
    })
}
