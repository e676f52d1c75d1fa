//! Requests that attack, that real clients send, and what each becomes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod parameters;

use oci::{
    BadRequest, Digest, ErrorCode, Operation, Page, Read, Reference, RepositoryName, SessionId, Tag,
};

fn parse(method: &str, target: &str) -> Result<Operation, BadRequest> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    Operation::parse(method, path, query)
}

fn refusal(method: &str, target: &str) -> BadRequest {
    parse(method, target).expect_err(target)
}

fn d() -> String {
    format!("sha256:{}", "0a".repeat(32))
}

fn digest() -> Digest {
    Digest::new(&d()).unwrap()
}

fn name(text: &str) -> RepositoryName {
    RepositoryName::new(text).unwrap()
}

#[test]
fn a_path_with_another_spelling_is_refused() {
    for path in [
        // Dot segments, plain and encoded.
        "/v2/pub/%2e%2e/secret/a/manifests/prod",
        "/v2/pub/../secret/a/manifests/prod",
        "/v2/pub/./manifests/prod",
        "/v2/../v2/a/manifests/prod",
        "/v2/a/manifests/..",
        "/v2/a/blobs/uploads/..",
        // Encoded slashes and letters, once and twice.
        "/v2/secret%2fa/manifests/prod",
        "/v2/secret%252fa/manifests/prod",
        "/v2/a/manifests/pr%6fd",
        "/v2/a/manifests/%2570rod",
        "/v2/a%2Fmanifests/prod",
        "/v%32/a/manifests/prod",
        // Empty segments.
        "//v2/a/manifests/prod",
        "/v2//a/manifests/prod",
        "/v2/a//manifests/prod",
        "/v2/a/manifests//prod",
        "/v2//",
        "/v2/a/blobs/uploads//",
        "/v2//blobs/uploads/",
        "/v2/a/tags/list/",
        "/v2/_catalog/",
        // Ends that a server may cut off.
        "/v2/a/manifests/prod/",
        "/v2/a/manifests/prod;x",
        "/v2/a/manifests/prod%00",
        "/v2/a/manifests/prod\0",
        "/v2/secret\\a/manifests/prod",
        "/v2/a/manifests/prod#x",
        "/v2/a/manifests/prod%20",
        "/v2/a/manifests/prod ",
        "/v2/a;x=1/manifests/prod",
        // Another authority, other versions.
        "http://evil/v2/a/manifests/prod",
        "https://gate/v2/",
        "*",
        "",
        "/",
        "/V2/a/manifests/prod",
        "/v2x/a/manifests/prod",
        "/v1/a/manifests/prod",
        // Names and references outside the grammar.
        "/v2/A/manifests/prod",
        "/v2/a./manifests/prod",
        "/v2/a:1/manifests/prod",
        "/v2/a~/manifests/prod",
        "/v2/é/manifests/prod",
        "/v2/a/manifests/-x",
        "/v2/a/manifests/sha256:0",
        "/v2/a/blobs/prod",
        "/v2/a/blobs/SHA256:00",
        "/v2/a/referrers/prod",
        // What the API does not have.
        "/v2/a",
        "/v2/a/b",
        "/v2/manifests/prod",
        "/v2/tags/list",
        "/v2/_catalog/x",
        "/v2/a/manifests",
        "/v2/a/uploads/x",
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"] {
            let error = refusal(method, path);
            assert!((400..=405).contains(&error.status()), "{method} {path}");
        }
        assert!([400, 404].contains(&refusal("GET", path).status()), "{path}");
    }
}

