//! Any method and request target: refused with an answer, or one operation with one spelling.
//!
//! The input is the first line of a request without its version: `GET /v2/app/manifests/v1`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{BadRequest, Mirrors, Operation, Page, RepositoryName};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (method, target) = text.split_once(' ').unwrap_or((&text, ""));
    match parse(method, target, &Mirrors::NONE) {
        Ok(operation) => is_rebuilt(&operation, method, target),
        Err(error) => is_answered(&error),
    }
    match parse(method, target, &mirrors()) {
        Ok(operation) => reads_as_itself(&operation),
        Err(error) => is_answered(&error),
    }
});

fn parse(method: &str, target: &str, mirrors: &Mirrors) -> Result<Operation, BadRequest> {
    let (path, query) = target.split_once('?').map_or((target, None), |(p, q)| (p, Some(q)));
    Operation::parse_with(method, path, query, mirrors)
}

fn mirrors() -> Mirrors {
    let prefix = RepositoryName::new("mirror/hub.example").unwrap();
    [("hub.example".to_owned(), prefix)].into_iter().collect()
}

fn is_rebuilt(operation: &Operation, method: &str, target: &str) {
    assert_eq!(operation.method(), method);
    reads_as_itself(operation);
    if let Some(repository) = operation.repository() {
        assert!(target.starts_with(&format!("/v2/{repository}/")), "not about {repository}");
    }
    let upstream = operation.target();
    let is_on_a_session =
        operation.name().starts_with("upload_") && operation.name() != "upload_start";
    assert_eq!(upstream.is_none(), is_on_a_session);
    if let Some(upstream) = upstream {
        let read = parse(method, &upstream, &Mirrors::NONE);
        assert_eq!(read.as_ref(), Ok(&without_page(operation.clone())), "{upstream}");
    }
}

fn reads_as_itself(operation: &Operation) {
    let canonical = operation.canonical_target();
    assert!(canonical.bytes().all(|byte| byte.is_ascii_graphic()), "{canonical}");
    let read = parse(operation.method(), &canonical, &Mirrors::NONE);
    assert_eq!(read.as_ref(), Ok(operation), "{canonical}");
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

fn is_answered(error: &BadRequest) {
    assert!([400, 404, 405].contains(&error.status()));
    assert_eq!(error.allow().is_some(), error.status() == 405);
    let body = error.body().to_json();
    assert!(serde_json::from_slice::<serde_json::Value>(body.as_ref()).is_ok());
}
