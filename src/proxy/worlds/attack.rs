//! Somebody who may push some tags of a repository, and tries to read others.
//!
//! It knows every digest and no denied byte. Whatever it does, it can read afterwards what it could
//! read before, and what it sent itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use oci::Digest;

use super::content::{BlobName, Library, Made, Recipe, What, blob_digest};
use super::generate::Person;
use super::history::{delete, manifest, put};
use super::random::Random;
use super::registry::{Manners, Registry};
use super::scene::{Answer, Ask, Scene};
use super::{Accept, number};
use crate::inventory::Settings;

const HERE: &str = "a/app";
const HOME: &str = "home/mallory";

/// What the attacker may do. In all of these `prod` and `v1` are denied to it.
const RIGHTS: [&str; 6] = [
    r#"[{images: ["a/app:dev-*"], allow: [pull, push]}]"#,
    r#"[{images: ["a/app:dev-*"], allow: [push]}]"#,
    r#"[{images: ["a/app:dev-*"], allow: [pull, push, attach, delete]}]"#,
    r#"[{images: ["a/app:dev-*", "a/app:sha256-*"], allow: [pull, push]}]"#,
    r#"[{images: ["a/app:*"], allow: [all]}, {images: ["a/app:{prod,v1}"], deny: [all]}]"#,
    r#"[{images: ["a/app"], allow: [all]}, {images: ["a/app:{prod,v1}"], deny: [all]}]"#,
];

fn policy(rights: &str) -> String {
    let mut text = r#"rules:
  - {name: root, subjects: ["user:root"], images: ["**"], allow: [all]}
  - {name: home, subjects: ["user:mallory"], images: ["home/mallory"], allow: [all]}
"#
    .to_owned();
    let rules = rights.trim_matches(['[', ']']).split("}, {");
    for (place, rule) in rules.enumerate() {
        let rule = rule.trim_matches(['{', '}']);
        let rule = format!("name: m{place}, subjects: [\"user:mallory\"], {rule}");
        writeln!(text, "  - {{{rule}}}").unwrap();
    }
    text
}

/// A registry with an image and an index under denied tags, a signature of each, and an image that
/// shares a layer with them under `dev-0`.
fn registry(random: &mut Random) -> Registry {
    let image = |config, layers: &[BlobName], subject| Recipe {
        what: What::Image { config, layers: layers.to_vec() },
        docker: false,
        sha512: false,
        subject,
    };
    let of = |what, subject| Recipe { what, docker: false, sha512: false, subject };
    let signature = |part| What::Artifact {
        config: None,
        parts: vec![part],
        artifact_type: "application/vnd.example.signature",
    };
    let recipes = [
        image(20, &[1, 2], None),
        image(21, &[2, 3], None),
        of(What::Index { children: vec![0, 1] }, None),
        of(signature(40), Some(0)),
        of(signature(41), Some(3)),
        of(signature(42), None),
        image(25, &[4, 5], None),
        image(26, &[1, 6], None),
        of(signature(43), Some(7)),
    ];
    let library = Library::of(&recipes.into_iter().enumerate().collect());
    let manners = Manners {
        referrers: random.chance(50),
        filters: true,
        page: None,
        unsorted: false,
        converts: random.chance(30),
        mixes: random.chance(50),
    };
    let digest = |name| library.named(name).map(|made| made.digest.clone()).unwrap();
    let contents: Vec<Digest> = (0..9).map(digest).collect();
    let mut registry = Registry::new(library, manners);
    let cosign = |at: &Digest| at.to_string().replace(':', "-") + ".sig";
    for (place, tag) in [
        (2, "v1".to_owned()),
        (6, "prod".to_owned()),
        (7, "dev-0".to_owned()),
        (5, cosign(&contents[0])),
    ] {
        registry.put(HERE, &contents[place], &[tag]);
    }
    for untagged in [3, 4, 8] {
        registry.put(HERE, &contents[untagged], &[]);
    }
    registry
}

