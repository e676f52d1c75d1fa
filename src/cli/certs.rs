//! `portcullis certs`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use crate::certificate::{Development, Host, make_development};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a CA and a server certificate for development.
    ///
    /// A CA that is in the folder is kept, so that clients which trust it need nothing new; the
    /// server certificate is replaced. It always holds for the names of loopback too.
    Dev(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder, which is made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// A host name or IP address by which clients reach the gate; may be repeated.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<Host>,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let Command::Dev(arguments) = command;
    let made = make_development(&arguments.folder, &arguments.hosts)?;
    let json = json!({
        "ca": made.ca,
        "certificate": made.certificate,
        "key": made.key,
        "hosts": made.hosts.iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    arguments.output.print(&text(&made), &json)?;
    Ok(Exit::Done)
}

fn text(made: &Development) -> String {
    let hosts: Vec<String> = made.hosts.iter().map(ToString::to_string).collect();
    let ca = if made.new_ca { "new: give it to clients" } else { "kept" };
    format!(
        "CA           {} ({ca})\n\
         certificate  {} for {}\n\
         key          {}",
        made.ca.display(),
        made.certificate.display(),
        hosts.join(", "),
        made.key.display(),
    )
}
