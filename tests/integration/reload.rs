//! A policy that changes counts from the next request on; one that is broken changes nothing.

use std::fs;
use std::time::Duration;

use crate::support::client::{ACCEPT, Credentials};
use crate::support::gate::{Gate, add_user, password_of};
use crate::support::images::Image;
use crate::support::process::{Said, wait_for};
use crate::support::scene::Scene;
use crate::support::wire::Wire;

const OPEN: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

const CLOSED: &str = r#"
rules:
  - name: closed-for-the-holidays
    subjects: [anyone]
    images: ["**"]
    deny: [pull, push]
"#;

const SOON: Duration = Duration::from_secs(60);

fn scene() -> Scene {
    let scene = Scene::new(OPEN, &[("alice", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("reload"));
    scene
}

fn status(scene: &Scene) -> u16 {
    scene.client("alice").get("/v2/team/app/manifests/v1").status
}

#[test]
fn a_new_policy_counts_on_open_connections_and_for_tokens_already_given() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let request = format!(
        "GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nAccept: {}\r\n\r\n",
        scene.gate.name(),
        ACCEPT.1
    );
    let mut wire = Wire::open(&scene.gate.anonymous());
    assert_eq!(wire.ask(&request).unwrap().status, 200);
    scene.gate.write_policy(CLOSED);
    let denied = wait_for("the new policy", SOON, || {
        let answer = wire.ask(&request).unwrap();
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(denied.status, 403);
    assert!(denied.reason().contains("closed-for-the-holidays"), "{denied:?}");
    scene.gate.write_policy(OPEN);
    wait_for("the old policy", SOON, || (wire.ask(&request).unwrap().status == 200).then_some(()));
}

#[test]
fn a_broken_policy_leaves_the_good_one_in_force_and_raises_an_alarm() {
    let scene = scene();
    let failed = || scene.gate.count("portcullis_policy_reloads_total{result=\"failed\"}");
    let bomb = format!("a: &a [{}]\nb: [*a, *a]\nrules: *b\n", "x,".repeat(10_000));
    for broken in
        ["rules: [", "rule:\n  - name: x\n", "groups: {a: [group:a]}\nrules: []\n", "", &bomb]
    {
        let before = failed();
        scene.gate.write_policy(broken);
        wait_for(&format!("the alarm about {:.40}", broken), SOON, || {
            (failed() > before).then_some(())
        });
        assert_eq!(status(&scene), 200, "{broken:.40}");
        scene.gate.write_policy(OPEN);
        wait_for("the good policy", SOON, || {
            let loaded = scene.gate.metric("portcullis_policy_loaded_timestamp_seconds");
            (loaded > 0.0 && status(&scene) == 200).then_some(())
        });
    }
    assert!(scene.gate.log().contains("policies/test.yaml"), "{}", scene.gate.log());
}

fn until_stale(scene: &Scene, stale: bool) {
    wait_for(&format!("the alarm to be {stale}"), SOON, || {
        let raised = scene.gate.metric("portcullis_policy_stale ") == 1.0;
        (raised == stale).then_some(())
    });
}

#[test]
fn a_policy_folder_that_vanishes_changes_nothing_and_counts_again_when_it_is_back() {
    let scene = scene();
    let policies = scene.gate.home().join("policies");
    let gone = policies.with_extension("gone");
    fs::rename(&policies, &gone).unwrap();
    until_stale(&scene, true);
    let failed = || scene.gate.count("portcullis_policy_reloads_total{result=\"failed\"}");
    wait_for("its count", SOON, || (failed() > 0.0).then_some(()));
    assert_eq!(status(&scene), 200);
    fs::rename(&gone, &policies).unwrap();
    until_stale(&scene, false);
    assert_eq!(status(&scene), 200);
    scene.gate.write_policy(CLOSED);
    wait_for("the new policy", SOON, || (status(&scene) == 403).then_some(()));
}

#[test]
fn a_file_that_cannot_be_read_to_its_end_leaves_the_good_policy_in_force() {
    use std::os::unix::fs::symlink;
    let scene = scene();
    let file = scene.gate.home().join("policies/test.yaml");
    fs::remove_file(&file).unwrap();
    // Opens well, and reading it is an input/output error.
    symlink("/proc/self/mem", &file).unwrap();
    until_stale(&scene, true);
    assert_eq!(status(&scene), 200);
    wait_for("word of the error", SOON, || {
        scene.gate.log().contains("Input/output error").then_some(())
    });
    fs::remove_file(&file).unwrap();
    fs::write(&file, CLOSED).unwrap();
    wait_for("the new policy", SOON, || (status(&scene) == 403).then_some(()));
    until_stale(&scene, false);
}

#[test]
fn a_file_with_another_content_of_the_same_size_and_time_is_taken_up() {
    let scene = scene();
    let file = scene.gate.home().join("policies/test.yaml");
    let time = fs::metadata(&file).unwrap().modified().unwrap();
    let other = OPEN.replace("user:alice", "user:nobod");
    assert_eq!(other.len(), OPEN.len());
    let opened = fs::File::options().write(true).open(&file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&opened, other.as_bytes(), 0).unwrap();
    opened.set_modified(time).unwrap();
    wait_for("the new policy", SOON, || (status(&scene) == 403).then_some(()));
}

#[test]
fn a_file_that_is_added_or_removed_changes_the_policy() {
    let scene = scene();
    let denials = scene.gate.home().join("policies/teams/denials.yaml");
    fs::create_dir(denials.parent().unwrap()).unwrap();
    fs::write(&denials, CLOSED).unwrap();
    wait_for("the denial", SOON, || (status(&scene) == 403).then_some(()));
    fs::remove_file(&denials).unwrap();
    wait_for("its end", SOON, || (status(&scene) == 200).then_some(()));
    until_stale(&scene, false);
}

#[test]
fn a_file_that_is_still_being_written_does_not_count() {
    let scene = scene();
    let denial = CLOSED.split_once("rules:\n").unwrap().1;
    // Every beginning that ends with a line is a policy; only the whole has the denial.
    let padding: String = (0..300).map(|line| format!("# {line}\n")).collect();
    let loads = || scene.gate.metric("portcullis_policy_reloads_total{result=\"ok\"}");
    for _ in 0..10 {
        let before = loads();
        let steady =
            Gate::write_policy_slowly(&scene.gate.home(), &format!("{OPEN}{padding}{denial}"));
        wait_for("the whole policy", SOON, || (status(&scene) == 403).then_some(()));
        // It decides a moment before it is counted.
        wait_for("its count", SOON, || (loads() > before).then_some(()));
        if steady {
            // At first the file was empty, and at most that was refused.
            assert_eq!(loads(), before + 1.0, "no beginning of it was in force");
            return;
        }
        let before = loads();
        scene.gate.write_policy(OPEN);
        wait_for("the first policy", SOON, || {
            (status(&scene) == 200 && loads() > before).then_some(())
        });
    }
    panic!("this machine is too busy for this test");
}

#[test]
fn a_hangup_shows_again_what_is_still_wrong() {
    let scene = scene();
    let failed = || scene.gate.count("portcullis_policy_reloads_total{result=\"failed\"}");
    scene.gate.write_policy("rule: []\n");
    until_stale(&scene, true);
    wait_for("the first word", SOON, || (failed() == 1.0).then_some(()));
    scene.gate.signal("HUP");
    wait_for("the second", SOON, || (failed() == 2.0).then_some(()));
    assert_eq!(status(&scene), 200);
}

#[test]
fn a_folder_swapped_by_a_link_is_taken_up() {
    use std::os::unix::fs::symlink;
    let scene = scene();
    let policies = scene.gate.home().join("policies");
    // As Kubernetes mounts a ConfigMap: a link to a link that is replaced.
    let versions = scene.gate.home().join("versions");
    for (name, text) in [("one", OPEN), ("two", CLOSED)] {
        fs::create_dir_all(versions.join(name)).unwrap();
        fs::write(versions.join(name).join("test.yaml"), text).unwrap();
    }
    symlink("one", versions.join("..data")).unwrap();
    fs::remove_dir_all(&policies).unwrap();
    symlink(versions.join("..data"), &policies).unwrap();
    wait_for("the same policy through the link", SOON, || (status(&scene) == 200).then_some(()));
    symlink("two", versions.join("..new")).unwrap();
    fs::rename(versions.join("..new"), versions.join("..data")).unwrap();
    wait_for("the policy behind the new link", SOON, || (status(&scene) == 403).then_some(()));
}

#[test]
fn users_may_be_added_disabled_and_given_another_password_while_it_serves() {
    let scene = scene();
    let bob = scene.client("bob");
    bob.ask_for_token(&[]).expect(401);
    add_user(&scene.gate.config(), "bob", &[]);
    wait_for("bob", SOON, || (bob.ask_for_token(&[]).status == 200).then_some(()));
    scene.gate.run(&["user", "disable", "bob"]).ok();
    wait_for("bob to be gone", SOON, || (bob.ask_for_token(&[]).status == 401).then_some(()));
    scene.gate.run(&["user", "enable", "bob"]).ok();
    wait_for("bob again", SOON, || (bob.ask_for_token(&[]).status == 200).then_some(()));
    let mut change = crate::support::gate::portcullis();
    change.args(["user", "passwd", "bob", "--password-stdin", "--config"]).arg(scene.gate.config());
    Said::with_input(&mut change, "another password\n").ok();
    let anew = bob.with(Credentials::Basic("bob".into(), "another password".into()));
    wait_for("bob's new password", SOON, || (anew.ask_for_token(&[]).status == 200).then_some(()));
    let old = bob.with(Credentials::Basic("bob".into(), password_of("bob")));
    old.ask_for_token(&[]).expect(401);
}

#[test]
fn a_token_of_a_user_who_was_disabled_is_worth_nothing() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let held = alice.with(Credentials::Bearer(token));
    held.get("/v2/team/app/manifests/v1").expect(200);
    scene.gate.run(&["user", "disable", "alice"]).ok();
    wait_for("alice to be gone", SOON, || {
        (held.get("/v2/team/app/manifests/v1").status == 401).then_some(())
    });
}

#[test]
fn a_certificate_that_is_replaced_is_served_and_a_broken_one_is_not() {
    let scene = scene();
    let certificate = scene.gate.home().join("certs/server.crt");
    let good = fs::read(&certificate).unwrap();
    fs::write(&certificate, "broken").unwrap();
    wait_for("a message about the certificate", SOON, || {
        scene.gate.log().contains("server.crt").then_some(())
    });
    assert_eq!(status(&scene), 200);
    fs::write(&certificate, good).unwrap();
    assert_eq!(status(&scene), 200);
}

#[test]
fn a_hangup_asks_for_a_reload_and_ends_nothing() {
    let scene = scene();
    scene.gate.signal("HUP");
    scene.gate.write_policy(CLOSED);
    scene.gate.signal("HUP");
    wait_for("the new policy", SOON, || (status(&scene) == 403).then_some(()));
    scene.gate.management().get("/healthz").expect(200);
}
