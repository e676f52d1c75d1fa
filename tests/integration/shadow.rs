//! A policy that decides beside the one in force: nobody is denied anything by it, and what it would
//! have denied is told.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::api::text;
use crate::support::client::{Answer, Ask, Client};
use crate::support::gate::{Gate, Setup, portcullis};
use crate::support::images::{Blob, Image, Index};
use crate::support::process::wait_for;
use crate::support::registry::Registry;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;
use crate::support::upstream::{Reply, Upstream, answer};

/// What a gate begins with that is put in front of a registry in use.
const OPEN: &str = r#"
administrators: [user:chief]
rules:
  - {name: everyone, subjects: [anyone], images: ["**"], allow: [all]}
"#;

const STRICT: &str = r#"
administrators: [user:chief]
groups: {team: external, ci: external}
rules:
  - {name: the-team-works-here, subjects: [group:team], images: ["team/**"], allow: [pull, push]}
  - {name: bases-are-for-all, subjects: [authenticated], images: ["base/os:v*"], allow: [pull]}
  - {name: ci-makes-builds, subjects: [group:ci], images: ["team/app:build-*"], allow: [pull, create]}
  - {name: releases-do-not-move, subjects: [anyone], images: ["**:v*"], deny: [overwrite, delete]}
"#;

const USERS: &[(&str, &[&str])] = &[("alice", &["team"]), ("bob", &[]), ("chief", &[])];

const SOON: Duration = Duration::from_secs(60);

/// Images that are in the registry before there is a gate, and some that come later.
struct Images {
    app: Image,
    os: Image,
    dev: Image,
    new: Image,
    build: Image,
    index: Index,
}

impl Images {
    fn new() -> Self {
        Self {
            app: Image::oci("app"),
            os: Image::oci("os"),
            dev: Image::oci("dev of os"),
            new: Image::oci("new"),
            build: Image::oci("build"),
            index: Index::oci("index"),
        }
    }

    fn seed(&self, registry: &Registry) {
        let owner = registry.client();
        owner.push("team/app", "v1", &self.app);
        owner.push("base/os", "v1", &self.os);
        owner.push("base/os", "dev", &self.dev);
    }

    /// Names in the place of digests.
    fn readable(&self, text: &str) -> String {
        let mut named: Vec<(String, String)> = Vec::new();
        let images = [
            ("app", &self.app),
            ("os", &self.os),
            ("dev", &self.dev),
            ("new", &self.new),
            ("build", &self.build),
        ];
        let children = self.index.images.iter().enumerate();
        let children: Vec<_> = children.map(|(n, image)| (format!("child-{n}"), image)).collect();
        let children = children.iter().map(|(name, image)| (name.as_str(), *image));
        for (name, image) in images.into_iter().chain(children) {
            named.push((image.digest().to_owned(), name.to_uppercase()));
            for (n, blob) in image.blobs().enumerate() {
                named.push((blob.digest.clone(), format!("{}-BLOB-{n}", name.to_uppercase())));
            }
        }
        named.push((self.index.manifest.digest.clone(), "INDEX".to_owned()));
        named.iter().fold(text.to_owned(), |text, (digest, name)| text.replace(digest, name))
    }
}

/// Puts the policy that is to be tried beside the configuration before the gate starts.
fn shadowed(setup: Setup, policy: &str) -> (Setup, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("next.yaml"), policy).unwrap();
    let path = folder.path().display().to_string();
    (setup.setting("shadow_policies", &path), folder)
}

fn write_shadow(folder: &tempfile::TempDir, policy: &str) {
    let new = folder.path().join("next.new");
    fs::write(&new, policy).unwrap();
    fs::rename(new, folder.path().join("next.yaml")).unwrap();
}

/// A token for the CI, made by an administrator.
fn ci(gate: &Gate) -> Client {
    gate.run(&["service", "add", "ci/build"]).ok();
    let made = gate.json(&[
        "token",
        "create",
        "--for",
        "service:ci/build",
        "--group",
        "ci",
        "--expires",
        "1h",
    ]);
    gate.bearer(&text(&made, "access_token"))
}

