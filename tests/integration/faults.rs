//! When the upstream fails, its failure is seen as one: no half of anything ends well.

use crate::support::client::{Answer, Ask, Credentials};
use crate::support::gate::{Gate, Setup};
use crate::support::images::{Blob, Image, OCI_MANIFEST};
use crate::support::registry::Registry;
use crate::support::scene::Scene;
use crate::support::upstream::{Reply, Upstream, answer};

const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
"#;

/// A gate before an upstream that gives this one answer to all but `GET /v2/`.
fn scene(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Upstream, Gate) {
    let upstream = Upstream::start(move |head| match head.starts_with("GET /v2/ ") {
        true => Reply::Whole(answer("200 OK", "", b"{}")),
        false => reply(head),
    });
    let gate = Setup::new(&upstream.url(), POLICY)
        .user("alice", &[])
        .setting(
            "upstream",
            &format!(
                "{{url: \"{}\", timeouts: {{connect: 5s, response: 6s, idle: 6s}}}}",
                upstream.url()
            ),
        )
        .start();
    (upstream, gate)
}

fn blob_target(blob: &Blob) -> String {
    format!("/v2/team/app/blobs/{}", blob.digest)
}

fn large() -> Blob {
    Blob::new("application/octet-stream", (0..100_000u32).flat_map(u32::to_le_bytes).collect())
}

/// The client must not take what it got for the whole.
#[track_caller]
fn assert_broken(answer: &Answer) {
    assert!(
        answer.status >= 500 || !answer.complete,
        "{} with {} bytes",
        answer.status,
        answer.body.len()
    );
}

#[test]
fn a_blob_that_breaks_off_upstream_breaks_off_at_the_client() {
    let blob = large();
    let half = blob.bytes.len() / 2;
    let with_length = answer("200 OK", "", &blob.bytes);
    let cut = with_length.len() - half;
    let chunked = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{half:x}\r\n");
    let chunked = [chunked.as_bytes(), &blob.bytes[..half], b"\r\n"].concat();
    for bytes in [with_length[..cut].to_vec(), chunked] {
        let (_upstream, gate) = scene(move |_| Reply::Cut(bytes.clone()));
        for client in [gate.client("alice"), gate.client("alice").http2()] {
            let got = client.get(&blob_target(&blob));
            assert_eq!(got.status, 200);
            assert!(!got.complete, "a clean end after {} bytes", got.body.len());
            assert!(blob.bytes.starts_with(&got.body));
        }
    }
}

#[test]
fn a_manifest_that_breaks_off_is_a_502() {
    let image = Image::oci("faults");
    let whole =
        answer("200 OK", &format!("Content-Type: {OCI_MANIFEST}\r\n"), &image.manifest.bytes);
    let cut = whole[..whole.len() - 20].to_vec();
    let (_upstream, gate) = scene(move |_| Reply::Cut(cut.clone()));
    let got = gate.client("alice").get("/v2/team/app/manifests/v1").expect(502);
    assert!(got.complete && !got.text().contains("layers"), "{}", got.text());
}

#[test]
fn a_manifest_that_is_not_what_its_digest_says_is_never_released() {
    let (asked, other) = (Image::oci("asked for"), Image::oci("another"));
    let headers = format!(
        "Content-Type: {OCI_MANIFEST}\r\nDocker-Content-Digest: {}\r\n",
        asked.manifest.digest
    );
    let bytes = answer("200 OK", &headers, &other.manifest.bytes);
    let (_upstream, gate) = scene(move |_| Reply::Whole(bytes.clone()));
    let alice = gate.client("alice");
    let target = format!("/v2/team/app/manifests/{}", asked.digest());
    let got = alice.send("GET", &target, &Ask::default()).expect(502);
    assert!(!got.text().contains("layers"), "{}", got.text());
    // By tag, the header and the bytes disagree: one of them is a lie.
    let got = alice.send("GET", "/v2/team/app/manifests/v1", &Ask::default());
    let named = got.header("docker-content-digest").map(str::to_owned);
    assert!(got.status == 502 || named.as_deref() == Some(other.digest()), "{got:?}");
}

#[test]
fn a_manifest_that_rotted_on_the_registrys_disk_is_never_released() {
    let scene = Scene::new(POLICY, &[("alice", &[])]);
    let image = Image::oci("rotten");
    scene.client("alice").push("team/app", "v1", &image);
    scene.registry.damage(image.digest());
    let target = format!("/v2/team/app/manifests/{}", image.digest());
    let got = scene.client("alice").send("GET", &target, &Ask::default());
    assert!(got.status >= 500, "{got:?}");
}

#[test]
fn an_upstream_that_says_nothing_is_given_up() {
    let (_upstream, gate) = scene(|_| Reply::Stall(Vec::new()));
    let got = gate.client("alice").get("/v2/team/app/manifests/v1");
    assert!(matches!(got.status, 502 | 504), "{got:?}");
    assert!(got.header("x-request-id").is_some());
}

