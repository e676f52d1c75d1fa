//! What gates hold back, by every address.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use oci::{Digest, RepositoryName};
use policy::{Caller, Subject};
use reports::{Format, Scanner};
use tempfile::TempDir;

use super::sample_gate::{ask, gate_on};
use super::{Gate, Limits};
use crate::clock::Clock;
use crate::content::samples::{Sample, blob, image, index, made_of_layer, signature};
use crate::inventory::Settings;
use crate::release::{Exception, ExceptionId, Flag, KeptReport};
use crate::state::{State, sample};
use crate::upstream::fake::{Asked, Fake, Reply, Shelf};

const POLICY: &str = r#"
flags: {tested: {}, passed: {carries: ["prod/**", "dev/**"]}}
rules:
  - {name: clusters, subjects: ["user:cluster"], images: ["prod/**", "young/**"], allow: [pull]}
  - {name: tags, subjects: ["user:tags"], images: ["prod/api:v*"], allow: [pull]}
  - {name: qa, subjects: ["user:qa"], images: ["prod/**"], allow: [inspect, pull]}
  - {name: qa-of-one, subjects: ["user:qa-of-one"], images: ["prod/api:v1"], allow: [inspect, pull]}
  - {name: cleaner, subjects: ["user:cleaner"], images: ["prod/**"], allow: [pull, delete]}
  - {name: ci, subjects: ["user:ci"], images: ["prod/**", "dev/**", "shut/**"], allow: [pull, push]}
gates:
  - name: production
    images: ["prod/**"]
    except: {images: ["prod/**:dev*"]}
    require: {flags: [tested]}
  - name: scanned
    images: ["prod/scanned"]
    require: {vulnerabilities: {max_severity: medium}}
  - name: recent
    images: ["young/**"]
    require: {max_age: 30d}
  - name: arrivals
    images: ["shut/**"]
    on: [push]
    require: {flags: [passed]}
"#;

struct World {
    gate: Arc<Gate>,
    state: Arc<State>,
    fake: Fake,
    _folders: [TempDir; 2],
}

/// Two images in an index, with a signature of one of them; and an image of its own.
struct Content {
    amd: Sample,
    arm: Sample,
    multi: Sample,
    signature: Sample,
    two: Sample,
}

fn content() -> Content {
    let (amd, arm) = (image("amd", &["base", "amd-layer"]), image("arm", &["base", "arm-layer"]));
    let attestation = signature("attestation", None);
    let multi = index(&[&amd, &arm, &attestation]);
    let signature = signature("signed", Some(&amd.digest));
    Content { multi, signature, two: image("two", &["two-layer"]), amd, arm }
}

impl Content {
    fn shelf(&self) -> Shelf {
        let attestation = signature("attestation", None);
        ["prod/api", "prod/scanned", "prod/new"].into_iter().fold(
            Shelf::default(),
            |shelf, name| {
                shelf
                    .tagged(name, "v1", &self.multi)
                    .untagged(name, &self.amd)
                    .untagged(name, &self.arm)
                    .untagged(name, &attestation)
                    .untagged(name, &self.signature)
                    .tagged(name, "v2", &self.two)
            },
        )
    }
}

impl World {
    async fn new(shelf: Shelf) -> Self {
        let fake = Fake::start(move |asked| answer(&shelf, asked)).await;
        let (state, folder) = sample::kept(Arc::new(Clock::start()));
        let (gate, other) = gate_on(
            Arc::clone(&state),
            POLICY,
            fake.upstream(),
            Limits::default(),
            Settings::default(),
        );
        Self { gate, state, fake, _folders: [folder, other] }
    }

    /// Status of the answer, or the refusal.
    async fn ask(&self, who: &str, request: &str) -> String {
        self.send(who, request, b"").await
    }

    async fn send(&self, who: &str, request: &str, body: &[u8]) -> String {
        let caller = Caller::new(Subject::User(who.to_owned()), Vec::new());
        match ask(&self.gate, caller, request, body).await {
            Ok(response) => {
                let status = response.status().as_u16();
                response.into_body().collect().await.unwrap();
                status.to_string()
            }
            Err(refusal) => format!("{} {refusal}", refusal.status().as_u16()),
        }
    }

    async fn flag(&self, repository: &str, digest: &Digest, name: &str) {
        let flag = flag(repository, digest, name);
        self.state.ask(|store| async move { store.set_flag(&flag).await }).await.unwrap();
        self.state.look().await.unwrap();
    }
}

