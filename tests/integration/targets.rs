//! What a request says is read once and strictly: what could be read in two ways goes nowhere.

use crate::support::client::{Ask, Credentials};
use crate::support::images::{Image, OCI_MANIFEST};
use crate::support::scene::Scene;
use crate::support::wire::Wire;

/// alice may do all in `team/**`; `team/secret/**` is denied to everyone.
const POLICY: &str = r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push, delete]
  - name: not-the-secrets
    subjects: [anyone]
    images: ["team/secret/**"]
    deny: [pull, push, delete]
"#;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &[])]);
    scene.client("alice").push("team/app", "v1", &Image::oci("targets"));
    // Made around the gate: there is something to leak.
    scene.registry.client().push("team/secret/a", "prod", &Image::oci("secret"));
    scene
}

/// The head of a request with a good token.
fn head(scene: &Scene, line: &str) -> String {
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull,push"]);
    format!("{line}\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n", scene.gate.name())
}

#[test]
fn targets_with_two_readings_are_refused_here_and_never_sent_on() {
    let scene = scene();
    let hex = "0".repeat(64);
    let targets = [
        "/v2/team/app/../secret/a/manifests/prod",
        "/v2/team/app/%2e%2e/secret/a/manifests/prod",
        "/v2/team/./secret/a/manifests/prod",
        "/v2/team%2fsecret/a/manifests/prod",
        "/v2/team%2Fsecret/a/manifests/prod",
        "/v2/team/s%65cret/a/manifests/prod",
        "/v2/team/app/manifests/v%31",
        "/v2/team/app/manifests/v%2531",
        "/v2/team/app/m%61nifests/v1",
        "/v%32/team/app/manifests/v1",
        "//v2/team/app/manifests/v1",
        "/v2//team/app/manifests/v1",
        "/v2/team//app/manifests/v1",
        "/v2/team/app//manifests/v1",
        "/v2/team/app/manifests//v1",
        "/v2/team/app/manifests/v1/",
        "/v2/team/app/manifests/v1;x",
        "/v2/team/app/manifests/v1%00",
        "/v2/team/app/manifests/v1%20",
        "/v2/team/app/manifests/v1%0d%0aX:y",
        "/v2/team\\secret\\a/manifests/prod",
        "/v2/team/app/manifests/",
        "/v2/team/app/manifests",
        "/v2/team/app/manifests/.v1",
        "/v2/team/app/manifests/sha256:abc",
        "/v2/team/app/manifests/md5:00000000000000000000000000000000",
        "/v2/TEAM/app/manifests/v1",
        "/v2/team/-app/manifests/v1",
        "/v2/team/app/tags/list/",
        "/v2/team/app/tags",
        "/v2/_catalog/",
        "/v2/team/app/blobs/",
        "/v2/team/app/unknown/v1",
        "/V2/team/app/manifests/v1",
        "/v1/repositories/team/app/tags",
    ];
    let mut targets: Vec<_> = targets.map(str::to_owned).into();
    targets.push(format!("/v2/team/app/blobs/sha256:{}", hex.replace('0', "A")));
    targets.push(format!("/v2/team/app/blobs/sha256:{hex}/x"));
    targets.push(format!("/v2/team/app/manifests/{}", "v".repeat(129)));
    targets.push(format!("/v2/{}/manifests/v1", "a/".repeat(200) + "a"));
    for target in targets {
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            let request = head(&scene, &format!("{method} {target} HTTP/1.1"));
            let (answer, asked) = scene.recorder.during(|| {
                let mut wire = Wire::open(&scene.gate.anonymous());
                wire.send(format!("{request}Content-Length: 0\r\nConnection: close\r\n\r\n"));
                wire.head_of_answer()
            });
            let status = answer.unwrap_or_else(|| panic!("{method} {target}: no answer")).status;
            let refused = (400..500).contains(&status) && status != 401 && status != 403;
            assert!(refused, "{method} {target} is answered {status}");
            assert!(asked.is_empty(), "{method} {target} was sent on as {asked:?}");
        }
    }
}

