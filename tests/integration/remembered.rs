//! What the gate learned of its registry outlives it, and is known to every replica.

use std::collections::HashSet;
use std::time::Duration;

use crate::support::client::{Ask, Client};
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::postgres::Postgres;
use crate::support::process::wait_for;
use crate::support::recorder::{Recorder, Seen};
use crate::support::registry::Registry;
use crate::support::scene::Scene;

/// alice owns the repositories, bob reads one tag, mallory pushes beside it.
const POLICY: &str = r#"
rules:
  - {name: owner, subjects: [user:alice], images: ["team/**"], allow: [pull, push, delete]}
  - {name: reader, subjects: [user:bob], images: ["team/app:v1"], allow: [pull]}
  - {name: developer, subjects: [user:mallory], images: ["team/app:dev-*"], allow: [pull, push]}
"#;

const USERS: &[(&str, &[&str])] = &[("alice", &[]), ("bob", &[]), ("mallory", &[])];

/// Far more than it takes.
const SOON: Duration = Duration::from_secs(60);

fn manifest_at(digest: &str) -> String {
    format!("/v2/team/app/manifests/{digest}")
}

fn blob_at(digest: &str) -> String {
    format!("/v2/team/app/blobs/{digest}")
}

/// Pulls by digest alone: each request is answered, and costs one to the registry.
#[track_caller]
fn pulls_pinned(client: &Client, recorder: &Recorder, image: &Image) {
    let blobs = image.layers.iter().chain([&image.config]).map(|blob| blob_at(&blob.digest));
    for target in std::iter::once(manifest_at(image.digest())).chain(blobs) {
        let (answer, asked) = recorder.during(|| client.get(&target));
        assert_eq!(answer.status, 200, "{target}: {answer:?}");
        let asked: Vec<_> = asked.iter().map(Seen::line).collect();
        assert_eq!(asked, [format!("GET {target}")]);
    }
}

#[test]
fn a_gate_that_was_restarted_answers_by_what_it_knew() {
    let mut scene = Scene::new(POLICY, USERS);
    let image = Image::oci("kept");
    scene.client("alice").push("team/app", "v1", &image);
    scene.client("alice").push("team/app", "other", &Image::oci("other"));
    scene.gate.restart();
    let bob = scene.client("bob");
    pulls_pinned(&bob, &scene.recorder, &image);
    bob.get(&manifest_at(Image::oci("other").digest())).expect(404);
}

#[test]
fn what_a_push_was_answered_for_is_there_after_the_gate_was_killed() {
    let mut scene = Scene::new(POLICY, USERS);
    for round in 0..5 {
        let image = Image::oci(&format!("round {round}"));
        // No tag leads to it: that it is mallory's own is all that makes it readable.
        scene.client("mallory").push("team/app", image.digest(), &image);
        scene.gate.kill_and_restart();
        pulls_pinned(&scene.client("mallory"), &scene.recorder, &image);
        scene.client("bob").get(&manifest_at(image.digest())).expect(404);
    }
}

/// Two gates with one state in front of one registry. Stops in this order.
struct Pair {
    gates: [Gate; 2],
    database: Postgres,
    recorder: Recorder,
    registry: Registry,
}

impl Pair {
    fn start(database: Postgres) -> Self {
        let registry = Registry::start();
        let recorder = Recorder::start(registry.address());
        let state = format!("{{url: '{}'}}", database.url());
        let setup = || Setup::new(&recorder.url(), POLICY).setting("state", &state);
        let one = USERS.iter().fold(setup(), |setup, (name, groups)| setup.user(name, groups));
        let one = one.start();
        let at_one = |path: &str| one.home().join(path).display().to_string();
        let other = setup()
            .setting("signing_keys", &at_one("state/keys"))
            .setting("users", &at_one("users.yaml"))
            .setting("public_url", &format!("https://{}", one.name()))
            .start();
        Self { gates: [one, other], database, recorder, registry }
    }

    /// Somebody at each of the two, with a token that is good for both and at hand.
    fn clients(&self, user: &str) -> [Client; 2] {
        let token = self.gates[0].client(user).token(&["repository:team/app:pull,push"]);
        [0, 1].map(|number: usize| self.gates[number].bearer(&token))
    }
}

#[test]
fn what_was_pushed_through_one_replica_is_known_to_another_at_once() {
    let pair = Pair::start(Postgres::start());
    let mallory = pair.clients("mallory");
    for round in 0..10 {
        let image = Image::oci(&format!("round {round}"));
        // As BuildKit does behind a load balancer: each step goes where it happens to.
        for (step, blob) in image.blobs().enumerate() {
            mallory[step % 2].push_blob("team/app", blob).expect(201);
            let (answer, asked) =
                pair.recorder.during(|| mallory[(step + 1) % 2].head(&blob_at(&blob.digest)));
            assert_eq!((answer.status, asked.len()), (200, 1));
        }
        let by_digest = mallory[0].put_manifest("team/app", image.digest(), &image.manifest);
        by_digest.expect(201);
        pulls_pinned(&mallory[1], &pair.recorder, &image);
    }
}

