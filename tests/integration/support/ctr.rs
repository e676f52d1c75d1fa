//! containerd and its command line client `ctr`, apart from any other on this machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::gate::{Gate, password_of};
use super::process::{Daemon, Said, program};

/// A containerd whose `ctr` trusts one gate.
pub(crate) struct Containerd {
    _daemon: Daemon,
    ctr: PathBuf,
    folder: TempDir,
    name: String,
}

impl Containerd {
    pub(crate) fn start(gate: &Gate) -> Self {
        let (ctr, binary) = (program("ctr", "containerd"), program("containerd", "containerd"));
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(
            at("config.toml"),
            format!(
                "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
                 [grpc]\n  address = {:?}\n",
                at("root"), at("state"), at("socket"),
            ),
        )
        .unwrap();
        let hosts = folder.path().join("hosts").join(gate.name());
        fs::create_dir_all(&hosts).unwrap();
        let server = format!("https://{}", gate.name());
        fs::write(
            hosts.join("hosts.toml"),
            format!(
                "server = {server:?}\n[host.{server:?}]\n  capabilities = [\"pull\", \"resolve\", \"push\"]\n  \
                 ca = {:?}\n",
                gate.ca()
            ),
        )
        .unwrap();
        let mut daemon = Daemon::start(&binary, folder.path().join("log"), |command| {
            command.args(["--config", &at("config.toml")]);
        });
        let version = || Said::of(Command::new(&ctr).args(["-a", &at("socket"), "version"]));
        daemon.ready("answer", || version().code == Some(0));
        Self { _daemon: daemon, ctr, folder, name: gate.name() }
    }

    /// Where any `ctr` finds it.
    pub(crate) fn socket(&self) -> String {
        self.folder.path().join("socket").display().to_string()
    }

    /// `REPOSITORY:TAG` as an image name.
    pub(crate) fn at_gate(&self, image: &str) -> String {
        format!("{}/{image}", self.name)
    }

    /// `ctr images VERB … IMAGE` as `user`.
    fn remote(&self, verb: &str, user: &str, options: &[&str], image: &str) -> Said {
        let login = format!("{user}:{}", password_of(user));
        let hosts = self.folder.path().join("hosts");
        let mut command = self.command();
        command.args(["images", verb, "--user", &login]).arg("--hosts-dir").arg(hosts);
        Said::of(command.args(options).arg(self.at_gate(image)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.ctr);
        command.arg("--address").arg(self.socket());
        command
    }

    pub(crate) fn pull(&self, user: &str, image: &str) -> Said {
        self.remote("pull", user, &["--snapshotter", "native"], image)
    }

    /// Every platform, unpacking none.
    pub(crate) fn fetch(&self, user: &str, image: &str) -> Said {
        let login = format!("{user}:{}", password_of(user));
        let hosts = self.folder.path().join("hosts");
        let mut command = self.command();
        command.args(["content", "fetch", "--all-platforms", "--user", &login]);
        Said::of(command.arg("--hosts-dir").arg(hosts).arg(self.at_gate(image)))
    }

    pub(crate) fn push(&self, user: &str, image: &str) -> Said {
        self.remote("push", user, &[], image)
    }

    /// `ctr …`
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command().args(arguments))
    }
}