/// A day at the registry: what is asked, by whom, and what is answered.
fn day(gate: &Gate, images: &Images) -> Vec<(String, Answer)> {
    let [alice, bob, chief] = ["alice", "bob", "chief"].map(|user| gate.client(user));
    let ci = ci(gate);
    let mut done: Vec<(String, Answer)> = Vec::new();
    let mut step = |name: &str, answer: Answer| done.push((name.to_owned(), answer));
    let manifest =
        |repository: &str, reference: &str| format!("/v2/{repository}/manifests/{reference}");
    let blob = |repository: &str, blob: &Blob| format!("/v2/{repository}/blobs/{}", blob.digest);
    let uploads = "/v2/team/app/blobs/uploads/";

    step("alice pulls", alice.get(&manifest("team/app", "v1")));
    step("alice pulls by digest", alice.get(&manifest("team/app", images.app.digest())));
    step("bob pulls", bob.get(&manifest("team/app", "v1")));
    step("bob pulls again", bob.get(&manifest("team/app", "v1")));
    step("bob asks whether it is there", bob.head(&manifest("team/app", "v1")));
    step("bob pulls by digest", bob.get(&manifest("team/app", images.app.digest())));
    step("bob pulls a blob", bob.get(&blob("team/app", &images.app.layers[0])));
    step("bob pulls a base", bob.get(&manifest("base/os", "v1")));
    step("bob pulls a base by digest", bob.get(&manifest("base/os", images.os.digest())));
    step("bob pulls a blob of a base", bob.get(&blob("base/os", &images.os.layers[0])));
    step("chief pulls what is not for all", chief.get(&manifest("base/os", "dev")));
    step("bob pulls that by digest", bob.get(&manifest("base/os", images.dev.digest())));
    step("alice pulls a blob of that", alice.get(&blob("base/os", &images.dev.layers[0])));

    step("alice lists", alice.get("/v2/team/app/tags/list"));
    step("bob lists", bob.get("/v2/team/app/tags/list"));
    step("bob lists what he sees a part of", bob.get("/v2/base/os/tags/list"));
    step("bob lists repositories", bob.get("/v2/_catalog"));

    for image in [&images.new, &images.index.images[0], &images.index.images[1]] {
        image.blobs().for_each(|blob| drop(alice.push_blob("team/app", blob).expect(201)));
    }
    let put =
        |who: &Client, reference: &str, blob: &Blob| who.put_manifest("team/app", reference, blob);
    step("alice pushes", put(&alice, "latest", &images.new.manifest));
    step("alice pushes the same again", put(&alice, "v1", &images.app.manifest));
    step("alice moves a release", put(&alice, "v1", &images.new.manifest));
    for child in &images.index.images {
        step("alice pushes a child", put(&alice, child.digest(), &child.manifest));
    }
    step("alice pushes an index", put(&alice, "multi", &images.index.manifest));
    step("bob pushes an index", put(&bob, "multi", &images.index.manifest));
    step("bob begins an upload", bob.send("POST", uploads, &Ask::default()));
    // A token for one repository would not do to mount from another.
    let whole = gate.basic("alice");
    let mount = |blob: &Blob| format!("{uploads}?mount={}&from=base/os", blob.digest);
    step("alice mounts a base", whole.send("POST", &mount(&images.os.layers[0]), &Ask::default()));
    step(
        "alice mounts the rest",
        whole.send("POST", &mount(&images.dev.layers[0]), &Ask::default()),
    );

    images.build.blobs().for_each(|blob| drop(ci.push_blob("team/app", blob).expect(201)));
    step("ci makes a build", put(&ci, "build-1", &images.build.manifest));
    step("ci makes it again", put(&ci, "build-1", &images.build.manifest));
    step("ci moves latest", put(&ci, "latest", &images.build.manifest));
    step("ci pulls its build", ci.get(&manifest("team/app", "build-1")));
    step("ci pulls a release", ci.get(&manifest("team/app", "v1")));

    step("ci deletes its build", ci.delete(&manifest("team/app", images.build.digest())));
    step("bob deletes an index", bob.delete(&manifest("team/app", &images.index.manifest.digest)));
    step("alice deletes a blob", alice.delete(&blob("team/app", &images.new.layers[0])));
    done
}

