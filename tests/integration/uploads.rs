//! Blobs on their way in and out.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use bytes::Bytes;
use http::header;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Body;

use crate::support::client::{Ask, Client, Credentials, runtime};
use crate::support::clock::{DAY, HOUR, MINUTE};
use crate::support::gate::Setup;
use crate::support::images::{Blob, Image, hex};
use crate::support::process::wait_for;
use crate::support::scene::Scene;

const OCTETS: &str = "application/octet-stream";
const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice, user:bob]
    images: ["team/**"]
    allow: [pull, push]
  - name: bob-writes-here-too
    subjects: [user:bob]
    images: ["other/app"]
    allow: [pull, push]
"#;

fn scene() -> Scene {
    Scene::new(POLICY, &[("alice", &[]), ("bob", &[])])
}

#[test]
fn a_blob_may_come_in_one_piece_or_in_many_and_its_upload_may_be_asked_after() {
    let scene = scene();
    let alice = scene.client("alice");
    let blob = Blob::new(OCTETS, (0..200_000u32).flat_map(u32::to_le_bytes).collect());
    let (first, rest) = blob.bytes.split_at(300_000);

    let location = alice.begin_upload("team/app");
    let range = format!("0-{}", first.len() - 1);
    let target = alice.target_of(&location);
    let headers = [("content-range", range.as_str())];
    let sent = Ask { headers: &headers, body: first, media_type: Some(OCTETS) };
    let (answer, asked) = scene.recorder.during(|| alice.send("PATCH", &target, &sent).expect(202));
    assert_eq!(asked[0].header("content-range"), Some(&*range));
    assert_eq!(answer.header("range"), Some(&*range));
    let target = alice.target_of(answer.header("location").unwrap());
    let status = alice.get(&target).expect(204);
    assert_eq!(status.header("range"), Some(&*range));

    let finish = format!("{target}?digest={}", blob.digest);
    let answer = alice.send("PUT", &finish, &Ask::body(OCTETS, rest)).expect(201);
    assert_eq!(answer.header("docker-content-digest"), Some(&*blob.digest));
    assert_eq!(scene.registry.stored_blob(&blob.digest), Some(blob.bytes.clone()));

    // In one piece behind a POST, as far as the registry does that; it may ask for a PUT instead.
    let small = Blob::new(OCTETS, b"in one request".to_vec());
    let target = format!("/v2/team/app/blobs/uploads/?digest={}", small.digest);
    let answer = alice.send("POST", &target, &Ask::body(OCTETS, &small.bytes));
    assert!(matches!(answer.status, 201 | 202), "{answer:?}");

    let location = alice.begin_upload("team/app");
    let target = alice.target_of(&location);
    alice.delete(&target).expect(204);
    alice.get(&target).expect(404);
}

#[test]
fn clients_see_sealed_locations_of_the_gate_and_nothing_of_the_upstream() {
    let scene = scene();
    let alice = scene.client("alice");
    let image = Image::oci("locations");
    let mut locations = Vec::new();
    let mut look = |answer: &crate::support::client::Answer| {
        for (name, value) in &answer.headers {
            let value = value.to_str().unwrap();
            let upstream = scene.registry.address().port().to_string();
            assert!(!value.contains(&upstream), "{name}: {value}");
            assert!(!value.contains(scene.recorder.url().as_str()), "{name}: {value}");
            assert!(!value.contains("_state"), "{name}: {value}");
        }
        if let Some(location) = answer.header("location") {
            locations.push(location.to_owned());
        }
    };
    let answer = alice.send("POST", "/v2/team/app/blobs/uploads/", &Ask::default()).expect(202);
    look(&answer);
    let target = alice.target_of(answer.header("location").unwrap());
    let layer = &image.layers[0];
    let answer = alice.send("PATCH", &target, &Ask::body(OCTETS, &layer.bytes)).expect(202);
    look(&answer);
    let target = alice.target_of(answer.header("location").unwrap());
    look(&alice.get(&target).expect(204));
    let finish = format!("{target}?digest={}", layer.digest);
    look(&alice.send("PUT", &finish, &Ask::default()).expect(201));
    drop(alice.push_blob("team/app", &image.layers[1]).expect(201));
    drop(alice.push_blob("team/app", &image.config).expect(201));
    look(&alice.put_manifest("team/app", "v1", &image.manifest).expect(201));
    let origin = format!("https://{}", scene.gate.name());
    for location in locations {
        let path = location.strip_prefix(&origin).unwrap_or(&location);
        assert!(path.starts_with("/v2/team/app/"), "{location}");
    }
}

