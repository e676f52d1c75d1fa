//! skopeo, with its own folder for credentials.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::gate::{Gate, password_of};
use super::images::Image;
use super::process::{Said, program};

/// One person's skopeo.
pub(crate) struct Skopeo {
    binary: PathBuf,
    folder: TempDir,
    name: String,
    certs: PathBuf,
}

impl Skopeo {
    /// Not signed in.
    pub(crate) fn new(gate: &Gate) -> Self {
        Self {
            binary: program("skopeo", "skopeo"),
            folder: tempfile::tempdir().unwrap(),
            name: gate.name(),
            certs: gate.certs(),
        }
    }

    /// Signed in with the password that tests give.
    pub(crate) fn signed_in(gate: &Gate, user: &str) -> Self {
        let skopeo = Self::new(gate);
        skopeo.login(user, &password_of(user)).ok();
        skopeo
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.binary);
        if verb == "copy" {
            command.arg("--insecure-policy");
        }
        command.arg(verb);
        command.arg("--authfile").arg(self.folder.path().join("auth.json"));
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

    /// `REPOSITORY:TAG` at the gate as skopeo writes it.
    pub(crate) fn at_gate(&self, image: &str) -> String {
        format!("docker://{}/{image}", self.name)
    }

    /// Copies, every platform of an index.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Said {
        let mut command = self.command("copy");
        command.arg("--src-cert-dir").arg(&self.certs).arg("--dest-cert-dir").arg(&self.certs);
        Said::of(command.args(["--all", "--preserve-digests", from, to]))
    }

    /// Pulls all of it into a folder, which nobody needs any more then.
    pub(crate) fn pull(&self, image: &str) -> Said {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        self.copy(&self.at_gate(image), &format!("dir:{}", folder.path().display()))
    }

    /// Pushes an image or an artifact that lies in memory.
    pub(crate) fn push(&self, image: &Image, to: &str) -> Said {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        image.write_layout(folder.path(), "pushed");
        self.copy(&format!("oci:{}:pushed", folder.path().display()), &self.at_gate(to))
    }

    pub(crate) fn inspect_raw(&self, image: &str) -> Said {
        self.plain("inspect", &["--raw", &self.at_gate(image)])
    }

    pub(crate) fn list(&self, repository: &str) -> Said {
        self.plain("list-tags", &[&self.at_gate(repository)])
    }

    pub(crate) fn delete(&self, image: &str) -> Said {
        self.plain("delete", &[&self.at_gate(image)])
    }

    fn plain(&self, verb: &str, arguments: &[&str]) -> Said {
        Said::of(self.command(verb).arg("--cert-dir").arg(&self.certs).args(arguments))
    }
}