#[test]
fn an_upstream_that_stops_in_the_middle_is_given_up() {
    let blob = large();
    let whole = answer("200 OK", "", &blob.bytes);
    let half = whole[..whole.len() / 2].to_vec();
    let (_upstream, gate) = scene(move |_| Reply::Stall(half.clone()));
    assert_broken(&gate.client("alice").get(&blob_target(&blob)));
}

#[test]
fn the_upstreams_own_challenge_never_reaches_a_client() {
    let challenge = "WWW-Authenticate: Basic realm=\"inner registry\"\r\nX-Inner: secret\r\n";
    let bytes = answer("401 Unauthorized", challenge, b"{\"errors\":[{\"code\":\"INNER\"}]}");
    let (_upstream, gate) = scene(move |_| Reply::Whole(bytes.clone()));
    for method in ["GET", "HEAD"] {
        let target = "/v2/team/app/manifests/v1";
        let got = gate.client("alice").send(method, target, &Ask::default()).expect(502);
        assert!(got.header("www-authenticate").is_none());
        assert!(!format!("{got:?}").to_lowercase().contains("inner"), "{got:?}");
    }
    assert!(gate.log().contains("401"), "{}", gate.log());
}

#[test]
fn what_is_no_http_is_a_502() {
    for bytes in [
        &b"SSH-2.0-OpenSSH\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"",
    ] {
        let (_upstream, gate) = scene(move |_| Reply::Cut(bytes.to_vec()));
        let got = gate.client("alice").get("/v2/team/app/manifests/v1");
        assert!(matches!(got.status, 502 | 503), "{bytes:?}: {got:?}");
    }
}

#[test]
fn a_blob_that_lies_elsewhere_is_pointed_to_and_a_manifest_is_fetched_here() {
    let image = Image::oci("elsewhere");
    let manifest = image.manifest.clone();
    let headers = format!("Content-Type: {OCI_MANIFEST}\r\n");
    let storage = Upstream::start({
        let manifest = manifest.clone();
        move |_| Reply::Whole(answer("200 OK", &headers, &manifest.bytes))
    });
    let location = format!("Location: {}/bucket/object?signature=abc\r\n", storage.url());
    let redirect = answer("307 Temporary Redirect", &location, b"");
    let (_upstream, gate) = scene(move |_| Reply::Whole(redirect.clone()));
    let alice = gate.client("alice");
    let got = alice.get(&blob_target(&image.layers[0])).expect(307);
    let named = format!("{}/bucket/object?signature=abc", storage.url());
    assert_eq!(got.header("location"), Some(&*named));
    assert!(storage.heads().is_empty(), "{:?}", storage.heads());

    let target = format!("/v2/team/app/manifests/{}", manifest.digest);
    let got = alice.send("GET", &target, &Ask::default());
    // Another origin than the upstream's: fetched without its credentials, or refused.
    assert!(got.status == 502 || got.body == manifest.bytes, "{got:?}");
    for head in storage.heads() {
        assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
    }
}

#[test]
fn credentials_for_the_upstream_go_nowhere_else() {
    let storage = Upstream::start(|_| Reply::Whole(answer("200 OK", "", b"blob")));
    let location = format!("Location: {}/object\r\n", storage.url());
    let upstream = Upstream::start(move |head| match head.starts_with("GET /v2/ ") {
        true => Reply::Whole(answer("200 OK", "", b"{}")),
        false => Reply::Whole(answer("307 Temporary Redirect", &location, b"")),
    });
    let value = format!(
        "{{url: \"{}\", redirects: follow, credentials: {{username: gate, password: hunter2-of-the-gate}}}}",
        upstream.url()
    );
    let gate =
        Setup::new(&upstream.url(), POLICY).user("alice", &[]).setting("upstream", &value).start();
    let blob = Blob::new("x", b"blob".to_vec());
    assert_eq!(gate.client("alice").get(&blob_target(&blob)).expect(200).body, "blob");
    let basic = crate::support::client::basic("gate", "hunter2-of-the-gate");
    for head in upstream.heads() {
        assert!(head.contains(&basic), "{head}");
        assert!(!head.contains("Bearer"), "the client's own token: {head}");
    }
    assert_eq!(storage.heads().len(), 1);
    for head in storage.heads() {
        assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
    }
    assert!(!gate.log().contains("hunter2"), "{}", gate.log());
}

