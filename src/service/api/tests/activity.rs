//! What was done with images, and who may know it.

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use oci::{RepositoryName, Tag};
use policy::Subject;
use serde_json::{Value, json};

use super::form::fits;
use super::scene::{As, Scene};
use crate::content::samples::{Sample, image, index};
use crate::inventory::{Facts, Lesson};
use crate::state::Pulled;
use crate::store::Pushed;

const POLICY: &str = r#"
administrators: ["user:root"]
groups: {fleet: ["user:chief"], empty: ["user:nobody"], readers: ["user:alice"]}
rules:
  - {name: reads, subjects: ["user:alice"], images: ["prod/**"], allow: [pull]}
  - {name: some, subjects: ["user:bob"], images: ["prod/api:v*"], allow: [pull, report]}
"#;

fn here() -> RepositoryName {
    RepositoryName::new("prod/api").unwrap()
}

fn tag(name: &str) -> Tag {
    Tag::new(name).unwrap()
}

struct Images {
    scene: Scene,
    amd64: Sample,
    arm64: Sample,
    both: Sample,
    began: Timestamp,
}

/// `v1` was moved from one image to an index of both, by a push; `nightly` is on it too.
async fn images() -> Images {
    let scene = Scene::with(POLICY, false).await;
    let (amd64, arm64) = (image("amd64", &["a"]), image("arm64", &["b"]));
    let both = index(&[&amd64, &arm64]);
    {
        let mut shelf = scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf)
            .tagged("prod/api", "v1", &both)
            .tagged("prod/api", "nightly", &both)
            .untagged("prod/api", &amd64)
            .untagged("prod/api", &arm64);
    }
    let began = scene.now();
    let images = Images { scene, amd64, arm64, both, began };
    let Images { amd64, arm64, both, .. } = &images;
    let manifest = |sample: &Sample| Lesson::Manifest {
        digest: sample.digest.clone(),
        facts: Arc::new(Facts::from(&sample.manifest)),
    };
    let on = |name: &str, sample: &Sample, second: i64| Lesson::Tag {
        tag: tag(name),
        digest: sample.digest.clone(),
        at: images.at(second),
    };
    let push = Pushed {
        repository: here(),
        digest: both.digest.clone(),
        tags: vec![tag("v1")],
        by: Subject::Service("ci".to_owned()),
        at: images.at(20),
    };
    let lessons = [
        manifest(amd64),
        manifest(arm64),
        manifest(both),
        on("v1", amd64, 10),
        on("v1", both, 20),
        on("nightly", both, 20),
    ];
    let lessons: Vec<_> = lessons.into_iter().map(|lesson| (here(), lesson)).collect();
    for (of, lesson) in &lessons {
        images.scene.api.images.inventory.apply(of, lesson);
    }
    let (state, now) = (&images.scene.issue.state, images.at(20));
    state.ask(move |store| async move { store.learn(&lessons, now).await }).await.unwrap();
    state.note_push(push);
    state.write_pushes().await.unwrap();
    state.look().await.unwrap();
    images
}

impl Images {
    fn at(&self, second: i64) -> Timestamp {
        self.began + jiff::SignedDuration::from_secs(second)
    }

    async fn pull(&self, who: &str, groups: &[&str], of: &Sample, second: i64) {
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let state = &self.scene.issue.state;
        state.note_pull(Pulled {
            repository: &here(),
            digest: &of.digest,
            tag: None,
            by: &Subject::User(who.to_owned()),
            groups: &groups,
            at: self.at(second),
        });
        state.write_pulls(true).await.unwrap();
    }