#[test]
fn headers_of_the_client_do_not_turn_locations_elsewhere() {
    let scene = scene();
    let alice = scene.client("alice");
    let headers = [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-forwarded-prefix", "/evil"),
    ];
    let target = "/v2/team/app/blobs/uploads/";
    let (answer, asked) =
        scene.recorder.during(|| alice.send("POST", target, &Ask::headers(&headers)).expect(202));
    assert!(!format!("{:?}", answer.headers).contains("evil"), "{:?}", answer.headers);
    assert!(!format!("{asked:?}").contains("evil"), "{asked:?}");
}

#[test]
fn an_upload_belongs_to_who_began_it_and_to_its_repository() {
    let scene = scene();
    let (alice, bob) = (scene.client("alice"), scene.client("bob"));
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let chunk = Ask::body(OCTETS, b"stolen");
    let digest = Blob::new(OCTETS, b"stolen".to_vec()).digest;
    let finish = format!("{target}?digest={digest}");
    let elsewhere = target.replacen("/team/app/", "/team/other/", 1);
    let other = target.replacen("/team/app/", "/other/app/", 1);
    for (client, method, target, ask) in [
        (&bob, "PATCH", &target, &chunk),
        (&bob, "PUT", &finish, &chunk),
        (&bob, "GET", &target, &Ask::default()),
        (&bob, "DELETE", &target, &Ask::default()),
        (&alice, "PATCH", &elsewhere, &chunk),
        (&bob, "PATCH", &other, &chunk),
    ] {
        let answer = scene.unasked(|| client.send(method, target, ask)).expect(404);
        assert_eq!(answer.code(), "BLOB_UPLOAD_UNKNOWN", "{method} {target}");
    }
    // Changed in any character, it is nobody's.
    let last = if target.ends_with('A') { "B" } else { "A" };
    let forged = format!("{}{last}", &target[..target.len() - 1]);
    scene.unasked(|| alice.send("PATCH", &forged, &chunk)).expect(404);
    alice.send("PATCH", &target, &chunk).expect(202);
}

#[test]
fn an_upload_goes_on_after_the_gate_was_started_anew() {
    let mut scene = scene();
    let target = scene.client("alice").target_of(&scene.client("alice").begin_upload("team/app"));
    scene.gate.restart();
    let alice = scene.client("alice");
    let blob = Blob::new(OCTETS, b"after a restart".to_vec());
    let finish = format!("{target}?digest={}", blob.digest);
    alice.send("PUT", &finish, &Ask::body(OCTETS, &blob.bytes)).expect(201);
    assert_eq!(scene.registry.stored_blob(&blob.digest), Some(blob.bytes));
}

