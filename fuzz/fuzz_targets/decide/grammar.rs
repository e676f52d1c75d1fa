//! Policies without mistakes, and questions, from pieces: small alphabets, so that what is asked
//! often is what the policy speaks of.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::{Arbitrary, Result, Unstructured};
use oci::{RepositoryName, Tag};
use policy::{Action, Bounds, Caller, Circumstances, Credential, Subject};

use crate::reference::{Conditions, Document, Rule};

/// A policy and what it is asked.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) document: Document,
    pub(crate) questions: Vec<Question>,
}

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) caller: Caller,
    pub(crate) action: Action,
    pub(crate) repository: RepositoryName,
    /// `None`: the repository as a whole.
    pub(crate) tags: Vec<Option<Tag>>,
}

/// Tags of every kind that the patterns tell apart.
const TAGS: [&str; 8] = ["v1", "v10", "rc-1", "a-1", "A-1", "b-22", "g0-1", "x"];

const GROUPS: [&str; 5] = ["g0", "g1", "g2", "a", "x-1"];
const ASSERTED: [&str; 9] = ["g0", "g1", "g2", "a", "x-1", "z", "b", "g9", "A"];
const NAMES: [&str; 9] = [
    "user:a",
    "user:b",
    "user:*",
    "user:a/*",
    "service:ci/*",
    "service:ci/**",
    "service:**/x",
    "peer:eu/*",
    "peer:*/a/**",
];
const SEGMENTS: [&str; 18] = [
    "a",
    "b",
    "ab",
    "*",
    "**",
    "a*",
    "?",
    "?b",
    "*b",
    "a*b",
    "*a*b*",
    "{a,b}",
    "a{,b}",
    "${user}",
    "${group}",
    "{${user},b}",
    "*${group}",
    "{a,{b,ab}}",
];
const TAG_PATTERNS: [&str; 11] = [
    "*",
    "v*",
    "v1",
    "?1",
    "{v1,rc-*}",
    "*-*",
    "*1*",
    "${user}-*",
    "${group}-?",
    "{a-1,v10}",
    "?*?",
];
const DATES: [&str; 3] = ["2026-01-01", "2026-07-01", "2026-07-01T02:00:00+02:00"];
const TIMES: [&str; 4] = [
    "2025-12-31T23:59:59Z",
    "2026-01-01T00:00:00Z",
    "2026-06-30T23:59:59Z",
    "2026-07-01T00:00:00Z",
];
const NETWORKS: [&str; 5] = ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.1", "fd00::/8", "::/0"];
const ADDRESSES: [&str; 4] = ["10.1.2.3", "10.2.0.1", "::ffff:10.1.0.1", "fd00::1"];
const KINDS: [&str; 4] = ["user", "service", "federated", "peer"];
const ACTIONS: [&str; 8] =
    ["pull", "inspect", "create", "overwrite", "push", "attach", "delete", "all"];

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // Questions first: an input that ends early has them.
        let questions = several(u, 1..=4, question)?;
        let mut rules = several(u, 0..=8, rule)?;
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule-{index}");
        }
        let document = Document { groups: groups(u)?, rules };
        Ok(Self { document, questions })
    }
}

fn several<'a, T>(
    u: &mut Unstructured<'a>,
    count: std::ops::RangeInclusive<usize>,
    one: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(count)?).map(|_| one(u)).collect()
}

fn one_of(u: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    u.choose(words).map(|word| (*word).to_owned())
}

/// Groups whose members come before them, so that none contains itself; one has what begins alike.
fn groups(u: &mut Unstructured<'_>) -> Result<BTreeMap<String, Option<Vec<String>>>> {
    let mut groups: BTreeMap<_, _> = BTreeMap::new();
    for (index, name) in GROUPS.iter().enumerate() {
        let members = if u.ratio(1, 4)? {
            None
        } else {
            let mut members = several(u, 0..=2, |u| one_of(u, &NAMES))?;
            for earlier in &GROUPS[..index] {
                if u.ratio(1, 3)? {
                    members.push(format!("group:{earlier}"));
                }
            }
            Some(members)
        };
        groups.insert((*name).to_owned(), members);
    }
    groups.insert("z".to_owned(), Some(vec!["group:g*".to_owned()]));
    Ok(groups)
}

fn rule(u: &mut Unstructured<'_>) -> Result<Rule> {
    let words = |u: &mut Unstructured<'_>| several(u, 1..=2, |u| one_of(u, &ACTIONS));
    let mut rule = Rule {
        subjects: several(u, 1..=2, subject)?,
        images: several(u, 1..=2, image)?,
        ..Rule::default()
    };
    if u.ratio(1, 3)? {
        rule.deny = words(u)?;
    } else {
        rule.allow = words(u)?;
    }
    if u.ratio(1, 4)? {
        rule.except_subjects = several(u, 0..=2, subject)?;
        rule.except_images = several(u, 0..=2, image)?;
    }
    if u.ratio(1, 4)? {
        rule.conditions = conditions(u)?;
    }
    Ok(rule)
}

fn conditions(u: &mut Unstructured<'_>) -> Result<Conditions> {
    let mut conditions = Conditions {
        networks: several(u, 0..=2, |u| one_of(u, &NETWORKS))?,
        kinds: several(u, 0..=2, |u| one_of(u, &KINDS))?,
        ..Conditions::default()
    };
    // One that ends before it starts is a mistake.
    match u.int_in_range(0..=3)? {
        0 => conditions.starts = Some(one_of(u, &DATES)?),
        1 => conditions.expires = Some(one_of(u, &DATES)?),
        2 => {
            conditions.starts = Some("2025-01-01".to_owned());
            conditions.expires = Some(one_of(u, &DATES)?);
        }
        _ => {}
    }
    Ok(conditions)
}

fn subject(u: &mut Unstructured<'_>) -> Result<String> {
    match u.int_in_range(0..=3)? {
        0 => one_of(u, &["anyone", "authenticated", "group:g*", "group:*"]),
        1 => Ok(format!("group:{}", u.choose(&GROUPS)?)),
        _ => one_of(u, &NAMES),
    }
}

fn image(u: &mut Unstructured<'_>) -> Result<String> {
    let repository = several(u, 1..=4, |u| one_of(u, &SEGMENTS))?.join("/");
    if u.ratio(1, 2)? {
        return Ok(repository);
    }
    Ok(format!("{repository}:{}", u.choose(&TAG_PATTERNS)?))
}

fn question(u: &mut Unstructured<'_>) -> Result<Question> {
    let segments = several(u, 1..=4, |u| one_of(u, &["a", "b", "ab", "aab"]))?;
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
    if u.ratio(1, 4)? {
        caller.granting = Some(asserted(u)?);
    }
    if u.ratio(1, 4)? {
        caller.bounds = Some(Arc::new(bounds(u)?));
    }
    Ok(caller)
}

/// Around the conditions of [`conditions`], and mostly known.
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
