//! What is revoked ends at the next request, whatever was cached and whatever is open, and stays so.

use std::fs;
use std::process::Command;

use http::header::AUTHORIZATION;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::api::{Puller, text};
use crate::support::client::{Ask, Client, Credentials, collect, payload, runtime};
use crate::support::clock::{HOUR, MINUTE};
use crate::support::gate::{Gate, Setup};
use crate::support::images::{Blob, Image, manifest};
use crate::support::process::{Said, free_port};
use crate::support::scene::Scene;

const OCTETS: &str = "application/octet-stream";
const POLICY: &str = r#"
administrators: [user:root]
rules:
  - name: the-team-works-here
    subjects: [user:alice, user:bob]
    images: ["team/**"]
    allow: [pull, push]
"#;

fn scene() -> Scene {
    let users: &[(&str, &[&str])] = &[("alice", &[]), ("bob", &[]), ("root", &[])];
    let scene = Scene::with(POLICY, users, Setup::own_clock);
    scene.client("alice").push("team/app", "v1", &Image::oci("revocation"));
    scene
}

/// A refreshable token that somebody made, with an access token that docker would get for it.
struct Token {
    made: Value,
    access: String,
    derived: String,
}

impl Token {
    fn of(gate: &Gate, user: &str) -> Self {
        let order = json!({"expires": "1h", "refreshable": true});
        let made = gate.basic(user).post("/api/v1/tokens", &order).expect(201).json();
        let access = text(&made, "access_token");
        let password = Credentials::Tokens(user.to_owned(), access.clone());
        let derived = gate.anonymous().with(password).token(&["repository:team/app:pull"]);
        Self { made, access, derived }
    }

    fn id(&self) -> String {
        text(&self.made, "id")
    }

    fn refresh_token(&self) -> String {
        text(&self.made, "refresh_token")
    }

    /// Open connections on which both of its access tokens were used, and are remembered.
    fn pullers(&self, gate: &Gate) -> [Puller; 2] {
        [&self.access, &self.derived].map(|token| Puller::start(gate, token))
    }
}

/// A way of ending a token, with its name.
type Way<'a> = (&'a str, &'a dyn Fn(&Token));

fn pull(pullers: &mut [Puller; 2]) -> [u16; 2] {
    pullers.each_mut().map(|puller| puller.pull().status)
}

#[test]
fn every_way_of_revoking_holds_from_the_next_request_on_a_connection_that_is_open() {
    let scene = scene();
    let gate = &scene.gate;
    let (alice, root) = (gate.basic("alice"), gate.basic("root"));
    let bystander = Token::of(gate, "bob");
    let mut theirs = bystander.pullers(gate);

    let ways: [Way<'_>; 4] = [
        ("by id, by its owner", &|token| {
            drop(alice.delete(&format!("/api/v1/tokens/{}", token.id())).expect(204));
        }),
        ("by id, by an administrator", &|token| {
            drop(root.delete(&format!("/api/v1/tokens/{}", token.id())).expect(204));
        }),
        ("by the refresh token, by whoever has it", &|token| {
            let value = json!({ "value": token.refresh_token() });
            drop(gate.anonymous().revoke(&value).expect(200));
        }),
        ("all of a subject", &|_| {
            drop(root.revoke(&json!({"subject": "user:alice"})).expect(200));
        }),
    ];
    for (minute, (way, revoke)) in (1..).zip(ways) {
        // Revoking goes by whole seconds; who signs in within that second is said to come after it.
        gate.clock().set(minute * MINUTE);
        let token = Token::of(gate, "alice");
        let mut open = token.pullers(gate);
        revoke(&token);
        assert_eq!(pull(&mut open), [401, 401], "{way}");
        gate.refresh(&token.refresh_token()).expect(401);
        assert_eq!(pull(&mut theirs), [200, 200], "{way}");
    }

    // Whoever shows one token of a family ends all of it.
    for (minute, derived) in [(10, false), (11, true)] {
        gate.clock().set(minute * MINUTE);
        let token = Token::of(gate, "alice");
        let mut open = token.pullers(gate);
        let value = if derived { &token.derived } else { &token.access };
        gate.anonymous().revoke(&json!({ "value": value })).expect(200);
        assert_eq!(pull(&mut open), [401, 401]);
        gate.refresh(&token.refresh_token()).expect(401);
    }

    // Others may not end what they neither have nor own.
    let token = Token::of(gate, "alice");
    let (access, id) = (&token.access, token.id());
    gate.basic("bob").delete(&format!("/api/v1/tokens/{id}")).expect(404);
    gate.basic("bob").revoke(&json!({"subject": "user:alice"})).expect(403);
    gate.basic("bob").revoke(&json!({"everything": true})).expect(403);
    assert_eq!((gate.pulls(access), pull(&mut theirs)), (200, [200, 200]));

    root.revoke(&json!({"everything": true})).expect(200);
    assert_eq!((gate.pulls(access), pull(&mut theirs)), (401, [401, 401]));
    assert_eq!(pull(&mut Token::of(gate, "bob").pullers(gate)), [200, 200], "what came after");
}

