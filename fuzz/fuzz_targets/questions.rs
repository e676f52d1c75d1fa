//! Questions to the policies of `grammar.rs`.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use oci::{RepositoryName, Tag};
use policy::{Action, Bounds, Caller, Circumstances, Credential, Subject};

use crate::grammar::{ACTIONS, one_of, several};

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    pub(crate) repository: RepositoryName,
    /// `None`: the repository as a whole.
    pub(crate) tags: Vec<Option<Tag>>,
}

/// Tags of every kind that the patterns tell apart.
const TAGS: [&str; 12] = [
    "v1",
    "v10",
    "rc-1",
    "a-1",
    "A-1",
    "b-22",
    "g0-1",
    "x",
    "1.2.3",
    "v2.1",
    "2.1.0-rc.1",
    "1.2-a",
];
const ASSERTED: [&str; 9] = ["g0", "g1", "g2", "a", "x-1", "z", "b", "g9", "A"];
/// Around the dates of the conditions.
pub(crate) const TIMES: [&str; 4] = [
    "2025-12-31T23:59:59Z",
    "2026-01-01T00:00:00Z",
    "2026-06-30T23:59:59Z",
    "2026-07-01T00:00:00Z",
];
const ADDRESSES: [&str; 4] = ["10.1.2.3", "10.2.0.1", "::ffff:10.1.0.1", "fd00::1"];

pub(crate) fn question(u: &mut Unstructured<'_>) -> Result<Question> {
    let segments = several(u, 1..=3, |u| one_of(u, &["a", "b", "ab", "aab"]))?;
    Ok(Question {
        caller: asking(u)?,
        action: *u.choose(&Action::ALL)?,
        repository: RepositoryName::new(&segments.join("/")).unwrap(),
        tags: several(u, 1..=2, tag)?,
    })
}

fn tag(u: &mut Unstructured<'_>) -> Result<Option<Tag>> {
    let tag = Tag::new(u.choose(&TAGS)?).unwrap();
    Ok(if u.ratio(3, 4)? { Some(tag) } else { None })
}

fn asking(u: &mut Unstructured<'_>) -> Result<Caller> {
    let name = u.choose(&["a", "b", "A", "a/b", "ci/x", "ci", "ci/x/y"])?.to_string();
    let subject = match u.int_in_range(0..=5)? {
        0 => Subject::Anonymous,
        1 => Subject::Peer { gate: "eu".to_owned(), name },
        2 => Subject::Service(name),
        _ => Subject::User(name),
    };
    let asserted = |u: &mut Unstructured<'_>| several(u, 0..=3, |u| one_of(u, &ASSERTED));
    let mut caller = Caller::new(subject, asserted(u)?);
    caller.circumstances = circumstances(u)?;
    if u.ratio(1, 2)? {
        caller.granting = Some(asserted(u)?);
    }
    if u.ratio(1, 4)? {
        caller.bounds = Some(Arc::new(bounds(u)?));
    }
    Ok(caller)
}

/// Mostly known.
fn circumstances(u: &mut Unstructured<'_>) -> Result<Circumstances> {
    let mut here = Circumstances::default();
    if u.ratio(7, 8)? {
        here.at = Some(u.choose(&TIMES)?.parse().unwrap());
    }
    if u.ratio(7, 8)? {
        here.address = Some(u.choose(&ADDRESSES)?.parse().unwrap());
    }
    if u.ratio(7, 8)? {
        let named = Credential::ALL.into_iter().chain([Credential::Anonymous]);
        here.credential = Some(*u.choose(&named.collect::<Vec<_>>())?);
    }
    Ok(here)
}

fn bounds(u: &mut Unstructured<'_>) -> Result<Bounds> {
    let images = ["**", "**:*", "a/**", "**:v*", "*/**:{v1,*-1}", "b/*", "{a,ab}/b", "a/*:v?"];
    let images = several(u, 1..=2, |u| one_of(u, &images))?;
    let actions = several(u, 1..=2, |u| one_of(u, &ACTIONS))?;
    Ok(Bounds::new(images, actions).unwrap())
}