#[test]
fn what_is_deleted_through_one_replica_ends_at_another() {
    let pair = Pair::start(Postgres::start());
    let [alice, bob] = ["alice", "bob"].map(|user| pair.clients(user));
    let image = Image::oci("deleted");
    alice[0].push("team/app", "v1", &image);
    wait_for("word of the push", SOON, || {
        (bob[1].get(&manifest_at(image.digest())).status == 200).then_some(())
    });
    let token = pair.gates[0].client("alice").token(&["repository:team/app:pull,delete"]);
    let deleted = pair.gates[0].bearer(&token).delete(&manifest_at(image.digest()));
    deleted.expect(202);
    wait_for("word of the end", SOON, || {
        (bob[1].get(&blob_at(&image.config.digest)).status == 404).then_some(())
    });
}

#[test]
fn without_the_database_reading_goes_on_and_what_is_learned_is_written_later() {
    let mut pair = Pair::start(Postgres::alone());
    let (old, new) = (Image::oci("old"), Image::oci("new"));
    pair.registry.client().push("team/app", "v1", &old);
    let [bob, mallory] = ["bob", "mallory"].map(|user| pair.clients(user));
    bob[0].get(&manifest_at("v1")).expect(200);
    pulls_pinned(&bob[0], &pair.recorder, &old);

    pair.database.stop();
    wait_for("word that the state is away", SOON, || {
        pair.gates[0].log().contains("the state does not answer").then_some(())
    });
    pair.registry.client().push("team/app", "v1", &new);
    bob[0].get(&manifest_at("v1")).expect(200);
    pulls_pinned(&bob[0], &pair.recorder, &new);
    pulls_pinned(&bob[0], &pair.recorder, &old);
    // Neither is an upload held up or failed for it.
    let blob = &Image::oci("away").config;
    mallory[0].push_blob("team/app", blob).expect(201);
    mallory[0].head(&blob_at(&blob.digest)).expect(200);
    wait_for("word that nothing is written", SOON, || {
        pair.gates[0].log().contains("cannot be written down").then_some(())
    });

    pair.database.start_again();
    // It was pushed last: what was learned before it is written down with it, or before.
    wait_for("word of the upload at the other replica", SOON, || {
        (mallory[1].head(&blob_at(&blob.digest)).status == 200).then_some(())
    });
    pair.gates[0].kill_and_restart();
    let bob = pair.gates[0].client("bob");
    bob.token(&["repository:team/app:pull"]);
    pulls_pinned(&bob, &pair.recorder, &new);
    let token = pair.gates[0].client("mallory").token(&["repository:team/app:pull,push"]);
    pair.gates[0].bearer(&token).head(&blob_at(&blob.digest)).expect(200);
}

#[test]
fn a_crawl_finds_all_that_was_there_before_and_goes_on_after_a_restart() {
    const REPOSITORIES: usize = 6;
    const TAGS: usize = 8;
    let registry = Registry::start();
    let mut images = Vec::new();
    for repository in 0..REPOSITORIES {
        for tag in 0..TAGS {
            let image = Image::oci(&format!("{repository} {tag}"));
            registry.client().push(&format!("team/r{repository}"), &format!("v{tag}"), &image);
            images.push(image);
        }
    }
    let recorder = Recorder::start(registry.address());
    let policy =
        "rules: [{name: one, subjects: [user:bob], images: ['team/r5:v3'], allow: [pull]}]";
    let mut gate = Setup::new(&recorder.url(), policy)
        .setting("inventory", "{crawl: true}")
        .user("bob", &[])
        .start();
    let asked = || {
        let seen = recorder.content().into_iter().map(|seen| seen.line());
        seen.filter(|line| line.contains("/manifests/")).collect::<Vec<_>>()
    };
    wait_for("half of the work", SOON, || (asked().len() > REPOSITORIES * TAGS).then_some(()));
    gate.restart();
    wait_for("all that there is", SOON, || {
        (gate.metric("portcullis_inventory_crawled_timestamp_seconds") > 0.0).then_some(())
    });
    for (what, expected) in [
        ("repositories", REPOSITORIES),
        ("tags", REPOSITORIES * TAGS),
        ("manifests", REPOSITORIES * TAGS),
    ] {
        let line = format!("portcullis_inventory_{what} {expected}\n");
        assert!(gate.metrics().contains(&line), "no {line} in\n{}", gate.metrics());
    }
    let asked = asked();
    let distinct: HashSet<_> = asked.iter().collect();
    assert_eq!(distinct.len(), 2 * REPOSITORIES * TAGS);
    // The request that was under way at the end is made again.
    assert!(asked.len() <= distinct.len() + 2, "{} requests for {}", asked.len(), distinct.len());

    // Each was looked into as well, once.
    wait_for("a look into all images", SOON, || {
        let seen = recorder.content().into_iter().map(|seen| seen.line());
        let configs: HashSet<_> = seen.filter(|line| line.contains("/blobs/")).collect();
        (configs.len() == REPOSITORIES * TAGS).then_some(())
    });

    // Nobody pulled it through the gate, and a pinned pull costs nothing but itself.
    let (bob, pinned) = (gate.client("bob"), &images[5 * TAGS + 3]);
    let target = format!("/v2/team/r5/manifests/{}", pinned.digest());
    let (answer, asked) = recorder.during(|| bob.send("GET", &target, &Ask::default()));
    assert_eq!((answer.status, asked.len()), (200, 1), "{answer:?}");
}
