//! `portcullis policy schema`.

use clap::Args;
use policy::schema;

use crate::cli::failure::{Exit, Failure};
use crate::cli::output;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Of files of test cases, in the place of policy files.
    #[arg(long)]
    cases: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = if arguments.cases { schema::CASES } else { schema::POLICY };
    output::line(schema.trim_end())?;
    Ok(Exit::Done)
}
