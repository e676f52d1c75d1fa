//! Signing in on the command line, and what can be done then: with a real gate and a real docker.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::docker::Docker;
use crate::support::gate::{password_of, portcullis};
use crate::support::images::Image;
use crate::support::process::{Said, free_port};
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {team: external, admins: [user:root]}
administrators: [group:admins]
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// Somebody with a home folder of their own, in front of a gate.
struct Person {
    scene: Scene,
    home: TempDir,
}

impl Person {
    fn new() -> Self {
        let scene = Scene::new(POLICY, &[("alice", &["team"]), ("root", &[])]);
        scene.client("alice").push("team/app", "v1", &Image::oci("login"));
        let home = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_portcullis");
        symlink(program, home.path().join("docker-credential-portcullis")).unwrap();
        Self { scene, home }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = portcullis();
        command.args(arguments).env("HOME", self.home.path()).env_remove("XDG_CONFIG_HOME");
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&mut self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let said = Said::of(self.command(arguments).args(["--output", "json"])).ok();
        serde_json::from_str(&said.out).expect(&said.out)
    }

    fn login(&self, name: &str, more: &[&str]) -> Said {
        let (url, ca) = (self.url(), self.scene.gate.ca());
        let mut command = self.command(&["login", &url, "--username", name, "--password-stdin"]);
        command.arg("--ca").arg(ca).args(more);
        Said::with_input(&mut command, &password_of(name))
    }

    fn url(&self) -> String {
        format!("https://{}", self.scene.gate.name())
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/portcullis/login.json")
    }

