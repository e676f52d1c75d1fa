//! What the API answers about images and gates, and what commands print of it.

use http::Method;
use insta::assert_snapshot;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::form::fits;
use super::scene::{As, Scene};
use crate::cli::printed::printed;
use crate::content::samples::{Sample, image, index_for, signature};
use crate::inventory::Lesson;

const POLICY: &str = r#"
administrators: ["user:root"]
groups: {clusters: ["user:chief"]}
flags:
  tested: {carries: ["dev/**", "prod/**"], expires_after: 90d}
  qa-passed: {}
rules:
  - {name: reads, subjects: ["user:alice", "user:chief"], images: ["prod/**", "dev/**"], allow: [pull, break-glass]}
  - {name: tests, subjects: ["user:bob"], images: ["prod/**", "dev/**"], allow: [inspect, "flag:*", report, scan]}
gates:
  - name: production
    images: ["prod/**"]
    except: {images: ["prod/**:nightly"]}
    subjects: ["group:clusters"]
    require: {flags: [tested, qa-passed]}
  - name: releases
    images: ["prod/**:v*"]
    require: {vulnerabilities: {max_severity: medium, max_report_age: 7d}}
    mode: audit
  - {name: push, images: ["prod/**"], on: [push], require: {flags: [tested]}}
exceptions:
  - {cve: CVE-2026-0002, images: ["prod/api"], reason: not reachable, by: "user:alice", expires: 2028-01-01}
"#;

struct Images {
    scene: Scene,
    amd64: Sample,
    arm64: Sample,
    both: Sample,
}

impl Images {
    async fn new() -> Self {
        let scene = Scene::with(POLICY, true).await;
        let (amd64, arm64) = (image("amd64", &["a"]), image("arm64", &["b"]));
        let both = index_for(&[("linux/amd64", &amd64), ("linux/arm64", &arm64)]);
        let sbom = signature("sbom", None);
        let tagged =
            [("dev/api", "main", &amd64), ("prod/api", "v1", &both), ("prod/sbom", "v1", &sbom)];
        {
            let mut shelf = scene.shelf.lock().unwrap();
            for (repository, tag, sample) in tagged {
                *shelf = std::mem::take(&mut *shelf).tagged(repository, tag, sample);
            }
            *shelf = std::mem::take(&mut *shelf)
                .tagged("prod/api", "nightly", &arm64)
                .untagged("prod/api", &amd64);
        }
        let lessons = tagged.map(|(repository, tag, sample)| {
            let digest = sample.digest.clone();
            let lesson = Lesson::Tag { tag: oci::Tag::new(tag).unwrap(), digest, at: scene.now() };
            (oci::RepositoryName::new(repository).unwrap(), lesson)
        });
        let now = scene.now();
        let learned =
            scene.issue.state.ask(move |store| async move { store.learn(&lessons, now).await });
        learned.await.unwrap();
        Self { scene, amd64, arm64, both }
    }