#[test]
fn an_upload_outlives_its_token_for_a_day_and_no_longer_whatever_the_clock_does() {
    let users: &[(&str, &[&str])] = &[("alice", &[]), ("bob", &[])];
    let scene = Scene::with(POLICY, users, Setup::own_clock);
    let clock = scene.gate.clock();
    let token = scene.client("alice").token(&["repository:team/app:pull,push"]);
    let alice = scene.gate.bearer(&token);
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let chunk = Ask::body(OCTETS, b"piece");

    clock.set(23 * HOUR);
    scene.unasked(|| alice.send("POST", "/v2/team/app/blobs/uploads/", &chunk)).expect(401);
    alice.get(&target).expect(204);
    let target = alice.send("PATCH", &target, &chunk).expect(202);
    let target = alice.target_of(target.header("location").unwrap());
    // It is still nobody else's, and nothing else than it is open to an expired token.
    let bob = scene.gate.basic("bob");
    scene.unasked(|| bob.send("PATCH", &target, &chunk)).expect(404);
    scene.unasked(|| alice.head("/v2/team/app/manifests/v1")).expect(401);

    // Each step has a new location, and the day is that of the first.
    clock.set(DAY + 5 * MINUTE);
    for alice in [&alice, &scene.gate.basic("alice")] {
        let answer = scene.unasked(|| alice.send("PATCH", &target, &chunk)).expect(404);
        assert_eq!(answer.code(), "BLOB_UPLOAD_UNKNOWN");
    }
    clock.set(DAY + 2 * HOUR);
    scene.unasked(|| alice.send("PATCH", &target, &chunk)).expect(401);
    // What was over stays so when the clock is put back.
    clock.set(HOUR);
    let again = scene.gate.basic("alice");
    scene.unasked(|| again.send("PATCH", &target, &chunk)).expect(404);
    scene.unasked(|| alice.send("PATCH", &target, &chunk)).expect(401);
}

#[test]
fn an_upload_ends_with_the_account_of_whoever_began_it() {
    let scene = scene();
    let token = scene.client("alice").token(&["repository:team/app:pull,push"]);
    let alice = scene.gate.bearer(&token);
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let chunk = Ask::body(OCTETS, b"piece");
    let target = alice.send("PATCH", &target, &chunk).expect(202);
    let target = alice.target_of(target.header("location").unwrap());
    scene.gate.run(&["user", "disable", "alice"]).ok();
    let finish = format!("{target}?digest={}", Blob::new(OCTETS, b"piece".to_vec()).digest);
    wait_for("the end of the account", Duration::from_secs(20), || {
        (alice.get(&target).status == 401).then_some(())
    });
    for (method, target) in [("PATCH", &target), ("PUT", &finish), ("DELETE", &target)] {
        scene.unasked(|| alice.send(method, target, &chunk)).expect(401);
    }
    scene.gate.run(&["user", "enable", "alice"]).ok();
    wait_for("the account", Duration::from_secs(20), || {
        (alice.get(&target).status == 204).then_some(())
    });
}

#[test]
fn the_digest_that_ends_an_upload_is_said_once_and_may_be_encoded() {
    let scene = scene();
    let alice = scene.client("alice");
    let blob = Blob::new(OCTETS, b"said once".to_vec());
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let other = Blob::new(OCTETS, b"another".to_vec()).digest;
    for query in [
        format!("digest={}&digest={other}", blob.digest),
        format!("digest={other}&digest={}", blob.digest),
        format!("_state=forged&digest={}", blob.digest),
        format!("digest={}&mount={other}&from=other/app", blob.digest),
        format!("digest={}", blob.digest.replace("sha256", "SHA256")),
        "digest=".to_owned(),
    ] {
        let ask = Ask::body(OCTETS, &blob.bytes);
        scene.unasked(|| alice.send("PUT", &format!("{target}?{query}"), &ask)).expect(400);
    }
    // As containerd writes it.
    let finish = format!("{target}?digest={}", blob.digest.replace(':', "%3A"));
    let (_, asked) = scene
        .recorder
        .during(|| alice.send("PUT", &finish, &Ask::body(OCTETS, &blob.bytes)).expect(201));
    // The upstream's own parameters go before it, and it stands there once.
    let query = asked[0].target.split_once('?').unwrap().1;
    assert!(query.starts_with("_state="), "{query}");
    assert!(query.ends_with(&format!("&digest={}", blob.digest)), "{query}");
    assert_eq!(query.matches("digest=").count(), 1);
    assert_eq!(scene.registry.stored_blob(&blob.digest), Some(blob.bytes));
}