#[test]
fn a_connection_that_died_while_it_was_idle_is_no_failure_of_the_next_request() {
    let image = Image::oci("idle");
    let bytes =
        answer("200 OK", &format!("Content-Type: {OCI_MANIFEST}\r\n"), &image.manifest.bytes);
    // It closes after each answer without having said so.
    let (_upstream, gate) = scene(move |_| Reply::Cut(bytes.clone()));
    let alice = gate.client("alice");
    for _ in 0..10 {
        alice.get("/v2/team/app/manifests/v1").expect(200);
    }
}

#[test]
fn an_upload_that_the_upstream_drops_fails_and_is_not_sent_twice() {
    let (upstream, gate) = scene(|head| match head.starts_with("POST") {
        true => Reply::Whole(answer(
            "202 Accepted",
            "Location: /v2/team/app/blobs/uploads/u1?_state=s\r\n",
            b"",
        )),
        false => Reply::Cut(Vec::new()),
    });
    let alice = gate.client("alice");
    let got = alice.push_blob("team/app", &large());
    assert_eq!(got.status, 502);
    let patches = upstream.heads().iter().filter(|head| head.starts_with("PATCH")).count();
    assert_eq!(patches, 1);
}

#[test]
fn an_upload_whose_place_is_too_long_to_be_sealed_is_the_registrys_fault_and_the_log_says_why() {
    let begun = |length: usize| {
        let state = "s".repeat(length);
        let place = format!("Location: /v2/team/app/blobs/uploads/u1?_state={state}\r\n");
        let bytes = answer("202 Accepted", &place, b"");
        let (_upstream, gate) = scene(move |_| Reply::Whole(bytes.clone()));
        let alice = gate.client("alice");
        let got = alice.send("POST", "/v2/team/app/blobs/uploads/", &Ask::default());
        (got, gate.log())
    };
    let (got, log) = begun(2500);
    assert_eq!(got.status, 202, "{log}");
    let (got, log) = begun(4000);
    assert_eq!((got.status, got.code()), (502, "UNAVAILABLE".to_owned()), "{log}");
    assert!(got.header("location").is_none() && !got.text().contains("sss"), "{got:?}");
    assert!(log.contains("an upload's location of 4037 bytes is too long"), "{log}");
}

#[test]
fn an_upload_in_place_of_a_mount_goes_on_as_one() {
    let began = answer("202 Accepted", "Location: /v2/team/app/blobs/uploads/u1?_state=s\r\n", b"");
    let (upstream, gate) = scene(move |head| match head.starts_with("POST") {
        true => Reply::Whole(began.clone()),
        false => Reply::Whole(answer("404 Not Found", "", b"{}")),
    });
    let (alice, blob) = (gate.client("alice"), large());
    let scopes = ["repository:team/app:pull,push", "repository:team/base:pull"];
    let alice = alice.with(Credentials::Bearer(alice.token(&scopes)));
    let target = format!("/v2/team/app/blobs/uploads/?mount={}&from=team/base", blob.digest);
    let got = alice.send("POST", &target, &Ask::default()).expect(202);
    assert!(upstream.heads()[0].contains("mount=") && upstream.heads()[0].contains("from="));
    // The place is sealed as that of any upload, and nothing was mounted.
    let place = alice.target_of(got.header("location").unwrap());
    assert!(place.starts_with("/v2/team/app/blobs/uploads/") && !place.contains("u1"), "{place}");
    alice.head(&blob_target(&blob)).expect(404);
    let narrow = alice.send("GET", &place, &Ask::default());
    assert_eq!(narrow.status, 404, "the step reached the registry");
    assert!(
        upstream.heads().last().unwrap().starts_with("GET /v2/team/app/blobs/uploads/u1?_state=s ")
    );
}

#[test]
fn an_error_of_the_registry_is_passed_on_as_it_is() {
    let scene = Scene::new(POLICY, &[("alice", &[])]);
    let alice = scene.client("alice");
    let got = alice.get("/v2/team/app/manifests/absent").expect(404);
    assert!(matches!(got.code().as_str(), "MANIFEST_UNKNOWN" | "NAME_UNKNOWN"), "{}", got.text());
    let image = Image::oci("without its blobs");
    let got = alice.put_manifest("team/app", "v1", &image.manifest).expect(400);
    assert_eq!(got.code(), "MANIFEST_BLOB_UNKNOWN");
}

#[test]
fn a_registry_that_deletes_nothing_says_so_itself() {
    let registry = Registry::with_deletes(false);
    let policy = POLICY.replace("[pull, push]", "[all]");
    let upstream = format!("http://{}", registry.address());
    let gate = Setup::new(&upstream, &policy).user("alice", &[]).start();
    let (alice, image) = (gate.client("alice"), Image::oci("for ever"));
    alice.push("team/app", "v1", &image);
    let answer = alice.delete(&format!("/v2/team/app/manifests/{}", image.digest())).expect(405);
    assert_eq!(answer.code(), "UNSUPPORTED");
    alice.get("/v2/team/app/manifests/v1").expect(200);
}
