//! The gate of a configuration on this machine.

use std::path::Path;

use super::super::failure::{Exit, Failure};
use super::Gate;
use super::socket::Socket;
use crate::config::Config;
use document::Mistake;

impl Gate {
    /// The gate that the file at `config` configures.
    ///
    /// # Errors
    /// The file is wrong, or the gate is not there for us.
    pub(super) async fn of_config(config: &Path) -> Result<Self, Failure> {
        let config = Config::load(config)?;
        let folder = config.file.parent().unwrap_or(Path::new("")).join("state");
        let path = folder.join("admin.sock");
        match Socket::find(&path).await? {
            Some(socket) => Ok(Self::Socket(socket)),
            None => Err(Failure::new(Exit::Impossible, &Mistake::new("the gate is not running"))),
        }
    }
}
