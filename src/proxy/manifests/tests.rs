use std::sync::{Arc, Mutex};

use http::Version;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use policy::{Caller, Subject};
use tempfile::TempDir;

use super::*;
use crate::content::samples::{Sample, blob, image, index, signature};
use crate::inventory::{Settings, Sight};
use crate::proxy::sample_gate::{self, gate};
use crate::proxy::{Gate, Limits};
use crate::refusal::Context;
use crate::upstream::fake::{Asked, Fake, Reply};

const POLICY: &str = r#"
rules:
  - {name: whole, subjects: ["user:whole"], images: ["**"], allow: [all]}
  - {name: one, subjects: ["user:one"], images: ["a/app:v1"], allow: [pull]}
  - {name: cleaner, subjects: ["user:one"], images: ["b/app:v1"], allow: [pull, delete]}
"#;

struct World {
    gate: Arc<Gate>,
    fake: Fake,
    /// Of the last answer.
    headers: Mutex<HeaderMap>,
    _folder: TempDir,
}

impl World {
    async fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let fake = Fake::start(script).await;
        let (gate, folder) = gate(POLICY, fake.upstream(), Limits::default(), Settings::default());
        Self { gate, fake, headers: Mutex::default(), _folder: folder }
    }

    /// Status and body of the answer, or the refusal. With a body it is stored.
    async fn ask(&self, who: &str, request: &str, body: &[u8]) -> String {
        let caller = Caller::new(Subject::User(who.to_owned()), Vec::new());
        let gate = &self.gate;
        let answered = sample_gate::ask(gate, caller, request, body).await;
        match answered {
            Ok(response) => {
                let status = response.status().as_u16();
                *self.headers.lock().unwrap() = response.headers().clone();
                let body = match response.into_body().collect().await {
                    Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                    Err(error) => format!("broken: {error}"),
                };
                format!("{status} {body}")
            }
            Err(refusal) => {
                let issuer = gate.authenticator.issuer();
                let (version, request_id) = (Version::HTTP_11, "r1");
                let context = Context { issuer, operation: None, version, request_id };
                *self.headers.lock().unwrap() = refusal.response(&context).headers().clone();
                format!("{} {refusal}", refusal.status().as_u16())
            }
        }
    }

    /// Whether the tag vouches for what the sample is made of.
    fn vouches(&self, tag: &str, sample: &Sample) -> bool {
        let sight = |known: &Tag| if known.as_str() == tag { Sight::Open } else { Sight::Closed };
        let layer = sample.manifest.layers[0].digest.clone();
        self.gate.inventory.is_vouched_for(&app(), &layer, sight, Timestamp::now()).unwrap()
    }
}

fn app() -> RepositoryName {
    RepositoryName::new("a/app").unwrap()
}

