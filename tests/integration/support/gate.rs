//! The built program, set up the way its users do.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::thread;
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Client, Credentials};
use super::clock::Clock;
use super::process::{Daemon, Said, free_port, wait_for};

/// The name in the gate's certificate. Clients in other processes find it in /etc/hosts.
pub(crate) const HOST: &str = "gate.localhost";

/// A gate that is not running yet.
pub(crate) struct Setup {
    upstream: String,
    policy: String,
    users: Vec<(String, Vec<String>)>,
    settings: Vec<(String, String)>,
    clock: Option<i64>,
}

/// A running gate and its folder.
pub(crate) struct Gate {
    daemon: Daemon,
    clock: Option<Clock>,
    folder: TempDir,
    address: SocketAddr,
    management: SocketAddr,
    admin_password: String,
}

/// The command line of the gate.
pub(crate) fn portcullis() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env("NO_COLOR", "1");
    command
}

/// The password of every user that tests make: what no log may hold.
pub(crate) fn password_of(name: &str) -> String {
    format!("canary-{name}-Zm9vYmFy")
}

impl Setup {
    pub(crate) fn new(upstream: &str, policy: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            policy: policy.to_owned(),
            users: Vec::new(),
            settings: Vec::new(),
            clock: None,
        }
    }

    /// Gives it a clock of its own, which [`Gate::clock`] moves.
    pub(crate) fn own_clock(self) -> Self {
        self.clock_off_by(0)
    }

    /// The same, wrong from the first start on by so many seconds.
    pub(crate) fn clock_off_by(mut self, seconds: i64) -> Self {
        self.clock = Some(seconds);
        self
    }

    /// Adds a user, with the password that [`password_of`] gives.
    pub(crate) fn user(mut self, name: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        self.users.push((name.to_owned(), groups));
        self
    }

    /// Sets a top-level key of the configuration, replacing what `init` wrote for it.
    pub(crate) fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// `init`, the policy, the users, and then `serve` until it is ready.
    pub(crate) fn start(self) -> Gate {
        name_in_hosts();
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("gate");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let management = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let init = Said::of(
            portcullis()
                .arg("init")
                .arg(&home)
                .args(["--upstream", &self.upstream, "--listen", &address.to_string()])
                .args(["--management", &management.to_string(), "--host", HOST])
                .args(["--output", "json"]),
        )
        .ok();
        let made: Value = serde_json::from_str(&init.out).unwrap();
        let config = home.join("portcullis.yaml");
        let mut text = fs::read_to_string(&config).unwrap();
        set(&mut text, "public_url", &format!("https://{HOST}:{}", address.port()));
        set(&mut text, "audit", "{file: audit.jsonl}");
        set(&mut text, "log", "{format: json, level: debug}");
        // Tests count what the upstream is asked.
        set(&mut text, "inventory", "{crawl: false}");
        // A connection on which nothing comes for a while stays open, however busy the machine is.
        set(&mut text, "limits", "{header_timeout: 2m}");
        self.settings.iter().for_each(|(key, value)| set(&mut text, key, value));
        fs::write(&config, text).unwrap();
        fs::remove_dir_all(home.join("policies")).unwrap();
        fs::create_dir(home.join("policies")).unwrap();
        fs::write(home.join("policies/test.yaml"), &self.policy).unwrap();
        for (name, groups) in &self.users {
            add_user(&config, name, groups);
        }
        let log = folder.path().join("log");
        let admin_password = made["admin"]["password"].as_str().unwrap().to_owned();
        let clock = self.clock.map(|seconds| Clock::new(folder.path(), seconds));
        let daemon = serve(&config, log, clock.as_ref());
        let mut gate = Gate { daemon, clock, folder, address, management, admin_password };
        gate.wait_until_ready();
        gate
    }
}

impl Gate {
    fn wait_until_ready(&mut self) {
        let management = Client::plain(self.management);
        let (address, management_address) = (self.address, self.management);
        self.daemon.ready("readiness", || {
            TcpStream::connect(management_address).is_ok()
                && TcpStream::connect(address).is_ok()
                && management.get("/readyz").status == 200
        });
    }

    /// The folder that `init` made.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home().join("portcullis.yaml")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `gate.localhost:PORT`, as image names begin.
    pub(crate) fn name(&self) -> String {
        format!("{HOST}:{}", self.address.port())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.daemon.pid()
    }

    pub(crate) fn admin_password(&self) -> &str {
        &self.admin_password
    }

    /// A folder that holds the certificate authority and nothing else, as skopeo and podman like it.
    pub(crate) fn certs(&self) -> PathBuf {
        let folder = self.folder.path().join("ca");
        fs::create_dir_all(&folder).unwrap();
        fs::copy(self.ca(), folder.join("ca.crt")).unwrap();
        folder
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.home().join("certs/ca.crt")
    }

