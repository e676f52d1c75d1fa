//! podman, with storage and credentials of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::gate::{Gate, password_of};
use super::process::{Said, program};

/// One person's podman.
pub(crate) struct Podman {
    binary: PathBuf,
    folder: TempDir,
    name: String,
    certs: PathBuf,
}

impl Podman {
    /// Signed in with the password that tests give.
    pub(crate) fn signed_in(gate: &Gate, user: &str) -> Self {
        let podman = Self {
            binary: program("podman", "podman"),
            folder: tempfile::tempdir().unwrap(),
            name: gate.name(),
            certs: gate.certs(),
        };
        podman.login(user, &password_of(user)).ok();
        podman
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--root").arg(self.folder.path().join("root"));
        command.arg("--runroot").arg(self.folder.path().join("run"));
        command.arg("--tmpdir").arg(self.folder.path().join("tmp"));
        command.args([
            "--storage-driver=vfs",
            "--cgroup-manager=cgroupfs",
            "--events-backend=none",
        ]);
        command.arg(verb);
        command.env("REGISTRY_AUTH_FILE", self.folder.path().join("auth.json"));
        command
    }

    pub(crate) fn login(&self, user: &str, password: &str) -> Said {
        let mut command = self.command("login");
        command.arg("--cert-dir").arg(&self.certs);
        command.args(["--username", user, "--password-stdin", &self.name]);
        Said::with_input(&mut command, password)
    }

    pub(crate) fn logout(&self) -> Said {
        Said::of(self.command("logout").arg(&self.name))
    }

    /// `REPOSITORY:TAG` as an image name.
    pub(crate) fn at_gate(&self, image: &str) -> String {
        format!("{}/{image}", self.name)
    }

    pub(crate) fn pull(&self, image: &str) -> Said {
        let name = self.at_gate(image);
        Said::of(self.command("pull").arg("--cert-dir").arg(&self.certs).args(["--quiet", &name]))
    }

    pub(crate) fn push(&self, image: &str) -> Said {
        let name = self.at_gate(image);
        Said::of(self.command("push").arg("--cert-dir").arg(&self.certs).args(["--quiet", &name]))
    }

    /// A command that talks to no registry.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments[0]).args(&arguments[1..]))
    }
}
