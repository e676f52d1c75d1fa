//! `policy diff` tells beforehand what a gate answers otherwise with another policy.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::api::text;
use crate::support::client::{Answer, Ask, Client};
use crate::support::gate::{Gate, portcullis};
use crate::support::images::Image;
use crate::support::process::Said;
use crate::support::registry::Registry;
use crate::support::scene::Scene;

const POLICY: &str = r#"
groups: {team: external, ci: external}
administrators: [user:chief]
rules:
  - {name: the-team-works-here, subjects: [group:team], images: ["team/**"], allow: [all]}
  - {name: bob-reads-versions, subjects: [user:bob], images: ["team/app:v*"], allow: [pull]}
  - {name: ci-makes-builds, subjects: [group:ci], images: ["team/app:build-*"], allow: [pull, create]}
"#;

const USERS: &[(&str, &[&str])] = &[("alice", &["team"]), ("bob", &[]), ("chief", &[])];

struct Images {
    app: Image,
    dev: Image,
}

impl Images {
    fn new() -> Self {
        Self { app: Image::oci("app"), dev: Image::oci("dev") }
    }

    fn seed(&self, registry: &Registry) {
        let owner = registry.client();
        owner.push("team/app", "v1", &self.app);
        owner.push("team/app", "v2", &self.app);
        owner.push("team/app", "dev", &self.dev);
    }
}

fn ci(gate: &Gate) -> Client {
    gate.run(&["service", "add", "ci/build"]).ok();
    let create =
        ["token", "create", "--for", "service:ci/build", "--group", "ci", "--expires", "1h"];
    gate.bearer(&text(&gate.json(&create), "access_token"))
}

/// What is asked, by whom, and what is answered.
fn day(gate: &Gate, images: &Images) -> Vec<(&'static str, Answer)> {
    let [alice, bob] = ["alice", "bob"].map(|user| gate.client(user));
    let ci = ci(gate);
    let manifest = |reference: &str| format!("/v2/team/app/manifests/{reference}");
    let blob = format!("/v2/team/app/blobs/{}", images.app.layers[0].digest);
    let (app, dev) = (images.app.digest(), images.dev.digest());
    let put = |who: &Client, tag: &str| who.put_manifest("team/app", tag, &images.app.manifest);
    vec![
        ("alice pulls v1", alice.get(&manifest("v1"))),
        ("alice pulls by digest", alice.get(&manifest(app))),
        ("alice pulls a blob", alice.get(&blob)),
        (
            "alice begins an upload",
            alice.send("POST", "/v2/team/app/blobs/uploads/", &Ask::default()),
        ),
        ("alice makes v3", put(&alice, "v3")),
        ("alice moves v3", put(&alice, "v3")),
        ("alice lists", alice.get("/v2/team/app/tags/list")),
        ("bob pulls v1", bob.get(&manifest("v1"))),
        ("bob pulls v2", bob.head(&manifest("v2"))),
        ("bob pulls by digest", bob.get(&manifest(app))),
        ("bob pulls dev", bob.get(&manifest("dev"))),
        ("bob pulls dev by digest", bob.get(&manifest(dev))),
        ("bob lists", bob.get("/v2/team/app/tags/list")),
        ("bob makes v4", put(&bob, "v4")),
        ("ci makes build-1", put(&ci, "build-1")),
        ("ci pulls build-1", ci.get(&manifest("build-1"))),
        ("ci moves build-1", put(&ci, "build-1")),
        ("ci makes v9", put(&ci, "v9")),
        ("alice deletes dev by digest", alice.delete(&manifest(dev))),
    ]
}

/// The records of these requests, in their order.
fn records(gate: &Gate, day: &[(&str, Answer)]) -> Vec<Value> {
    let ids: Vec<_> = day.iter().map(|(_, it)| it.header("x-request-id").unwrap()).collect();
    let of = |all: &[Value], id: &str| all.iter().find(|it| it["request_id"] == id).cloned();
    let all = gate.requests(|all| ids.iter().all(|id| of(all, id).is_some()));
    ids.iter().map(|id| of(&all, id).unwrap()).collect()
}

struct Folders(tempfile::TempDir);

impl Folders {
    fn new(old: &str, new: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, policy) in [("old", old), ("new", new)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("p.yaml"), policy).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn diff(&self, more: &[&str]) -> Said {
        let mut command = portcullis();
        command.current_dir(self.path()).args(["policy", "diff", "old", "new"]).args(more);
        Said::of(&mut command)
    }

    /// What is told of a trail with these lines.
    fn replay(&self, lines: &[Value]) -> Value {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path().join("audit.jsonl"), text).unwrap();
        let said = self.diff(&["--audit", "audit.jsonl", "--output", "json"]);
        let told: Value = serde_json::from_str(&said.out).expect(&said.out);
        told["replay"].clone()
    }
}

