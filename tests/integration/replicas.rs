//! Gates that share their state in PostgreSQL: what one does holds at the others.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::support::api::{Puller, text};
use crate::support::clock::MINUTE;
use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::postgres::Postgres;
use crate::support::process::wait_for;
use crate::support::registry::Registry;

const POLICY: &str = r#"
groups: {ci: external}
administrators: [user:root]
rules:
  - name: the-team-works-here
    subjects: [user:alice, group:ci]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// Far more than the second that it is to take, for a machine that is busy.
const SOON: Duration = Duration::from_secs(60);

/// Two gates behind one name, with one database. Stops in this order.
struct Replicas {
    gates: [Gate; 2],
    database: Postgres,
    _registry: Registry,
}

impl Replicas {
    fn start(database: Postgres) -> Self {
        let registry = Registry::start();
        registry.client().push("team/app", "v1", &Image::oci("replicas"));
        let upstream = format!("http://{}", registry.address());
        let state = format!("{{url: '{}', max_staleness: 20s}}", database.url());
        let setup = || Setup::new(&upstream, POLICY).setting("state", &state).own_clock();
        let one = setup().user("alice", &[]).user("root", &[]).start();
        let at_one = |path: &str| one.home().join(path).display().to_string();
        // Of an administrator: the same keys, users and name for both.
        let other = setup()
            .setting("signing_keys", &at_one("state/keys"))
            .setting("users", &at_one("users.yaml"))
            .setting("public_url", &format!("https://{}", one.name()))
            .start();
        Self { gates: [one, other], database, _registry: registry }
    }

    /// A refreshable token that alice makes at the first one: its id, and both of its values.
    fn token(&self) -> [String; 3] {
        let order = json!({"expires": "1h", "refreshable": true});
        let made = self.gates[0].basic("alice").post("/api/v1/tokens", &order).expect(201).json();
        ["id", "access_token", "refresh_token"].map(|name| text(&made, name))
    }
}

/// What is revoked, and how, by the id of a token.
type Way<'a> = (&'a str, &'a dyn Fn(&str));

/// Waits until a connection that was open all the time brings this.
fn until(puller: &mut Puller, status: u16, what: &str) {
    wait_for(what, SOON, || (puller.pull().status == status).then_some(()));
}

#[test]
fn what_ends_at_one_replica_ends_at_the_other_on_connections_that_are_open() {
    let replicas = Replicas::start(Postgres::start());
    let [one, other] = &replicas.gates;
    let revocations: [Way<'_>; 3] = [
        ("a token", &|id| {
            drop(one.basic("alice").delete(&format!("/api/v1/tokens/{id}")).expect(204));
        }),
        ("a subject", &|_| {
            drop(one.basic("root").revoke(&json!({"subject": "user:alice"})).expect(200));
        }),
        ("everything", &|_| {
            drop(one.basic("root").revoke(&json!({"everything": true})).expect(200));
        }),
    ];
    for (minute, (what, revoke)) in (1..).zip(revocations) {
        // Revoking goes by whole seconds; who signs in within that second is said to come after it.
        replicas.gates.iter().for_each(|gate| gate.clock().set(minute * MINUTE));
        let [id, access, refresh_token] = replicas.token();
        let mut puller = Puller::start(other, &access);
        revoke(&id);
        assert_eq!(one.pulls(&access), 401);
        until(&mut puller, 401, what);
        other.refresh(&refresh_token).expect(401);
    }

    one.run(&["service", "add", "ci/build"]).ok();
    let create =
        ["token", "create", "--for", "service:ci/build", "--group", "ci", "--expires", "1h"];
    let made = one.json(&create);
    let access = text(&made, "access_token");
    wait_for("the service", SOON, || (other.pulls(&access) == 200).then_some(()));
    let mut puller = Puller::start(other, &access);
    one.run(&["service", "disable", "ci/build"]).ok();
    until(&mut puller, 401, "a service that was disabled");
    other.run(&["service", "enable", "ci/build"]).ok();
    until(&mut puller, 200, "a service that was enabled");
    wait_for("the service", SOON, || (one.pulls(&access) == 200).then_some(()));
}

#[test]
fn a_refresh_token_is_exchanged_for_the_same_one_at_either_replica() {
    let replicas = Replicas::start(Postgres::start());
    let [one, other] = &replicas.gates;
    let [_, first, mut token] = replicas.token();
    for _ in 0..5 {
        let successors: Vec<_> = thread::scope(|scope| {
            let ask = |number: usize| {
                let (gate, token) = (&replicas.gates[number % 2], &token);
                scope.spawn(move || gate.refreshed(token))
            };
            let threads: Vec<_> = (0..8).map(ask).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(successors.windows(2).all(|pair| pair[0].1 == pair[1].1), "one successor");
        for (access, _) in &successors {
            assert_eq!((one.pulls(access), other.pulls(access)), (200, 200));
        }
        token = successors[0].1.clone();
    }
    // What is not the last or the one before is a sign of theft, whoever is shown it.
    let stale = replicas.token()[2].clone();
    let (access, second) = one.refreshed(&stale);
    let (_, third) = other.refreshed(&second);
    let mut puller = Puller::start(one, &access);
    one.refreshed(&third);
    other.refresh(&stale).expect(401);
    until(&mut puller, 401, "the family that was stolen from");
    assert_eq!((one.pulls(&first), other.pulls(&first)), (200, 200), "another family");
}

#[test]
fn without_its_database_a_gate_goes_on_for_a_while_then_refuses_and_recovers() {
    let replicas = Replicas::start(Postgres::alone());
    let [gate, other] = &replicas.gates;
    let [id, access, refresh_token] = replicas.token();
    let mut puller = Puller::start(gate, &access);
    replicas.database.stop();
    // What is known goes on to hold for 20 s.
    assert_eq!(puller.pull().status, 200);
    let late = wait_for("the end of what may be believed", SOON, || {
        let answer = puller.pull();
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(late.status, 503);
    assert!(late.header("retry-after").is_some(), "{late:?}");
    for gate in &replicas.gates {
        wait_for("both to say so", SOON, || {
            (gate.management().get("/readyz").status == 503).then_some(())
        });
    }
    gate.management().get("/healthz").expect(200);
    let refused = gate.refresh(&refresh_token).expect(503);
    assert!(refused.header("retry-after").is_some());
    // Neither is anything revoked that could not be written down, nor is anybody told so.
    let target = format!("/api/v1/tokens/{id}");
    assert_eq!(gate.basic("alice").delete(&target).status, 503);
    assert_eq!(gate.client("alice").get("/v2/team/app/manifests/v1").status, 503);

    replicas.database.start_again();
    wait_for("readiness", SOON, || (gate.management().get("/readyz").status == 200).then_some(()));
    // The connection may have been idle for too long by now, and its token is still good.
    assert_eq!(gate.pulls(&access), 200);
    let (access, _) = gate.refreshed(&refresh_token);
    let mut elsewhere = wait_for("the other replica", SOON, || {
        (other.pulls(&access) == 200).then(|| Puller::start(other, &access))
    });
    gate.basic("alice").delete(&target).expect(204);
    assert_eq!(gate.pulls(&access), 401);
    until(&mut elsewhere, 401, "the revocation at the other replica");
}
