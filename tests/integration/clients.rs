//! Unmodified clients do their whole work through the gate, and none goes around it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::images::{Image, Index};
use crate::support::podman::Podman;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
groups: {team: external}
rules:
  - name: the-team-works-here
    subjects: [group:team]
    images: ["team/**"]
    allow: [pull, push, delete]
"#;

const TEAM: &[(&str, &[&str])] = &[("alice", &["team"])];

/// Each blob in a folder that `skopeo copy … dir:` wrote is the one that was pushed.
fn assert_same_files(folder: &Path, image: &Image) {
    for blob in image.blobs() {
        let hex = blob.digest.strip_prefix("sha256:").unwrap();
        assert_eq!(fs::read(folder.join(hex)).unwrap(), blob.bytes, "{}", blob.digest);
    }
    assert_eq!(fs::read(folder.join("manifest.json")).unwrap(), image.manifest.bytes);
}

#[test]
fn skopeo_pushes_pulls_lists_and_deletes_and_every_byte_is_the_same() {
    let scene = Scene::new(POLICY, TEAM);
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let (image, skopeo) = (Image::oci("skopeo"), Skopeo::signed_in(&scene.gate, "alice"));
    image.write_layout(&layout, "v1");
    let from = format!("oci:{}:v1", layout.display());
    skopeo.copy(&from, &skopeo.at_gate("team/app:v1")).ok();
    assert_eq!(scene.stored("team/app", "v1").as_deref(), Some(image.digest()));

    for (name, reference) in
        [("tag", "team/app:v1".to_owned()), ("digest", format!("team/app@{}", image.digest()))]
    {
        let to = folder.path().join(name);
        skopeo.copy(&skopeo.at_gate(&reference), &format!("dir:{}", to.display())).ok();
        assert_same_files(&to, &image);
    }
    let listed: Value = serde_json::from_str(&skopeo.list("team/app").ok().out).unwrap();
    assert_eq!(listed["Tags"], serde_json::json!(["v1"]));
    skopeo.delete("team/app:v1").ok();
    assert_eq!(scene.stored("team/app", "v1"), None);
    skopeo.logout().ok();
    skopeo.inspect_raw("team/app:v1").failed();
    scene.nobody_went_around(2);
}

#[test]
fn skopeo_carries_a_multi_platform_index_both_ways_and_mounts_across_repositories() {
    let scene = Scene::new(POLICY, TEAM);
    let folder = tempfile::tempdir().unwrap();
    let skopeo = Skopeo::signed_in(&scene.gate, "alice");
    let (oci, docker) = (Index::oci("multi"), Index::docker("multi"));
    let layout = folder.path().join("oci");
    oci.write_layout(&layout, "v1");
    let from = format!("oci:{}:v1", layout.display());
    skopeo.copy(&from, &skopeo.at_gate("team/oci:v1")).ok();
    scene.gate.client("alice").push_index("team/docker", "v1", &docker);
    for (name, index) in [("oci", oci), ("docker", docker)] {
        assert_eq!(
            scene.stored(&format!("team/{name}"), "v1"),
            Some(index.manifest.digest.clone())
        );
        let raw = skopeo.inspect_raw(&format!("team/{name}:v1")).ok();
        assert_eq!(raw.out.trim_end().as_bytes(), index.manifest.bytes);
        let back = folder.path().join(format!("{name}-back"));
        let at_gate = skopeo.at_gate(&format!("team/{name}:v1"));
        skopeo.copy(&at_gate, &format!("dir:{}", back.display())).ok();
        for blob in index.images.iter().flat_map(Image::blobs) {
            assert_eq!(fs::read(back.join(&blob.digest["sha256:".len()..])).unwrap(), blob.bytes);
        }
    }
    // skopeo remembers where it has seen a layer and asks for it to be mounted from there.
    let (_, asked) =
        scene.recorder.during(|| skopeo.copy(&from, &skopeo.at_gate("team/copy:v1")).ok());
    let mounted = |target: &str| target.contains("mount=") && target.contains("from=team");
    assert!(asked.iter().any(|seen| mounted(&seen.target)), "{asked:?}");
    scene.nobody_went_around(2);
}

