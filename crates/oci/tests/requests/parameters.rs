//! What may stand in a query.

use oci::{Algorithm, BadRequest, ErrorCode, Mirrors, Operation, UploadStart};

use crate::{d, digest, name, parse, refusal};

fn start(query: &str) -> Result<UploadStart, BadRequest> {
    match parse("POST", &format!("/v2/a/blobs/uploads/{query}"))? {
        Operation::StartUpload { repository, start } if repository == name("a") => Ok(start),
        other => panic!("{other:?}"),
    }
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
        Ok(UploadStart::Session { algorithm: Some(Algorithm::Sha512) })
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