struct Attack<'s> {
    scene: &'s mut Scene,
    mallory: Person,
    /// All that there was before.
    there: Vec<Digest>,
    /// What the attacker sent itself.
    sent: BTreeSet<Digest>,
    /// What it did, so that it can be told.
    done: Vec<String>,
}

impl Attack<'_> {
    async fn ask(&mut self, ask: &Ask) -> Answer {
        let answer = self.scene.ask(&self.mallory, ask).await;
        self.done.push(format!("{} {} {}", ask.method, ask.target, answer.status));
        answer
    }

    /// Somebody reads all that there is, and so shows it to the gate.
    async fn teach(&mut self) {
        let all = self.scene.registry.lock().unwrap().repositories.clone();
        for (name, held) in all {
            let digests = held.manifests.iter().map(ToString::to_string);
            for reference in held.tags.keys().cloned().chain(digests) {
                let ask = manifest("GET", &name, &reference, Accept::All);
                self.scene.ask(&Person::root(), &ask).await;
            }
        }
    }

    /// All of what was there that the attacker can read, by one address of each or another.
    async fn readable(&mut self, random: &mut Random) -> BTreeSet<Digest> {
        let mut readable = BTreeSet::new();
        for digest in self.there.clone() {
            for (repository, kind) in
                [(HERE, "manifests"), (HERE, "blobs"), (HOME, "manifests"), (HOME, "blobs")]
            {
                let method = random.pick(&["GET", "GET", "HEAD"]);
                let range = random.chance(30).then(|| ("range", "bytes=2-5".to_owned()));
                let target = format!("/v2/{repository}/{kind}/{digest}");
                let headers = range.into_iter().collect();
                let ask = Ask { method, target, headers, body: Vec::new() };
                if self.scene.ask(&self.mallory, &ask).await.status < 300 {
                    readable.insert(digest.clone());
                }
            }
        }
        let tags = self.scene.registry.lock().unwrap().repositories[HERE].tags.clone();
        for tag in tags.keys() {
            for method in ["GET", "HEAD"] {
                let ask = manifest(method, HERE, tag, Accept::All);
                let answer = self.scene.ask(&self.mallory, &ask).await;
                let named = answer.header("docker-content-digest");
                // Whoever may move a tag may see by `HEAD` what it points at.
                if let (200, "GET", Some(named)) = (answer.status, method, named) {
                    readable.insert(Digest::new(named).unwrap());
                }
            }
        }
        readable
    }

    /// One thing that an attacker may try.
    async fn try_something(&mut self, random: &mut Random) {
        let (manifests, blobs) = {
            let registry = self.scene.registry.lock().unwrap();
            let manifests: Vec<Made> = registry.library.manifests.values().cloned().collect();
            (manifests, [1, 2, 3, 4, 5, 6, 20, 21, 25, 26, 40, 41, 42, 43, 60, 61])
        };
        let repository = random.pick(&[HERE, HERE, HERE, HOME]);
        let target = random.pick(&manifests);
        let reference = match random.below(4) {
            0 => random.pick(&["dev-0", "dev-1", "prod", "v1"]).to_owned(),
            1 => target.digest.to_string(),
            _ => fallback(random, &target.digest),
        };
        match random.below(100) {
            0..15 => {
                let blob = random.pick(&[60, 61, 60, 0]);
                let (digest, body) = {
                    let mut registry = self.scene.registry.lock().unwrap();
                    let digest = registry.library.blob(blob);
                    let body = registry.library.blobs[&digest].clone();
                    (digest, body)
                };
                let target = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
                let answer =
                    self.ask(&Ask { method: "POST", target, body, ..Ask::default() }).await;
                if answer.status == 201 {
                    self.sent.insert(digest);
                }
            }
            15..25 => {
                let from = random.pick(&[HERE, HOME]);
                let digest = blob_digest(random.pick(&blobs));
                let target = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
                self.ask(&Ask { method: "POST", target, ..Ask::default() }).await;
            }
            25..30 => drop(self.ask(&delete(repository, &reference)).await),
            30..40 => {
                drop(self.ask(&manifest("GET", repository, &reference, Accept::All)).await);
            }
            _ => self.push(random, repository, &manifests, &blobs).await,
        }
    }

    /// Writes a manifest that names whatever it likes.
    async fn push(
        &mut self,
        random: &mut Random,
        repository: &'static str,
        manifests: &[Made],
        blobs: &[BlobName],
    ) {
        let own = [0, 60, 61, 1, 6, 26];
        let blob = |random: &mut Random| match random.chance(70) {
            true => random.pick(&own),
            false => random.pick(blobs),
        };
        let (first, second) = (blob(random), blob(random));
        let what = match random.below(3) {
            0 => What::Image { config: first, layers: vec![second] },
            1 => What::Artifact {
                config: random.chance(50).then_some(first),
                parts: vec![second],
                artifact_type: "application/vnd.example.sbom",
            },
            _ => What::Index { children: Vec::new() },
        };
        let children = match (&what, random.chance(10)) {
            (What::Index { .. }, false) => random.some(manifests, 2),
            _ => Vec::new(),
        };
        let subject = random.chance(40).then(|| random.pick(manifests));
        let recipe = Recipe { what, docker: false, sha512: random.chance(5), subject: None };
        let made = {
            let mut registry = self.scene.registry.lock().unwrap();
            let known = registry.library.blobs.clone();
            let subject = subject.as_ref().map(|made| (made.media_type, &made.digest));
            let digest = registry.library.write(&recipe, &children, subject);
            // Writing it down made no blob that is not there.
            registry.library.blobs.extend(known);
            registry.library.manifests[&digest].clone()
        };
        if random.chance(15) {
            return self.upload(repository, &made).await;
        }
        let tags = match random.below(10) {
            0..4 => vec![random.pick(&["dev-1", "dev-2"]).to_owned()],
            4 => vec!["dev-1".to_owned(), random.pick(&["prod", "v1", "dev-3"]).to_owned()],
            5 => vec![random.pick(&["prod", "v1"]).to_owned()],
            6..8 => {
                let about = random.pick(manifests);
                vec![fallback(random, &about.digest)]
            }
            _ => Vec::new(),
        };
        let answer = self.ask(&put(repository, &made, &tags)).await;
        if answer.status == 201 {
            self.sent.insert(made.digest);
        }
    }
}

