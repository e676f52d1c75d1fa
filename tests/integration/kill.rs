//! The state, when the process ends in the middle or the disk is full.

use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use policy::Subject;
use portcullis::store::{Rotation, Settings, Store, StoreError, open};
use portcullis::token::{
    Family, FamilyKind, Grant, Kind, RefreshToken, Succession, TokenHash, TokenId,
};
use tokio::runtime::Runtime;

use crate::support::postgres::Postgres;

/// Where the state is, and the token to begin with: the sign that this process is to be killed.
const STATE: &str = "PORTCULLIS_TEST_STATE";
const TOKEN: &str = "PORTCULLIS_TEST_TOKEN";

/// How often a process is killed, in each database, and how many are at work at a time.
const KILLS: usize = 1000;
const LANES: usize = 4;

#[test]
fn a_kill_leaves_one_usable_token_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = |lane| format!("sqlite:{}/{lane}/portcullis.db", folder.path().display());
    kill_again_and_again("kill::a_kill_leaves_one_usable_token_in_sqlite", url);
}

#[test]
fn a_kill_leaves_one_usable_token_in_postgresql() {
    // In the process that is to be killed, a server would have nobody to stop it.
    let server = env::var(STATE).is_err().then(Postgres::start);
    let url = |_| server.as_ref().map(Postgres::url).unwrap_or_default();
    kill_again_and_again("kill::a_kill_leaves_one_usable_token_in_postgresql", url);
}

/// Runs this very test in processes that are killed while they refresh.
fn kill_again_and_again(test: &str, url: impl Fn(usize) -> String + Sync) {
    if let Ok(state) = env::var(STATE) {
        refresh_for_ever(&state);
    }
    thread::scope(|scope| {
        for lane in 0..LANES {
            let url = url(lane);
            scope.spawn(move || Lane::start(test, url).kill_and_check());
        }
    });
}

/// Writes down each token that it is told is the next, and then uses it.
fn refresh_for_ever(state: &str) -> ! {
    let mut token = RefreshToken::parse(&env::var(TOKEN).unwrap()).unwrap();
    Runtime::new().unwrap().block_on(async {
        let store = open(&settings(state)).await.unwrap();
        loop {
            token = refresh(&store, &token).await;
            let line = format!("\n{}\n", token.written().expose());
            std::io::stdout().write_all(line.as_bytes()).unwrap();
        }
    })
}

async fn refresh(store: &Arc<dyn Store>, token: &RefreshToken) -> RefreshToken {
    let next = succession().of(token);
    let answer = store.rotate(token.hash(), next.hash(), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(answer, Rotation::Rotated);
    next
}

fn succession() -> Succession {
    Succession::new(&[7; 32])
}

fn settings(state: &str) -> Settings {
    Settings { url: state.parse().unwrap(), max_staleness: Duration::from_secs(300) }
}

/// One family, and the processes that refresh its token one after the other.
struct Lane<'a> {
    test: &'a str,
    url: String,
    runtime: Runtime,
    family: Family,
    first: RefreshToken,
}

impl<'a> Lane<'a> {
    fn start(test: &'a str, url: String) -> Self {
        let runtime = Runtime::new().unwrap();
        let (family, first) = (family(""), RefreshToken::random().unwrap());
        runtime.block_on(async {
            let store = open(&settings(&url)).await.unwrap();
            store.add_family(&family, Some(first.hash())).await.unwrap();
        });
        Self { test, url, runtime, family, first }
    }

    fn kill_and_check(&self) {
        let mut last = self.first.clone();
        for round in 0..KILLS / LANES {
            if let Some(told) = self.kill_one(&last, round % 2 == 0) {
                last = told;
            }
        }
        self.runtime.block_on(self.check(&last));
    }