#[test]
fn parts_of_a_blob_are_served_as_parts() {
    let scene = scene();
    let alice = scene.client("alice");
    let blob = Blob::new(OCTETS, (0..=255).collect());
    alice.push_blob("team/app", &blob).expect(201);
    let target = format!("/v2/team/app/blobs/{}", blob.digest);
    for (range, from, to) in
        [("bytes=10-19", 10, 20), ("bytes=250-", 250, 256), ("bytes=-6", 250, 256)]
    {
        let part = alice.send("GET", &target, &Ask::headers(&[("range", range)])).expect(206);
        assert_eq!(part.body, blob.bytes[from..to], "{range}");
        let expected = format!("bytes {from}-{}/256", to - 1);
        assert_eq!(part.header("content-range"), Some(&*expected));
    }
    alice.send("GET", &target, &Ask::headers(&[("range", "bytes=300-")])).expect(416);
    let head = alice.head(&target).expect(200);
    assert_eq!(head.header("content-length"), Some("256"));
    assert!(head.body.is_empty());
}

#[test]
fn uploads_always_go_up_as_octets() {
    let scene = scene();
    let alice = scene.client("alice");
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let form = Ask::body("application/x-www-form-urlencoded", b"_state=forged&digest=x");
    let (_, asked) = scene.recorder.during(|| alice.send("PATCH", &target, &form));
    for seen in &asked {
        assert_eq!(seen.header("content-type"), Some(OCTETS), "{seen:?}");
    }
}

/// Many bytes that are made as they are sent.
struct Many {
    left: u64,
    count: u64,
    hash: Arc<Mutex<digest::Context>>,
}

const PIECE: usize = 256 << 10;

impl Body for Many {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; PIECE];
        for (place, word) in piece.chunks_exact_mut(4096).enumerate() {
            word[..8].copy_from_slice(&(self.count * 64 + place as u64).to_le_bytes());
        }
        self.left -= PIECE as u64;
        self.count += 1;
        self.hash.lock().unwrap().update(&piece);
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn send_many(
    client: &Client,
    target: &str,
    token: &str,
    size: u64,
) -> (http::Response<()>, String) {
    let hash = Arc::new(Mutex::new(digest::Context::new(&SHA256)));
    let body = Many { left: size, count: 0, hash: Arc::clone(&hash) };
    let request = client
        .request("PATCH", target)
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, OCTETS)
        .body(body.boxed())
        .unwrap();
    let answer = runtime().block_on(client.stream(request)).unwrap();
    let digest = hex(hash.lock().unwrap().clone().finish().as_ref());
    (answer.map(|_| ()), digest)
}

#[test]
fn two_gibibytes_go_up_and_down_in_little_memory() {
    const SIZE: u64 = 2 << 30;
    const LIMIT: u64 = 32 << 20;
    let scene = scene();
    let alice = scene.client("alice");
    // Whatever the first requests allocate is not growth.
    alice.push("team/app", "v1", &Image::oci("warm up"));
    let before = scene.gate.memory();
    let token = alice.token(&["repository:team/app:pull,push"]);
    let target = alice.target_of(&alice.begin_upload("team/app"));
    let (answer, digest) = send_many(&alice, &target, &token, SIZE);
    assert_eq!(answer.status().as_u16(), 202);
    let target = alice.target_of(answer.headers()["location"].to_str().unwrap());
    let signed = alice.with(Credentials::Bearer(token.clone()));
    signed.send("PUT", &format!("{target}?digest={digest}"), &Ask::default()).expect(201);
    assert_eq!(scene.registry.stored_size(&digest), Some(SIZE));

    let request = alice
        .request("GET", &format!("/v2/team/app/blobs/{digest}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(crate::support::client::payload(""))
        .unwrap();
    let (length, back) = runtime().block_on(async {
        let mut body = alice.stream(request).await.unwrap().into_body();
        let (mut length, mut hash) = (0, digest::Context::new(&SHA256));
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            length += data.len() as u64;
            hash.update(&data);
        }
        (length, hex(hash.finish().as_ref()))
    });
    assert_eq!((length, back), (SIZE, digest));
    let growth = scene.gate.peak_memory().saturating_sub(before);
    assert!(growth < LIMIT, "the gate grew by {} MiB", growth >> 20);
}
