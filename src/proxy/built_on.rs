//! What gates before pushes say of what an image is built on.

use std::sync::{Arc, Mutex};

use policy::{Caller, Subject};
use tempfile::TempDir;

use super::sample_gate::{ask, gate_on};
use super::{Gate, Limits};
use crate::clock::Clock;
use crate::content::samples::{Sample, image, index, signature};
use crate::inventory::Settings;
use crate::state::sample;
use crate::upstream::fake::{Fake, Reply, Shelf};

const POLICY: &str = r#"
rules:
  - {name: ci, subjects: ["user:ci"], images: ["built/**", "base/**"], allow: [pull, push]}
gates:
  - name: built-on-ours
    images: ["built/**"]
    on: [push]
    require: {base_images: ["base/debian:12*", "base/alpine"]}
"#;

struct World {
    gate: Arc<Gate>,
    fake: Fake,
    shelf: Arc<Mutex<Shelf>>,
    _folders: [TempDir; 2],
}

fn debian() -> Sample {
    image("debian", &["debian-1", "debian-2"])
}

/// With Debian for two platforms, one of which is [`debian`]; and another one that is not to be used.
fn shelf() -> Shelf {
    let arm = image("debian-arm", &["debian-arm-1"]);
    let attestation = signature("attestation", None);
    Shelf::default()
        .tagged("base/debian", "12.5", &index(&[&debian(), &arm, &attestation]))
        .untagged("base/debian", &debian())
        .untagged("base/debian", &arm)
        .untagged("base/debian", &attestation)
        .tagged("base/debian", "11", &image("old", &["old-1"]))
        .untagged("base/debian", &image("loose", &["loose-1"]))
        .tagged("base/alpine", "3", &image("alpine", &["alpine-1"]))
        .tagged("base/alpine", "2", &image("other", &["other-1", "shared"]))
        .tagged("base/alpine", "empty", &image("empty", &[]))
}

impl World {
    async fn new(settings: Settings) -> Self {
        let shelf = Arc::new(Mutex::new(shelf()));
        let shown = Arc::clone(&shelf);
        let fake = Fake::start(move |asked| match &*asked.method {
            "PUT" => Reply::new(201, ""),
            "HEAD" if asked.target.contains("/blobs/") => Reply::new(200, ""),
            _ => shown.lock().unwrap().answer(asked),
        })
        .await;
        let (state, folder) = sample::kept(Arc::new(Clock::start()));
        let (gate, other) = gate_on(state, POLICY, fake.upstream(), Limits::default(), settings);
        Self { gate, fake, shelf, _folders: [folder, other] }
    }

    async fn push(&self, image: &Sample) -> String {
        let caller = Caller::new(Subject::User("ci".to_owned()), Vec::new());
        match ask(&self.gate, caller, "PUT built/app/manifests/v1", &image.bytes).await {
            Ok(response) => response.status().as_u16().to_string(),
            Err(refusal) => format!("{} {refusal}", refusal.status().as_u16()),
        }
    }
}

#[tokio::test]
async fn an_image_is_built_on_those_whose_layers_are_its_first() {
    for layers in [
        &["debian-1", "debian-2", "own"][..],
        &["debian-1", "debian-2"],
        &["debian-arm-1", "own"],
        &["alpine-1", "debian-1", "own"],
        &["alpine-1", "shared"],
    ] {
        // Whatever others would have taught it.
        let world = World::new(Settings::default()).await;
        assert_eq!(world.push(&image("built", layers)).await, "201", "{layers:?}");
    }
    let world = World::new(Settings::default()).await;
    let held = "403 push of built/app:v1 is denied by gate \"built-on-ours\": its first layers are \
                not those of base/debian:12* or base/alpine, as far as is known";
    for layers in [
        &[][..],
        &["own"],
        &["debian-1", "own"],
        &["debian-2", "debian-1", "own"],
        &["own", "debian-1", "debian-2"],
        // A tag that is not among them, and none at all.
        &["old-1", "own"],
        &["loose-1", "own"],
    ] {
        assert_eq!(world.push(&image("built", layers)).await, held, "{layers:?}");
    }
    let both = [image("a", &["alpine-1", "own"]), image("b", &["own"])];
    for image in &both {
        let shelf = std::mem::take(&mut *world.shelf.lock().unwrap());
        *world.shelf.lock().unwrap() = shelf.untagged("built/app", image);
    }
    let told = world.push(&index(&[&both[0], &both[1]])).await;
    assert!(told.starts_with("403 push") && told.contains("sha256:"), "{told}");
    assert_eq!(world.push(&index(&[&both[0]])).await, "201");
}

#[tokio::test]
async fn what_is_known_of_the_bases_is_not_asked_again() {
    let world = World::new(Settings::default()).await;
    let image = image("built", &["debian-1", "debian-2", "own"]);
    assert_eq!(world.push(&image).await, "201");
    let before = world.fake.lines().len();
    assert_eq!(world.push(&image).await, "201");
    let asked = world.fake.lines().split_off(before);
    assert!(!asked.iter().any(|line| line.contains("/base/")), "{asked:#?}");
}

#[tokio::test]
async fn a_base_that_cannot_be_looked_for_lets_nothing_in() {
    let settings = Settings { max_requests: 1, ..Settings::default() };
    let told = World::new(settings).await.push(&image("built", &["debian-1", "own"])).await;
    assert!(told.starts_with("503"), "{told}");
}
