//! Which of ten thousand gates stand before an image.

use std::fmt::Write as _;
use std::hint::black_box;

use oci::{RepositoryName, Tag};
use policy::gate::Occasion;
use policy::{Caller, Policy, Subject};

use crate::{Figure, compile, median};

const GATES: usize = 10_000;
/// A file has a limit.
const OF_A_FILE: usize = 5_000;

/// Each team has a gate before what it runs, and none before what it builds.
fn policy() -> Policy {
    let mut texts = Vec::new();
    for first in (0..GATES).step_by(OF_A_FILE) {
        let mut text = String::from("gates:\n");
        for team in first..first + OF_A_FILE {
            let _ = writeln!(
                text,
                "  - {{name: team-{team}, images: ['teams/team-{team}/prod/**'], \
                 subjects: ['group:clusters'], require: {{max_age: 90d}}}}"
            );
        }
        texts.push(text);
    }
    texts.push("groups: {clusters: external}\n".to_owned());
    compile(texts)
}

pub(crate) fn measure() -> Vec<Figure> {
    let policy = policy();
    let caller = |groups: &[&str]| {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        Caller::new(Subject::Service("ci/build".to_owned()), groups)
    };
    let tag = Tag::new("v1.4.2").ok();
    let time = |place: &str, groups: &[&str], expected: usize| {
        let name = |number| RepositoryName::new(&format!("teams/team-{number}/{place}/api"));
        let names: Vec<_> = (0..GATES).step_by(7).filter_map(|number| name(number).ok()).collect();
        let caller = caller(groups);
        median(|number| {
            let Some(name) = names.get(number % names.len()) else { return };
            let gates = policy.gates_for(&caller, Occasion::Pull, name, tag.as_ref());
            assert_eq!(black_box(gates).len(), expected);
        })
    };
    let figure = |what, nanoseconds, aim| Figure { what, nanoseconds, aim };
    vec![
        figure("10,000 gates, none before the image", time("dev", &["clusters"], 0), 100.0),
        figure("10,000 gates, one, and not for the caller", time("prod", &[], 0), 500.0),
        figure("10,000 gates, one before the image", time("prod", &["clusters"], 1), 500.0),
    ]
}
