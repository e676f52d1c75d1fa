//! What commands print on their standard output.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::failure::Failure;

/// How results are printed.
#[derive(Debug, Args)]
pub(super) struct OutputArgument {
    /// For people, or for programs.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Text,
    Json,
}

impl OutputArgument {
    /// Whether the result is for a program.
    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Prints `text`, or `json` on one line.
    pub(super) fn print(&self, text: &str, json: &impl Serialize) -> Result<(), Failure> {
        match self.output {
            Output::Text => line(text),
            Output::Json => {
                let json = serde_json::to_string(json).map_err(|e| Failure::impossible(&e))?;
                line(&json)
            }
        }
    }
}

/// Prints a text and a line break. That nobody reads on is no failure: `portcullis … | head`.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::impossible(&error)),
        _ => Ok(()),
    }
}

/// Prints what is not the result on the standard error stream, where it is in nobody's way.
pub(super) fn aside(text: &str) {
    // There is nowhere left to tell of a failure.
    drop(writeln!(io::stderr(), "{text}"));
}