#[test]
fn parameters_that_an_operation_does_not_have_are_refused() {
    let scene = scene();
    let alice = scene.client("alice");
    alice.token(&["repository:team/app:pull"]);
    let manifest = "/v2/team/app/manifests/v1";
    let list = "/v2/team/app/tags/list";
    for target in [
        format!("{manifest}?x=/v2/public"),
        format!("{manifest}?ns=docker.io"),
        format!("{manifest}?tag=v1"),
        format!("{manifest}?access_token=abc"),
        format!("{manifest}?n=1"),
        format!("{list}?n=1&n=2"),
        format!("{list}?n=1&%6e=2"),
        format!("{list}?n=x"),
        format!("{list}?n=-1"),
        format!("{list}?digest=sha256:00"),
        format!("{list};n=1"),
    ] {
        let token = alice.token(&["repository:team/app:pull"]);
        let signed = alice.with(Credentials::Bearer(token));
        let status = scene.unasked(|| signed.get(&target)).status;
        assert!(status == 400 || status == 404, "{target}: {status}");
    }
}

#[test]
fn methods_that_an_address_does_not_have_are_refused_here() {
    let scene = scene();
    let target = "/v2/team/app/manifests/v1";
    for method in ["OPTIONS", "TRACE", "POST", "PATCH", "get", "PROPFIND"] {
        let request = head(&scene, &format!("{method} {target} HTTP/1.1"));
        let (answer, asked) = scene.recorder.during(|| {
            let mut wire = Wire::open(&scene.gate.anonymous());
            wire.ask(format!("{request}Content-Length: 0\r\n\r\n")).unwrap()
        });
        assert_eq!(answer.status, 405, "{method}: {answer:?}");
        assert!(answer.header("allow").unwrap().contains("GET"), "{answer:?}");
        assert!(asked.is_empty());
    }
    let connect = head(&scene, &format!("CONNECT {} HTTP/1.1", scene.registry.address()));
    let (answer, asked) = scene
        .recorder
        .during(|| Wire::open(&scene.gate.anonymous()).ask(format!("{connect}\r\n")).unwrap());
    assert!((400..500).contains(&answer.status), "{answer:?}");
    assert!(asked.is_empty());
}

#[test]
fn another_authority_in_the_request_is_refused_or_has_no_effect() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let host = scene.gate.name();
    let auth = format!("Authorization: Bearer {token}\r\n");
    for request in [
        format!(
            "GET https://{host}/v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n"
        ),
        format!(
            "GET http://evil.example/v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\n{auth}\r\n"
        ),
        format!(
            "GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n{auth}\r\n"
        ),
        format!("GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}/?\r\n{auth}\r\n"),
        format!("GET /v2/team/app/manifests/v1 HTTP/1.1\r\n{auth}\r\n"),
        format!("GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\n{auth}{auth}\r\n"),
    ] {
        let (answer, asked) =
            scene.recorder.during(|| Wire::open(&scene.gate.anonymous()).ask(&request).unwrap());
        let refused = (400..500).contains(&answer.status) && answer.status != 401;
        assert!(refused, "{request}\n{answer:?}");
        assert!(asked.is_empty(), "{request}");
    }
}

