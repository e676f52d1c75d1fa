//! Programs: finding them, running them, and stopping those that serve.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Finds a program, Debian's own first.
///
/// # Panics
/// Says which package to install. A missing program is a failure: a skipped test proves nothing.
pub(crate) fn program(name: &str, package: &str) -> PathBuf {
    program_from(name, &format!("apt-get install {package} (or scripts/test)"))
}

/// The same for what no package of Debian's has. `how` is the command that installs it.
///
/// # Panics
/// As [`program`].
pub(crate) fn program_from(name: &str, how: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    ["/usr/bin", "/usr/sbin"]
        .into_iter()
        .chain(path.split(':'))
        .map(|folder| Path::new(folder).join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("`{name}` is needed by this test: run {how}"))
}

/// A port that nobody else in this run is given. They lie below the range that the kernel uses for
/// outgoing connections, so that none is taken between this call and its use.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 12_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    loop {
        let offset = (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", FIRST + offset)).is_ok() {
            return FIRST + offset;
        }
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When `limit` is over, with `what` was waited for.
pub(crate) fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A program that serves until it is dropped. Its output goes to a file.
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it so that it ends with this thread, even if the test is killed.
    pub(crate) fn start(program: &Path, log: PathBuf, set_up: impl FnOnce(&mut Command)) -> Self {
        let output = File::create(&log).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", "--"]).arg(program);
        set_up(&mut command);
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let name = program.display().to_string();
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name, child, log }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has printed.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it is ready, or fails with what it printed.
    pub(crate) fn ready(&mut self, what: &str, mut ask: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(180);
        while !ask() {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status} before {what}:\n{}", self.name, self.log());
            }
            assert!(Instant::now() < end, "{}: no {what}:\n{}", self.name, self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &sent]).status().unwrap().success());
    }

    /// Asks it to stop and waits for its end.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        if self.child.try_wait().unwrap().is_none() {
            self.signal("TERM");
        }
        wait_for(&format!("the end of {}", self.name), Duration::from_secs(45), || {
            self.child.try_wait().unwrap()
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("TERM");
            let end = Instant::now() + Duration::from_secs(15);
            while Instant::now() < end {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                thread::sleep(Duration::from_millis(10));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a command line program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) line: String,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::with_input(command, "")
    }

    /// Runs it with `input` on its standard input.
    pub(crate) fn with_input(command: &mut Command, input: &str) -> Self {
        use std::io::Write as _;
        let line = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        // A program that does not read its input closes the pipe: not an error of the test.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { line, code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// It must have done what it was asked to.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\nout: {}\nerr: {}", self.line, self.out, self.err);
        self
    }

    /// It must have failed.
    #[track_caller]
    pub(crate) fn failed(self) -> Self {
        assert!(self.code != Some(0), "{} went well:\n{}{}", self.line, self.out, self.err);
        self
    }

    /// It must have failed and said why on its standard error (or output, as docker does).
    #[track_caller]
    pub(crate) fn refused(self, words: &str) -> Self {
        let said = self.failed();
        assert!(
            said.err.contains(words) || said.out.contains(words),
            "{} does not say {words:?}:\nout: {}\nerr: {}",
            said.line,
            said.out,
            said.err
        );
        said
    }
}
