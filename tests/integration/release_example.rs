//! `examples/release/release` takes a version to production, and no step of it past a gate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::gate::{Gate, portcullis};
use crate::support::process::{Said, program};
use crate::support::scene::Scene;

const PLATFORM: &str = "service:platform";
const PIPELINE: &str = "service:gh/7654321";
const CLUSTER: &str = "service:cluster/eu";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/release")
}

/// A machine on which somebody has signed in with a token, and which has a podman of its own.
struct Machine {
    folder: TempDir,
    gate: String,
    certs: PathBuf,
}

impl Machine {
    fn new(gate: &Gate, subject: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let machine = Self { folder, gate: gate.name(), certs: gate.certs() };
        let service = subject.strip_prefix("service:").unwrap();
        gate.run(&["service", "add", service]).ok();
        let made = gate.json(&["token", "create", "--for", subject, "--expires", "1h"]);
        let token = made["access_token"].as_str().unwrap();
        Said::with_input(&mut machine.command("1.0.0", &["login", "token"]), token).ok();
        machine
    }

    fn command(&self, version: &str, steps: &[&str]) -> Command {
        let at = |name: &str| self.folder.path().join(name);
        let podman = format!(
            "{} --root {} --runroot {} --tmpdir {} --storage-driver=vfs \
             --cgroup-manager=cgroupfs --events-backend=none",
            program("podman", "podman").display(),
            at("root").display(),
            at("run").display(),
            at("tmp").display()
        );
        let programs = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap().display();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
        let mut command = Command::new(example().join("release"));
        command.args(steps).env("PATH", path).env("NO_COLOR", "1");
        command.env("GATE", &self.gate).env("VERSION", version).env("CERTS", &self.certs);
        command.env("PODMAN", podman).env("SKOPEO", program("skopeo", "skopeo"));
        command.env("SCAN", "./sample-scan").env("RUN", "https://ci.example/4711");
        command.env("TMPDIR", self.folder.path()).env("XDG_CONFIG_HOME", at("config"));
        command.env("REGISTRY_AUTH_FILE", at("auth.json"));
        command
    }

    fn does(&self, version: &str, steps: &[&str]) -> Said {
        Said::of(&mut self.command(version, steps))
    }
}

/// It failed, as that gate holds the image for that. skopeo writes its quotes in its own way.
#[track_caller]
fn held(said: Said, gate: &str, why: &str) {
    let said = said.failed();
    let told = said.err.replace("\\\"", "\"");
    let words = format!("is denied by gate \"{gate}\": {why}");
    assert!(told.contains(&words), "{told}");
}

fn scene() -> Scene {
    let policy = fs::read_to_string(example().join("policies/release.yaml")).unwrap();
    Scene::new(&policy, &[])
}

#[test]
fn the_policies_are_without_warnings_and_their_cases_hold() {
    let policies = example().join("policies");
    for arguments in [&["policy", "check", "--deny-warnings"][..], &["policy", "test"]] {
        Said::of(portcullis().args(arguments).arg(&policies)).ok();
    }
}

#[test]
fn a_version_reaches_the_cluster_by_all_its_steps_and_by_no_fewer() {
    let scene = scene();
    let platform = Machine::new(&scene.gate, PLATFORM);
    let pipeline = Machine::new(&scene.gate, PIPELINE);
    let cluster = Machine::new(&scene.gate, CLUSTER);
    platform.does("1.0.0", &["base"]).ok();

    // With a finding that is too bad.
    pipeline.does("1.0.0", &["tests", "build", "push"]).ok();
    held(pipeline.does("1.0.0", &["promote"]), "entry-to-prod", "it is not flagged tested");
    let bad = example().join("findings.json");
    Said::of(pipeline.command("1.0.0", &["scan", "flag", "promote"]).env("FINDINGS", bad)).ok();
    let said = pipeline.does("1.0.0", &["check"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.out.contains("CVE-2022-37434 (critical) in zlib1g"), "{}", said.out);
    held(cluster.does("1.0.0", &["deploy"]), "production", "CVE-2022-37434");

    // What nobody scanned.
    pipeline.does("1.0.1", &["build", "push", "flag", "promote"]).ok();
    held(cluster.does("1.0.1", &["deploy"]), "production", "it was never scanned");
    pipeline.does("1.0.1", &["scan", "check"]).ok();
    cluster.does("1.0.1", &["deploy"]).ok();

    // All at once, as the guide has it.
    let steps = ["tests", "build", "push", "scan", "flag", "promote", "check"];
    pipeline.does("1.1.0", &steps).ok();
    cluster.does("1.1.0", &["deploy"]).ok();
    cluster.does("1.1.0", &["push"]).failed();
}

#[test]
fn what_is_built_on_something_else_is_not_even_stored() {
    let scene = scene();
    let platform = Machine::new(&scene.gate, PLATFORM);
    let pipeline = Machine::new(&scene.gate, PIPELINE);
    platform.does("1.0.0", &["base"]).ok();
    Said::of(pipeline.command("1.0.0", &["build"]).env("BASE", "scratch")).ok();
    let why = "its first layers are not those of base/static:*";
    held(pipeline.does("1.0.0", &["push"]), "built-here", why);
    assert_eq!(scene.stored("dev/site", "1.0.0"), None);
}
