//! Where one request ends and the next begins is beyond doubt, or the connection ends.

use std::time::Duration;

use crate::support::client::{ACCEPT, Ask, Credentials};
use crate::support::images::{Blob, Image};
use crate::support::process::wait_for;
use crate::support::scene::Scene;
use crate::support::wire::Wire;

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

fn scene() -> Scene {
    Scene::new(POLICY, &[("alice", &[])])
}

fn signed(scene: &Scene) -> String {
    let token = scene.client("alice").token(&["repository:team/app:pull,push"]);
    format!(
        "Host: {}\r\nAuthorization: Bearer {token}\r\nAccept: {}\r\n",
        scene.gate.name(),
        ACCEPT.1
    )
}

/// What would be a request of its own if the length were read the other way.
const SMUGGLED: &str = "GET /v2/team/app/manifests/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn a_body_of_doubtful_length_is_refused_and_its_connection_ends() {
    let scene = scene();
    let signed = signed(&scene);
    let line = "PUT /v2/team/app/manifests/v1";
    for (version, framing) in [
        ("1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
        ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("1.1", "Transfer-Encoding: chunked, chunked\r\n"),
        ("1.1", "Transfer-Encoding: gzip\r\n"),
        ("1.1", "Transfer-Encoding: xchunked\r\n"),
        ("1.1", "Transfer-Encoding: \u{b}chunked\r\n"),
        ("1.0", "Transfer-Encoding: chunked\r\n"),
        ("1.1", "Content-Length: +5\r\n"),
        ("1.1", "Content-Length: 1_0\r\n"),
        ("1.1", "Content-Length: 0x5\r\n"),
        ("1.1", "Content-Length: \r\n"),
        ("1.1", "Content-Length: 5, 6\r\n"),
        ("1.1", "Content-Length: 5\r\nContent-Length: 6\r\n"),
        ("1.1", "Content-Length: -1\r\n"),
        ("1.1", "Content-Length: 99999999999999999999999\r\n"),
        ("1.1", "Content-Length : 5\r\n"),
        ("1.1", "X-Folded: a\r\n b\r\nContent-Length: 0\r\n"),
        ("1.1", "X Y: a\r\nContent-Length: 0\r\n"),
    ] {
        let request = format!("{line} HTTP/{version}\r\n{signed}{framing}\r\n0\r\n\r\n{SMUGGLED}");
        let (_, asked) = scene.recorder.during(|| {
            let mut wire = Wire::open(&scene.gate.anonymous());
            let first = wire.ask(&request);
            if let Some(answer) = first {
                assert_eq!(answer.status, 400, "{framing:?}: {answer:?}");
                assert!(wire.answer().is_none(), "{framing:?}: a second answer");
            }
        });
        assert!(asked.is_empty(), "{framing:?} was sent on: {asked:?}");
    }
}

#[test]
fn chunks_of_doubtful_size_break_the_request_off() {
    let scene = scene();
    let signed = signed(&scene);
    for chunks in [
        "10000000000000000\r\nabc",
        "0_2\r\nab\r\n0\r\n\r\n",
        "+2\r\nab\r\n0\r\n\r\n",
        "2\nab\n0\n\n",
        "zz\r\n",
    ] {
        let request = format!(
            "PUT /v2/team/app/manifests/v1 HTTP/1.1\r\n{signed}Transfer-Encoding: chunked\r\n\
             Content-Type: application/vnd.oci.image.manifest.v1+json\r\n\r\n{chunks}{SMUGGLED}"
        );
        let (_, asked) = scene.recorder.during(|| {
            let mut wire = Wire::open(&scene.gate.anonymous());
            if let Some(answer) = wire.ask(&request) {
                assert_eq!(answer.status, 400, "{chunks:?}: {answer:?}");
                assert!(wire.answer().is_none(), "{chunks:?}: a second answer");
            }
        });
        assert!(asked.is_empty(), "{chunks:?} was sent on: {asked:?}");
    }
}