/// The audit record of the request that was answered so.
fn record_of(records: &[Value], answer: &Answer) -> Value {
    let id = answer.header("x-request-id").unwrap();
    let mut found = records.iter().filter(|record| record["request_id"] == id);
    let record = found.next().unwrap_or_else(|| panic!("no record of {answer:?}")).clone();
    assert!(found.next().is_none());
    record
}

/// An entry of the report on one line.
fn line(entry: &Value, images: &Images) -> String {
    let part = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
    let [subject, operation, repository, reference] =
        ["subject", "operation", "repository", "reference"].map(part);
    let reference = images.readable(&reference);
    let [decision, shadow, rule] = ["decision", "shadow", "shadow_rule"].map(part);
    let count = &entry["count"];
    format!(
        "{subject} {operation} {repository} {reference}: {decision}, {shadow} by {rule}, {count}"
    )
}

fn report(gate: &Gate) -> Value {
    gate.basic("chief").get("/api/v1/policy/shadow?limit=1000").expect(200).json()
}

/// The sum of samples of a metric.
fn counted(gate: &Gate, labels: &str) -> f64 {
    gate.count(&format!("portcullis_shadow_decisions_total{{{labels}}}"))
}

#[test]
fn nobody_is_denied_anything_and_the_report_tells_what_the_policy_would_deny_for_real() {
    let images = Images::new();
    let (registry, other) = (Registry::start(), Registry::start());
    images.seed(&registry);
    images.seed(&other);
    let users =
        |setup: Setup| USERS.iter().fold(setup, |setup, (name, groups)| setup.user(name, groups));
    let (setup, _folder) =
        shadowed(users(Setup::new(&format!("http://{}", registry.address()), OPEN)), STRICT);
    let gate = setup.start();
    let strict = users(Setup::new(&format!("http://{}", other.address()), STRICT)).start();

    let done = day(&gate, &images);
    let wanted = day(&strict, &images);
    let all = |gate: &Gate, done: &[(String, Answer)]| {
        gate.requests(|records| {
            done.iter().all(|(_, answer)| {
                let id = answer.header("x-request-id").unwrap();
                records.iter().any(|record| record["request_id"] == id)
            })
        })
    };
    let (records, real) = (all(&gate, &done), all(&strict, &wanted));
    let mut denied = Vec::new();
    for ((name, answer), (_, wanted)) in done.iter().zip(&wanted) {
        assert!(answer.status < 300, "{name}: {answer:?}");
        let (record, real) = (record_of(&records, answer), record_of(&real, wanted));
        let not_mounted = name.contains("mounts") && wanted.status == 202;
        if wanted.status < 300 && !not_mounted {
            assert!(record["shadow"].is_null(), "{name}: {record}");
            continue;
        }
        assert_eq!(record["shadow"], "deny", "{name}: {record}, for real {real}");
        assert!(!record["shadow_reason"].as_str().unwrap().is_empty());
        if real["rule"].is_string() {
            assert_eq!(record["shadow_rule"], real["rule"], "{name}");
        } else if wanted.status == 403 {
            // What the client is told begins with what it asked for.
            let reason = real["reason"].as_str().unwrap();
            assert!(
                reason.ends_with(record["shadow_reason"].as_str().unwrap()),
                "{name}: {reason}"
            );
        }
        denied.push(name.clone());
    }
    assert_eq!(
        denied,
        [
            "bob pulls",
            "bob pulls again",
            "bob asks whether it is there",
            "bob pulls by digest",
            "bob pulls a blob",
            "chief pulls what is not for all",
            "bob pulls that by digest",
            "alice pulls a blob of that",
            "bob lists",
            "alice moves a release",
            "bob pushes an index",
            "bob begins an upload",
            "alice mounts the rest",
            "ci moves latest",
            "ci pulls a release",
            "ci deletes its build",
            "bob deletes an index",
            "alice deletes a blob",
        ]
    );

    let report = report(&gate);
    let lines: Vec<String> =
        report["entries"].as_array().unwrap().iter().map(|entry| line(entry, &images)).collect();
    assert_eq!(
        lines,
        [
            "user:bob manifest_read team/app v1: allow, deny by -, 3",
            "user:bob manifest_read team/app APP: allow, deny by -, 1",
            "user:bob blob_read team/app APP-BLOB-1: allow, deny by -, 1",
            "user:chief manifest_read base/os dev: allow, deny by -, 1",
            "user:bob manifest_read base/os DEV: allow, deny by -, 1",
            "user:alice blob_read base/os DEV-BLOB-1: allow, deny by -, 1",
            "user:bob tags_list team/app -: allow, deny by -, 1",
            "user:alice manifest_put team/app v1: allow, deny by releases-do-not-move, 1",
            "user:bob manifest_put team/app multi: allow, deny by -, 1",
            "user:bob upload_start team/app -: allow, deny by -, 1",
            "user:alice upload_start team/app DEV-BLOB-1: allow, deny by -, 1",
            "service:ci/build manifest_put team/app latest: allow, deny by -, 1",
            "service:ci/build manifest_read team/app v1: allow, deny by -, 1",
            "service:ci/build manifest_delete team/app BUILD: allow, deny by -, 1",
            "user:bob manifest_delete team/app INDEX: allow, deny by -, 1",
            "user:alice blob_delete team/app NEW-BLOB-1: allow, deny by -, 1",
        ]
    );
    let different = denied.len() as u64;
    assert_eq!((&report["different"], &report["more"]), (&json!(different), &json!(0)));
    assert_eq!(counted(&gate, "decision=\"allow\",shadow=\"deny\""), different as f64);
    assert_eq!(counted(&gate, "decision=\"allow\",shadow=\"undecided\""), 0.0);
    assert_eq!(counted(&gate, "decision=\"deny\""), 0.0);
    let same = counted(&gate, "decision=\"allow\",shadow=\"allow\"");
    assert_eq!(json!(same as u64 + different), report["requests"]);
    let info = gate.metrics();
    for field in ["policy_sha256", "shadow_sha256"] {
        assert!(info.contains(&text(&report, field)), "{field}");
    }

    // The same from the command line, and page by page.
    let said = gate.run(&["policy", "diff", "--live", "--output", "json"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(told["entries"], report["entries"]);
    let table = gate.run(&["policy", "diff", "--live"]);
    assert_eq!(table.code, Some(1));
    assert!(table.out.contains("releases-do-not-move"), "{}", table.out);
    let chief = gate.basic("chief");
    let mut paged = Vec::new();
    let mut target = "/api/v1/policy/shadow?limit=5".to_owned();
    loop {
        let page = chief.get(&target).expect(200).json();
        paged.extend(page["entries"].as_array().unwrap().clone());
        let Some(cursor) = page["cursor"].as_str() else { break };
        target = format!("/api/v1/policy/shadow?limit=5&cursor={cursor}");
    }
    assert_eq!(json!(paged), report["entries"]);
    gate.basic("bob").get("/api/v1/policy/shadow").expect(403);
    chief.get("/api/v1/policy/shadow?cursor=99-1").expect(400);
}

#[test]
fn skopeo_works_as_ever_and_everything_it_did_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut shadow = None;
    let scene = Scene::with(OPEN, USERS, |setup| {
        let (setup, folder) = shadowed(setup, STRICT);
        shadow = Some(folder);
        setup
    });
    let (image, skopeo) = (Image::oci("skopeo"), Skopeo::signed_in(&scene.gate, "bob"));
    let layout = folder.path().join("layout");
    image.write_layout(&layout, "v1");
    skopeo.copy(&format!("oci:{}:v1", layout.display()), &skopeo.at_gate("team/app:v2")).ok();
    let to = format!("dir:{}", folder.path().join("copy").display());
    skopeo.copy(&skopeo.at_gate("team/app:v2"), &to).ok();
    skopeo.list("team/app").ok();
    skopeo.delete("team/app:v2").ok();
    assert_eq!(scene.stored("team/app", "v2"), None);
    let report = report(&scene.gate);
    let entries = report["entries"].as_array().unwrap();
    for operation in [
        "upload_start",
        "manifest_put",
        "manifest_read",
        "blob_read",
        "tags_list",
        "manifest_delete",
    ] {
        let found = entries.iter().find(|entry| entry["operation"] == operation);
        let found = found.unwrap_or_else(|| panic!("no {operation} in {report}"));
        assert_eq!((&found["subject"], &found["shadow"]), (&json!("user:bob"), &json!("deny")));
    }
    assert_eq!(report["different"], report["requests"]);
}

#[test]
fn a_denial_stays_one_whatever_the_shadow_policy_allows() {
    let images = Images::new();
    let mut shadow = None;
    let scene = Scene::with(STRICT, USERS, |setup| {
        let (setup, folder) = shadowed(setup, OPEN);
        shadow = Some(folder);
        setup
    });
    images.seed(&scene.registry);
    let bob = scene.client("bob");
    bob.get("/v2/team/app/manifests/v1").expect(403);
    bob.send("POST", "/v2/team/app/blobs/uploads/", &Ask::default()).expect(403);
    bob.put_manifest("team/app", "new", &images.new.manifest).expect(403);
    bob.delete("/v2/base/os/manifests/v1").expect(403);
    bob.get("/v2/base/os/manifests/v1").expect(200);
    assert_eq!(scene.stored("team/app", "new"), None);
    let report = report(&scene.gate);
    let lines: Vec<String> =
        report["entries"].as_array().unwrap().iter().map(|entry| line(entry, &images)).collect();
    assert_eq!(
        lines,
        [
            "user:bob manifest_read team/app v1: deny, allow by everyone, 1",
            "user:bob upload_start team/app -: deny, allow by -, 1",
            "user:bob manifest_put team/app new: deny, allow by everyone, 1",
            "user:bob manifest_delete base/os v1: deny, allow by everyone, 1",
        ]
    );
    assert_eq!(report["requests"], 5);
    let records = scene.gate.requests(|records| records.iter().any(|one| one["shadow"] == "allow"));
    let record = records.iter().find(|one| one["shadow"] == "allow").unwrap();
    assert_eq!(record["decision"], "deny");
}

#[test]
fn a_shadow_policy_may_change_and_be_broken_while_it_is_used() {
    let images = Images::new();
    let mut shadow = None;
    let scene = Scene::with(OPEN, USERS, |setup| {
        let (setup, folder) = shadowed(setup, STRICT);
        shadow = Some(folder);
        setup
    });
    let shadow = shadow.unwrap();
    images.seed(&scene.registry);
    let bob = scene.client("bob");
    let pull = || drop(bob.get("/v2/team/app/manifests/v1").expect(200));
    let loaded = || scene.gate.count("portcullis_shadow_policy_reloads_total{result=\"ok\"}");
    let failed = || scene.gate.count("portcullis_shadow_policy_reloads_total{result=\"failed\"}");
    pull();
    let first = report(&scene.gate);
    assert_eq!((&first["different"], &first["requests"]), (&json!(1), &json!(1)));

    // Broken: the last good one goes on, and so does its report.
    write_shadow(&shadow, "rules: [");
    wait_for("the alarm", SOON, || (failed() > 0.0).then_some(()));
    pull();
    let second = report(&scene.gate);
    assert_eq!((&second["different"], &second["since"]), (&json!(2), &first["since"]));

    // Another one begins another report, and so does another policy.
    write_shadow(&shadow, OPEN);
    wait_for("the other shadow", SOON, || (loaded() > 1.0).then_some(()));
    pull();
    let third = report(&scene.gate);
    assert_eq!((&third["different"], &third["requests"]), (&json!(0), &json!(1)));
    assert_ne!(third["shadow_sha256"], first["shadow_sha256"]);
    assert_eq!(third["policy_sha256"], first["policy_sha256"]);
    let said = scene.gate.run(&["policy", "diff", "--live"]).ok();
    assert!(said.out.starts_with("no difference in 1 requests"), "{}", said.out);
    scene.gate.write_policy(&format!("{OPEN}# changed\n"));
    let fourth = wait_for("another report", SOON, || {
        let report = report(&scene.gate);
        (report["policy_sha256"] != third["policy_sha256"]).then_some(report)
    });
    assert_eq!(fourth["requests"], 0);
    let events = wait_for("the audit records", SOON, || {
        let records = scene.gate.audit();
        let events = records.iter().filter_map(|record| record["event"].as_str());
        let events: Vec<String> =
            events.filter(|event| event.starts_with("shadow_")).map(str::to_owned).collect();
        (events.len() > 2).then_some(events)
    });
    assert_eq!(events, ["shadow_policy.loaded", "shadow_policy.refused", "shadow_policy.loaded"]);
}

#[test]
fn a_gate_serves_without_the_shadow_policy_that_it_cannot_read_until_it_can() {
    let images = Images::new();
    let mut shadow = None;
    let scene = Scene::with(OPEN, USERS, |setup| {
        let (setup, folder) = shadowed(setup, "rules: [");
        shadow = Some(folder);
        setup
    });
    images.seed(&scene.registry);
    let bob = scene.client("bob");
    bob.get("/v2/team/app/manifests/v1").expect(200);
    let before = report(&scene.gate);
    assert_eq!((&before["shadow_sha256"], &before["requests"]), (&Value::Null, &json!(0)));
    assert!(scene.gate.log().contains("there is no shadow policy"), "{}", scene.gate.log());
    assert_eq!(scene.gate.count("portcullis_shadow_policy_reloads_total{result=\"failed\"}"), 1.0);
    let checked = scene.gate.run(&["check"]);
    assert_eq!(checked.code, Some(2), "{}", checked.out);
    assert!(checked.out.contains("error  shadow policy"), "{}", checked.out);
    scene.gate.run(&["policy", "diff", "--live"]).refused("could not use its shadow policy");

    write_shadow(shadow.as_ref().unwrap(), STRICT);
    scene.gate.signal("HUP");
    wait_for("the shadow", SOON, || {
        bob.get("/v2/team/app/manifests/v1").expect(200);
        (report(&scene.gate)["different"] != 0).then_some(())
    });
}

#[test]
fn a_registry_that_does_not_say_what_the_shadow_needs_to_know_delays_nothing_for_long() {
    let stored = answer("202 Accepted", "", b"");
    let upstream = Upstream::start(move |head| match head.split(' ').next() {
        _ if head.starts_with("GET /v2/ ") => Reply::Whole(answer("200 OK", "", b"{}")),
        Some("DELETE") => Reply::Whole(stored.clone()),
        _ => Reply::Whole(answer("500 Internal Server Error", "", b"")),
    });
    let users = |setup: Setup| setup.user("bob", &["team"]).user("chief", &[]);
    let strict = "administrators: [user:chief]\nrules:\n  - {name: own, subjects: [user:bob], \
                  images: [\"team/app:v*\"], allow: [all]}\n";
    let (setup, _folder) = shadowed(users(Setup::new(&upstream.url(), OPEN)), strict);
    let gate = setup.start();
    let digest = Image::oci("any").digest().to_owned();
    gate.client("bob").delete(&format!("/v2/team/app/manifests/{digest}")).expect(202);
    let report = report(&gate);
    let [entry] = &report["entries"].as_array().unwrap()[..] else { panic!("{report}") };
    assert_eq!((&entry["decision"], &entry["shadow"]), (&json!("allow"), &json!("undecided")));
    assert_eq!(counted(&gate, "decision=\"allow\",shadow=\"undecided\""), 1.0);
}

#[test]
fn without_a_shadow_policy_there_is_no_report_and_nothing_is_asked_for_one() {
    let scene = Scene::new(OPEN, USERS);
    scene.gate.basic("chief").get("/api/v1/policy/shadow").expect(404);
    scene.gate.run(&["policy", "diff", "--live"]).refused("there is no shadow policy");
    let image = Image::oci("plain");
    scene.client("bob").push("team/app", "v1", &image);
    let digest = format!("/v2/team/app/manifests/{}", image.digest());
    let (_, asked) = scene.recorder.during(|| scene.client("bob").delete(&digest).expect(202));
    assert_eq!(asked.len(), 1, "{asked:?}");
    let records = scene.gate.requests(|records| records.len() > 5);
    assert!(records.iter().all(|record| record["shadow"].is_null()));
}

#[test]
fn a_pull_asks_the_registry_for_what_it_reads_and_nothing_else_with_or_without_a_shadow() {
    for policy in [None, Some(OPEN), Some(STRICT)] {
        let images = Images::new();
        let mut shadow = None;
        let scene = Scene::with(OPEN, USERS, |setup| match policy {
            None => setup,
            Some(policy) => {
                let (setup, folder) = shadowed(setup, policy);
                shadow = Some(folder);
                setup
            }
        });
        images.seed(&scene.registry);
        let bob = scene.client("bob");
        let mut paths = vec![
            "/v2/base/os/manifests/v1".to_owned(),
            format!("/v2/base/os/manifests/{}", images.os.digest()),
            "/v2/team/app/manifests/v1".to_owned(),
        ];
        paths.extend(images.os.blobs().map(|blob| format!("/v2/base/os/blobs/{}", blob.digest)));
        let (_, asked) = scene.recorder.during(|| {
            for path in &paths {
                bob.get(path).expect(200);
            }
        });
        assert_eq!(asked.len(), paths.len(), "{asked:?}");
        let evaluated = scene.gate.count("portcullis_policy_evaluation_seconds_count");
        assert!(evaluated >= paths.len() as f64, "{evaluated}");
        if policy == Some(STRICT) {
            assert_eq!(report(&scene.gate)["different"], 1);
        }
    }
}

#[test]
fn what_policy_decides_can_be_asked() {
    let scene = Scene::new(STRICT, USERS);
    let ask = |who: &Client, body: &Value| who.post("/api/v1/decide", body);
    let (alice, chief) = (scene.gate.basic("alice"), scene.gate.basic("chief"));
    let own = json!({"action": "overwrite", "image": "team/app:v1"});
    let told = ask(&alice, &own).expect(200).json();
    assert_eq!(
        (&told["decision"], &told["rule"]),
        (&json!("deny"), &json!("releases-do-not-move"))
    );
    let policies = scene.gate.home().join("policies");
    let explained = portcullis()
        .args(["policy", "explain", "--as", "user:alice", "--group", "team", "--output", "json"])
        .arg("--policies")
        .arg(policies)
        .args(["overwrite", "team/app:v1"])
        .output()
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&explained.stdout).unwrap(), told);
    let others = json!({"subject": "user:alice", "action": "pull", "image": "team/app:v1"});
    assert_eq!(ask(&chief, &others).expect(200).json()["decision"], "allow");
    ask(&scene.gate.basic("bob"), &others).expect(403);
}