    /// What is answered, in the form that is described.
    async fn ask(&self, who: As<'_>, method: Method, path: &str, body: &str) -> Value {
        let answer = self.scene.ask(who, method.clone(), path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        fits(&method, path, &answer);
        answer.json()
    }

    async fn get(&self, who: As<'_>, path: &str) -> Value {
        self.ask(who, Method::GET, path, "").await
    }

    async fn put(&self, path: &str, body: &Value) -> Value {
        self.ask(As::User("bob"), Method::PUT, path, &body.to_string()).await
    }

    /// What a command prints an hour later.
    fn printed(&self, command: &str, answer: &Value) -> String {
        printed(command, answer, self.scene.now() + SignedDuration::from_hours(1))
    }

    async fn flag(&self, image: &str, flag: &str, more: &Value) -> Value {
        let mut body = json!({ "flag": flag });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.put(&format!("/image/flags?ref={image}"), &body).await
    }

    async fn report(&self, sample: &Sample, hours: i64, found: &[(&str, &str)]) -> Value {
        let created = self.scene.now() - SignedDuration::from_hours(hours);
        let path = format!("/image/report?ref=prod/api@{}", sample.digest);
        self.put(&path, &trivy(&sample.digest.to_string(), created, found)).await
    }
}

fn trivy(digest: &str, created: Timestamp, found: &[(&str, &str)]) -> Value {
    let found = found.iter().map(|(name, severity)| {
        json!({"VulnerabilityID": name, "PkgName": "zlib1g", "InstalledVersion": "1.2",
               "FixedVersion": "1.3", "Severity": severity})
    });
    json!({
        "SchemaVersion": 2, "CreatedAt": created, "ArtifactName": "x", "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "RepoDigests": [format!("prod/api@{digest}")]},
        "Results": [{"Target": "x", "Class": "os-pkgs", "Type": "debian",
                     "Vulnerabilities": found.collect::<Vec<_>>()}],
    })
}

fn pretty(answer: &Value) -> String {
    serde_json::to_string_pretty(answer).unwrap()
}

#[tokio::test]
async fn flags_are_told_with_the_digest_that_they_belong_to() {
    let images = Images::new().await;
    let set = images
        .flag("dev/api:main", "tested", &json!({"reason": "run 7", "link": "https://ci.example/7"}))
        .await;
    assert_snapshot!(pretty(&set), @r#"
    {
      "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
      "flag": {
        "at": "2027-01-15T08:00:00Z",
        "by": "user:bob",
        "ends_at": "2027-04-15T08:00:00Z",
        "expires_at": null,
        "flag": "tested",
        "from": "192.0.2.1",
        "is_carried": false,
        "link": "https://ci.example/7",
        "reason": "run 7",
        "state": "in force"
      },
      "reference": "main",
      "repository": "dev/api"
    }
    "#);
    assert_snapshot!(images.printed("image flag", &set), @"dev/api@sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76 is flagged tested, until 2027-04-15 08:00 UTC (in 89 days)");
    let bare = images.flag("prod/api:v1", "qa-passed", &json!({})).await;
    assert_snapshot!(images.printed("image flag", &bare), @"prod/api@sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf is flagged qa-passed");
    let path = "/image/flags?ref=prod/api:v1&flag=qa-passed";
    let gone = images.ask(As::User("bob"), Method::DELETE, path, "").await;
    assert_snapshot!(images.printed("image unflag", &gone), @"prod/api@sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf is not flagged qa-passed any more");
    images.get(As::User("alice"), "/image/flags?ref=dev/api:main").await;
}

#[tokio::test]
async fn reports_are_told_with_what_they_count() {
    let images = Images::new().await;
    let kept = images
        .report(&images.amd64, 2, &[("CVE-2026-0001", "HIGH"), ("CVE-2026-0003", "LOW")])
        .await;
    assert_snapshot!(pretty(&kept), @r#"
    {
      "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
      "reference": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
      "report": {
        "by": "user:bob",
        "database": null,
        "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
        "findings": {
          "high": 1,
          "low": 1
        },
        "format": "trivy",
        "made_at": "2027-01-15T06:00:00Z",
        "received_at": "2027-01-15T08:00:00Z",
        "recognized": true,
        "repository": "prod/api",
        "scanner": "Trivy",
        "version": null
      },
      "repository": "prod/api",
      "statements": null
    }
    "#);
    assert_snapshot!(images.printed("image report", &kept), @r#"
    report of Trivy kept for prod/api@sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76
    1 high, 1 low
    "#);
    let mut nothing = trivy(&images.arm64.digest.to_string(), images.scene.now(), &[]);
    nothing["Metadata"].as_object_mut().unwrap().remove("OS");
    nothing["Results"] = json!([]);
    let path = format!("/image/report?ref=prod/api@{}", images.arm64.digest);
    assert_snapshot!(images.printed("image report", &images.put(&path, &nothing).await), @r#"
    report of Trivy kept for prod/api@sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9
    the scanner recognized nothing in the image, so this says nothing of it
    "#);
    let vex = json!({
        "@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://maker.example/1", "author": "maker",
        "timestamp": "2026-12-01T00:00:00Z", "version": 1,
        "statements": [{"vulnerability": {"name": "CVE-2026-0003"}, "products": [{"@id": "pkg:oci/api"}],
                        "status": "not_affected", "justification": "component_not_present"}],
    });
    let path = format!("/image/report?ref=prod/api@{}", images.amd64.digest);
    let said = images.ask(As::Local, Method::PUT, &path, &vex.to_string()).await;
    assert_snapshot!(images.printed("image report", &said), @"1 OpenVEX statement of maker kept for prod/api@sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76");
    images.get(As::User("alice"), "/image/report?ref=prod/api:v1").await;
    let older = trivy(
        &images.amd64.digest.to_string(),
        images.scene.now() - SignedDuration::from_hours(3),
        &[],
    );
    let refused = images.scene.ask(As::User("bob"), Method::PUT, &path, &older.to_string()).await;
    assert_snapshot!(refused.problem(), @"409 a later report of Trivy by user:bob is kept, which was made at 2027-01-15T06:00:00Z; this one was made at 2027-01-15T05:00:00Z: scan the image again and send that report");
}

#[tokio::test]
async fn scans_are_told_for_each_platform() {
    let images = Images::new().await;
    let path = "/image/scan?ref=prod/api:v1";
    let asked = images.ask(As::User("bob"), Method::POST, path, "").await;
    assert_snapshot!(images.printed("image scan", &asked), @r#"
    DIGEST                                                                   PLATFORM     SCAN     REASON
    sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76  linux/amd64  waiting
    sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9  linux/arm64  waiting
    "#);
    let (now, digest) = (images.scene.now(), images.arm64.digest.clone());
    let state = &images.scene.issue.state;
    let fail = state.ask(move |store| async move {
        let name = oci::RepositoryName::new("prod/api").unwrap();
        let end = crate::store::ScanEnd::Failed { at: now, reason: "no layers\nat all".to_owned() };
        let done = crate::store::ScanEnd::Done { at: now };
        while let Some(scan) =
            store.take_scan("me", now, now + SignedDuration::from_hours(1)).await?
        {
            let end = if scan.digest == digest { &end } else { &done };
            store.end_scan("me", &name, &scan.digest, end).await?;
        }
        Ok(())
    });
    fail.await.unwrap();
    state.look().await.unwrap();
    let over = images.get(As::User("alice"), path).await;
    assert_snapshot!(pretty(&over), @r#"
    {
      "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
      "reference": "v1",
      "repository": "prod/api",
      "scans": [
        {
          "attempts": 1,
          "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
          "done_at": "2027-01-15T08:00:00Z",
          "failing_since": null,
          "platform": "linux/amd64",
          "reason": null,
          "requested_at": "2027-01-15T08:00:00Z",
          "state": "done"
        },
        {
          "attempts": 1,
          "digest": "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9",
          "done_at": null,
          "failing_since": "2027-01-15T08:00:00Z",
          "platform": "linux/arm64",
          "reason": "no layers\nat all",
          "requested_at": "2027-01-15T08:00:00Z",
          "state": "failed"
        }
      ]
    }
    "#);
    assert_snapshot!(images.printed("image scan", &over), @r#"
    DIGEST                                                                   PLATFORM     SCAN    REASON
    sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76  linux/amd64  done
    sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9  linux/arm64  failed  no layers\nat all
    "#);
}

#[tokio::test]
async fn an_image_is_shown_with_all_that_is_known_of_it() {
    let images = Images::new().await;
    images.flag("dev/api:main", "tested", &json!({"reason": "run 7"})).await;
    images.flag("prod/api:v1", "tested", &json!({"expires_in": "30d"})).await;
    images
        .report(&images.amd64, 2, &[("CVE-2026-0001", "HIGH"), ("CVE-2026-0002", "CRITICAL")])
        .await;
    let shown = images.get(As::User("alice"), "/image?ref=prod/api:v1").await;
    assert_snapshot!(pretty(&shown), @r#"
    {
      "created": null,
      "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
      "first_pulled_at": null,
      "first_seen": null,
      "flags": [
        {
          "at": "2027-01-15T08:00:00Z",
          "by": "user:bob",
          "ends_at": "2027-02-14T08:00:00Z",
          "expires_at": "2027-02-14T08:00:00Z",
          "flag": "tested",
          "from": "192.0.2.1",
          "is_carried": false,
          "link": null,
          "reason": null,
          "state": "in force"
        }
      ],
      "history": [
        {
          "at": "2027-01-15T08:00:00Z",
          "by": null,
          "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf"
        }
      ],
      "kind": "index",
      "last_pulled_at": null,
      "last_pulled_by": null,
      "platforms": [
        {
          "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
          "platform": "linux/amd64",
          "size": 4
        },
        {
          "digest": "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9",
          "platform": "linux/arm64",
          "size": 4
        }
      ],
      "pushed_at": null,
      "pushed_by": null,
      "reference": "v1",
      "removed_flags": [],
      "reports": [
        {
          "by": "user:bob",
          "database": null,
          "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
          "findings": {
            "critical": 1,
            "high": 1
          },
          "format": "trivy",
          "made_at": "2027-01-15T06:00:00Z",
          "received_at": "2027-01-15T08:00:00Z",
          "recognized": true,
          "repository": "prod/api",
          "scanner": "Trivy",
          "version": null
        }
      ],
      "repository": "prod/api",
      "scans": [
        {
          "attempts": 0,
          "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
          "done_at": null,
          "failing_since": null,
          "platform": "linux/amd64",
          "reason": null,
          "requested_at": null,
          "state": "never"
        },
        {
          "attempts": 0,
          "digest": "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9",
          "done_at": null,
          "failing_since": null,
          "platform": "linux/arm64",
          "reason": null,
          "requested_at": null,
          "state": "never"
        }
      ],
      "size": 8,
      "statements": [],
      "tags": [
        "v1"
      ],
      "verdicts": {
        "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
        "exempt": false,
        "gates": [
          {
            "cleared": [],
            "file": "policy.yaml",
            "gate": "production",
            "glass_broken_until": null,
            "in_grace": [],
            "is_artifact": false,
            "line": 11,
            "mode": "enforce",
            "on": [
              "pull"
            ],
            "reasons": [
              {
                "digest": null,
                "platform": null,
                "reason": "flag_missing",
                "text": "it is not flagged qa-passed",
                "until": null
              }
            ],
            "valid_until": "2027-02-14T08:00:00Z",
            "verdict": "held",
            "warnings": []
          },
          {
            "cleared": [],
            "file": "policy.yaml",
            "gate": "releases",
            "glass_broken_until": null,
            "in_grace": [],
            "is_artifact": false,
            "line": 16,
            "mode": "audit",
            "on": [
              "pull"
            ],
            "reasons": [
              {
                "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
                "platform": "linux/amd64",
                "reason": "vulnerabilities",
                "text": "CVE-2026-0001 (high) in zlib1g 1.2, fixed in 1.3",
                "until": null
              },
              {
                "digest": "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9",
                "platform": "linux/arm64",
                "reason": "unscanned",
                "text": "it was never scanned",
                "until": null
              }
            ],
            "valid_until": "2027-01-22T06:00:00Z",
            "verdict": "would be held",
            "warnings": []
          },
          {
            "cleared": [],
            "file": "policy.yaml",
            "gate": "push",
            "glass_broken_until": null,
            "in_grace": [],
            "is_artifact": false,
            "line": 20,
            "mode": "enforce",
            "on": [
              "push"
            ],
            "reasons": [],
            "valid_until": "2027-02-14T08:00:00Z",
            "verdict": "passed",
            "warnings": []
          }
        ],
        "held": true,
        "open_by_tag": false,
        "reference": "v1",
        "repository": "prod/api"
      }
    }
    "#);
    assert_snapshot!(images.printed("image show", &shown), @r#"
    image   prod/api
    digest  sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf
    kind    index
    size    8 bytes
    tags    v1

    platforms
      linux/amd64  sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76
      linux/arm64  sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9

    flags
      tested by user:bob, 60 minutes ago, until 2027-02-14 08:00 UTC (in 29 days)

    reports
      Trivy (linux/amd64), 3 hours ago, by user:bob: 1 critical, 1 high

    gates: held
      production: held (policy.yaml:11)
        it is not flagged qa-passed
      releases: would be held (policy.yaml:16)
        CVE-2026-0001 (high) in zlib1g 1.2, fixed in 1.3 (linux/amd64)
        it was never scanned (linux/arm64)
      push: passed (policy.yaml:20, at pushes alone)
    "#);
    let artifact = images.get(As::User("alice"), "/image?ref=prod/sbom:v1").await;
    assert_snapshot!(images.printed("image show", &artifact), @r#"
    image   prod/sbom
    digest  sha256:26811b80b8b202f0ded656bd862ed217692806b1dbb0df9bc8996aa9670b926e
    kind    artifact
    tags    v1

    gates: passes
      production: passed (policy.yaml:11)
        an artifact: those are exempt
      releases: passed (policy.yaml:16)
      push: passed (policy.yaml:20, at pushes alone)
        an artifact: those are exempt
    "#);
}

#[tokio::test]
async fn images_are_listed_and_found_by_what_is_in_them() {
    let images = Images::new().await;
    images.flag("dev/api:main", "tested", &json!({})).await;
    images.report(&images.amd64, 2, &[("CVE-2026-0001", "HIGH"), ("CVE-2026-0003", "LOW")]).await;
    let listed = images.get(As::User("alice"), "/images").await;
    assert_snapshot!(pretty(&listed["images"][0]), @r#"
    {
      "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
      "finding": null,
      "findings": {
        "high": 1,
        "low": 1
      },
      "first_pulled_at": null,
      "flags": [
        "tested"
      ],
      "group_pulled_at": null,
      "last_pulled_at": null,
      "last_pulled_by": null,
      "pushed_at": null,
      "pushed_by": null,
      "reported_at": "2027-01-15T06:00:00Z",
      "repository": "dev/api",
      "tag": "main",
      "tags": [
        "main"
      ]
    }
    "#);
    assert_snapshot!(images.printed("image list", &listed), @r#"
    IMAGE         DIGEST                                                                   FLAGS   REPORTED     FINDINGS
    dev/api:main  sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76  tested  3 hours ago  1 high, 1 low
    prod/api:v1   sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf  -       none         -
    prod/sbom:v1  sha256:26811b80b8b202f0ded656bd862ed217692806b1dbb0df9bc8996aa9670b926e  -       none         -
    "#);
    let found = images.get(As::User("alice"), "/images?cve=cve-2026-0003").await;
    assert_snapshot!(pretty(&found), @r#"
    {
      "cursor": null,
      "images": [
        {
          "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
          "finding": {
            "fixed_in": "1.3",
            "id": "CVE-2026-0003",
            "made_at": "2027-01-15T06:00:00Z",
            "package": "zlib1g",
            "scanner": "Trivy",
            "severity": "low",
            "version": "1.2"
          },
          "findings": {
            "high": 1,
            "low": 1
          },
          "first_pulled_at": null,
          "flags": [
            "tested"
          ],
          "group_pulled_at": null,
          "last_pulled_at": null,
          "last_pulled_by": null,
          "pushed_at": null,
          "pushed_by": null,
          "reported_at": "2027-01-15T06:00:00Z",
          "repository": "prod/api",
          "tag": null,
          "tags": []
        }
      ]
    }
    "#);
    assert_snapshot!(images.printed("image search", &found), @r#"
    IMAGE     DIGEST                                                                   FLAGS   REPORTED     FINDINGS
    prod/api  sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76  tested  3 hours ago  CVE-2026-0003 (low) in zlib1g 1.2, fixed in 1.3
    "#);
    let none = images.get(As::User("alice"), "/images?q=nothing").await;
    assert_snapshot!(images.printed("image search", &none), @"no images");
}

#[tokio::test]
async fn gates_are_told_as_they_are_written() {
    let images = Images::new().await;
    let gates = images.get(As::User("root"), "/gates").await;
    assert_snapshot!(pretty(&gates["gates"][1]), @r#"
    {
      "file": "policy.yaml",
      "gate": "push",
      "line": 20,
      "mode": "enforce",
      "on": [
        "push"
      ],
      "requires": [
        "flags: tested"
      ],
      "says": [
        "images: prod/**",
        "on: push",
        "flags: tested"
      ]
    }
    "#);
    assert_snapshot!(images.printed("gate list", &gates), @r#"
    production (enforce, policy.yaml:11)
      images: prod/**
      subjects: group:clusters
      except images: prod/**:nightly
      on: pull
      flags: qa-passed, tested

    push (enforce, policy.yaml:20)
      images: prod/**
      on: push
      flags: tested

    releases (audit, policy.yaml:16)
      images: prod/**:v*
      on: pull
      vulnerabilities: scanned
      max_severity: medium
      max_report_age: 7d
      unknown_severity: block
      mode: audit
    "#);
    let question = json!({"action": "pull", "image": "prod/api:v1", "subject": "user:chief"});
    images.ask(As::User("root"), Method::POST, "/decide", &question.to_string()).await;
}

#[tokio::test]
async fn what_gates_say_is_what_a_pull_gets() {
    let images = Images::new().await;
    images
        .report(&images.amd64, 2, &[("CVE-2026-0001", "HIGH"), ("CVE-2026-0002", "CRITICAL")])
        .await;
    let show = async |image: &str, more: &str| {
        let path = format!("/image/gates?ref=prod/api{image}{more}");
        images.get(As::User("root"), &path).await
    };
    let by_tag = show(":v1", "").await;
    assert_snapshot!(pretty(&by_tag), @r#"
    {
      "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
      "exempt": false,
      "gates": [
        {
          "cleared": [],
          "file": "policy.yaml",
          "gate": "production",
          "glass_broken_until": null,
          "in_grace": [],
          "is_artifact": false,
          "line": 11,
          "mode": "enforce",
          "on": [
            "pull"
          ],
          "reasons": [
            {
              "digest": null,
              "platform": null,
              "reason": "flag_missing",
              "text": "it is not flagged tested",
              "until": null
            },
            {
              "digest": null,
              "platform": null,
              "reason": "flag_missing",
              "text": "it is not flagged qa-passed",
              "until": null
            }
          ],
          "valid_until": null,
          "verdict": "held",
          "warnings": []
        },
        {
          "cleared": [],
          "file": "policy.yaml",
          "gate": "releases",
          "glass_broken_until": null,
          "in_grace": [],
          "is_artifact": false,
          "line": 16,
          "mode": "audit",
          "on": [
            "pull"
          ],
          "reasons": [
            {
              "digest": "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
              "platform": "linux/amd64",
              "reason": "vulnerabilities",
              "text": "CVE-2026-0001 (high) in zlib1g 1.2, fixed in 1.3",
              "until": null
            },
            {
              "digest": "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9",
              "platform": "linux/arm64",
              "reason": "unscanned",
              "text": "it was never scanned",
              "until": null
            }
          ],
          "valid_until": "2027-01-22T06:00:00Z",
          "verdict": "would be held",
          "warnings": []
        },
        {
          "cleared": [],
          "file": "policy.yaml",
          "gate": "push",
          "glass_broken_until": null,
          "in_grace": [],
          "is_artifact": false,
          "line": 20,
          "mode": "enforce",
          "on": [
            "push"
          ],
          "reasons": [
            {
              "digest": null,
              "platform": null,
              "reason": "flag_missing",
              "text": "it is not flagged tested",
              "until": null
            }
          ],
          "valid_until": null,
          "verdict": "held",
          "warnings": []
        }
      ],
      "held": true,
      "open_by_tag": false,
      "reference": "v1",
      "repository": "prod/api"
    }
    "#);
    assert_snapshot!(images.printed("gate show", &by_tag), @r#"
    prod/api@sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf: held
      production: held (policy.yaml:11)
        it is not flagged tested
        it is not flagged qa-passed
      releases: would be held (policy.yaml:16)
        CVE-2026-0001 (high) in zlib1g 1.2, fixed in 1.3 (linux/amd64)
        it was never scanned (linux/arm64)
      push: held (policy.yaml:20, at pushes alone)
        it is not flagged tested
    "#);
    // Nothing leads to it but the index, which `production` holds.
    let child = show(&format!("@{}", images.amd64.digest), "").await;
    assert_eq!((&child["held"], &child["open_by_tag"]), (&json!(true), &json!(false)));
    // `nightly` leads to the other one, and there no gate stands that holds it.
    let nightly = show(&format!("@{}", images.arm64.digest), "").await;
    assert_eq!((&nightly["held"], &nightly["open_by_tag"]), (&json!(false), &json!(true)));
    assert_snapshot!(images.printed("gate show", &nightly), @r#"
    prod/api@sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9: passes by its digest: a tag leads to it that no gate which holds it stands before
      production: held (policy.yaml:11)
        it is not flagged tested
        it is not flagged qa-passed
      releases: would be held (policy.yaml:16)
        it was never scanned
      push: held (policy.yaml:20, at pushes alone)
        it is not flagged tested
    "#);
    let may_inspect = show(":v1", "&subject=user:bob&groups=clusters").await;
    assert_eq!((&may_inspect["held"], &may_inspect["exempt"]), (&json!(false), &json!(true)));
    assert_snapshot!(images.printed("gate show", &may_inspect), @r#"
    prod/api@sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf: passes: gates hold nothing back from whoever may inspect or delete it
      production: held (policy.yaml:11)
        it is not flagged tested
        it is not flagged qa-passed
      releases: would be held (policy.yaml:16)
        CVE-2026-0001 (high) in zlib1g 1.2, fixed in 1.3 (linux/amd64)
        it was never scanned (linux/arm64)
      push: held (policy.yaml:20, at pushes alone)
        it is not flagged tested
    "#);
    let other = show(":nightly", "&subject=user:alice").await;
    assert_snapshot!(images.printed("gate show", &other), @r#"
    prod/api@sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9: passes
      push: held (policy.yaml:20, at pushes alone)
        it is not flagged tested
    "#);
    images.flag("prod/api:v1", "tested", &json!({})).await;
    images.flag("prod/api:v1", "qa-passed", &json!({})).await;
    let passes = show(":v1", "&subject=user:chief").await;
    assert_eq!(passes["held"], false, "{passes}");
}

#[tokio::test]
async fn what_will_be_held_is_told_with_the_time_and_the_reason() {
    let images = Images::new().await;
    images.flag("prod/api:v1", "tested", &json!({"expires_in": "3d"})).await;
    images.flag("prod/api:v1", "qa-passed", &json!({})).await;
    let mut forecast = images.get(As::User("root"), "/gates/forecast?within=7d").await;
    assert_snapshot!(pretty(&forecast["entries"][0]), @r#"
    {
      "digest": "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
      "gate": "releases",
      "held_at": "2027-01-15T08:00:00Z",
      "is_held_now": true,
      "mode": "audit",
      "repository": "prod/api",
      "tag": "v1",
      "why": "it was never scanned (linux/amd64, linux/arm64)"
    }
    "#);
    // The command prints all pages as one.
    forecast
        .as_object_mut()
        .unwrap()
        .retain(|key, _| ["until", "images", "entries"].contains(&key.as_str()));
    assert_snapshot!(images.printed("gate forecast", &forecast), @r#"
    IMAGE        GATE              HELD                              WHY
    prod/api:v1  releases (audit)  now                               it was never scanned (linux/amd64, linux/arm64)
    prod/api:v1  production        2027-01-18 08:00 UTC (in 2 days)  its flag tested expired at 2027-01-18T08:00:00Z

    2 tags behind gates, until 2027-01-22 08:00 UTC (in 6 days)
    "#);
    forecast["entries"] = json!([]);
    assert_snapshot!(images.printed("gate forecast", &forecast), @"nothing will be held: 2 tags behind gates, until 2027-01-22 08:00 UTC (in 6 days)");
}

#[tokio::test]
async fn broken_glass_is_told_with_its_end() {
    let images = Images::new().await;
    assert_snapshot!(images.printed("exception list", &json!({"exceptions": []})), @"no exceptions");
    let body = json!({"gate": "production", "image": "prod/api:v1", "reason": "incident 311", "expires_in": "4h"});
    let mut added =
        images.ask(As::User("chief"), Method::POST, "/exceptions", &body.to_string()).await;
    let path = format!("/exceptions/{}", added["id"].as_str().unwrap());
    let named = |exception: &mut Value| exception["id"] = json!("exc_aaaaaaaaaaaaaaaa");
    named(&mut added);
    assert_snapshot!(pretty(&added), @r#"
    {
      "at": "2027-01-15T08:00:00Z",
      "by": "user:chief",
      "digests": [
        "sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf",
        "sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76",
        "sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9"
      ],
      "expires_at": "2027-01-15T12:00:00Z",
      "gate": "production",
      "id": "exc_aaaaaaaaaaaaaaaa",
      "image": "prod/api:v1",
      "reason": "incident 311",
      "removed_at": null,
      "removed_by": null,
      "repository": "prod/api",
      "state": "in force"
    }
    "#);
    assert_snapshot!(images.printed("exception add", &added), @r#"
    exc_aaaaaaaaaaaaaaaa: gate production lets prod/api:v1 through until 2027-01-15 12:00 UTC (in 3 hours), as it is now:
      sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf
      sha256:1253426e80542ace089d4b266b20d30b5ee8142a67b616c5c249c5d2ef769d76
      sha256:591d369a5470834bf4aa355318494d5281273465ba8c5eb3750e32c782d548b9
    "#);
    let mut list = images.get(As::User("alice"), "/exceptions").await;
    named(&mut list["exceptions"][0]);
    assert_snapshot!(images.printed("exception list", &list), @r#"
    ID                    GATE        IMAGE        MADE BY                    STATE                                    REASON
    exc_aaaaaaaaaaaaaaaa  production  prod/api:v1  user:chief 60 minutes ago  until 2027-01-15 12:00 UTC (in 3 hours)  incident 311
    "#);
    let shown = images.get(As::User("root"), "/image/gates?ref=prod/api:v1").await;
    assert_snapshot!(images.printed("gate show", &shown), @r#"
    prod/api@sha256:6513214c942372de5e9cc1986f1ece8fbdb1dd13ceac2d86c066051ad995badf: passes
      production: passed (policy.yaml:11)
        the glass is broken until 2027-01-15 12:00 UTC (in 3 hours)
      releases: would be held (policy.yaml:16)
        it was never scanned (linux/amd64)
        it was never scanned (linux/arm64)
      push: held (policy.yaml:20, at pushes alone)
        it is not flagged tested
    "#);
    let mut removed = images.ask(As::User("chief"), Method::DELETE, &path, "").await;
    named(&mut removed);
    assert_snapshot!(images.printed("exception remove", &removed), @"exc_aaaaaaaaaaaaaaaa is over: gate production judges prod/api:v1 again");
    let mut list = images.get(As::User("alice"), "/exceptions").await;
    named(&mut list["exceptions"][0]);
    assert_snapshot!(images.printed("exception list", &list), @r#"
    ID                    GATE        IMAGE        MADE BY                    STATE    REASON
    exc_aaaaaaaaaaaaaaaa  production  prod/api:v1  user:chief 60 minutes ago  removed  incident 311
    "#);
    assert_eq!(images.both.digest.to_string(), added["digests"][0].as_str().unwrap());
}