/// As a registry that has every blob.
fn answer(shelf: &Shelf, asked: &Asked) -> Reply {
    if asked.target.contains("/blobs/") && matches!(&*asked.method, "GET" | "HEAD") {
        return Reply::new(200, "content");
    }
    match &*asked.method {
        "PUT" | "POST" => Reply::new(201, "").with("location", &asked.target),
        "DELETE" => Reply::new(202, ""),
        _ => shelf.answer(asked),
    }
}

fn flag(repository: &str, digest: &Digest, name: &str) -> Flag {
    Flag {
        repository: RepositoryName::new(repository).unwrap(),
        digest: digest.clone(),
        name: name.to_owned(),
        by: Subject::Service("ci".to_owned()),
        from: None,
        at: Timestamp::now(),
        reason: None,
        link: None,
        expires_at: None,
    }
}

/// Everything of `v1` in `prod/api`, with what each request is.
fn addresses(content: &Content) -> Vec<String> {
    let blobs = ["base", "amd-layer", "amd"].map(|name| format!("prod/api/blobs/{}", blob(name)));
    let manifests = [&content.multi.digest, &content.amd.digest, &content.arm.digest]
        .map(|digest| format!("prod/api/manifests/{digest}"));
    let tag = "prod/api/manifests/v1".to_owned();
    [tag].into_iter().chain(manifests).chain(blobs).collect()
}

#[tokio::test]
async fn what_is_not_flagged_is_held_by_every_address_until_it_is() {
    let content = content();
    let world = World::new(content.shelf()).await;
    for who in ["cluster", "tags"] {
        for address in addresses(&content) {
            let told = world.ask(who, &format!("GET {address}")).await;
            assert!(told.starts_with("403 pull of prod/api"), "{who} {address}: {told}");
            let expected = "is denied by gate \"production\": it is not flagged tested";
            assert!(told.contains(expected), "{who} {address}: {told}");
            let told = world.ask(who, &format!("HEAD {address}")).await;
            let expected =
                if address.contains("/blobs/") { "404 blob unknown" } else { "403 pull" };
            assert!(told.starts_with(expected), "{who} {address}: {told}");
        }
    }
    world.flag("prod/api", &content.multi.digest, "tested").await;
    for who in ["cluster", "tags"] {
        for address in addresses(&content) {
            for method in ["GET", "HEAD"] {
                let told = world.ask(who, &format!("{method} {address}")).await;
                assert_eq!(told, "200", "{who} {method} {address}");
            }
        }
    }
    // What was not flagged with it stays held.
    let two = format!("GET prod/api/manifests/{}", content.two.digest);
    for request in ["GET prod/api/manifests/v2", &two] {
        assert!(world.ask("cluster", request).await.starts_with("403 pull"), "{request}");
    }
}

#[tokio::test]
async fn what_names_an_image_and_is_no_index_flags_nothing_for_it() {
    let content = content();
    let world = World::new(content.shelf()).await;
    let repository = RepositoryName::new("prod/api").unwrap();
    let other = made_of_layer(&content.two.digest);
    world.gate.inventory.saw_manifest(&repository, &other.digest, &other.manifest);
    world.flag("prod/api", &other.digest, "tested").await;
    let told = world.ask("cluster", "GET prod/api/manifests/v2").await;
    assert!(told.starts_with("403"), "{told}");
}

#[tokio::test]
async fn the_denial_names_the_gate_in_its_whole() {
    let world = World::new(content().shelf()).await;
    insta::assert_snapshot!(
        world.ask("cluster", "GET prod/api/manifests/v2").await,
        @r#"403 pull of prod/api:v2 is denied by gate "production": it is not flagged tested"#
    );
}

#[tokio::test]
async fn whoever_inspects_and_whoever_deletes_is_not_held_back() {
    let content = content();
    let world = World::new(content.shelf()).await;
    for address in addresses(&content) {
        assert_eq!(world.ask("qa", &format!("GET {address}")).await, "200", "{address}");
        let told = world.ask("qa-of-one", &format!("GET {address}")).await;
        assert_eq!(told, "200", "{address}");
        let told = world.ask("cleaner", &format!("GET {address}")).await;
        let expected = if address.contains("/blobs/") { "403" } else { "200" };
        assert!(told.starts_with(expected), "{address}: {told}");
    }
    let told = world.ask("cleaner", "DELETE prod/api/manifests/v2").await;
    assert_eq!(told, "202");
}

