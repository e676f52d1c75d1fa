//! Clients that know a digest and nothing else, at a gate that knows nothing yet.

use std::fmt::Write as _;

use crate::support::client::{Answer, Ask};
use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::gate::{Gate, Setup};
use crate::support::images::{Blob, Image, Index, sha256};
use crate::support::podman::Podman;
use crate::support::recorder::Recorder;
use crate::support::registry::Registry;

/// bob may read the releases and clean up among them; carol everything but what is under
/// development.
const POLICY: &str = r#"
rules:
  - name: releases
    subjects: [user:bob]
    images: ["team/app:rel-*"]
    allow: [pull, delete]
  - name: all-of-it
    subjects: [user:carol]
    images: ["team/app"]
    allow: [pull]
  - name: but-for-development
    subjects: [user:carol]
    images: ["team/app:dev-*"]
    deny: [pull]
"#;

/// Half of them may be read by bob.
const TAGS: usize = 1000;

/// The list of tags, and what is asked for in the end.
const A_FEW: usize = 20;

/// A registry with a large repository, and what counts the requests to it.
struct Crowd {
    _registry: Registry,
    recorder: Recorder,
    /// At one release.
    image: Image,
    /// At another.
    index: Index,
    /// At what is under development.
    denied: Image,
}

impl Crowd {
    fn new() -> Self {
        let registry = Registry::start();
        let owner = registry.client();
        let (image, index) = (Image::docker("pinned"), Index::docker("pinned index"));
        let denied = Image::docker("under development");
        owner.push("team/app", "rel-0250", &image);
        owner.push_index("team/app", "rel-0300", &index);
        owner.push("team/app", "dev-0250", &denied);
        let other = Image::oci("one of many");
        owner.push("team/app", "rel-0000", &other);
        for number in 0..TAGS / 2 {
            for group in ["rel", "dev"] {
                let tag = format!("{group}-{number:04}");
                if !["rel-0250", "rel-0300", "dev-0250"].contains(&&*tag) {
                    let mut value: serde_json::Value =
                        serde_json::from_slice(&other.manifest.bytes).unwrap();
                    value["annotations"]["org.example.tag"] = tag.as_str().into();
                    let manifest = Blob::json(&other.manifest.media_type, &value);
                    owner.put_manifest("team/app", &tag, &manifest).expect(201);
                }
            }
        }
        let recorder = Recorder::start(registry.address());
        Self { _registry: registry, recorder, image, index, denied }
    }

    /// What `act` costs at a gate that was never asked anything.
    fn cold<T>(&self, act: impl FnOnce(&Gate) -> T) -> (T, usize) {
        let gate = Setup::new(&self.recorder.url(), POLICY)
            .user("bob", &[])
            .user("carol", &[])
            .setting("inventory", "{crawl: false, freshness: 24h}")
            .start();
        let (result, seen) = self.recorder.during(|| act(&gate));
        (result, seen.len())
    }
}

#[test]
fn a_pinned_digest_is_pulled_at_the_first_try_and_costs_no_more_than_there_are_tags() {
    let crowd = Crowd::new();
    let image = format!("team/app@{}", crowd.image.digest());
    // The one for this machine, as that is what is run.
    let child = format!("team/app@{}", crowd.index.images[0].digest());
    let index = format!("team/app@{}", crowd.index.manifest.digest);
    let mut report = String::new();
    for (user, what, reference) in [
        ("bob", "an image", &image),
        ("bob", "an index", &index),
        ("bob", "a child of an index", &child),
        ("carol", "an image", &image),
        ("carol", "a child of an index", &child),
    ] {
        let docker = crowd.cold(|gate| {
            let docker = Docker::start(gate);
            docker.login(user).ok();
            docker.pull(reference).ok();
        });
        let podman = crowd.cold(|gate| drop(Podman::signed_in(gate, user).pull(reference).ok()));
        let containerd =
            crowd.cold(|gate| drop(Containerd::start(gate).pull(user, reference).ok()));
        for (client, ((), asked)) in
            [("docker", docker), ("podman", podman), ("containerd", containerd)]
        {
            writeln!(report, "{client} pulls {what} for {user}: {asked} requests").unwrap();
            assert!(asked <= TAGS + A_FEW, "{report}");
        }
    }
    // Past the harness, which keeps the output of tests that pass.
    std::io::Write::write_all(&mut std::io::stderr(), report.as_bytes()).unwrap();
}

#[test]
fn what_is_denied_costs_what_it_costs_to_find_nothing() {
    let crowd = Crowd::new();
    let never = sha256(b"never pushed");
    let layer = &crowd.denied.layers[0].digest;
    let manifest = crowd.denied.digest();
    for (user, method, kind, there) in [
        ("bob", "GET", "manifests", manifest),
        ("bob", "GET", "blobs", layer),
        ("bob", "DELETE", "manifests", manifest),
        ("carol", "GET", "manifests", manifest),
        ("carol", "GET", "blobs", layer),
        ("carol", "GET", "referrers", manifest),
    ] {
        let way = format!("{user}: {method} {kind}");
        let ask = |digest: &str| {
            let target = format!("/v2/team/app/{kind}/{digest}");
            crowd.cold(|gate| {
                [(); 2].map(|()| gate.client(user).send(method, &target, &Ask::default()))
            })
        };
        let ((denied, denied_cost), (absent, absent_cost)) = (ask(there), ask(&never));
        let shape = |answers: &[Answer; 2], digest| answers.each_ref().map(|a| a.shape(digest));
        assert_eq!(shape(&denied, there), shape(&absent, &never), "{way}");
        assert_eq!(denied[0].status, 404, "{way}");
        assert_eq!(denied_cost, absent_cost, "{way}");
        assert!(denied_cost <= TAGS + A_FEW, "{way}: {denied_cost}");
    }
}