    /// Starts with a token, and gives the last one that was told before the end.
    fn kill_one(&self, token: &RefreshToken, at_work: bool) -> Option<RefreshToken> {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", self.test, "--nocapture", "--test-threads=1"])
            .env(STATE, &self.url)
            .env(TOKEN, token.written().expose())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut last = None;
        if at_work {
            while last.is_none() {
                last = next_line(&mut output).expect("the process ended by itself");
            }
            thread::sleep(Duration::from_micros(random(5_000)));
        } else {
            thread::sleep(Duration::from_micros(random(80_000)));
        }
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "the process ended by itself");
        while let Some(line) = next_line(&mut output) {
            last = line.or(last);
        }
        last
    }

    /// The last token works, and all that ever were are one line from the first to it.
    async fn check(&self, last: &RefreshToken) {
        let store = open(&settings(&self.url)).await.unwrap();
        let newest = refresh(&store, last).await;
        let family = store.family(&self.family.id).await.unwrap();
        assert_eq!(family.as_ref(), Some(&self.family));
        let (mut token, mut length) = (self.first.clone(), 0);
        while token.hash() != newest.hash() {
            assert_eq!(store.family_of(token.hash()).await.unwrap(), family);
            token = succession().of(&token);
            length += 1;
        }
        assert!(length >= KILLS / LANES / 2, "only {length} refreshes");
        assert_eq!(store.family_of(newest.hash()).await.unwrap(), family);
        let beyond = succession().of(&newest);
        assert_eq!(store.family_of(beyond.hash()).await.unwrap(), None);
    }
}

/// The next whole line, and the token in it, if it is one. None at the end.
fn next_line(output: &mut impl BufRead) -> Option<Option<RefreshToken>> {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.strip_suffix('\n').map(RefreshToken::parse)
}

fn random(below: u64) -> u64 {
    RandomState::new().hash_one(()) % below
}

fn family(comment: &str) -> Family {
    let subject = Subject::User("alice".to_owned());
    Family {
        id: TokenId::random().unwrap(),
        kind: FamilyKind::Rotating,
        grant: Grant::unlimited(subject, Kind::User, Timestamp::UNIX_EPOCH),
        audience: None,
        access_ttl: Duration::from_secs(3600),
        made_at: Timestamp::UNIX_EPOCH,
        made_by: "user:alice".to_owned(),
        comment: comment.to_owned(),
        parent: None,
        ends_at: Timestamp::from_second(7_776_000).unwrap(),
        idle: None,
        last_use: None,
        revoked_at: None,
    }
}

/// A disk of its own, which is soon full.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Self {
        std::fs::create_dir(path).unwrap();
        mount(&["-t", "tmpfs", "-o", "size=1536k", "small"], path);
        Self(path.to_owned())
    }

    fn grow(&self) {
        mount(&["-o", "remount,size=8m"], &self.0);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], path: &Path) {
    assert!(Command::new("mount").args(arguments).arg(path).status().unwrap().success());
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(&folder.path().join("state"));
    let url = format!("sqlite:{}/portcullis.db", disk.0.display());
    Runtime::new().unwrap().block_on(async {
        let store = open(&settings(&url)).await.unwrap();
        let (mut kept, mut token) = (Vec::new(), RefreshToken::random().unwrap());
        let first = family("");
        store.add_family(&first, Some(token.hash())).await.unwrap();
        let error = loop {
            let family = family(&"x".repeat(10_000));
            match store.add_family(&family, Some(TokenHash([kept.len() as u8; 32]))).await {
                Ok(()) => kept.push(family),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Failed { what: "add a family", .. }), "{error:?}");
        assert!((10..100).contains(&kept.len()), "{}", kept.len());
        // Small changes may still fit. What is refused has not happened.
        for _ in 0..10_000 {
            let next = succession().of(&token);
            match store.rotate(token.hash(), next.hash(), Timestamp::UNIX_EPOCH).await {
                Ok(answer) => assert_eq!(answer, Rotation::Rotated),
                Err(StoreError::Failed { .. }) => break,
                Err(error) => panic!("{error}"),
            }
            token = next;
        }
        let unknown = succession().of(&token);
        assert_eq!(store.family_of(unknown.hash()).await.unwrap(), None);
        disk.grow();
        refresh(&store, &token).await;
        drop(store);
        let store = open(&settings(&url)).await.unwrap();
        for family in kept {
            assert_eq!(store.family(&family.id).await.unwrap(), Some(family));
        }
        assert_eq!(store.family_of(token.hash()).await.unwrap(), Some(first));
        refresh(&store, &succession().of(&token)).await;
    });
}