#[test]
fn docker_logs_in_pushes_pulls_by_tag_and_digest_and_logs_out() {
    let scene = Scene::new(POLICY, TEAM);
    let folder = tempfile::tempdir().unwrap();
    let docker = Docker::start(&scene.gate);
    let archive = folder.path().join("image.tar");
    let name = docker.at_gate("team/app:v1");
    Image::docker("docker").write_docker_archive(&archive, &name);
    docker.run(&["load", "--input", archive.to_str().unwrap()]).ok();
    docker.push("team/app:v1").failed();
    docker.login("alice").ok();
    let pushed = docker.push("team/app:v1").ok();
    let digest = scene.stored("team/app", "v1").expect("what was pushed");
    assert!(pushed.out.contains(&digest), "{}", pushed.out);
    let id = docker.run(&["image", "inspect", "--format", "{{.Id}}", &name]).ok().out;

    for reference in ["team/app:v1".to_owned(), format!("team/app@{digest}")] {
        docker.run(&["image", "rm", "--force", id.trim()]).ok();
        docker.pull(&reference).ok();
        let inspect = ["image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}"];
        let name = docker.at_gate(&reference);
        let pulled = docker.run(&[&inspect[..], &[&name]].concat()).ok().out;
        assert!(pulled.contains(id.trim()) && pulled.contains(&digest), "{pulled}");
    }
    // The layers are at the registry already: docker mounts them instead of sending them.
    let copy = docker.at_gate("team/copy:v1");
    docker.run(&["tag", id.trim(), &copy]).ok();
    let (said, asked) = scene.recorder.during(|| docker.push("team/copy:v1").ok());
    assert!(said.out.contains("Mounted from team/app"), "{}", said.out);
    assert!(asked.iter().any(|seen| seen.target.contains("mount=")), "{asked:?}");

    docker.logout().ok();
    docker.pull("team/app:v1").failed();
    scene.nobody_went_around(1);
}

#[test]
fn docker_pulls_its_platform_from_an_index() {
    let scene = Scene::new(POLICY, TEAM);
    let docker = Docker::start(&scene.gate);
    let index = Index::docker("platforms");
    scene.gate.client("alice").push_index("team/multi", "v1", &index);
    docker.login("alice").ok();
    docker.pull("team/multi:v1").ok();
    let name = docker.at_gate("team/multi:v1");
    let said =
        docker.run(&["image", "inspect", "--format", "{{.Id}} {{.RepoDigests}}", &name]).ok();
    assert!(said.out.contains(&index.images[0].config.digest), "{}", said.out);
    assert!(said.out.contains(&index.manifest.digest), "{}", said.out);
}

#[test]
fn podman_logs_in_pulls_pushes_mounts_and_logs_out() {
    let scene = Scene::new(POLICY, TEAM);
    let image = Image::oci("podman");
    scene.gate.client("alice").push("team/app", "v1", &image);
    let podman = Podman::signed_in(&scene.gate, "alice");
    for reference in ["team/app:v1".to_owned(), format!("team/app@{}", image.digest())] {
        let id = podman.pull(&reference).ok().out;
        assert_eq!(format!("sha256:{}", id.trim()), image.config.digest);
        podman.run(&["rmi", "--force", id.trim()]).ok();
    }
    let id = podman.pull("team/app:v1").ok().out;
    podman.run(&["tag", id.trim(), &podman.at_gate("team/copy:v1")]).ok();
    let (_, asked) = scene.recorder.during(|| podman.push("team/copy:v1").ok());
    assert!(asked.iter().any(|seen| seen.target.contains("mount=")), "{asked:?}");
    let copied = scene.stored("team/copy", "v1").expect("what was pushed");
    let copied: Value =
        serde_json::from_slice(&scene.registry.stored_blob(&copied).unwrap()).unwrap();
    assert_eq!(copied["config"]["digest"], *image.config.digest);

    let index = Index::oci("podman-multi");
    scene.gate.client("alice").push_index("team/multi", "v1", &index);
    let id = podman.pull("team/multi:v1").ok().out;
    assert_eq!(format!("sha256:{}", id.trim()), index.images[0].config.digest);

    podman.logout().ok();
    podman.pull("team/app:v1").failed();
    scene.nobody_went_around(1);
}

#[test]
fn containerd_pulls_by_tag_and_digest_and_pushes() {
    let scene = Scene::new(POLICY, TEAM);
    let containerd = Containerd::start(&scene.gate);
    let (image, index) = (Image::oci("ctr"), Index::oci("ctr-multi"));
    let alice = scene.gate.client("alice");
    alice.push("team/app", "v1", &image);
    alice.push_index("team/multi", "v1", &index);
    for reference in ["team/app:v1".to_owned(), format!("team/app@{}", image.digest())] {
        containerd.pull("alice", &reference).ok();
    }
    containerd.fetch("alice", "team/multi:v1").ok();
    let held = containerd.run(&["content", "ls", "--quiet"]).ok().out;
    for blob in image.all().chain(index.images.iter().flat_map(Image::all)) {
        assert!(held.contains(&blob.digest), "no {} {}", blob.media_type, blob.digest);
    }
    let (from, to) = (containerd.at_gate("team/app:v1"), containerd.at_gate("team/copy:v1"));
    containerd.run(&["images", "tag", &from, &to]).ok();
    containerd.push("alice", "team/copy:v1").ok();
    assert_eq!(scene.stored("team/copy", "v1").as_deref(), Some(image.digest()));
    scene.nobody_went_around(1);
}