    fn kept(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    /// As if the access token that is kept had ended.
    fn end_the_access_token(&self) {
        let mut kept = self.kept();
        kept["gates"][self.url()]["tokens"]["good_until"] = json!("2020-01-01T00:00:00Z");
        fs::write(self.file(), kept.to_string()).unwrap();
    }

    /// What docker keeps.
    fn docker_config(&self, docker: &Docker) -> String {
        let text = fs::read_to_string(docker.config().join("config.json")).unwrap();
        for secret in ["pcr_", "eyJ", "identitytoken", "\"auth\"", &password_of("alice")] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        text
    }
}

#[test]
fn docker_gets_fresh_tokens_and_keeps_none() {
    let person = Person::new();
    let mut docker = Docker::start(&person.scene.gate);
    docker.run_by(person.home.path());
    docker.pull("team/app:v1").failed();
    let config = docker.config();
    fs::create_dir_all(&config).unwrap();
    let login = {
        let url = person.url();
        let arguments = ["login", &url, "--username", "alice", "--password-stdin", "--docker"];
        let mut command = person.command(&arguments);
        command.arg("--ca").arg(person.scene.gate.ca()).env("DOCKER_CONFIG", &config);
        Said::with_input(&mut command, &password_of("alice")).ok()
    };
    assert!(login.out.contains("as user:alice"), "{}", login.out);
    assert!(person.docker_config(&docker).contains("\"portcullis\""));
    docker.pull("team/app:v1").ok();
    let before = person.kept();
    person.end_the_access_token();
    let (from, to) = (docker.at_gate("team/app:v1"), docker.at_gate("team/app:v2"));
    docker.run(&["tag", &from, &to]).ok();
    docker.push("team/app:v2").ok();
    let tokens = |kept: &Value| kept["gates"][person.url()]["tokens"].clone();
    assert_ne!(tokens(&person.kept())["refresh_token"], tokens(&before)["refresh_token"]);
    person.docker_config(&docker);
    docker.logout().ok();
    assert_eq!(person.kept()["gates"], json!({}));
    docker.run(&["rmi", &from, &to]).ok();
    docker.pull("team/app:v1").failed();
}

#[test]
fn docker_login_leaves_nothing_with_docker_where_the_helper_is_named() {
    let person = Person::new();
    let mut docker = Docker::start(&person.scene.gate);
    docker.run_by(person.home.path());
    fs::create_dir_all(docker.config()).unwrap();
    let named = json!({ "credHelpers": { person.scene.gate.name(): "portcullis" } });
    fs::write(docker.config().join("config.json"), named.to_string()).unwrap();
    docker.login("alice").ok();
    person.docker_config(&docker);
    assert_eq!(person.kept()["gates"][person.url()]["subject"], "user:alice");
    docker.pull("team/app:v1").ok();
    // It is what commands of the gate use too.
    assert!(!person.json(&["token", "list"])["tokens"].as_array().unwrap().is_empty());
    // Once more, with what it got from the helper.
    docker.run(&["login", &person.scene.gate.name()]).ok();
    person.end_the_access_token();
    docker.pull("team/app:v1").ok();
    person.docker_config(&docker);
}

#[test]
fn tokens_are_made_listed_refreshed_and_revoked() {
    let person = Person::new();
    person.login("alice", &[]).ok();
    let made = person.json(&[
        "token",
        "create",
        "--images",
        "team/app",
        "--actions",
        "pull",
        "--expires",
        "1h",
        "--refreshable",
        "--comment",
        "for trying",
    ]);
    let value = |made: &Value, name: &str| {
        let path = person.home.path().join(name);
        fs::write(&path, made[name].as_str().unwrap()).unwrap();
        path.display().to_string()
    };
    let id = made["id"].as_str().unwrap();
    let listed = person.run(&["token", "list"]).ok().out;
    assert!(listed.contains(id) && listed.contains("images=team/app actions="), "{listed}");
    assert!(listed.contains(r"for trying") && listed.contains("never used"), "{listed}");
    let refresh_token = value(&made, "refresh_token");
    let refreshed = person.json(&["token", "refresh", "--value", &refresh_token]);
    assert_eq!(refreshed["id"], made["id"]);
    // With the token itself one is who it is for, and no more.
    let token = value(&refreshed, "access_token");
    let (url, ca) = (person.url(), person.scene.gate.ca().display().to_string());
    let with = ["--server", &url, "--ca", &ca, "--token", &token];
    person.run(&[&["token", "list"][..], &with].concat()).ok();
    let denied = person.run(&[&["token", "create", "--expires", "1h"][..], &with].concat());
    assert_eq!(denied.code, Some(1), "{}", denied.err);
    assert_eq!(person.run(&["service", "list"]).code, Some(1));
    person.run(&["token", "revoke", id]).ok();
    assert_eq!(person.run(&[&["token", "list"][..], &with].concat()).code, Some(1));
    assert_eq!(person.run(&["token", "revoke", "Vu3yJqZ0bQ7mX1nY2kLw4A"]).code, Some(2));
    assert_eq!(person.run(&["token", "create", "--expires", "never"]).code, Some(2));
    let again = person.json(&["token", "create", "--expires", "1h"]);
    let token = value(&again, "access_token");
    person.run(&["token", "revoke", "--value", &token]).ok();
    let with = ["--server", &url, "--ca", &ca, "--token", &token];
    assert_eq!(person.run(&[&["token", "list"][..], &with].concat()).code, Some(1));
    person.run(&["logout"]).ok();
    assert_eq!(person.run(&["token", "list"]).code, Some(2));
}

#[test]
fn what_keeps_from_signing_in_is_said_with_its_remedy() {
    let person = Person::new();
    let url = person.url();
    let arguments = ["login", &url, "--username", "alice", "--password-stdin"];
    let untrusted = Said::with_input(&mut person.command(&arguments), &password_of("alice"));
    assert_eq!(untrusted.code, Some(3));
    assert_eq!(
        untrusted.err,
        format!(
            "error: the certificate of {url} is not trusted here\n\
             help: name the CA that made it: `--ca FILE`\n"
        )
    );
    let mut command = person.command(&arguments);
    let wrong = Said::with_input(command.arg("--ca").arg(person.scene.gate.ca()), "wrong");
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
    let nobody = person.run(&["login", &url]).refused("--password-stdin");
    assert_eq!(nobody.code, Some(2));
    assert!(!person.file().exists());
    let address = person.scene.gate.address().to_string();
    let other = ["login", &address, "--username", "alice", "--password-stdin", "--ca"];
    let mut command = person.command(&other);
    // The certificate of `init` is good for loopback.
    Said::with_input(command.arg(person.scene.gate.ca()), &password_of("alice")).ok();
}

/// What is said after the first time must work: `for docker as well: portcullis login … --docker`.
#[test]
fn the_ca_is_named_once() {
    let person = Person::new();
    person.login("alice", &[]).ok();
    let ca = person.kept()["gates"][person.url()]["ca"].clone();
    let again = ["login", &person.url(), "--username", "alice", "--password-stdin", "--docker"];
    let mut command = person.command(&again);
    Said::with_input(command.env_remove("DOCKER_CONFIG"), &password_of("alice")).ok();
    assert_eq!(person.kept()["gates"][person.url()]["ca"], ca);
}

/// What goes to this machine alone may go in the clear, and goes nowhere else.
#[test]
fn a_password_over_plain_http_goes_through_no_proxy() {
    let home = tempfile::tempdir().unwrap();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let gate = format!("http://127.0.0.1:{}", free_port());
    let mut command = portcullis();
    command.args(["login", &gate, "--username", "alice", "--password-stdin"]);
    command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").env_remove("NO_PROXY");
    command.env_remove("no_proxy").env("HTTP_PROXY", &address).env("http_proxy", &address);
    let said = Said::with_input(&mut command, &password_of("alice"));
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(proxy.accept().is_err(), "the proxy was asked");
}

#[test]
fn whoever_signs_out_while_the_gate_is_away_is_signed_out_for_docker_too() {
    let mut person = Person::new();
    let docker = person.home.path().join(".docker/config.json");
    person.login("alice", &["--docker"]).ok();
    assert!(fs::read_to_string(&docker).unwrap().contains("portcullis"));
    person.scene.gate.stop();
    let said = person.run(&["logout"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(!fs::read_to_string(&docker).unwrap().contains("portcullis"));
}

#[test]
fn on_its_own_machine_the_gate_needs_no_credential_whether_it_serves_or_not() {
    let mut person = Person::new();
    let config = person.scene.gate.config().display().to_string();
    let local = |person: &Person, arguments: &[&str]| {
        person.run(&[arguments, &["--config", &config]].concat())
    };
    local(&person, &["service", "add", "ci/build"]).ok();
    assert_eq!(local(&person, &["service", "add", "ci/build"]).code, Some(2));
    let create = ["token", "create", "--for", "service:ci/build", "--expires", "8h"];
    let served = local(&person, &create).ok();
    assert!(served.out.contains("service:ci/build"), "{}", served.out);
    person.scene.gate.stop();
    let stopped = local(&person, &create).ok();
    assert!(stopped.out.contains("service:ci/build"), "{}", stopped.out);
    local(&person, &["service", "disable", "ci/build"]).ok();
    let listed = local(&person, &["token", "list"]).ok();
    assert_eq!(listed.out.matches("service:ci/build").count(), 2, "{}", listed.out);
    person.scene.gate.restart();
    let services = local(&person, &["service", "list"]).ok();
    assert!(services.out.contains("disabled"), "{}", services.out);
    let audited: Vec<Value> = person.scene.gate.audit();
    let made = audited.iter().filter(|record| record["event"] == "token.created");
    assert_eq!(made.count(), 2);
}