#[tokio::test]
async fn a_push_goes_on_and_its_content_stays_held() {
    let content = content();
    let world = World::new(content.shelf()).await;
    let pushed = image("pushed", &["pushed-layer"]);
    for part in ["pushed", "pushed-layer"] {
        let told = world.ask("ci", &format!("HEAD prod/new/blobs/{}", blob(part))).await;
        assert_eq!(told, "200");
    }
    for (request, body) in [
        ("HEAD prod/new/manifests/v1".to_owned(), &b""[..]),
        (format!("HEAD prod/new/manifests/{}", content.two.digest), b""),
        ("PUT prod/new/manifests/v3".to_owned(), &pushed.bytes),
    ] {
        let told = world.send("ci", &request, body).await;
        assert!(["200", "201"].contains(&&*told), "{request}: {told}");
    }
    let told = world.ask("ci", &format!("GET prod/new/manifests/{}", content.two.digest)).await;
    assert!(told.starts_with("403"), "{told}");
}

#[tokio::test]
async fn a_tag_that_no_gate_stands_before_lets_its_content_through() {
    let content = content();
    let shelf = content.shelf().tagged("prod/api", "dev-1", &content.two);
    let world = World::new(shelf).await;
    let digest = format!("GET prod/api/manifests/{}", content.two.digest);
    let layer = format!("GET prod/api/blobs/{}", blob("two-layer"));
    for request in ["GET prod/api/manifests/dev-1", &digest, &layer] {
        assert_eq!(world.ask("cluster", request).await, "200", "{request}");
    }
    for request in ["GET prod/api/manifests/v2", &digest, &layer] {
        assert!(world.ask("tags", request).await.starts_with("403"), "{request}");
    }
}

#[tokio::test]
async fn signatures_are_exempt_by_content_and_images_in_their_place_are_not() {
    let content = content();
    let hex = content.amd.digest.to_string().replace(':', "-");
    let place = format!("{hex}.sig");
    let signed = content.shelf().tagged("prod/api", &place, &content.signature);
    let world = World::new(signed).await;
    let by_digest = format!("GET prod/api/manifests/{}", content.signature.digest);
    for request in [format!("GET prod/api/manifests/{place}"), by_digest] {
        assert_eq!(world.ask("cluster", &request).await, "200", "{request}");
    }
    let layer = format!("GET prod/api/blobs/{}", blob("signed"));
    assert_eq!(world.ask("cluster", &layer).await, "200");
    let hidden = content.shelf().tagged("prod/api", &place, &content.two);
    let world = World::new(hidden).await;
    let told = world.ask("cluster", &format!("GET prod/api/manifests/{place}")).await;
    assert!(told.starts_with("403"), "{told}");
}

#[tokio::test]
async fn the_source_of_a_mount_is_judged() {
    let content = content();
    let world = World::new(content.shelf()).await;
    let layer = blob("two-layer");
    let mount = format!("POST dev/api/blobs/uploads/?mount={layer}&from=prod/api");
    world.ask("ci", &mount).await;
    assert!(!world.fake.lines().iter().any(|line| line.contains("mount=")), "dropped");
    world.flag("prod/api", &content.two.digest, "tested").await;
    world.ask("ci", &mount).await;
    assert!(world.fake.lines().iter().any(|line| line.contains("mount=")));
}

#[tokio::test]
async fn a_gate_before_pushes_judges_what_is_known_of_the_digest() {
    let world = World::new(content().shelf()).await;
    let image = image("arriving", &["arriving-layer"]);
    let put = "PUT shut/app/manifests/v1";
    assert_eq!(
        world.send("ci", put, &image.bytes).await,
        "403 push of shut/app:v1 is denied by gate \"arrivals\": it is not flagged passed"
    );
    assert!(!world.fake.lines().iter().any(|line| line.starts_with("PUT")));
    // By its digest it may come, as no tag is set.
    let untagged = format!("PUT shut/app/manifests/{}", image.digest);
    assert_eq!(world.send("ci", &untagged, &image.bytes).await, "201");
    world.flag("shut/app", &image.digest, "passed").await;
    assert_eq!(world.send("ci", put, &image.bytes).await, "201");
}

