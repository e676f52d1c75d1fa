//! Gates that share a state take turns at a repository.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Answer, Ask, Client};
use crate::support::gate::{Gate, Setup};
use crate::support::images::{Blob, Image, OCI_MANIFEST};
use crate::support::pause::{Pause, Stop};
use crate::support::postgres::Postgres;
use crate::support::process::wait_for;
use crate::support::registry::Registry;

/// alice does as she likes, cora creates and does not overwrite, dora deletes `dev-*`.
const POLICY: &str = r#"
rules:
  - {name: owner, subjects: [user:alice], images: ["team/**"], allow: [pull, push, delete]}
  - {name: creator, subjects: [user:cora], images: ["team/app"], allow: [pull, create]}
  - {name: cleaner, subjects: [user:dora], images: ["team/app:dev-*"], allow: [pull, delete]}
"#;

/// Far more than it takes.
const SOON: Duration = Duration::from_secs(40);

/// Longer than a lock is believed to be held without being asked after.
const A_WHILE: Duration = Duration::from_millis(1200);

/// Two gates with one state in front of one registry. Stops in this order.
struct Pair {
    gates: [Gate; 2],
    pause: Pause,
    database: Postgres,
    registry: Registry,
    image: Image,
}

impl Pair {
    fn start(database: Postgres) -> Self {
        let registry = Registry::start();
        let image = Image::oci("turns");
        registry.client().push("team/app", "v0", &image);
        let pause = Pause::start(registry.address());
        let state = format!("{{url: '{}'}}", database.url());
        let setup = || Setup::new(&pause.url(), POLICY).setting("state", &state);
        let one = setup().user("alice", &[]).user("cora", &[]).user("dora", &[]).start();
        let at_one = |path: &str| one.home().join(path).display().to_string();
        let other = setup()
            .setting("signing_keys", &at_one("state/keys"))
            .setting("users", &at_one("users.yaml"))
            .setting("public_url", &format!("https://{}", one.name()))
            .start();
        Self { gates: [one, other], pause, database, registry, image }
    }

    /// Somebody at each of the two, with a token that is good for both and at hand.
    fn clients(&self, user: &str) -> [Client; 2] {
        let token = self.gates[0].client(user).token(&["repository:team/app:pull,push,delete"]);
        [0, 1].map(|number: usize| self.gates[number].bearer(&token))
    }

    /// One more manifest of content that is there.
    fn manifest(&self, number: usize) -> Blob {
        let mut manifest: Value = serde_json::from_slice(&self.image.manifest.bytes).unwrap();
        manifest["annotations"] = json!({"example.number": number.to_string()});
        Blob::json(OCI_MANIFEST, &manifest)
    }

    fn stored(&self, tag: &str) -> Option<String> {
        let answer = self.registry.client().head(&format!("/v2/team/app/manifests/{tag}"));
        answer.header("docker-content-digest").map(str::to_owned)
    }
}

fn put(client: &Client, tag: &str, manifest: &Blob) -> Answer {
    client.put_manifest("team/app", tag, manifest)
}

fn at(reference: &str) -> String {
    format!("/v2/team/app/manifests/{reference}")
}