#[test]
fn the_body_of_a_get_is_not_sent_on() {
    let scene = scene();
    scene.client("alice").push("team/app", "v1", &Image::oci("framing"));
    let signed = signed(&scene);
    let request = format!(
        "GET /v2/team/app/manifests/v1 HTTP/1.1\r\n{signed}Content-Length: {}\r\n\r\n{SMUGGLED}",
        SMUGGLED.len()
    );
    let (answer, asked) = scene.recorder.during(|| {
        let mut wire = Wire::open(&scene.gate.anonymous());
        wire.ask(&request).unwrap()
    });
    assert!(asked.iter().all(|seen| seen.line() == "GET /v2/team/app/manifests/v1"), "{asked:?}");
    assert!(asked.iter().all(|seen| seen.header("content-length").is_none()));
    assert!(matches!(answer.status, 200 | 400), "{answer:?}");
}

#[test]
fn requests_that_follow_each_other_on_one_connection_are_decided_one_by_one() {
    let scene = scene();
    let image = Image::oci("one by one");
    scene.client("alice").push("team/app", "v1", &image);
    let signed = signed(&scene);
    let mut wire = Wire::open(&scene.gate.anonymous());
    wire.send(format!(
        "GET /v2/team/app/manifests/v1 HTTP/1.1\r\n{signed}\r\n\
         GET /v2/other/app/manifests/v1 HTTP/1.1\r\n{signed}\r\n\
         GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {}\r\n\r\n\
         GET /v2/team/app/manifests/{} HTTP/1.1\r\n{signed}\r\n",
        scene.gate.name(),
        image.digest()
    ));
    let statuses: Vec<_> = (0..4).map(|_| wire.answer().unwrap().status).collect();
    assert_eq!(statuses, [200, 403, 401, 200]);
}

#[test]
fn a_client_that_never_finishes_its_head_is_let_go() {
    let scene = Scene::with(POLICY, &[("alice", &[])], |setup| {
        setup.setting("limits", "{header_timeout: 5s, handshake_timeout: 5s}")
    });
    let mut wire = Wire::open(&scene.gate.anonymous());
    wire.send("GET /v2/ HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    if let Some(answer) = wire.answer() {
        assert_eq!(answer.status, 408);
    }
    assert!(wire.ends());
    // The same below TLS: a handshake that does not go on.
    let mut silent = Wire::open(&crate::support::client::Client::plain(scene.gate.address()));
    silent.send([0x16, 0x03, 0x01]);
    assert!(silent.ends());
    scene.gate.anonymous().get("/v2/").expect(401);
}

#[test]
fn an_upload_that_is_refused_early_leaves_the_next_request_whole() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull,push"]);
    let signed = alice.with(Credentials::Bearer(token));
    let blob = Blob::new("application/octet-stream", vec![7; 3 << 20]);
    for _ in 0..5 {
        // The body is not the digest's: the registry refuses after it has read it all.
        let location = signed.begin_upload("team/app");
        let wrong = Image::oci("another").config.digest;
        let target = format!("{}?digest={wrong}", signed.target_of(&location));
        let answer =
            signed.send("PUT", &target, &Ask::body("application/octet-stream", &blob.bytes));
        assert_eq!(answer.expect(400).code(), "DIGEST_INVALID");
        // An upload that was never begun is refused before its body is read.
        let absent = "/v2/team/app/blobs/uploads/nothing";
        scene
            .unasked(|| {
                signed.send(
                    "PATCH",
                    absent,
                    &Ask::body("application/octet-stream", &blob.bytes[..256 << 10]),
                )
            })
            .expect(404);
        signed.push_blob("team/app", &blob).expect(201);
    }
    wait_for("no transfer to be left over", Duration::from_secs(60), || {
        (scene.gate.metric("portcullis_transfers_in_flight") == 0.0).then_some(())
    });
}
