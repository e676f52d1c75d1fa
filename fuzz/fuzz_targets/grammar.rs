//! Policies without mistakes, from pieces: small alphabets, so that what is asked often is what the
//! policy speaks of. Most choices are one byte, so that a change of a byte is a change of a word.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use arbitrary::{Result, Unstructured};
use policy::{Policy, SourceFile};

use crate::reference::{Conditions, Document, Image, Part, Rule};

const GROUPS: [&str; 5] = ["g0", "g1", "g2", "a", "x-1"];
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
const BROAD: [&str; 5] = ["**", "a/**", "**:*", "**:v*", "**:{v1,*-1}"];
/// Few: each is compiled anew for each policy.
const REPOSITORIES: [&str; 6] = ["a/[ab]+", "[ab]+", "a|b/a", ".*b", "^a(/b)*$", "(a|ab)/(b|a)?.*"];
const TAGS: [&str; 5] = [r"v\d+", "v1|rc-.*", r".*-\d", "[a-z]+", "(?i)a-1"];
const RANGES: [&str; 8] =
    ["*", ">=1", "<2", ">1, <=2.1", "~2.1", "=1", ">=2.1.0-rc.1", "<2.1.0-rc.2"];
const DATES: [&str; 3] = ["2026-01-01", "2026-07-01", "2026-07-01T02:00:00+02:00"];
const NETWORKS: [&str; 5] = ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.1", "fd00::/8", "::/0"];
const KINDS: [&str; 4] = ["user", "service", "federated", "peer"];
pub(crate) const ACTIONS: [&str; 8] =
    ["pull", "inspect", "create", "overwrite", "push", "attach", "delete", "all"];

/// A policy of at most so many rules.
pub(crate) fn document(u: &mut Unstructured<'_>, most: usize) -> Result<Document> {
    let mut rules = several(u, 0..=most, rule)?;
    for (index, rule) in rules.iter_mut().enumerate() {
        rule.name = format!("rule-{index}");
    }
    Ok(Document { groups: groups(u)?, rules })
}

pub(crate) fn compile(document: &Document) -> Policy {
    let text = document.yaml();
    let file = SourceFile { path: "policy.yaml".to_owned(), text };
    match Policy::compile(std::slice::from_ref(&file)) {
        Ok(compiled) => compiled.policy,
        Err(errors) => panic!("{errors}\n{}", file.text),
    }
}

pub(crate) fn several<'a, T>(
    u: &mut Unstructured<'a>,
    count: RangeInclusive<usize>,
    one: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(count)?).map(|_| one(u)).collect()
}

pub(crate) fn one_of(u: &mut Unstructured<'_>, words: &[&str]) -> Result<String> {
    u.choose(words).map(|word| (*word).to_owned())
}

/// Groups whose members come before them, so that none contains itself; one has what begins alike.
pub(crate) fn groups(u: &mut Unstructured<'_>) -> Result<BTreeMap<String, Option<Vec<String>>>> {
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

pub(crate) fn rule(u: &mut Unstructured<'_>) -> Result<Rule> {
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
    if u.ratio(1, 3)? {
        except(u, &mut rule)?;
    }
    if u.ratio(1, 4)? {
        rule.conditions = conditions(u)?;
    }
    Ok(rule)
}

pub(crate) fn except(u: &mut Unstructured<'_>, rule: &mut Rule) -> Result<()> {
    // Whoever is left out is mostly a group: who leaves it out of a credential gains nothing.
    rule.except_subjects = several(u, 0..=2, |u| match u.ratio(3, 4)? {
        true => Ok(format!("group:{}", u.choose(&GROUPS)?)),
        false => subject(u),
    })?;
    rule.except_images = several(u, 0..=2, image)?;
    Ok(())
}

pub(crate) fn conditions(u: &mut Unstructured<'_>) -> Result<Conditions> {
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

pub(crate) fn subject(u: &mut Unstructured<'_>) -> Result<String> {
    match u.int_in_range(0..=3)? {
        0 => one_of(u, &["anyone", "authenticated", "group:g*", "group:*"]),
        1 => Ok(format!("group:{}", u.choose(&GROUPS)?)),
        _ => one_of(u, &NAMES),
    }
}

pub(crate) fn image(u: &mut Unstructured<'_>) -> Result<Image> {
    let path = |u: &mut Unstructured<'_>| -> Result<String> {
        Ok(several(u, 1..=3, |u| one_of(u, &SEGMENTS))?.join("/"))
    };
    Ok(match u.int_in_range(0..=5)? {
        0 => Image::Text(path(u)?),
        1 | 2 => Image::Text(format!("{}:{}", path(u)?, u.choose(&TAG_PATTERNS)?)),
        3 => Image::Text(one_of(u, &BROAD)?),
        _ => {
            let repository = match u.int_in_range(0..=2)? {
                0 => Part::Text(path(u)?),
                1 => Part::Text(one_of(u, &["**", "a/**"])?),
                _ => Part::Regex(one_of(u, &REPOSITORIES)?),
            };
            let tag = match u.int_in_range(0..=4)? {
                0 => None,
                1 => Some(Part::Text(one_of(u, &TAG_PATTERNS)?)),
                2 => Some(Part::Regex(one_of(u, &TAGS)?)),
                _ => Some(Part::Semver(one_of(u, &RANGES)?)),
            };
            Image::Map { repository, tag }
        }
    })
}
