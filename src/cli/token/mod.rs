//! `portcullis token`.

mod create;
mod list;
mod revoke;

use clap::Subcommand;
use jiff::Timestamp;

use super::client::{self, GateArguments};
use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use super::secret_input::SecretSource;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token for yourself; an administrator makes them for anyone.
    Create(create::Arguments),
    /// Print your tokens, the latest first; on the gate's own machine, everyone's.
    List(list::Arguments),
    /// End tokens, with everything that comes from them.
    Revoke(revoke::Arguments),
    /// Exchange a refresh token for an access token and the next refresh token.
    Refresh {
        /// A file with the refresh token, or `-` for the standard input.
        #[arg(long, value_name = "FILE|-")]
        value: SecretSource,
        #[command(flatten)]
        gate: GateArguments,
        #[command(flatten)]
        output: OutputArgument,
    },
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    client::block_on(async {
        match command {
            Command::Create(arguments) => create::run(arguments, now).await?,
            Command::List(arguments) => list::run(arguments, now).await?,
            Command::Revoke(arguments) => revoke::run(arguments).await?,
            Command::Refresh { value, gate, output } => {
                create::refresh(value, gate, output, now).await?;
            }
        }
        Ok(Exit::Done)
    })
}
