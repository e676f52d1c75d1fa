//! What the conformance suite of the distribution specification looks at, asked of a registry twice:
//! straight, and through the gate. Both must answer alike, but for what is listed.
//!
//! The registries have deviations of their own. These are listed too, so that the list of what is
//! compared cannot shrink unseen.

mod discovery;
mod kinds;
mod management;
mod outcome;
mod pulling;
mod pushing;
mod step;
mod uploads;

use std::collections::HashSet;
use std::net::SocketAddr;

use kinds::{DOCKER_REGISTRY, DOCKER_REGISTRY_WITHOUT_DELETES, FERRO, Kind, REFUSED};
use outcome::Part;
use step::{Step, Way};

use crate::support::client::{Client, Credentials};
use crate::support::ferro::Ferro;
use crate::support::gate::{Gate, Setup};
use crate::support::registry::Registry;

const POLICY: &str = r#"
rules:
  - name: everything
    subjects: [user:alice]
    images: ["**"]
    allow: [all]
"#;

/// The repositories of the table.
const APP: &str = "/v2/conform/app";
const OTHER: &str = "/v2/conform/other";

/// Asks both ways, step by step, and fails with everything that is not as it should be.
fn compare(kind: &Kind, steps: &[Step], straight: SocketAddr, behind: SocketAddr) {
    let gate = Setup::new(&format!("http://{behind}"), POLICY).user("alice", &[]).start();
    let mut ways = [Way::new(Client::plain(straight)), Way::new(alice(&gate))];
    let mut names = HashSet::new();
    let mut wrong = Vec::new();
    for step in steps {
        assert!(names.insert(step.name), "two steps have the name {:?}", step.name);
        let [straight, through] = ways.each_mut().map(|way| way.go(step));
        let mut complain = |what: &str| {
            let answers = format!("  straight: {straight}\n  gate:     {through}");
            wrong.push(format!("{}: {what}\n{answers}", step.name));
        };
        let has = |steps: &[&str]| steps.contains(&step.name);
        let deviates = !step.allows.contains(&straight.status);
        if deviates != has(kind.deviates) {
            complain(if deviates { "the registry deviates" } else { "the registry does it well" });
        }
        let differences = straight.differences(&through);
        let refused = REFUSED.iter().find(|(_, _, steps)| has(steps));
        let otherwise = kind.otherwise.iter().find(|otherwise| has(otherwise.steps));
        let is_intended = match (refused, otherwise) {
            (Some((status, code, _)), None) => through.is_refusal(*status, code),
            (None, Some(otherwise)) => differences == otherwise.parts,
            (None, None) => differences.is_empty(),
            (Some(_), Some(_)) => false,
        };
        if !is_intended {
            complain(&format!("the gate differs in {differences:?}"));
        }
        // Whatever it does otherwise, it does well.
        if differences.contains(&Part::Status) && !step.allows.contains(&through.status) {
            complain("the gate's answer is wrong");
        }
        if !through.is_in_order() {
            complain("the gate's list has no order");
        }
    }
    let otherwise = kind.otherwise.iter().flat_map(|otherwise| otherwise.steps);
    for name in kind.deviates.iter().chain(otherwise).filter(|name| !names.contains(*name)) {
        wrong.push(format!("there is no step {name:?}"));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), steps.len(), wrong.join("\n"));
}

/// With one token for everything, so that each step is one request.
fn alice(gate: &Gate) -> Client {
    let alice = gate.client("alice");
    let scopes = [
        "repository:conform/app:pull,push,delete",
        "repository:conform/other:pull,push,delete",
        "repository:conform/absent:pull,push,delete",
        "registry:catalog:*",
    ];
    alice.with(Credentials::Bearer(alice.token(&scopes)))
}

fn table() -> Vec<Step> {
    // What is wrong comes last: some registries store it, and would show it in every list.
    [
        uploads::steps(),
        pushing::manifests(),
        pulling::steps(),
        discovery::steps(),
        management::steps(),
        pushing::wrong_manifests(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn what_is_refused_everywhere_is_asked_everywhere() {
    let names: HashSet<_> = table().iter().map(|step| step.name).collect();
    for name in REFUSED.iter().flat_map(|(_, _, steps)| *steps) {
        assert!(names.contains(name), "there is no step {name:?}");
    }
}

#[test]
fn docker_registry_behind_the_gate_answers_as_without_it() {
    let (straight, behind) = (Registry::start(), Registry::start());
    compare(&DOCKER_REGISTRY, &table(), straight.address(), behind.address());
}

#[test]
fn docker_registry_that_deletes_nothing_answers_as_without_the_gate() {
    let (straight, behind) = (Registry::with_deletes(false), Registry::with_deletes(false));
    let steps = management::without_deletes();
    let kind = &DOCKER_REGISTRY_WITHOUT_DELETES;
    compare(kind, &steps, straight.address(), behind.address());
}

#[test]
fn ferro_behind_the_gate_answers_as_without_it() {
    let (straight, behind) = (Ferro::start(), Ferro::start());
    compare(&FERRO, &table(), straight.address(), behind.address());
}
