//! `docker-credential-portcullis`: whatever happens, whoever is signed in stays so.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::fake_gate::FakeGate;
use crate::support::process::Said;

/// Somebody with a home folder, and a gate.
struct Person {
    gate: FakeGate,
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_portcullis");
        symlink(program, home.path().join("docker-credential-portcullis")).unwrap();
        Self { gate: FakeGate::start(), home }
    }

    /// Somebody whose access token needs to be refreshed each time.
    fn signed_in() -> Self {
        let person = Self::new();
        person.gate.known().life = 0;
        person.login().ok();
        person
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(env!("CARGO_BIN_EXE_portcullis")).args(arguments))
    }

    fn login(&self) -> Said {
        let mut command = self.command(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["login", &self.gate.url(), "--username", "alice", "--password-stdin"]);
        Said::with_input(&mut command, "hunter2-canary")
    }

    fn helper(&self) -> Command {
        let program = self.home.path().join("docker-credential-portcullis");
        self.command(program.to_str().unwrap())
    }

    fn ask(&self, act: &str, input: &str) -> Said {
        Said::with_input(self.helper().arg(act), input)
    }

    fn get(&self) -> Said {
        self.ask("get", &self.gate.name())
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/portcullis/login.json")
    }
}

fn secret(said: &Said) -> String {
    let answer: Value = serde_json::from_str(&said.out).expect(&said.out);
    assert_eq!(answer["Username"], "token");
    answer["Secret"].as_str().unwrap().to_owned()
}

#[test]
fn the_protocol_is_spoken_to_the_letter() {
    let person = Person::new();
    let name = person.gate.name();
    let unknown = person.get();
    assert_eq!(
        (unknown.code, unknown.out.as_str()),
        (Some(1), "credentials not found in native keychain\n")
    );
    let nameless = person.ask("get", "\n");
    assert_eq!((nameless.code, nameless.out.as_str()), (Some(1), "no credentials server URL\n"));
    let nobody = json!({ "ServerURL": name, "Username": "", "Secret": "x" }).to_string();
    assert_eq!(person.ask("store", &nobody).out, "no credentials username\n");
    assert_eq!(person.ask("list", "unused").ok().out, "{}\n");
    person.login().ok();
    for server in [name.clone(), format!("https://{name}"), format!("https://{name}/v2/")] {
        let answer: Value = serde_json::from_str(&person.ask("get", &server).ok().out).unwrap();
        assert_eq!(answer["ServerURL"], server.as_str());
        assert!(answer["Secret"].as_str().unwrap().starts_with("eyJ."), "{answer}");
    }
    let listed: Value = serde_json::from_str(&person.ask("list", "").ok().out).unwrap();
    assert_eq!(listed, json!({ name.clone(): "token" }));
    let same = person.run(&["credential", "docker", "list"]).ok();
    assert_eq!(serde_json::from_str::<Value>(&same.out).unwrap(), listed);
    assert_eq!(person.ask("erase", &name).ok().out, "");
    assert_eq!(person.gate.known().revocations, ["pcr_1"]);
    assert_eq!(person.ask("list", "").ok().out, "{}\n");
    assert_eq!(person.ask("erase", &name).out, "credentials not found in native keychain\n");
}

#[test]
fn a_password_that_is_stored_is_used_once_and_not_kept() {
    let person = Person::new();
    let url = person.gate.url();
    let shown = json!({ "ServerURL": url, "Username": "alice", "Secret": "hunter2-canary" });
    person.ask("store", &shown.to_string()).ok();
    let basic = format!("Basic {}", BASE64_STANDARD.encode("alice:hunter2-canary"));
    assert_eq!(person.gate.known().credentials, [basic]);
    assert!(!fs::read_to_string(person.file()).unwrap().contains("canary"));
    secret(&person.get().ok());
}

