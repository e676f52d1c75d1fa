//! Passwords: of an htpasswd file as a registry has it, and who guesses them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::client::{Answer, Ask, Client, Credentials, basic};
use crate::support::docker::Docker;
use crate::support::gate::{Gate, add_user, password_of};
use crate::support::images::Image;
use crate::support::podman::Podman;
use crate::support::process::wait_for;
use crate::support::scene::Scene;

const POLICY: &str = r#"
rules:
  - name: these-work-here
    subjects: ["user:harriet", "user:hugo", "user:alice"]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// Of the passwords that tests give to users of these names, and of 72 times `x`, made with crypt(3).
const HARRIET: &str = "harriet:$2y$05$kXzQm2Rj8vYpWc4TbNdLeO3jmZmOkIDccrKGgLwMtFoLA9Xc38FEa";
const HUGO: &str = "hugo:$2b$10$kXzQm2Rj8vYpWc4TbNdLeOBBNx4R29r/meii5fySq0LKxHRVtWRY6";
const LOLA: &str = "lola:$2a$04$kXzQm2Rj8vYpWc4TbNdLeO/t38Z59a1E5ci0rkzQTcHzA8/TDefSC";

const SOON: Duration = Duration::from_secs(60);

struct World {
    scene: Scene,
    folder: tempfile::TempDir,
}

impl World {
    /// A gate with this htpasswd file beside its users file.
    fn new(lines: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        write(&path, lines);
        let scene = Scene::with(POLICY, &[("alice", &[])], |setup| {
            setup
                .setting("htpasswd", path.to_str().unwrap())
                .setting("trusted_proxies", "[127.0.0.1]")
        });
        Self { scene, folder }
    }

    fn gate(&self) -> &Gate {
        &self.scene.gate
    }

    fn write(&self, lines: &[&str]) {
        write(&self.folder.path().join("htpasswd"), lines);
    }

    /// Signs in as if from this address.
    fn sign_in(&self, name: &str, password: &str, address: &str) -> Answer {
        let credentials = basic(name, password);
        let headers = [("authorization", credentials.as_str()), ("x-forwarded-for", address)];
        self.gate().anonymous().send("GET", "/v2/", &Ask::headers(&headers))
    }
}

fn write(path: &Path, lines: &[&str]) {
    let new = path.with_extension("new");
    fs::write(&new, format!("# what the registry had\n{}\n", lines.join("\n"))).unwrap();
    fs::rename(new, path).unwrap();
}

fn may_sign_in(client: &Client) -> bool {
    client.ask_for_token(&[]).status == 200
}

#[test]
fn docker_and_podman_sign_in_as_users_of_an_htpasswd_file() {
    let world = World::new(&[HARRIET, HUGO]);
    world.scene.client("alice").push("team/app", "v1", &Image::oci("htpasswd"));
    let podman = Podman::signed_in(world.gate(), "harriet");
    podman.pull("team/app:v1").ok();
    podman.login("harriet", "wrong").failed();
    let docker = Docker::start(world.gate());
    docker.login("hugo").ok();
    docker.pull("team/app:v1").ok();
    let users = world.gate().run(&["user", "list"]).ok().out;
    for line in ["alice    enabled   users", "harriet  enabled   htpasswd"] {
        assert!(users.contains(line), "{users}");
    }
}

#[test]
fn an_htpasswd_file_takes_effect_when_it_changes_and_a_wrong_one_does_not() {
    let world = World::new(&[HARRIET]);
    let (harriet, hugo) = (world.scene.client("harriet"), world.scene.client("hugo"));
    assert!(may_sign_in(&harriet) && !may_sign_in(&hugo));
    world.write(&[HARRIET, HUGO]);
    wait_for("hugo", SOON, || may_sign_in(&hugo).then_some(()));
    world.write(&[HARRIET, HUGO, "carol:$apr1$salt$hash", "dave"]);
    wait_for("both mistakes", SOON, || {
        let log = world.gate().log();
        (log.contains("htpasswd:4:7") && log.contains("htpasswd:5:1")).then_some(())
    });
    assert!(may_sign_in(&harriet) && may_sign_in(&hugo), "the last good file counts");
    world.write(&[HUGO]);
    wait_for("harriet to be gone", SOON, || (!may_sign_in(&harriet)).then_some(()));
    let loaded = |event: &&serde_json::Value| event["event"] == "users.loaded";
    wait_for("the audit trail", SOON, || {
        (world.gate().audit().iter().filter(loaded).count() == 2).then_some(())
    });
}

