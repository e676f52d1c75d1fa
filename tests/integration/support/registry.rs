//! The real docker-registry, as the upstream.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use tempfile::TempDir;

use super::client::Client;
use super::process::{Daemon, free_port, program};

/// A docker-registry on loopback without any access control of its own; deletes are on.
pub(crate) struct Registry {
    daemon: Daemon,
    address: SocketAddr,
    folder: TempDir,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::with_deletes(true)
    }

    /// Deletes may be off, as they are where nobody turned them on.
    pub(crate) fn with_deletes(deletes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let config = folder.path().join("config.yml");
        let storage = folder.path().join("storage");
        fs::write(
            &config,
            format!(
                "version: 0.1\n\
                 log: {{level: info, formatter: text}}\n\
                 storage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: {deletes}}}\n\
                 http: {{addr: \"{address}\"}}\n",
                storage.display()
            ),
        )
        .unwrap();
        let binary = program("docker-registry", "docker-registry");
        let mut daemon = Daemon::start(&binary, folder.path().join("log"), |command| {
            command.arg("serve").arg(config);
        });
        daemon.ready("open port", || TcpStream::connect(address).is_ok());
        Self { daemon, address, folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How its owner talks to it, around the gate.
    pub(crate) fn client(&self) -> Client {
        Client::plain(self.address)
    }

    /// Requests that it has answered, by its own access log. Connections that open and close
    /// without a request do not count.
    pub(crate) fn answered(&self) -> usize {
        self.daemon.log().lines().filter(|line| line.contains(" HTTP/1.1\" ")).count()
    }

    /// The bytes of a blob as they lie on its disk.
    pub(crate) fn stored_blob(&self, digest: &str) -> Option<Vec<u8>> {
        fs::read(self.blob_path(digest)).ok()
    }

    /// The size of a blob on its disk.
    pub(crate) fn stored_size(&self, digest: &str) -> Option<u64> {
        fs::metadata(self.blob_path(digest)).ok().map(|data| data.len())
    }

    fn blob_path(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.folder
            .path()
            .join("storage/docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(hex)
            .join("data")
    }

    /// Lays further tags beside one that is there, as if they had been pushed: thousands of pushes
    /// take their time.
    pub(crate) fn add_tags(
        &self,
        repository: &str,
        like: &str,
        tags: impl Iterator<Item = String>,
    ) {
        let repositories = self.folder.path().join("storage/docker/registry/v2/repositories");
        let folder = repositories.join(repository).join("_manifests/tags");
        let link = fs::read(folder.join(like).join("current/link")).unwrap();
        for tag in tags {
            let current = folder.join(tag).join("current");
            fs::create_dir_all(&current).unwrap();
            fs::write(current.join("link"), &link).unwrap();
        }
    }

    /// Stops it; its port is closed then.
    pub(crate) fn stop(&mut self) {
        self.daemon.stop();
    }

    /// Flips one byte of a stored blob, as a failing disk would.
    pub(crate) fn damage(&self, digest: &str) {
        let path = self.blob_path(digest);
        let mut bytes = Vec::new();
        fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
}