#[test]
fn an_identity_token_of_docker_becomes_a_sign_in_and_does_not_end_the_one_it_came_from() {
    let person = Person::new();
    person.gate.known().life = 0;
    let store = |token: &str| {
        let url = person.gate.url();
        let shown = json!({ "ServerURL": url, "Username": "<token>", "Secret": token });
        person.ask("store", &shown.to_string()).ok();
    };
    store("pcr_0");
    secret(&person.get().ok());
    // Now docker signs in with what it got from us.
    let before = fs::read_to_string(person.file()).unwrap();
    let number = person.gate.known().refreshes;
    store(&format!("pcr_{number}"));
    assert_ne!(fs::read_to_string(person.file()).unwrap(), before, "it was tried");
    assert_eq!(person.gate.known().revocations.len(), 1, "what docker brought is not needed");
}

#[test]
fn many_at_once_share_one_refresh() {
    let person = Person::signed_in();
    person.gate.known().life = 3600;
    let children: Vec<_> = (0..20)
        .map(|_| {
            let mut command = person.helper();
            command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(person.gate.name().as_bytes()).unwrap();
            child
        })
        .collect();
    let mut secrets: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success());
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            answer["Secret"].as_str().unwrap().to_owned()
        })
        .collect();
    secrets.dedup();
    assert_eq!(secrets.len(), 1, "all have the same");
    assert_eq!(person.gate.known().refreshes, 1);
}

#[test]
fn a_lost_answer_loses_nothing() {
    let person = Person::signed_in();
    for _ in 0..3 {
        person.gate.known().losing = 1;
        assert_eq!(person.get().failed().code, Some(3));
        secret(&person.get().ok());
    }
    assert!(!person.gate.known().stolen);
}

#[test]
fn a_token_that_still_holds_serves_while_the_gate_is_away() {
    let person = Person::new();
    person.gate.known().life = 1000;
    person.login().ok();
    let held = secret(&person.get().ok());
    // As it is when less than ten minutes, or half of its life, are left.
    let text = fs::read_to_string(person.file()).unwrap();
    let mut kept: Value = serde_json::from_str(&text).unwrap();
    let tokens = &mut kept["gates"][person.gate.url()]["tokens"];
    tokens["received_at"] = json!("2020-01-01T00:00:00Z");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(5);
    tokens["good_until"] = json!(soon);
    fs::write(person.file(), kept.to_string()).unwrap();
    person.gate.known().losing = 1;
    assert_eq!(secret(&person.get().ok()), held);
    assert_ne!(secret(&person.get().ok()), held, "it is there again");
}

#[test]
fn killed_at_any_moment_it_leaves_a_token_that_can_be_used() {
    let person = Person::signed_in();
    let begun = Instant::now();
    secret(&person.get().ok());
    let whole = begun.elapsed();
    for part in 0..60 {
        // Also well after its end: one that waits for a processor takes longer than the first did.
        let delay = whole * part / 20;
        let mut command = person.helper();
        command.arg("get").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        {
            child.stdin.take().unwrap().write_all(person.gate.name().as_bytes()).unwrap();
        }
        thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!person.gate.known().stolen, "after {delay:?} of {whole:?}");
    }
    let before = person.gate.known().refreshes;
    secret(&person.get().ok());
    // What the last one had sent may have come since.
    assert!([before + 1, before + 2].contains(&person.gate.known().refreshes));
    assert!(before > 1, "some were killed after the gate had answered");
    assert!(!person.gate.known().stolen);
}

#[test]
fn a_gate_that_came_back_from_a_backup_is_shown_the_token_before() {
    let person = Person::signed_in();
    secret(&person.get().ok());
    secret(&person.get().ok());
    person.gate.forget_the_latest_refresh();
    secret(&person.get().ok());
    assert!(!person.gate.known().stolen);
}

#[test]
fn a_sign_in_that_ended_is_told_from_a_gate_that_is_away() {
    let person = Person::signed_in();
    person.gate.known().revoked = true;
    let said = person.get();
    assert_eq!(said.code, Some(1));
    let url = person.gate.url();
    assert_eq!(
        said.out,
        format!(
            "error: the sign-in of user:alice at {url} has ended\n\
             help: sign in again: `portcullis login {url}`\n"
        )
    );
    person.gate.known().revoked = false;
    person.gate.known().losing = 1;
    let said = person.get();
    assert_eq!(said.code, Some(3));
    assert!(said.out.starts_with("error: no answer from"), "{}", said.out);
}
