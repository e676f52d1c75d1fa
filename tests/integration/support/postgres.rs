//! A real PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;

use super::process::{Daemon, free_port, program};

/// A database of its own, on a server that the tests of this process share.
pub(crate) struct Postgres {
    name: String,
    server: Arc<Server>,
}

/// Its data are in a folder of their own, and what is committed is on the disk.
struct Server {
    folder: TempDir,
    port: u16,
    running: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let server = {
            let mut shared = SERVER.lock().unwrap();
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Server::start());
                *shared = Arc::downgrade(&server);
                server
            })
        };
        Self::on(server)
    }

    /// On a server of its own, which may be stopped.
    #[allow(dead_code, reason = "not all of those who share this file need it")]
    pub(crate) fn alone() -> Self {
        Self::on(Arc::new(Server::start()))
    }

    fn on(server: Arc<Server>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("gate{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        server.psql("postgres", &format!("CREATE DATABASE {name}"));
        Self { name, server }
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://gate@127.0.0.1:{}/{}", self.server.port, self.name)
    }

    /// Stops the server, whoever is connected. It must be one of its own.
    #[allow(dead_code, reason = "not all of those who share this file need it")]
    pub(crate) fn stop(&self) {
        assert_eq!(Arc::strong_count(&self.server), 1, "others use this server");
        self.server.stop();
    }

    /// Starts it again on what it had.
    #[allow(dead_code, reason = "not all of those who share this file need it")]
    pub(crate) fn start_again(&self) {
        self.server.run();
    }

    /// Runs statements as somebody else would.
    #[allow(dead_code, reason = "not all of those who share this file need it")]
    pub(crate) fn psql(&self, sql: &str) {
        self.server.psql(&self.name, sql);
    }
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        // A language whose order of letters is not that of their bytes.
        run(as_owner(&binary("initdb"))
            .args(["--username=gate", "--auth=trust", "--encoding=UTF8", "--no-sync"])
            .args(["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "-D"])
            .arg(folder.path().join("data")));
        let server = Self { folder, port: free_port(), running: Mutex::default() };
        server.run();
        server
    }

    fn run(&self) {
        // It ends with the thread that starts it, and must outlive the test that did.
        let (ready, started) = channel();
        let (end, ended) = channel();
        let (folder, port) = (self.folder.path().to_owned(), self.port);
        let thread = thread::spawn(move || {
            let mut server = serve(&folder, port);
            server.ready("an answer", || answers(port));
            ready.send(()).unwrap();
            let _ = ended.recv();
            // At once, whoever is still connected.
            server.signal("INT");
            drop(server);
        });
        started.recv().unwrap();
        *self.running.lock().unwrap() = Some((end, thread));
    }

    fn stop(&self) {
        if let Some((end, thread)) = self.running.lock().unwrap().take() {
            let _ = end.send(());
            let _ = thread.join();
        }
    }

    fn psql(&self, database: &str, sql: &str) {
        let port = self.port.to_string();
        run(as_owner(&binary("psql"))
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "gate", "-w"])
            .args(["-d", database, "-c", sql]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(folder: &Path, port: u16) -> Daemon {
    let command = as_owner(&binary("postgres"));
    let data = folder.join("data");
    Daemon::start(Path::new(command.get_program()), folder.join("log"), |daemon| {
        daemon.args(command.get_args()).arg("-D").arg(data).args(["-p", &port.to_string()]);
        daemon.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
        daemon.args(["-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200"]);
    })
}

fn answers(port: u16) -> bool {
    let mut ask = Command::new(binary("pg_isready"));
    ask.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).status().unwrap().success()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// PostgreSQL refuses to run as root, so its own user runs it, to whom the kernel tells our end.
fn as_owner(program: &Path) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.args(["--pdeathsig", "INT"]);
    if is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

/// A program of the newest version that is installed.
fn binary(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(name));
    let newest = found.filter(|path| path.is_file()).max();
    newest.unwrap_or_else(|| program(name, "postgresql"))
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