#[test]
fn the_users_file_counts_where_both_name_somebody() {
    let world = World::new(&[HARRIET]);
    let harriet = world.scene.client("harriet");
    assert!(may_sign_in(&harriet));
    let told = world.gate().run(&["user", "disable", "harriet"]).failed();
    assert!(told.err.contains("htpasswd -D"), "{}", told.err);
    add_user(&world.gate().config(), "harriet", &[]);
    world.gate().run(&["user", "disable", "harriet"]).ok();
    wait_for("harriet to be disabled", SOON, || (!may_sign_in(&harriet)).then_some(()));
    assert!(world.gate().log().contains("the users file counts"));
}

#[test]
fn what_bcrypt_would_cut_off_is_not_ignored() {
    let world = World::new(&[LOLA]);
    let sign_in = |length| world.sign_in("lola", &"x".repeat(length), "192.0.2.1").status;
    assert_eq!((sign_in(72), sign_in(73), sign_in(71)), (200, 401, 401));
    assert_eq!(world.sign_in("lola", &format!("{}\0", "x".repeat(71)), "192.0.2.1").status, 401);
}

#[test]
fn a_thousand_guesses_at_many_accounts_are_throttled_and_the_victim_signs_in_from_elsewhere() {
    let world = World::new(&[HARRIET, HUGO]);
    let mut throttled = 0;
    for guess in 0..1000 {
        let name = ["harriet", "hugo", "alice", "nobody"][guess % 4];
        let answer = world.sign_in(name, &format!("guess {guess}"), "192.0.2.1");
        match answer.status {
            429 => {
                assert!(answer.header("retry-after").is_some());
                throttled += 1;
            }
            status => assert_eq!(status, 401),
        }
    }
    // 10 for each account at once, and one in 10 s since.
    assert!((900..=960).contains(&throttled), "{throttled}");
    let harriet = password_of("harriet");
    assert_eq!(world.sign_in("harriet", &harriet, "192.0.2.2").status, 200);
    // From there not even with the right password, or the answer would tell that it is right.
    let is_throttled = || world.sign_in("harriet", "a guess", "192.0.2.1").status == 429;
    loop {
        while !is_throttled() {}
        let status = world.sign_in("harriet", &harriet, "192.0.2.1").status;
        // One guess is forgiven every 10 s, and it may have been just now.
        if is_throttled() {
            assert_eq!(status, 429);
            break;
        }
    }
}

#[test]
fn passwords_of_a_mebibyte_cost_nothing() {
    let world = World::new(&[HARRIET]);
    let before = world.gate().memory();
    let huge = "x".repeat(1 << 20);
    let form = format!(
        "grant_type=password&service={}&username=harriet&password={huge}",
        world.gate().name()
    );
    let address = "192.0.2.1";
    let statuses: Vec<u16> = thread::scope(|scope| {
        let work = |_| {
            scope.spawn(|| {
                let post = |_| {
                    let ask = Ask::body("application/x-www-form-urlencoded", form.as_bytes());
                    world.gate().anonymous().http2().send("POST", "/token", &ask).status
                };
                let basic = |_| world.sign_in("harriet", &huge[..4096], address).status;
                (0..20).map(post).chain((0..5).map(basic)).collect::<Vec<_>>()
            })
        };
        let threads: Vec<_> = (0..10).map(work).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses.len(), 250);
    assert!(statuses.iter().all(|status| matches!(status, 401 | 413 | 429)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 413).count() >= 200);
    let peak = world.gate().peak_memory();
    assert!(peak < before + (32 << 20), "{before} {peak}");
    assert_eq!(world.sign_in("harriet", &password_of("harriet"), "192.0.2.2").status, 200);
    let harriet = Credentials::Basic("harriet".into(), password_of("harriet"));
    assert_eq!(world.gate().anonymous().with(harriet).get("/v2/").status, 200);
}