#[test]
fn of_fifty_that_create_one_tag_through_two_gates_one_does() {
    const RACERS: usize = 50;
    let pair = Pair::start(Postgres::start());
    let clients = pair.clients("cora");
    let manifests: Vec<_> = (0..RACERS).map(|number| pair.manifest(number)).collect();
    let statuses: Vec<_> = thread::scope(|scope| {
        let race = |(number, manifest)| {
            let client = &clients[number % 2];
            scope.spawn(move || put(client, "race", manifest).status)
        };
        let racers: Vec<_> = manifests.iter().enumerate().map(race).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let winners: Vec<_> = (0..RACERS).filter(|number| statuses[*number] == 201).collect();
    assert_eq!(winners.len(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), RACERS - 1);
    let winner = &manifests[winners[0]].digest;
    assert_eq!(pair.stored("race").as_ref(), Some(winner));
    // The audit trails tell the same story.
    let mut stored = Vec::new();
    for (number, gate) in pair.gates.iter().enumerate() {
        let is_put = |record: &&Value| record["reference"] == "race";
        let records = gate.requests(|records| records.iter().filter(is_put).count() == RACERS / 2);
        for record in records.iter().filter(is_put) {
            match record["status"].as_u64() {
                Some(201) => stored.push((number, record["digest"].as_str().unwrap().to_owned())),
                _ => assert_eq!(record["decision"], "deny", "{record}"),
            }
        }
    }
    assert_eq!(stored, [(winners[0] % 2, winner.clone())]);
}

#[test]
fn a_delete_by_digest_at_one_gate_and_a_push_at_the_other_do_not_cross() {
    let pair = Pair::start(Postgres::start());
    let ([_, alice], [dora, _]) = (pair.clients("alice"), pair.clients("dora"));
    let [first, second] = [1, 2].map(|number| pair.manifest(number));
    put(&alice, "dev-1", &first).expect(201);
    put(&alice, "dev-2", &second).expect(201);

    // While the tags are looked at, one is added that she may not delete.
    let (deleted, pushed) = pair.pause.during(
        Stop::Answer("GET /v2/team/app/tags/list".to_owned()),
        || dora.delete(&at(&first.digest)),
        || put(&alice, "keep-1", &first),
    );
    pushed.expect(201);
    assert!(matches!(deleted.status, 403 | 404), "{deleted:?}");
    assert_eq!(pair.stored("keep-1").as_ref(), Some(&first.digest));

    // While it is being deleted, a push waits.
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let pushing = || {
            let pushed = put(&alice, "keep-2", &second);
            done.store(true, Ordering::SeqCst);
            pushed
        };
        let (deleted, pushing) = pair.pause.during(
            Stop::Request(format!("DELETE {}", at(&second.digest))),
            || dora.delete(&at(&second.digest)),
            || {
                let pushing = scope.spawn(pushing);
                thread::sleep(A_WHILE);
                assert!(!done.load(Ordering::SeqCst), "the push waits for the delete");
                pushing
            },
        );
        deleted.expect(202);
        pushing.join().unwrap().expect(201);
    });
    assert_eq!(pair.stored("keep-2").as_ref(), Some(&second.digest));
    assert_eq!(pair.stored("dev-2"), None);
}

#[test]
fn who_creates_and_deletes_again_is_crossed_by_nobody_at_either_gate() {
    const RACERS: usize = 24;
    let pair = Pair::start(Postgres::start());
    let (cora, alice) = (pair.clients("cora"), pair.clients("alice"));
    let manifests: Vec<_> = (0..RACERS).map(|number| pair.manifest(number)).collect();
    let rounds: Vec<_> = thread::scope(|scope| {
        let race = |(number, manifest): (usize, &Blob)| {
            let (create, delete) = (&cora[number % 2], &alice[(number + 1) % 2]);
            let (pair, manifest) = (&pair, manifest.clone());
            scope.spawn(move || {
                let mut statuses = Vec::new();
                for _ in 0..4 {
                    let status = put(create, "race", &manifest).status;
                    statuses.push(status);
                    if status == 201 {
                        // It is there until it is taken away: nobody else could create it.
                        assert_eq!(pair.stored("race").as_ref(), Some(&manifest.digest));
                        delete.delete(&at(&manifest.digest)).expect(202);
                    }
                }
                statuses
            })
        };
        let racers: Vec<_> = manifests.iter().enumerate().map(race).collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect()
    });
    assert!(rounds.iter().all(|status| matches!(status, 201 | 403)), "{rounds:?}");
    let created = rounds.iter().filter(|status| **status == 201).count();
    assert_eq!(pair.stored("race"), None);
    // The audit trails tell of as many that were created as were taken away.
    let mut counts = [0, 0];
    for gate in &pair.gates {
        let records = gate.requests(|records| {
            let puts = records.iter().filter(|record| record["reference"] == "race").count();
            puts == RACERS / 2 * 4
        });
        for record in records {
            counts[0] += usize::from(record["reference"] == "race" && record["status"] == 201);
            counts[1] += usize::from(record["status"] == 202);
        }
    }
    assert_eq!(counts, [created, created]);
}

#[test]
fn an_upload_goes_on_at_any_gate_with_the_same_keys() {
    let pair = Pair::start(Postgres::start());
    let [one, other] = pair.clients("alice");
    let blob = Blob::new("application/octet-stream", b"one half and the other".to_vec());
    let (first, rest) = blob.bytes.split_at(8);
    let octets = |bytes| Ask::body("application/octet-stream", bytes);
    let next = |answer: Answer| one.target_of(answer.header("location").unwrap());
    let target = one.target_of(&one.begin_upload("team/app"));
    let target = next(other.send("PATCH", &target, &octets(first)).expect(202));
    let status = one.get(&target).expect(204);
    assert_eq!(status.header("range"), Some("0-7"));
    let target = next(status);
    let finish = format!("{target}?digest={}", blob.digest);
    other.send("PUT", &finish, &octets(rest)).expect(201);
    assert_eq!(pair.registry.stored_blob(&blob.digest), Some(blob.bytes));
    let target = one.target_of(&one.begin_upload("team/app"));
    other.delete(&target).expect(204);
    one.get(&target).expect(404);
}