    /// Somebody without credentials.
    pub(crate) fn anonymous(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).unwrap()).unwrap();
        Client::tls(self.address, HOST, &roots)
    }

    /// A user who signs in as docker does.
    pub(crate) fn client(&self, user: &str) -> Client {
        self.anonymous().with(Credentials::Tokens(user.to_owned(), password_of(user)))
    }

    /// What a request to the management listener brings.
    pub(crate) fn management(&self) -> Client {
        Client::plain(self.management)
    }

    pub(crate) fn metrics(&self) -> String {
        self.management().get("/metrics").expect(200).text()
    }

    /// A counter that may not have counted anything yet.
    pub(crate) fn count(&self, sample: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics.lines().find(|line| line.starts_with(sample));
        line.map_or(0.0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }

    /// The value of the first sample whose line begins so.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics.lines().find(|line| line.starts_with(sample));
        let line = line.unwrap_or_else(|| panic!("no {sample} in\n{metrics}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Everything that it printed.
    pub(crate) fn log(&self) -> String {
        self.daemon.log()
    }

    pub(crate) fn audit_text(&self) -> String {
        fs::read_to_string(self.home().join("audit.jsonl")).unwrap_or_default()
    }

    /// The audit trail: each line must be JSON.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = self.audit_text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The audit records of requests to the registry, once they satisfy `enough`.
    pub(crate) fn requests(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_for("the audit records", Duration::from_secs(60), || {
            let mut records = self.audit();
            records.retain(|record| record["status"].is_number());
            enough(&records).then_some(records)
        })
    }

    /// Resident memory in bytes; what was its peak before this counts no more.
    pub(crate) fn memory(&self) -> u64 {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
        self.status("VmRSS")
    }

    /// The most that was resident since [`Self::memory`] was asked.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM")
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    /// Writes a policy file anew; the gate takes it up by itself.
    pub(crate) fn write_policy(&self, text: &str) {
        let path = self.home().join("policies/test.yaml");
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Writes a policy file in its place, line by line. False: this machine was so busy in between
    /// that the gate may have taken a part of it for the whole.
    pub(crate) fn write_policy_slowly(home: &Path, text: &str) -> bool {
        let mut file = fs::File::create(home.join("policies/test.yaml")).unwrap();
        let mut longest = Duration::ZERO;
        for line in text.split_inclusive('\n') {
            let before = Instant::now();
            file.write_all(line.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(10));
            longest = longest.max(before.elapsed());
        }
        longest < Duration::from_millis(350)
    }

    /// The clock that it goes by, where it has one of its own.
    pub(crate) fn clock(&self) -> &Clock {
        self.clock.as_ref().expect("its own clock")
    }

    /// What a command of the gate prints as JSON, with its configuration: on its admin socket.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--output", "json"]].concat()).ok();
        serde_json::from_str(&said.out).expect(&said.out)
    }

    /// Runs a command of the gate with its configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(portcullis().args(arguments).arg("--config").arg(self.config()))
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.daemon.signal(signal);
    }

    /// Stops it and tells its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.daemon.stop().code()
    }

    /// Ends it in the middle of whatever it does, and starts it again.
    pub(crate) fn kill_and_restart(&mut self) {
        self.daemon.signal("KILL");
        self.restart();
    }

    /// Starts it again on the same folder.
    pub(crate) fn restart(&mut self) {
        self.daemon.stop();
        let log = self.folder.path().join("log-after-restart");
        self.daemon = serve(&self.config(), log, self.clock.as_ref());
        self.wait_until_ready();
    }
}

fn serve(config: &Path, log: PathBuf, clock: Option<&Clock>) -> Daemon {
    let binary = Path::new(env!("CARGO_BIN_EXE_portcullis"));
    Daemon::start(binary, log, |command| {
        command.arg("serve").arg("--config").arg(config);
        if let Some(clock) = clock {
            clock.show_to(command);
        }
    })
}

/// Adds a user on the command line.
pub(crate) fn add_user(config: &Path, name: &str, groups: &[String]) {
    let mut command = portcullis();
    command.args(["user", "add", name, "--password-stdin", "--config"]).arg(config);
    for group in groups {
        command.args(["--group", group]);
    }
    Said::with_input(&mut command, &password_of(name)).ok();
}

/// Replaces a top-level block of a YAML file that is written one key a line, or appends it.
fn set(text: &mut String, key: &str, value: &str) {
    let (mut kept, mut inside) = (String::new(), false);
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            inside = line.starts_with(&format!("{key}:"));
        }
        if !inside {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    *text = format!("{kept}{key}: {value}\n");
}

/// Programs that resolve names themselves, such as dockerd, need to find the gate's.
fn name_in_hosts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
        if !hosts.lines().any(|line| line.split_whitespace().any(|word| word == HOST)) {
            let with = format!("{}\n127.0.0.1 {HOST}\n", hosts.trim_end());
            fs::write("/etc/hosts", with).expect("these tests run as root");
        }
    });
}
