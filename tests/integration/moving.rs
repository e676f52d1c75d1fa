//! A tag that moves all the time, outside the gate and through it, while clients pull it: between
//! their HEAD and their GET, and between an index and its children.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::images::{Blob, Image, Index};
use crate::support::podman::Podman;
use crate::support::process::Said;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

/// bob may read one tag of each repository.
const POLICY: &str = r#"
rules:
  - name: owner
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
  - name: one-release
    subjects: [user:bob]
    images: ["team/*:v1"]
    allow: [pull]
"#;

/// How often each client pulls each image.
const PULLS: usize = 4;

/// Runs `pull` for an image and for an index whose tags move meanwhile.
fn while_tags_move(pull: impl FnOnce(&Scene, &[&str])) {
    let scene = Scene::new(POLICY, &[("alice", &[]), ("bob", &[])]);
    let registry = scene.registry.client();
    let alice = scene.client("alice");
    let images: Vec<_> = (0..4).map(|n| Image::docker(&format!("moving {n}"))).collect();
    let indexes: Vec<_> = (0..4).map(|n| Index::docker(&format!("moving index {n}"))).collect();
    images.iter().for_each(|image| registry.push("team/app", "v1", image));
    indexes.iter().for_each(|index| registry.push_index("team/multi", "v1", index));
    let tops: Vec<[&Blob; 2]> =
        images.iter().zip(&indexes).map(|(one, other)| [&one.manifest, &other.manifest]).collect();
    let (is_over, moves) = (AtomicBool::new(false), AtomicBool::new(false));
    let keep_moving = |owner: &crate::support::client::Client, from: usize| {
        for turn in from.. {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let [app, multi] = tops[turn % tops.len()];
            owner.put_manifest("team/app", "v1", app).expect(201);
            owner.put_manifest("team/multi", "v1", multi).expect(201);
            moves.store(true, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        // Ends the moves also where a pull fails.
        let over = Over(&is_over);
        scope.spawn(|| keep_moving(&registry, 0));
        scope.spawn(|| keep_moving(&alice, 2));
        pull(&scene, &["team/app:v1", "team/multi:v1"]);
        drop(over);
    });
    assert!(moves.load(Ordering::Relaxed), "nothing moved");
}

/// Pulls once more where docker-registry fails by itself: it does not write the files that make a
/// link at once, and answers 500 in its own words, which the gate has none of, to who reads one in
/// the middle of it.
fn pulled(pull: impl Fn() -> Said) {
    let is_registry = |said: &Said| {
        let told = format!("{}{}", said.out, said.err);
        // Asked who may read what a digest names, it fails in the same way.
        let failed = told.contains("500 Internal Server Error") && !told.contains("internal error");
        failed || told.contains("could not be asked who may read")
    };
    for _ in 0..5 {
        let said = pull();
        if said.code == Some(0) || !is_registry(&said) {
            said.ok();
            return;
        }
    }
    pull().ok();
}

struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn docker_pulls_a_tag_that_moves() {
    while_tags_move(|scene, images| {
        let docker = Docker::start(&scene.gate);
        docker.login("bob").ok();
        for image in images.iter().flat_map(|image| [image; PULLS]) {
            pulled(|| docker.pull(image));
            let name = docker.at_gate(image);
            docker.run(&["image", "rm", "--force", &name]).ok();
        }
    });
}

#[test]
fn podman_and_skopeo_pull_a_tag_that_moves() {
    while_tags_move(|scene, images| {
        let podman = Podman::signed_in(&scene.gate, "bob");
        let skopeo = Skopeo::signed_in(&scene.gate, "bob");
        for (number, image) in images.iter().flat_map(|image| [image; PULLS]).enumerate() {
            pulled(|| podman.pull(image));
            podman.run(&["rmi", "--force", &podman.at_gate(image)]).ok();
            let folder = tempfile::tempdir().unwrap();
            let to = format!("dir:{}", folder.path().join(number.to_string()).display());
            pulled(|| skopeo.copy(&skopeo.at_gate(image), &to));
        }
    });
}

#[test]
fn containerd_pulls_a_tag_that_moves() {
    while_tags_move(|scene, images| {
        let containerd = Containerd::start(&scene.gate);
        for image in images.iter().flat_map(|image| [image; PULLS]) {
            pulled(|| containerd.pull("bob", image));
            containerd.run(&["images", "rm", "--sync", &containerd.at_gate(image)]).ok();
        }
    });
}
