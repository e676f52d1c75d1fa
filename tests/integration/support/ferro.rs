//! A second real registry, written by other people in another language than docker-registry: the
//! `ferro-oci-server` of crates.io. It has what docker-registry 2.8 has not, such as referrers.

use std::net::{SocketAddr, TcpStream};

use tempfile::TempDir;

use super::process::{Daemon, free_port, program_from};

/// A ferro on loopback, without any access control. It holds everything in memory.
pub(crate) struct Ferro {
    _daemon: Daemon,
    address: SocketAddr,
    _folder: TempDir,
}

impl Ferro {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let binary = program_from("ferro-oci-server", "scripts/test");
        let mut daemon = Daemon::start(&binary, folder.path().join("log"), |command| {
            command.env("FERRO_OCI_LISTEN", address.to_string());
        });
        daemon.ready("open port", || TcpStream::connect(address).is_ok());
        Self { _daemon: daemon, address, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