#[test]
fn only_the_methods_of_an_address_are_known() {
    let addresses = [
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET, HEAD"),
        ("/v2/a/tags/list".to_owned(), "GET, HEAD"),
        (format!("/v2/a/referrers/{}", d()), "GET, HEAD"),
        ("/v2/a/manifests/prod".to_owned(), "GET, HEAD, PUT, DELETE"),
        (format!("/v2/a/blobs/{}", d()), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/".to_owned(), "POST"),
        ("/v2/a/blobs/uploads".to_owned(), "POST"),
        ("/v2/a/blobs/uploads/s".to_owned(), "GET, PATCH, PUT, DELETE"),
    ];
    let methods = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"];
    let strange = ["CONNECT", "TRACE", "OPTIONS", "get", "Get", "PURGE", "", " GET", "GET "];
    for (path, allowed) in addresses {
        let allowed_methods: Vec<_> = allowed.split(", ").collect();
        for method in methods.into_iter().chain(strange) {
            let finish = method == "PUT" && path.ends_with("/s");
            let query = finish.then(|| format!("digest={}", d()));
            let result = Operation::parse(method, &path, query.as_deref());
            if allowed_methods.contains(&method) {
                assert_eq!(result.map(|o| o.method()), Ok(method), "{method} {path}");
            } else {
                let error = result.unwrap_err();
                assert_eq!(
                    (error.status(), error.allow()),
                    (405, Some(allowed)),
                    "{method} {path}"
                );
                assert_eq!(error.code(), ErrorCode::Unsupported);
            }
        }
    }
}

#[test]
fn what_each_address_means() {
    let (repository, reference) = (name("a/b"), Reference::Tag(Tag::new("v1").unwrap()));
    let session = SessionId::new("s.1~").unwrap();
    let cases = [
        ("GET", "/v2/".to_owned(), Operation::Ping(Read::Get)),
        ("HEAD", "/v2?".to_owned(), Operation::Ping(Read::Head)),
        (
            "HEAD",
            "/v2/a/b/manifests/v1".to_owned(),
            Operation::ReadManifest {
                read: Read::Head,
                repository: repository.clone(),
                reference: reference.clone(),
            },
        ),
        (
            "DELETE",
            format!("/v2/a/b/manifests/{}", d()),
            Operation::DeleteManifest {
                repository: repository.clone(),
                reference: Reference::Digest(digest()),
            },
        ),
        (
            "PUT",
            "/v2/a/b/manifests/v1".to_owned(),
            Operation::PutManifest { repository: repository.clone(), reference, tags: vec![] },
        ),
        (
            "PATCH",
            "/v2/a/b/blobs/uploads/s.1~".to_owned(),
            Operation::UploadChunk { repository: repository.clone(), session: session.clone() },
        ),
        (
            "PUT",
            format!("/v2/a/b/blobs/uploads/s.1~?digest={}", d().replace(':', "%3A")),
            Operation::FinishUpload { repository: repository.clone(), session, digest: digest() },
        ),
        (
            "GET",
            "/v2/a/b/tags/list?n=10&last=v%2B1".to_owned(),
            Operation::ListTags {
                read: Read::Get,
                repository: repository.clone(),
                page: Page { n: Some(10), last: Some("v+1".to_owned()), cursor: None },
            },
        ),
        (
            "GET",
            format!("/v2/a/b/referrers/{}?artifactType=application%2Fspdx+json", d()),
            Operation::Referrers {
                read: Read::Get,
                repository,
                digest: digest(),
                artifact_type: Some("application/spdx json".to_owned()),
                cursor: None,
            },
        ),
    ];
    for (method, target, operation) in cases {
        assert_eq!(parse(method, &target), Ok(operation), "{method} {target}");
    }
}

#[test]
fn a_read_of_an_impossible_tag_finds_nothing_and_a_write_is_wrong() {
    let read = refusal("GET", "/v2/a/manifests/.INVALID");
    assert_eq!((read.status(), read.code()), (404, ErrorCode::ManifestUnknown));
    let write = refusal("PUT", "/v2/a/manifests/.INVALID");
    assert_eq!((write.status(), write.code()), (400, ErrorCode::TagInvalid));
}

#[test]
fn an_error_names_the_place_and_the_remedy() {
    let said = |method, target| refusal(method, target).to_string();
    assert_eq!(
        said("GET", "/v2/secret%2fa/manifests/prod"),
        "the path has a character that no repository, tag or digest has; \
         write names plainly, without percent-encoding"
    );
    assert_eq!(
        said("GET", "/v2/a/tags/list?x=1"),
        "the parameter `x` has no meaning here; leave it out"
    );
    assert_eq!(
        said("GET", "/v2/a/tags/list?n=x"),
        "the parameter `n` cannot be used: it is no number"
    );
    assert_eq!(
        said("GET", "/v2/a/tags/list?n=1;last=x"),
        "the parameter `n` cannot be used: it has a character that must be percent-encoded"
    );
    assert_eq!(said("POST", "/v2/"), "this method does nothing at this address; use GET, HEAD");
    assert_eq!(said("PUT", "/v2/a/blobs/uploads/s"), "the parameter `digest` is missing");
}