#[tokio::test]
async fn of_further_tags_those_count_that_the_registry_says_it_has_set() {
    let sample = image("config", &["layer"]);
    let said = Mutex::new(vec![vec![], vec!["v1"], vec!["v2, v3", "no:tag", "other"]]);
    let world = World::new(move |asked| match asked.method.as_str() {
        // It is asked twice of a request with a body: before that is read, and then.
        "PUT" if !asked.body.is_empty() => said
            .lock()
            .unwrap()
            .remove(0)
            .into_iter()
            .fold(Reply::new(201, ""), |reply, tags| reply.with("oci-tag", tags)),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let target = format!("PUT a/app/manifests/{}?tag=v1&tag=v2&tag=v3", sample.digest);
    let mut told = Vec::new();
    for _ in 0..3 {
        assert_eq!(world.ask("whole", &target, &sample.bytes).await, "201 ");
        told.push(["v1", "v2", "v3", "other"].map(|tag| world.vouches(tag, &sample)));
    }
    assert_eq!(
        told,
        [[false, false, false, false], [true, false, false, false], [true, true, true, false],]
    );
    let sent = world.fake.asked();
    let target = format!("/v2/a/app/manifests/{}?tag=v1&tag=v2&tag=v3", sample.digest);
    assert!(sent.iter().all(|asked| asked.target == target && asked.body == sample.bytes));
}

#[tokio::test]
async fn a_manifest_that_does_not_come_as_a_whole_is_not_passed_on() {
    let (sample, artifact) = (image("config", &["layer"]), signature("it", None));
    let tag = format!("sha256-{}.sig", sample.digest.to_string().replace("sha256:", ""));
    for status in [201, 202, 203, 204, 206] {
        let (shown, late) = (sample.clone(), Arc::new(Mutex::new(200)));
        let now = Arc::clone(&late);
        let world = World::new(move |asked| {
            let whole = Reply::manifest(&shown);
            match *now.lock().unwrap() {
                200 => whole,
                _ if asked.method == "HEAD" && status != 204 => {
                    Reply::new(status, "").with("docker-content-digest", &shown.digest)
                }
                _ => {
                    Reply::new(status, if status == 204 { Vec::new() } else { shown.bytes.clone() })
                }
            }
        })
        .await;
        assert!(world.ask("one", "GET a/app/manifests/v1", b"").await.starts_with("200 "));
        *late.lock().unwrap() = status;
        for reference in ["v1".to_owned(), sample.digest.to_string(), tag.clone()] {
            for method in ["GET", "HEAD"] {
                let request = format!("{method} a/app/manifests/{reference}");
                let told = world.ask("one", &request, b"").await;
                assert!(told.starts_with("502 "), "{status}: {request}: {told}");
            }
        }
    }
    // As it is, what stands there is shown if it is an artifact, and no image, nor a list of nothing;
    // and by its digest it is shown or not as by its tag.
    let other = image("config", &["secret"]);
    for (stands, is_shown) in [(artifact, true), (other, false), (index(&[]), false)] {
        let (about, fallback) = (sample.clone(), tag.clone());
        let references = [tag.clone(), stands.digest.to_string()];
        let names = references.clone();
        let world = World::new(move |asked| {
            if asked.target.contains("/tags/list") {
                return Reply::new(200, format!(r#"{{"tags":["v1","{fallback}"]}}"#));
            }
            match names.iter().any(|name| asked.target.ends_with(name)) {
                true => Reply::manifest(&stands),
                false => Reply::manifest(&about),
            }
        })
        .await;
        world.ask("one", "GET a/app/manifests/v1", b"").await;
        for reference in references {
            let told = world.ask("one", &format!("GET a/app/manifests/{reference}"), b"").await;
            assert!(told.starts_with(if is_shown { "200 " } else { "404 " }), "{told}");
        }
    }
}

#[tokio::test]
async fn other_bytes_than_were_asked_for_are_not_passed_on() {
    let (sample, other) = (image("config", &["layer"]), image("config", &["secret"]));
    let lie = other.bytes.clone();
    let (named, told) = (sample.digest.clone(), sample.digest.to_string());
    let world = World::new(move |_| {
        Reply::new(200, lie.clone())
            .with("content-type", "application/vnd.oci.image.manifest.v1+json")
            .with("docker-content-digest", &named)
    })
    .await;
    let asked = [
        "GET a/app/manifests/v1".to_owned(),
        format!("GET a/app/manifests/{told}"),
        format!("HEAD a/app/manifests/{}", blob("another manifest")),
    ];
    for request in asked {
        assert!(world.ask("whole", &request, b"").await.starts_with("502 "), "{request}");
        assert!(!world.vouches("v1", &other), "nothing is learned from a lie");
    }
    // The registry is asked for it, and lies again.
    let request = format!("GET a/app/blobs/{}", blob("secret"));
    assert!(world.ask("one", &request, b"").await.starts_with("502 "));
}

#[tokio::test]
async fn a_digest_that_is_not_there_is_deleted_as_one_that_may_not_be_seen() {
    let world = World::new(|asked| match asked.target.as_str() {
        "/v2/b/app/tags/list" => Reply::new(200, r#"{"tags":["secret"]}"#),
        target if target.ends_with("/secret") => {
            Reply::new(200, "").with("docker-content-digest", blob("secret"))
        }
        _ => Reply::new(404, r#"{"errors":[{"code":"MANIFEST_UNKNOWN","detail":"revision"}]}"#),
    })
    .await;
    let mut told = Vec::new();
    for (who, digest) in [("one", "secret"), ("one", "absent"), ("whole", "absent")] {
        let request = format!("DELETE b/app/manifests/{}", blob(digest));
        let answer = world.ask(who, &request, b"").await;
        assert!(answer.starts_with("404 ") && answer.contains("manifest unknown"), "{answer}");
        told.push(world.headers.lock().unwrap().clone());
    }
    assert!(told.iter().all(|headers| *headers == told[0]), "{told:?}");
}
