//! What holds between request targets and operations.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod generate;

use generate::{digest, mutated, operation, repository, spelled, split, style};
use oci::{BadRequest, Mirrors, Operation, Page, RepositoryName};
use proptest::prelude::*;

fn parse(method: &str, target: &str) -> Result<Operation, BadRequest> {
    let (path, query) = split(target);
    Operation::parse(method, path, query)
}

fn any_target() -> BoxedStrategy<String> {
    (any_operation(), style()).prop_map(|(operation, style)| spelled(&operation, style)).boxed()
}

fn any_operation() -> BoxedStrategy<Operation> {
    operation(&repository(), &digest())
}

/// The operation that the upstream is asked for.
fn without_page(mut operation: Operation) -> Operation {
    match &mut operation {
        Operation::ListTags { page, .. } | Operation::Catalog { page, .. } => {
            *page = Page::default();
        }
        Operation::Referrers { cursor, .. } => *cursor = None,
        _ => {}
    }
    operation
}

fn is_on_a_session(operation: &Operation) -> bool {
    operation.name().starts_with("upload_") && operation.name() != "upload_start"
}

/// The parameters of a query, decoded loosely and sorted.
fn parameters(query: &str) -> Vec<String> {
    let mut pairs: Vec<_> =
        query.split('&').filter(|pair| !pair.is_empty()).map(loosely_decoded).collect();
    for pair in &mut pairs {
        if let Some(n) = pair.strip_prefix("n=") {
            *pair = format!("n={}", n.parse().unwrap_or(u32::MAX));
        }
    }
    // These two say nothing.
    pairs.retain(|pair| !pair.starts_with("origin") && pair != "last=" && pair != "last");
    pairs.sort();
    pairs
}

fn loosely_decoded(pair: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = pair.replace('+', " ").into_bytes().into_iter();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let code = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_rebuilt_is_read_as_the_same(operation in any_operation()) {
        let canonical = operation.canonical_target();
        prop_assert_eq!(parse(operation.method(), &canonical), Ok(operation.clone()));

        let target = operation.target();
        prop_assert_eq!(target.is_none(), is_on_a_session(&operation));
        if let Some(target) = target {
            prop_assert_eq!(parse(operation.method(), &target), Ok(without_page(operation)));
        }
    }

    #[test]
    fn what_clients_write_is_read_as_what_they_mean(
        operation in any_operation(),
        style in style(),
    ) {
        let target = spelled(&operation, style);
        prop_assert_eq!(parse(operation.method(), &target), Ok(operation), "{}", target);
    }

    #[test]
    fn an_accepted_target_has_one_spelling(
        method in "GET|HEAD|PUT|POST|PATCH|DELETE",
        target in prop_oneof![mutated(any_target()), any_target()],
    ) {
        if let Ok(operation) = parse(&method, &target) {
            prop_assert_eq!(operation.method(), method);
            let canonical = operation.canonical_target();
            let (path, query) = split(&target);
            let (canonical_path, canonical_query) = split(&canonical);
            // Only these two addresses are known with and without the slash.
            let slash = ["/v2", "/blobs/uploads"].iter().any(|end| path.ends_with(end)) && path != canonical_path;
            prop_assert_eq!(format!("{path}{}", if slash { "/" } else { "" }), canonical_path);
            prop_assert_eq!(
                parameters(query.unwrap_or_default()),
                parameters(canonical_query.unwrap_or_default())
            );
        }
    }

    #[test]
    fn the_repository_stands_in_the_path_as_it_is(
        target in mutated(any_operation().prop_map(|operation| operation.canonical_target()).boxed()),
    ) {
        if let Ok(operation) = parse("GET", &target) && let Some(repository) = operation.repository() {
            let start = format!("/v2/{repository}/");
            prop_assert!(target.starts_with(&start), "{} is not about {}", target, repository);
        }
    }

    #[test]
    fn a_namespace_only_puts_a_prefix_before_the_repositories(operation in any_operation()) {
        let mirrors: Mirrors =
            [("docker.io".to_owned(), RepositoryName::new("mirror/docker.io").unwrap())].into_iter().collect();
        let target = operation.canonical_target();
        let separator = if target.contains('?') { '&' } else { '?' };
        let (path, query) = split(&target);
        let query = format!("{}{separator}ns=docker.io", query.unwrap_or_default());
        let query = query.trim_start_matches(['?', '&']);
        let mapped = Operation::parse_with(operation.method(), path, Some(query), &mirrors);
        match operation {
            Operation::Catalog { .. } => prop_assert!(mapped.is_err()),
            Operation::Ping(_) => prop_assert_eq!(mapped, Ok(operation)),
            _ => {
                let written = target
                    .replacen("/v2/", "/v2/mirror/docker.io/", 1)
                    .replace("&from=", "&from=mirror%2Fdocker.io%2F");
                prop_assert_eq!(mapped, parse(operation.method(), &written));
            }
        }
        prop_assert!(Operation::parse("GET", path, Some("ns=docker.io")).is_err());
    }

    #[test]
    fn no_input_makes_the_reader_panic(
        method in "\\PC{0,8}|GET|PUT|POST|PATCH|DELETE",
        path in prop_oneof!["\\PC{0,60}", "(/|/v2|/blobs|/uploads|/tags|/list|/manifests|%|\\.|a|:){0,12}"],
        query in proptest::option::of(prop_oneof!["\\PC{0,60}", "(n|last|digest|mount|tag|=|&|%|\\+|a|1){0,16}"]),
    ) {
        if let Err(error) = Operation::parse(&method, &path, query.as_deref()) {
            prop_assert!([400, 404, 405].contains(&error.status()));
            prop_assert_eq!(error.allow().is_some(), error.status() == 405);
            prop_assert!(!error.body().to_json().is_empty());
        }
    }

    #[test]
    fn no_bytes_make_the_manifest_reader_panic(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..64),
            "(\\{|\\}|\\[|\\]|\"config\"|\"layers\"|\"manifests\"|\"digest\"|:|,|null|2|\"\"){0,30}".prop_map(String::into_bytes),
        ],
        content_type in proptest::option::of("\\PC{0,20}"),
    ) {
        let _ = oci::Manifest::parse(&body, content_type.as_deref());
    }
}