#[tokio::test]
async fn an_exception_lets_through_until_it_ends_and_here_alone() {
    let content = content();
    let world = World::new(content.shelf()).await;
    let now = world.gate.clock.now();
    let exception = |repository: &str, ends: SignedDuration, at: u8| Exception {
        id: ExceptionId::of_random([at; 16]),
        gate: "production".to_owned(),
        repository: RepositoryName::new(repository).unwrap(),
        image: format!("{repository}:v2"),
        digests: vec![content.two.digest.clone()],
        by: Subject::User("root".to_owned()),
        at: now,
        expires_at: now + ends,
        reason: "incident 311".to_owned(),
        removed: None,
    };
    let request = "GET prod/api/manifests/v2";
    for (exception, expected) in [
        (exception("prod/new", SignedDuration::from_hours(1), 1), "403"),
        (exception("prod/api", SignedDuration::from_millis(-1), 2), "403"),
        (exception("prod/api", SignedDuration::from_hours(1), 3), "200"),
    ] {
        let add = |store: Arc<dyn crate::store::Store>| async move {
            store.add_exception(&exception).await
        };
        world.state.ask(add).await.unwrap();
        world.state.look().await.unwrap();
        let told = world.ask("cluster", request).await;
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn a_report_lets_through_at_the_next_pull() {
    let content = content();
    let world = World::new(content.shelf()).await;
    let request = "GET prod/scanned/manifests/v2";
    world.flag("prod/scanned", &content.two.digest, "tested").await;
    assert_eq!(
        world.ask("cluster", request).await,
        "403 pull of prod/scanned:v2 is denied by gate \"scanned\": it was never scanned"
    );
    let now = world.gate.clock.now();
    let report = KeptReport {
        repository: RepositoryName::new("prod/scanned").unwrap(),
        digest: content.two.digest.clone(),
        uploader: Subject::Service("scanner".to_owned()),
        uploader_groups: Vec::new(),
        format: Format::Trivy,
        scanner: Scanner { name: "Trivy".to_owned(), version: None, database: None },
        made_at: now,
        received_at: now,
        recognized: true,
        findings: Vec::new(),
    };
    let keep =
        |store: Arc<dyn crate::store::Store>| async move { store.keep_report(&report).await };
    assert!(world.state.ask(keep).await.unwrap());
    world.state.look().await.unwrap();
    assert_eq!(world.ask("cluster", request).await, "200");
}

#[tokio::test]
async fn what_the_state_does_not_know_yet_is_seen_first_when_it_is_judged() {
    let content = content();
    let world = World::new(Shelf::default().tagged("young/api", "v1", &content.two)).await;
    assert_eq!(world.ask("cluster", "GET young/api/manifests/v1").await, "200");
    let digest = content.two.digest;
    let kept = world.state.ask(|store| async move { store.kept_of(&digest).await });
    let seen = kept.await.unwrap().first_seen.unwrap();
    assert!(seen <= world.gate.clock.now());
    assert_eq!(world.ask("cluster", "HEAD young/api/manifests/v1").await, "200");
}

#[tokio::test]
async fn a_pull_that_passes_costs_the_upstream_one_request_for_each_of_its_own() {
    let content = content();
    let world = World::new(content.shelf()).await;
    world.flag("prod/api", &content.two.digest, "tested").await;
    let before = world.fake.lines().len();
    let digest = format!("GET prod/api/manifests/{}", content.two.digest);
    let layer = format!("GET prod/api/blobs/{}", blob("two-layer"));
    for request in ["HEAD prod/api/manifests/v2", "GET prod/api/manifests/v2", &digest, &layer] {
        assert_eq!(world.ask("cluster", request).await, "200", "{request}");
    }
    // What stands behind a HEAD is looked at once.
    assert_eq!(world.fake.lines().len() - before, 5);
}

#[tokio::test]
async fn where_the_state_does_not_answer_nothing_passes_a_gate() {
    let content = content();
    let fake = {
        let shelf = content.shelf();
        Fake::start(move |asked| answer(&shelf, asked)).await
    };
    let state = sample::absent_for(Duration::ZERO, Duration::from_secs(3600));
    let (gate, _folder) =
        gate_on(state, POLICY, fake.upstream(), Limits::default(), Settings::default());
    for request in ["GET prod/api/manifests/v2", "HEAD prod/api/manifests/v2"] {
        let caller = Caller::new(Subject::User("cluster".to_owned()), Vec::new());
        let refusal = ask(&gate, caller, request, b"").await.err().unwrap();
        assert_eq!(refusal.status().as_u16(), 503, "{request}: {refusal}");
    }
}
