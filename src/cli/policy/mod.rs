//! `portcullis policy`.

mod check;
mod diagnostics;
mod diff;
mod explain;
mod live;
mod schema;
mod test;

use clap::Subcommand;

use super::failure::{Exit, Failure};

pub(super) use check::summary;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read policy files and show every mistake in them.
    Check(check::Arguments),
    /// Ask a policy what its test cases ask, and compare the answers.
    Test(test::Arguments),
    /// Show what a policy decides, and why. Exits with 0 where it allows and 1 where it denies.
    Explain(explain::Arguments),
    /// Show which decisions change from one policy to another, or what the shadow policy of a
    /// running gate decides otherwise. Exits with 1 where any does.
    Diff(diff::Arguments),
    /// Print the JSON Schema of policy files, with which editors complete and check them.
    Schema(schema::Arguments),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(arguments) => check::run(arguments),
        Command::Test(arguments) => test::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Diff(arguments) => diff::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
    }
}
