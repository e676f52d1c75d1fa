//! The gate of a configuration on this machine.

use std::path::Path;

use super::super::failure::Failure;
use super::Gate;
use super::in_process::InProcess;
use super::socket::Socket;
use crate::config::Config;

impl Gate {
    /// The gate that the file at `config` configures.
    ///
    /// # Errors
    /// The file is wrong, or the gate is not there for us.
    pub(super) async fn of_config(config: &Path) -> Result<Self, Failure> {
        let config = Config::load(config)?;
        match Socket::find(&config.admin_socket()).await? {
            Some(socket) => Ok(Self::Socket(socket)),
            None => Ok(Self::InProcess(InProcess::open(&config).await?)),
        }
    }
}
