//! What docker-registry understands is what we understand.
//!
//! The registry runs with its debug log, which says for every request which repository, reference,
//! digest and upload it was routed to. So the registry itself tells where a target leads.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod generate;
mod registry;

use generate::{mutated, operation, spelled, split, style};
use oci::{Digest, Operation, Reference, RepositoryName, Tag};
use proptest::prelude::*;
use proptest::sample;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use registry::{CONFIG, Registry, Route, TAG};

/// Repositories whose names are made to confuse, each with content of its own.
const REPOSITORIES: [&str; 10] = [
    "a",
    "a/blobs",
    "a/blobs/uploads",
    "a/manifests",
    "a/tags/list",
    "manifests/tags",
    "pub",
    "secret/a",
    "uploads",
    "v2/v2",
];

/// How many targets are tried as they are, and how many with changes.
const TARGETS: usize = 500;

#[test]
fn an_accepted_target_leads_the_registry_where_it_says() {
    let registry = Registry::start();
    let contents = REPOSITORIES.map(|name| registry.fill(name));

    let mut runner = TestRunner::default();
    let mut refused = Vec::new();
    let mut accepted = Vec::new();
    for changed in [false, true] {
        let requests = requests(&contents, changed);
        for number in 0..TARGETS {
            let (method, target) = requests.new_tree(&mut runner).unwrap().current();
            let agent = format!("{changed}-{number}");
            let (path, query) = split(&target);
            match Operation::parse(method, path, query) {
                Ok(operation) => {
                    hold_same_answer(&registry, &agent, &target, &operation);
                    accepted.push((agent, target, operation));
                }
                Err(_) => {
                    registry.send(&agent, method, &target);
                    refused.push((agent, target));
                }
            }
        }
    }

    let routes = registry.routes();
    for (agent, target, operation) in &accepted {
        let route = routes.get(agent);
        assert_eq!(route, expected_route(operation).as_ref(), "{target} as {operation:?}");
    }
    // The test is worth something only if enough is accepted, and if the registry really finds
    // repositories in refused targets that their text does not show.
    let hidden = refused.iter().filter(|(agent, target)| {
        let name = routes.get(agent).and_then(|route| route.name.as_ref());
        name.is_some_and(|name| !target.starts_with(&format!("/v2/{name}/")))
    });
    assert!(accepted.len() > TARGETS, "only {} targets were accepted", accepted.len());
    let hidden = hidden.count();
    assert!(hidden > TARGETS / 50, "only {hidden} refused targets led elsewhere");
}

/// Methods and targets. None of them removes what others read.
fn requests(contents: &[String], changed: bool) -> BoxedStrategy<(&'static str, String)> {
    let names = REPOSITORIES.map(|name| RepositoryName::new(name).unwrap()).to_vec();
    let repository = prop_oneof![4 => sample::select(names), 1 => generate::repository()];
    let mut known: Vec<_> = contents.iter().map(|text| Digest::new(text).unwrap()).collect();
    known.push(Digest::new(CONFIG).unwrap());
    let operations = operation(&repository.boxed(), &sample::select(known).boxed());
    let targets =
        (operations, any::<bool>(), style()).prop_map(|(operation, of_known_tag, style)| {
            let operation = match operation {
                Operation::ReadManifest { read, repository, .. } if of_known_tag => {
                    let reference = Reference::Tag(Tag::new(TAG).unwrap());
                    Operation::ReadManifest { read, repository, reference }
                }
                other => other,
            };
            (operation.method(), spelled(&operation, style))
        });
    if changed {
        targets
            .prop_flat_map(|(method, target)| (Just(method), mutated(Just(target).boxed())))
            .boxed()
    } else {
        targets.boxed()
    }
}

/// Sends the target as it came and as it is rebuilt.
fn hold_same_answer(registry: &Registry, agent: &str, target: &str, operation: &Operation) {
    let method = operation.method();
    let rebuilt = operation.canonical_target();
    let mut raw = registry.send(agent, method, target);
    if raw.status == 301 {
        // The registry wants a slash at the end of these two, and we put it there.
        let (path, _) = split(target);
        assert!(path == "/v2" || path.ends_with("/blobs/uploads"), "{target}: {raw:?}");
        let location = raw.header("Location").unwrap();
        let location = location.trim_start_matches("http://registry");
        assert_eq!(split(location).0, split(&rebuilt).0);
        raw = registry.send(agent, method, location);
    }
    let answer = registry.send(&format!("{agent}-rebuilt"), method, &rebuilt);
    assert_eq!(
        (answer.status, answer.body),
        (raw.status, raw.body),
        "{method} {target} was rebuilt as {rebuilt}"
    );
}

/// Where an operation belongs in this registry.
fn expected_route(operation: &Operation) -> Option<Route> {
    let name = operation.repository().map(ToString::to_string);
    let route = Route { name, ..Route::default() };
    match operation {
        // It has no referrers, and its own uploads have no `~`.
        Operation::Referrers { .. } => None,
        Operation::UploadStatus { session, .. }
        | Operation::UploadChunk { session, .. }
        | Operation::FinishUpload { session, .. }
        | Operation::CancelUpload { session, .. } => {
            let uuid = session.as_str().to_owned();
            (!uuid.contains('~')).then_some(Route { uuid: Some(uuid), ..route })
        }
        Operation::ReadManifest { reference, .. }
        | Operation::PutManifest { reference, .. }
        | Operation::DeleteManifest { reference, .. } => {
            Some(Route { reference: Some(reference.to_string()), ..route })
        }
        Operation::ReadBlob { digest, .. } | Operation::DeleteBlob { digest, .. } => {
            Some(Route { digest: Some(digest.to_string()), ..route })
        }
        _ => Some(route),
    }
}