    async fn get(&self, who: &str, path: &str) -> Value {
        let answer = self.scene.get(As::User(who), path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        fits(&Method::GET, path, &answer);
        answer.json()
    }

    /// Has a report that finds the same in both images.
    async fn report(&self) {
        for sample in [&self.amd64, &self.arm64] {
            let digest = &sample.digest;
            let report = json!({
                "SchemaVersion": 2, "CreatedAt": "2026-01-02T03:04:05Z", "ArtifactName": "x",
                "ArtifactType": "container_image",
                "Metadata": {"OS": {"Family": "debian", "Name": "12"},
                    "RepoDigests": [format!("prod/api@{digest}")]},
                "Results": [{"Target": "x", "Class": "os-pkgs", "Type": "debian",
                    "Vulnerabilities": [{"VulnerabilityID": "CVE-2026-0001", "PkgName": "zlib1g",
                        "InstalledVersion": "1.2", "Severity": "HIGH"}]}],
            });
            let path = "/image/report?ref=prod/api:v1";
            let sent =
                self.scene.ask(As::User("bob"), Method::PUT, path, &report.to_string()).await;
            assert_eq!(sent.status, 200, "{}", sent.text);
        }
    }
}

#[tokio::test]
async fn an_image_tells_who_pushed_it_and_administrators_who_pulled_it() {
    let images = images().await;
    let path = "/image?ref=prod/api:v1";
    let told = images.get("alice", path).await;
    assert_eq!(
        (&told["pushed_at"], &told["pushed_by"]),
        (&json!(images.at(20)), &json!("service:ci"))
    );
    assert_eq!((&told["first_pulled_at"], &told["last_pulled_at"]), (&Value::Null, &Value::Null));
    images.pull("carol", &[], &images.both, 30).await;
    images.pull("dave", &[], &images.both, 40).await;
    let told = images.get("alice", path).await;
    assert_eq!(told["first_pulled_at"], json!(images.at(30)));
    assert_eq!(told["last_pulled_at"], json!(images.at(40)));
    assert_eq!(told["last_pulled_by"], Value::Null);
    let told = images.get("root", path).await;
    assert_eq!(told["last_pulled_by"], "user:dave");
    let told = images.get("alice", "/images?repository=prod/api&tag=v1").await;
    let entry = &told["images"][0];
    assert_eq!(
        (&entry["pushed_by"], &entry["last_pulled_by"]),
        (&json!("service:ci"), &Value::Null)
    );
    assert_eq!(entry["last_pulled_at"], json!(images.at(40)));
    assert_eq!(entry["tags"], json!(["v1"]));
}

#[tokio::test]
async fn a_tag_tells_where_it_pointed_and_a_digest_has_no_history() {
    let images = images().await;
    let told = images.get("alice", "/image?ref=prod/api:v1").await;
    let (both, amd64) = (images.both.digest.to_string(), images.amd64.digest.to_string());
    let history = json!([
        {"at": images.at(20), "digest": both, "by": "service:ci"},
        {"at": images.at(10), "digest": amd64, "by": null},
    ]);
    assert_eq!(told["history"], history);
    let told = images.get("alice", &format!("/image?ref=prod/api@{both}")).await;
    assert_eq!(told["history"], json!([]));
}

#[tokio::test]
async fn a_vulnerability_is_found_with_the_tags_that_lead_to_it_and_one_may_know_of() {
    let images = images().await;
    images.report().await;
    let path = "/images?cve=CVE-2026-0001";
    let tags = |told: &Value| {
        let images = told["images"].as_array().unwrap().iter();
        images.map(|entry| entry["tags"].clone()).collect::<Vec<_>>()
    };
    let told = images.get("alice", path).await;
    assert_eq!(tags(&told), [json!(["nightly", "v1"]), json!(["nightly", "v1"])]);
    let told = images.get("bob", path).await;
    assert_eq!(tags(&told), [json!(["v1"]), json!(["v1"])]);
}

#[tokio::test]
async fn what_a_group_pulled_is_told_to_its_members_and_to_administrators() {
    let images = images().await;
    images.report().await;
    images.pull("chief", &["fleet", "asserted"], &images.arm64, 50).await;
    let group = async |who: &str, group: &str| {
        let path = format!("/images?cve=CVE-2026-0001&pulled_by={group}");
        let told = images.get(who, &path).await;
        let found = told["images"].as_array().unwrap().clone();
        let of = |sample: &Sample| {
            let it = found.iter().find(|it| it["digest"] == sample.digest.to_string()).unwrap();
            it["group_pulled_at"].clone()
        };
        [of(&images.amd64), of(&images.arm64)]
    };
    assert_eq!(group("root", "fleet").await, [Value::Null, json!(images.at(50))]);
    assert_eq!(group("root", "empty").await, [Value::Null, Value::Null]);
    assert_eq!(group("alice", "readers").await, [Value::Null, Value::Null]);
    let path = "/images?cve=CVE-2026-0001&pulled_by=fleet";
    let refused = images.scene.get(As::User("alice"), path).await;
    insta::assert_snapshot!(refused.problem(), @"403 `pulled_by` has to be a group that you are in; administrators may name any");
    let groups = images.get("root", "/images/groups").await;
    assert_eq!(groups["groups"], json!(["asserted", "empty", "fleet", "readers"]));
    // Such as an identity provider says of her, and the policy.
    assert_eq!(images.get("alice", "/images/groups").await["groups"], json!(["ops", "readers"]));
}
