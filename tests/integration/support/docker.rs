//! A docker daemon and its command line, apart from any other on this machine.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::gate::{Gate, password_of};
use super::process::{Daemon, Said, program};

/// A daemon that trusts one gate's certificate authority.
pub(crate) struct Docker {
    _daemon: Daemon,
    cli: PathBuf,
    folder: TempDir,
    name: String,
    trust: PathBuf,
    /// Where the command line finds more than on this machine.
    variables: Vec<(&'static str, OsString)>,
}

impl Docker {
    pub(crate) fn start(gate: &Gate) -> Self {
        let (cli, binary) = (program("docker", "docker.io"), program("dockerd", "docker.io"));
        let folder = tempfile::tempdir().unwrap();
        let trust = Path::new("/etc/docker/certs.d").join(gate.name());
        fs::create_dir_all(&trust).unwrap();
        fs::copy(gate.ca(), trust.join("ca.crt")).unwrap();
        let at = |name: &str| folder.path().join(name);
        // Without it the daemon would read the machine's own configuration.
        fs::write(at("daemon.json"), "{}").unwrap();
        let mut daemon = Daemon::start(&binary, at("log"), |command| {
            command.args(["--bridge=none", "--iptables=false", "--ip6tables=false"]);
            command.args(["--storage-driver=vfs"]);
            command.arg("--config-file").arg(at("daemon.json"));
            command.arg("--data-root").arg(at("data")).arg("--exec-root").arg(at("exec"));
            command.arg("--pidfile").arg(at("pid"));
            command.arg("-H").arg(format!("unix://{}", at("socket").display()));
        });
        let docker = |arguments: &[&str]| {
            let mut command = Command::new(&cli);
            command.env("DOCKER_HOST", format!("unix://{}", at("socket").display()));
            Said::of(command.env("DOCKER_CONFIG", at("config")).args(arguments))
        };
        daemon.ready("answer", || docker(&["version"]).code == Some(0));
        Self { _daemon: daemon, cli, folder, name: gate.name(), trust, variables: Vec::new() }
    }

    fn command(&self) -> Command {
        let socket = self.folder.path().join("socket");
        let mut command = Command::new(&self.cli);
        command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        command.env("DOCKER_CONFIG", self.config());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What makes any `docker` its command line.
    pub(crate) fn surroundings(&self) -> [(&'static str, String); 2] {
        let socket = self.folder.path().join("socket");
        let config = self.config().display().to_string();
        [("DOCKER_HOST", format!("unix://{}", socket.display())), ("DOCKER_CONFIG", config)]
    }

    /// The folder of its command line's `config.json`.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// From now on it is run by somebody with this home, who has programs there as well.
    pub(crate) fn run_by(&mut self, home: &Path) {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", home.display());
        self.variables = vec![("HOME", home.into()), ("PATH", path.into())];
    }

    /// `docker …`
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command().args(arguments))
    }

    /// `REPOSITORY:TAG` as an image name.
    pub(crate) fn at_gate(&self, image: &str) -> String {
        format!("{}/{image}", self.name)
    }

    pub(crate) fn login(&self, user: &str) -> Said {
        self.login_with(user, &password_of(user))
    }

    pub(crate) fn login_with(&self, user: &str, password: &str) -> Said {
        let mut command = self.command();
        command.args(["login", "--username", user, "--password-stdin", &self.name]);
        Said::with_input(&mut command, password)
    }

    pub(crate) fn logout(&self) -> Said {
        self.run(&["logout", &self.name])
    }

    pub(crate) fn pull(&self, image: &str) -> Said {
        self.run(&["pull", "--quiet", &self.at_gate(image)])
    }

    pub(crate) fn push(&self, image: &str) -> Said {
        self.run(&["push", &self.at_gate(image)])
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.trust);
    }
}