#[test]
fn the_upstream_gets_the_headers_of_the_list_and_no_others() {
    let scene = scene();
    let alice = scene.client("alice");
    let token = alice.token(&["repository:team/app:pull"]);
    let host = scene.gate.name();
    let request = format!(
        "GET /v2/team/app/manifests/v1 HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Accept: {OCI_MANIFEST}\r\nAccept: text/x-second\r\nUser-Agent: unit/1\r\nCookie: a=b\r\n\
         X-Forwarded-Uri: /v2/team/secret/a/manifests/prod\r\nX-Original-URL: /v2/team/secret/a/manifests/prod\r\n\
         X-Rewrite-Url: /v2/\r\nX-HTTP-Method-Override: DELETE\r\nX-Forwarded-Host: evil.example\r\n\
         X-Forwarded-For: 10.9.8.7\r\nX-Forwarded-Proto: gopher\r\nForwarded: host=evil.example\r\n\
         Proxy-Authorization: Basic eDp5\r\nConnection: Host, X-Request-Id, X-Forwarded-For\r\nTE: trailers\r\n\
         Upgrade: h2c\r\nAccept-Encoding: gzip\r\nX-Anything: 1\r\n\r\n"
    );
    let (answer, asked) =
        scene.recorder.during(|| Wire::open(&scene.gate.anonymous()).ask(request).unwrap());
    assert_eq!(answer.status, 200, "{answer:?}");
    let [seen] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(seen.line(), "GET /v2/team/app/manifests/v1");
    let allowed = [
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-request-id",
        "via",
    ];
    for (name, value) in &seen.headers {
        assert!(allowed.contains(&name.as_str()), "{name}: {value}");
        assert!(!value.contains("evil"), "{name}: {value}");
    }
    let accepts: Vec<_> =
        seen.headers.iter().filter(|(name, _)| name == "accept").map(|(_, v)| v.as_str()).collect();
    assert_eq!(accepts.join(", "), format!("{OCI_MANIFEST}, text/x-second"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("x-forwarded-host"), Some(&*host));
    assert_eq!(seen.header("x-request-id"), answer.header("x-request-id"));
}

#[test]
fn the_client_gets_the_headers_of_the_list_and_no_others() {
    let scene = scene();
    let answer = scene.client("alice").get("/v2/team/app/manifests/v1").expect(200);
    let allowed = [
        "content-type",
        "content-length",
        "docker-content-digest",
        "docker-distribution-api-version",
        "etag",
        "date",
        "x-request-id",
        "strict-transport-security",
        "cache-control",
    ];
    for name in answer.headers.keys() {
        assert!(allowed.contains(&name.as_str()), "{name}");
    }
    for name in ["docker-content-digest", "x-request-id", "strict-transport-security"] {
        assert!(answer.header(name).is_some(), "{name}");
    }
}

#[test]
fn a_repository_may_have_any_of_the_words_in_its_name() {
    let scene = scene();
    let alice = scene.client("alice");
    for repository in ["team/blobs", "team/manifests/tags", "team/blobs/uploads", "team/tags/list"]
    {
        let image = Image::oci(repository);
        alice.push(repository, "manifests", &image);
        let target = format!("/v2/{repository}/manifests/manifests");
        assert_eq!(
            alice.send("GET", &target, &Ask::default()).expect(200).body,
            image.manifest.bytes
        );
        assert_eq!(alice.tags(repository), ["manifests"]);
    }
}

#[test]
fn both_versions_of_http_bring_the_same() {
    let scene = scene();
    let (one, two) = (scene.client("alice"), scene.client("alice").http2());
    let image = Image::oci("targets");
    for target in [
        "/v2/team/app/manifests/v1".to_owned(),
        format!("/v2/team/app/blobs/{}", image.layers[0].digest),
    ] {
        let (first, second) = (one.get(&target).expect(200), two.get(&target).expect(200));
        assert_eq!(second.version, http::Version::HTTP_2);
        assert_eq!(first.body, second.body);
        assert_eq!(first.header("docker-content-digest"), second.header("docker-content-digest"));
    }
    two.push("team/app", "two", &Image::oci("over http/2"));
    two.get("/v2/team/secret/a/manifests/prod").expect(403);
    let evil = [("host", "evil.example")];
    let token = two.token(&["repository:team/app:pull"]);
    let ask = Ask::headers(&evil);
    let target = "/v2/team/app/manifests/v1";
    let request = two.request("GET", target).header("authorization", format!("Bearer {token}"));
    let request = request.header(ask.headers[0].0, ask.headers[0].1);
    let request = request.body(crate::support::client::payload("")).unwrap();
    let answer = crate::support::client::runtime().block_on(two.stream(request));
    if let Ok(answer) = answer {
        assert_eq!(answer.status().as_u16(), 400, "two authorities in one request");
    }
}

#[test]
fn a_mirror_request_is_decided_for_the_repository_that_it_means() {
    let policy = POLICY.replace("team/**\"", "mirror/**\"");
    let scene = Scene::with(&policy, &[("alice", &[])], |setup| {
        setup.setting("mirrors", "{docker.io: mirror/docker.io}")
    });
    let alice = scene.client("alice");
    let image = Image::oci("mirrored");
    alice.push("mirror/docker.io/library/app", "v1", &image);
    let (answer, asked) =
        scene.recorder.during(|| alice.get("/v2/library/app/manifests/v1?ns=docker.io"));
    assert_eq!(answer.expect(200).body, image.manifest.bytes);
    assert_eq!(asked[0].line(), "GET /v2/mirror/docker.io/library/app/manifests/v1");
    for target in [
        "/v2/library/app/manifests/v1?ns=other.io",
        "/v2/library/app/manifests/v1?ns=docker.io&ns=docker.io",
        "/v2/library/app/manifests/v1?ns=",
    ] {
        let status = scene.unasked(|| alice.get(target)).status;
        assert_eq!(status, 400, "{target}");
    }
}