impl Attack<'_> {
    /// Sends a manifest as a blob, which nobody reads, and asks for it as what it is.
    async fn upload(&mut self, repository: &'static str, made: &Made) {
        let target = format!("/v2/{repository}/blobs/uploads/?digest={}", made.digest);
        let body = made.bytes.clone();
        let answer = self.ask(&Ask { method: "POST", target, body, ..Ask::default() }).await;
        if answer.status == 201 {
            self.sent.insert(made.digest.clone());
            let reference = made.digest.to_string();
            self.ask(&manifest("GET", repository, &reference, Accept::All)).await;
        }
    }
}

fn fallback(random: &mut Random, about: &Digest) -> String {
    let ending = random.pick(&["", ".sig", ".att", ".sbom"]);
    let hex = about.to_string().replacen(':', "-", 1);
    format!("{}{ending}", &hex[..hex.len().min(71)])
}

/// One attack; what it won, told.
async fn attack(scene: &mut Scene, seed: u64) -> Option<String> {
    let mut random = Random::new(seed);
    let rights = random.pick(&RIGHTS);
    let registry = registry(&mut random);
    let library = &registry.library;
    let there: Vec<Digest> =
        library.manifests.keys().chain(library.blobs.keys()).cloned().collect();
    scene.set(registry, &policy(rights));
    let settings = || Settings { crawl: false, ..Settings::default() };
    scene.fresh(settings());
    let mallory = Person::new("user:mallory");
    let mut attack = Attack { scene, mallory, there, sent: BTreeSet::new(), done: Vec::new() };
    attack.teach().await;
    let before = attack.readable(&mut random).await;
    for _ in 0..random.between(5, 40) {
        attack.try_something(&mut random).await;
    }
    for when in ["at once", "when all was read", "after a restart"] {
        match when {
            "when all was read" => attack.teach().await,
            "after a restart" => {
                attack.scene.fresh(settings());
                attack.teach().await;
            }
            _ => {}
        }
        let after = attack.readable(&mut random).await;
        let won: Vec<&Digest> = after
            .difference(&before)
            .filter(|digest| !attack.sent.contains(*digest) && attack.there.contains(*digest))
            .collect();
        if !won.is_empty() {
            let registry = attack.scene.registry.lock().unwrap();
            let told = format!(
                "attack {seed} {when}, with {rights}:\n{}\nwon {won:?}",
                attack.done.join("\n")
            );
            return Some(registry.library.call(&told));
        }
    }
    None
}

