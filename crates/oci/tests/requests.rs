//! Requests that attack, that real clients send, and what each becomes.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use oci::{
    BadRequest, Digest, ErrorCode, Mirrors, Operation, Page, Read, Reference, RepositoryName,
    SessionId, Tag, UploadStart,
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

fn start(query: &str) -> Result<UploadStart, BadRequest> {
    match parse("POST", &format!("/v2/a/blobs/uploads/{query}"))? {
        Operation::StartUpload { repository, start } if repository == name("a") => Ok(start),
        other => panic!("{other:?}"),
    }
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
fn a_parameter_that_an_operation_does_not_have_is_refused_by_name() {
    for (method, path, query) in [
        ("GET", "/v2/", "x=/v2/pub/manifests/prod"),
        ("GET", "/v2/a/manifests/prod", "tag=x"),
        ("GET", "/v2/a/manifests/prod", "n=1"),
        ("PUT", "/v2/a/manifests/prod", "digest=x"),
        ("DELETE", "/v2/a/manifests/prod", "tag=x"),
        ("GET", "/v2/a/tags/list", "artifactType=x"),
        ("GET", "/v2/_catalog", "ns=docker.io"),
        ("POST", "/v2/a/blobs/uploads/", "_state=x"),
        ("POST", "/v2/a/blobs/uploads/", "Digest=x"),
        ("PATCH", "/v2/a/blobs/uploads/s", "digest=x"),
        ("PATCH", "/v2/a/blobs/uploads/s", "_state=x"),
        ("GET", "/v2/a/blobs/uploads/s", "_state=x"),
    ] {
        let error = Operation::parse(method, path, Some(query)).unwrap_err();
        let parameter = query.split('=').next().unwrap().to_owned();
        assert_eq!(
            error,
            BadRequest::UnknownParameter { name: parameter },
            "{method} {path}?{query}"
        );
        assert_eq!(error.status(), 400);
    }
}

#[test]
fn no_error_repeats_the_value_of_a_parameter() {
    let canary = "Canary-0123456789-0123456789-0123456789";
    let parameters = [
        "access_token",
        "token",
        "digest",
        "digest-algorithm",
        "mount",
        "from",
        "origin",
        "tag",
        "n",
        "last",
        "cursor",
        "artifactType",
        "ns",
        "",
    ];
    let mut refused = 0;
    for parameter in parameters {
        for query in [
            format!("{parameter}={canary}"),
            format!("{parameter}={canary}%zz"),
            format!("{parameter}={canary}%0a"),
            format!("{parameter}={canary}&{parameter}={canary}"),
            format!("mount={}&{parameter}={canary}%00", d()),
            canary.to_owned(),
        ] {
            for (method, path) in [
                ("GET", "/v2/"),
                ("POST", "/v2/a/blobs/uploads/"),
                ("GET", "/v2/a/tags/list"),
                ("PUT", &format!("/v2/a/manifests/{}", d())),
                ("PUT", "/v2/a/blobs/uploads/s"),
                ("GET", &format!("/v2/a/referrers/{}", d())),
            ] {
                if let Err(error) = Operation::parse(method, path, Some(&query)) {
                    refused += 1;
                    let said = format!("{error} {error:?} {}", error.body().to_json());
                    assert!(!said.contains("Canary"), "{method} {path}?{query}: {said}");
                }
            }
        }
    }
    assert!(refused > 400, "{refused}");
}

#[test]
fn an_upload_begins_in_one_way_only() {
    assert_eq!(start(""), Ok(UploadStart::Session { algorithm: None }));
    assert_eq!(start("?"), Ok(UploadStart::Session { algorithm: None }));
    assert_eq!(
        start(&format!("?digest={}", d())),
        Ok(UploadStart::Monolithic { digest: digest() })
    );
    assert_eq!(
        start(&format!("?from=team%2Fapp&mount={}&origin=registry%3A5000", d())),
        Ok(UploadStart::Mount { digest: digest(), from: Some(name("team/app")) })
    );
    assert_eq!(
        start(&format!("?mount={}", d())),
        Ok(UploadStart::Mount { digest: digest(), from: None })
    );
    assert!(matches!(
        start("?digest-algorithm=sha512"),
        Ok(UploadStart::Session { algorithm: Some(oci::Algorithm::Sha512) })
    ));
    for query in [
        format!("?mount={0}&digest={0}", d()),
        format!("?mount={}&digest-algorithm=sha256", d()),
        format!("?digest={}&digest-algorithm=sha256", d()),
        format!("?digest={}&from=b", d()),
        format!("?mount={}&from=b&from=c", d()),
        format!("?mount={}&from=../b", d()),
        format!("?mount={}&from=", d()),
        "?from=b".to_owned(),
        "?mount=".to_owned(),
        "?mount".to_owned(),
        "?digest-algorithm=md5".to_owned(),
    ] {
        assert_eq!(start(&query).map_err(|e| e.status()), Err(400), "{query}");
    }
}

#[test]
fn an_upload_cannot_end_without_a_digest() {
    let error = refusal("PUT", "/v2/a/blobs/uploads/s");
    assert_eq!((error.status(), error.code()), (400, ErrorCode::DigestInvalid));
}

#[test]
fn further_tags_are_all_named_or_the_request_is_refused() {
    let put = |query: &str| match parse("PUT", &format!("/v2/a/manifests/{}?{query}", d())) {
        Ok(Operation::PutManifest { tags, .. }) => {
            Ok(tags.iter().map(ToString::to_string).collect())
        }
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error.status()),
    };
    assert_eq!(put("tag=ok&tag=prod"), Ok(vec!["ok".to_owned(), "prod".to_owned()]));
    assert_eq!(put("tag=ok&tag=ok"), Err(400));
    assert_eq!(put("tag=ok&tag=a/b"), Err(400));
    assert_eq!(put("tag="), Err(400));
    let many = |count| (0..count).map(|n| format!("tag=t{n}")).collect::<Vec<_>>().join("&");
    assert_eq!(put(&many(100)).map(|tags: Vec<_>| tags.len()), Ok(100));
    assert_eq!(put(&many(101)), Err(400));
    assert_eq!(refusal("PUT", "/v2/a/manifests/v1?tag=v2").status(), 400);
}

