//! `portcullis serve`.

use clap::Args;

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use crate::app;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let config = Config::load(&arguments.config.config)?;
    app::run(&config)?;
    Ok(Exit::Done)
}