/// The same bytes are a blob to the gate and a manifest to such a registry: what they name was never
/// judged, and must not be opened by them.
#[tokio::test]
async fn a_manifest_that_was_sent_as_a_blob_opens_nothing() {
    let mut scene = Scene::new().await;
    let image = |layers| What::Image { config: 60, layers };
    let artifact = |parts| What::Artifact {
        config: None,
        parts,
        artifact_type: "application/vnd.example.sbom",
    };
    // Blob 5 is of `prod` alone; 7 is the image of `dev-0`.
    for (what, about, around) in [
        (artifact(vec![5]), Some(7), None),
        (artifact(vec![5]), None, Some(What::Index { children: Vec::new() })),
        (image(vec![5]), None, Some(What::Index { children: Vec::new() })),
        (image(vec![5]), None, Some(image(Vec::new()))),
    ] {
        for is_taught in [true, false] {
            let mut registry = registry(&mut Random::new(1));
            registry.manners = Manners { mixes: true, converts: false, ..registry.manners };
            let recipe = |what| Recipe { what, docker: false, sha512: false, subject: about };
            let sent = registry.library.make(&recipe(what.clone()));
            let sent = registry.library.manifests[&sent].clone();
            let around = around.clone().map(|around| match around {
                What::Index { .. } => {
                    let children = std::slice::from_ref(&sent);
                    registry.library.write(&recipe(around), children, None)
                }
                _ => registry.library.around(&sent),
            });
            let around = around.map(|around| registry.library.manifests[&around].clone());
            let bytes = registry.library.blob(60);
            scene.set(registry, &policy(RIGHTS[0]));
            scene.fresh(Settings { crawl: false, ..Settings::default() });
            let mallory = Person::new("user:mallory");
            let mut attack = Attack {
                scene: &mut scene,
                mallory,
                there: Vec::new(),
                sent: BTreeSet::new(),
                done: Vec::new(),
            };
            if is_taught {
                attack.teach().await;
            }
            let own = attack.scene.registry.lock().unwrap().library.blobs[&bytes].clone();
            let target = format!("/v2/{HERE}/blobs/uploads/?digest={bytes}");
            attack.ask(&Ask { method: "POST", target, body: own, ..Ask::default() }).await;
            attack.upload(HERE, &sent).await;
            if let Some(around) = &around {
                attack.ask(&put(HERE, around, &["dev-1".to_owned()])).await;
                attack.ask(&manifest("GET", HERE, "dev-1", Accept::All)).await;
            }
            let target = format!("/v2/{HERE}/blobs/{}", blob_digest(5));
            let won = attack.ask(&Ask { method: "GET", target, ..Ask::default() }).await;
            let done = attack.done.join("\n");
            let told = attack.scene.registry.lock().unwrap().library.call(&done);
            assert_eq!(won.status, 404, "{told}");
        }
    }
}

#[tokio::test]
async fn whoever_pushes_some_tags_reads_no_others() {
    let count = number("PORTCULLIS_PROPERTY_WORLDS", 500).div_ceil(25);
    let first = number("PORTCULLIS_PROPERTY_SEED", 1);
    let mut scene = Scene::new().await;
    let mut won = Vec::new();
    for seed in first..first + count {
        if (seed - first) % 25 == 24 {
            scene = Scene::new().await;
        }
        won.extend(attack(&mut scene, seed).await);
    }
    let shortest = won.iter().min_by_key(|told| told.len());
    assert!(won.is_empty(), "{} attacks won, the shortest: {}", won.len(), shortest.unwrap());
}