#[test]
fn everything_before_a_time_ends_and_what_came_after_it_holds() {
    let scene = scene();
    let gate = &scene.gate;
    let (before, other) = (Token::of(gate, "alice"), Token::of(gate, "bob"));
    let time: Timestamp = text(&other.made, "made_at").parse().unwrap();
    gate.clock().set(10 * MINUTE);
    let after = Token::of(gate, "alice");
    let root = gate.basic("root");
    root.revoke(&json!({"subject": "user:alice", "before": time})).expect(200);
    let pulls = || [&before, &after, &other].map(|token| gate.pulls(&token.derived));
    assert_eq!(pulls(), [401, 200, 200]);
    root.revoke(&json!({"everything": true, "before": time})).expect(200);
    assert_eq!(pulls(), [401, 200, 401]);
    root.revoke(&json!({"everything": true, "before": "2999-01-01T00:00:00Z"})).expect(400);
}

fn upload(client: &Client, target: &str, piece: &[u8]) -> (u16, String) {
    let answer = client.send("PATCH", target, &Ask::body(OCTETS, piece));
    let next = answer.header("location").map(|location| client.target_of(location));
    (answer.status, next.unwrap_or_default())
}

#[test]
fn a_push_that_is_under_way_goes_no_further_and_a_pull_ends_with_what_it_had_begun() {
    let scene = scene();
    let gate = &scene.gate;
    // More than fits into the buffers on its way.
    let blob = Blob::new(OCTETS, (0..8u32 << 20).flat_map(u32::to_le_bytes).collect());
    let mut image = Image::oci("large");
    image.layers.push(blob.clone());
    image.manifest = manifest(&image.manifest.media_type, &image.config, &image.layers, None);
    scene.registry.client().push("team/app", "large", &image);
    let token = Token::of(gate, "alice");
    let client = gate.bearer(&token.access);
    client.get("/v2/team/app/manifests/large").expect(200);

    let target = format!("/v2/team/app/blobs/{}", blob.digest);
    let bearer = format!("Bearer {}", token.access);
    let request = client.request("GET", &target).header(AUTHORIZATION, bearer);
    let request = request.body(payload("")).unwrap();
    let download = runtime().block_on(client.stream(request)).unwrap();
    assert_eq!(download.status(), 200);
    let location = client.target_of(&client.begin_upload("team/app"));
    let (status, next) = upload(&client, &location, b"one half and ");
    assert_eq!(status, 202);

    gate.basic("alice").delete(&format!("/api/v1/tokens/{}", token.id())).expect(204);
    let whole = runtime().block_on(collect(download));
    assert!(whole.complete && whole.body == blob.bytes);
    client.get(&target).expect(401);
    scene.unasked(|| client.send("PATCH", &next, &Ask::body(OCTETS, b"another")).expect(401));
    let half = Blob::new(OCTETS, b"one half and ".to_vec());
    let finish =
        format!("{next}{}digest={}", if next.contains('?') { '&' } else { '?' }, half.digest);
    scene.unasked(|| client.send("PUT", &finish, &Ask::default()).expect(401));
    scene.unasked(|| client.delete(&next).expect(401));
    assert_eq!(scene.registry.stored_blob(&half.digest), None);
}