#[test]
fn a_page_size_is_a_number_and_is_cut() {
    let n = |text: &str| match parse("GET", &format!("/v2/_catalog?n={text}")) {
        Ok(Operation::Catalog { page, .. }) => Ok(page.n),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err((error.status(), error.code())),
    };
    assert_eq!(n("0"), Ok(Some(0)));
    assert_eq!(n("007"), Ok(Some(7)));
    assert_eq!(n("2147483647"), Ok(Some(2_147_483_647)));
    assert_eq!(n("4294967296"), Ok(Some(u32::MAX)));
    assert_eq!(n(&"9".repeat(32)), Ok(Some(u32::MAX)));
    for text in ["", "-1", "%2B1", "+1", "1e20", "0x10", "1.0", "1_0", "٣", "NaN", &"9".repeat(33)]
    {
        let text = text.replace('٣', "%D9%A3");
        assert_eq!(n(&text), Err((400, ErrorCode::PaginationNumberInvalid)), "{text:?}");
    }
}

#[test]
fn the_texts_of_lists_are_bounded_and_printable() {
    let ok = |query: &str| parse("GET", &format!("/v2/a/tags/list?{query}")).is_ok();
    assert!(ok("last=&n=1"));
    assert!(ok(&format!("last={}", "a".repeat(255))));
    assert!(!ok(&format!("last={}", "a".repeat(256))));
    assert!(!ok("last=a%00b"));
    assert!(!ok("last=a%0D%0Ab"));
    assert!(!ok("cursor="));
    assert!(!ok("cursor=a%2Fb"));
    let referrers = |query: &str| parse("GET", &format!("/v2/a/referrers/{}?{query}", d())).is_ok();
    assert!(referrers("artifactType=application/spdx%2Bjson"));
    assert!(!referrers("artifactType="));
    assert!(!referrers("artifactType=a&artifactType=b"));
    assert!(!referrers("artifactType=%C3%A9"));
}

#[test]
fn a_namespace_maps_to_its_mirror_or_is_refused() {
    let mirrors: Mirrors =
        [("docker.io".to_owned(), name("mirror/docker.io"))].into_iter().collect();
    let repository = |namespace: &str, path: &str| {
        let query = format!("ns={namespace}");
        Operation::parse_with("GET", path, Some(&query), &mirrors)
            .map(|operation| operation.repository().map(ToString::to_string))
            .map_err(|error| error.status())
    };
    let path = "/v2/library/alpine/manifests/3";
    assert_eq!(
        repository("docker.io", path),
        Ok(Some("mirror/docker.io/library/alpine".to_owned()))
    );
    assert_eq!(repository("docker%2Eio", "/v2/"), Ok(None));
    for unknown in ["quay.io", "DOCKER.IO", "docker.io.", "", "docker.io/..", "%zz"] {
        assert_eq!(repository(unknown, path), Err(400), "{unknown}");
        assert_eq!(repository(unknown, "/v2/"), Err(400), "{unknown}");
    }
    assert_eq!(repository("docker.io", &format!("/v2/{}/manifests/3", "a".repeat(250))), Err(400));
    assert_eq!(refusal("GET", &format!("{path}?ns=docker.io")).status(), 400);
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