#[test]
fn a_gate_that_was_killed_keeps_nobody_waiting() {
    let pair = Pair::start(Postgres::start());
    let clients = pair.clients("cora");
    let [first, second] = [1, 2].map(|number| pair.manifest(number));
    let (_, pushed) = pair.pause.during(
        Stop::Request(format!("PUT {}", at("killed"))),
        || {
            let target = at("killed");
            let request = clients[0].request("PUT", &target).header("content-type", OCI_MANIFEST);
            let request = authorized(&clients[0], request)
                .body(crate::support::client::payload(first.bytes.clone()))
                .unwrap();
            crate::support::client::runtime()
                .block_on(async { clients[0].try_stream(request).await.is_some() })
        },
        || {
            pair.gates[0].signal("KILL");
            let pushed = put(&clients[1], "killed", &second);
            pair.pause.lose();
            pushed
        },
    );
    pushed.expect(201);
    assert_eq!(pair.stored("killed").as_ref(), Some(&second.digest));
}

fn authorized(client: &Client, request: http::request::Builder) -> http::request::Builder {
    match &client.credentials {
        crate::support::client::Credentials::Bearer(token) => {
            request.header("authorization", format!("Bearer {token}"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lock_that_was_lost_is_noticed_before_the_registry_is_asked() {
    let pair = Pair::start(Postgres::alone());
    let clients = pair.clients("cora");
    let [first, second] = [1, 2].map(|number| pair.manifest(number));
    // The registry has said that there is no such tag; then the database starts anew, and nobody has
    // any lock there.
    let (late, ()) = pair.pause.during(
        Stop::Answer(format!("HEAD {}", at("lost"))),
        || put(&clients[0], "lost", &first),
        || {
            pair.database.stop();
            pair.database.start_again();
            wait_for("the other gate's turn", SOON, || {
                let answer = put(&clients[1], "lost", &second);
                assert!(matches!(answer.status, 201 | 503), "{answer:?}");
                (answer.status == 201).then_some(())
            });
            thread::sleep(A_WHILE);
        },
    );
    let late = late.expect(503);
    assert!(late.header("retry-after").is_some());
    assert_eq!(late.code(), "UNAVAILABLE");
    assert_eq!(pair.stored("lost").as_ref(), Some(&second.digest));
    // Asked again, it is told what holds.
    let refused = put(&clients[0], "lost", &first).expect(403);
    assert!(refused.message().contains("overwrite"), "{}", refused.message());
}

#[test]
fn without_the_database_nothing_is_changed_and_what_was_begun_is_told_of() {
    let pair = Pair::start(Postgres::alone());
    let (alice, cora) = (pair.clients("alice"), pair.clients("cora"));
    let manifest = pair.manifest(1);
    let puts = format!("PUT {}", at(""));
    let (begun, ()) = pair.pause.during(
        Stop::Answer(format!("PUT {}", at("begun"))),
        || put(&alice[0], "begun", &manifest),
        || {
            pair.database.stop();
            let before = pair.pause.seen(&puts);
            for client in [&alice[1], &cora[1]] {
                let refused = put(client, "away", &manifest).expect(503);
                assert!(refused.header("retry-after").is_some());
            }
            alice[1].delete(&at("v0")).expect(503);
            assert_eq!(pair.pause.seen(&puts), before);
            // Reading needs no turn.
            alice[1].get(&at("v0")).expect(200);
        },
    );
    begun.expect(201);
    assert_eq!(pair.stored("begun").as_ref(), Some(&manifest.digest));
    wait_for("word of the lost lock", SOON, || {
        pair.gates[0].log().contains("the lock between replicas was lost").then_some(())
    });
    assert!(!pair.gates[1].log().contains("the lock between replicas was lost"));

    pair.database.start_again();
    for client in &alice {
        wait_for("a turn", SOON, || (put(client, "back", &manifest).status == 201).then_some(()));
    }
}