#[test]
fn an_upload_goes_on_when_its_token_expires_and_not_when_that_is_revoked() {
    let scene = scene();
    let gate = &scene.gate;
    let token = Token::of(gate, "alice");
    let client = gate.bearer(&token.access);
    let location = client.target_of(&client.begin_upload("team/app"));
    gate.clock().set(HOUR + 2 * MINUTE);
    client.get("/v2/team/app/manifests/v1").expect(401);
    let (status, next) = upload(&client, &location, b"one half and ");
    assert_eq!(status, 202, "no push stops in the middle");
    gate.basic("alice").delete(&format!("/api/v1/tokens/{}", token.id())).expect(204);
    scene.unasked(|| client.send("PATCH", &next, &Ask::body(OCTETS, b"another")).expect(401));
}

#[test]
fn what_was_revoked_stays_so_when_the_gate_is_killed_at_once() {
    let mut scene = scene();
    scene.gate.run(&["service", "add", "ci/build"]).ok();
    let kept = Token::of(&scene.gate, "bob");
    for round in 0..6 {
        let gate = &mut scene.gate;
        let token = Token::of(gate, "alice");
        let mut open = token.pullers(gate);
        assert_eq!(pull(&mut open), [200, 200]);
        match round {
            0 | 3 => drop(gate.basic("root").revoke(&json!({"subject": "user:alice"})).expect(200)),
            1 | 4 => drop(gate.anonymous().revoke(&json!({ "value": token.access })).expect(200)),
            _ => {
                let target = format!("/api/v1/tokens/{}", token.id());
                drop(gate.basic("alice").delete(&target).expect(204));
            }
        }
        match round {
            0..3 => gate.kill_and_restart(),
            _ => gate.restart(),
        }
        assert_eq!(gate.pulls(&token.access), 401, "{round}");
        gate.refresh(&token.refresh_token()).expect(401);
        assert_eq!((gate.pulls(&kept.access), gate.pulls(&kept.derived)), (200, 200));
    }
    scene.gate.run(&["service", "disable", "ci/build"]).ok();
    scene.gate.kill_and_restart();
    let services = scene.gate.json(&["service", "list"]);
    assert_eq!(services["services"][0]["disabled"], json!(true), "{services}");
}

#[test]
fn a_second_gate_does_not_get_the_state_of_the_first() {
    let scene = scene();
    let gate = &scene.gate;
    let text = fs::read_to_string(gate.config()).unwrap();
    let elsewhere = || format!("127.0.0.1:{}", free_port());
    let management = gate.management().authority();
    let second =
        text.replace(&gate.address().to_string(), &elsewhere()).replace(&management, &elsewhere());
    assert!(!second.contains(&management));
    let config = gate.home().join("second.yaml");
    fs::write(&config, second).unwrap();
    let mut serve = Command::new("timeout");
    serve.args(["20", env!("CARGO_BIN_EXE_portcullis"), "serve", "--config"]).arg(config);
    let said = Said::of(&mut serve).refused(&format!("is in use by process {}", gate.pid()));
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert!(said.err.contains("PostgreSQL"), "what to do instead: {}", said.err);
    // The first goes on, with its admin socket.
    assert_eq!(gate.pulls(&Token::of(gate, "alice").access), 200);
    gate.run(&["service", "list"]).ok();
}