#[test]
fn the_replay_tells_the_requests_that_a_gate_with_the_new_policy_answers_otherwise() {
    let images = Images::new();
    let scene = Scene::new(POLICY, USERS);
    images.seed(&scene.registry);
    let before = day(&scene.gate, &images);
    let lines = records(&scene.gate, &before);
    for (old, new) in [
        ("subjects: [group:team]", "subjects: [user:zoe]"),
        ("team/app:v*", "team/app:v2*"),
        ("allow: [all]", "allow: [pull, create]"),
        ("allow: [pull, create]", "allow: [pull, push]"),
        ("administrators: [user:chief]", "administrators: [user:bob]"),
        (
            "rules:\n",
            "rules:\n  - {name: frozen, subjects: [anyone], images: [\"team/**\"], deny: [push]}\n",
        ),
    ] {
        let policy = POLICY.replacen(old, new, 1);
        let other = Scene::new(
            &policy.replace("[user:bob]\nrules", "[user:bob, user:chief]\nrules"),
            USERS,
        );
        images.seed(&other.registry);
        let after = day(&other.gate, &images);
        let folders = Folders::new(POLICY, &policy);
        let count = |told: &Value| {
            let skipped = told["skipped"].as_object().unwrap().values();
            let skipped: u64 = skipped.map(|count| count.as_u64().unwrap()).sum();
            (told["changed"].as_u64().unwrap(), skipped)
        };
        let mut known = (0, 0);
        let mut changes = 0;
        for (place, ((name, before), (_, after))) in before.iter().zip(&after).enumerate() {
            let told = folders.replay(&lines[..=place]);
            let now = count(&told);
            let (changed, skipped) = (now.0 - known.0, now.1 - known.1);
            known = now;
            assert_eq!(told["unlike_recorded"], 0, "{name}");
            let differs = before.status < 400 && after.status >= 400
                || before.status >= 400 && after.status < 400;
            let [one, two] = [before, after].map(|it| it.status);
            if skipped > 0 {
                // By digest, where it depends on tags: not guessed.
                assert!(name.ends_with("by digest") || name.ends_with("a blob"), "{name}");
                continue;
            }
            changes += usize::from(differs);
            let is_conditional = told["changes"].as_array().unwrap().iter().any(|it| {
                it["image"].as_str().unwrap().rsplit(':').next()
                    == lines[place]["reference"].as_str()
                    && [&it["old"], &it["new"]]
                        .iter()
                        .any(|it| it.as_str().unwrap().contains(" if "))
            });
            if is_conditional && changed == 1 {
                // Whether the tag was there, a record does not tell: both answers are told.
                continue;
            }
            assert_eq!(changed == 1, differs, "{new}: {name} {one} {two} {told}");
        }
        // What the job puts a second time is there already: it moves nothing.
        let is_quiet = new.starts_with("administrators") || new == "allow: [pull, push]";
        assert_eq!(changes > 0, !is_quiet, "{new}");
    }
}

#[test]
fn damaged_lines_rotated_files_and_the_trail_of_another_policy_are_told() {
    let images = Images::new();
    let scene = Scene::new(POLICY, USERS);
    images.seed(&scene.registry);
    let day = day(&scene.gate, &images);
    let lines = records(&scene.gate, &day);
    let folders = Folders::new(POLICY, &POLICY.replace("team/app:v*", "team/app:v2*"));
    let (one, two) = lines.split_at(8);
    let write = |name: &str, lines: &[Value], more: &str| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(folders.path().join(name), text + more).unwrap();
    };
    write("audit.1.jsonl", one, "{\"time\":\"2026-");
    write("audit.jsonl", two, "not a record\n");
    let said = folders.diff(&["--audit", "audit.1.jsonl", "--audit", "audit.jsonl"]);
    assert_eq!(said.code, Some(1));
    assert!(said.out.contains("2 damaged lines: audit.1.jsonl:9, audit.jsonl:12"), "{}", said.out);
    assert!(said.out.contains("1 of them decided differently"), "{}", said.out);
    assert!(said.out.contains("team/app:v1"), "{}", said.out);
    assert!(!said.out.contains("another policy"), "{}", said.out);

    let other = POLICY.replace("subjects: [group:team]", "subjects: [user:zoe]");
    let told = Folders::new(&other, &other).replay(&lines);
    assert!(told["unlike_recorded"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(told["changed"], 0);

    let missing = folders.diff(&["--audit", "no-such-file"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("no-such-file"), "{}", missing.err);
}
