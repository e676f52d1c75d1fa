//! Which files are held back otherwise: who may edit what.

use std::collections::BTreeMap;
use std::fmt;

use super::both::Both;
use crate::policy::{Delegation, Policy};

/// Files that may speak of other images or groups than before. No decision on images follows from it
/// by itself, but whoever may change these files may now make others, or no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegated {
    /// The files, as the delegation writes them: `teams/backend/**`.
    pub files: String,
    /// What becomes of it.
    pub change: DelegationChange,
    /// The image patterns that it is about.
    pub images: Vec<String>,
    /// The groups that it is about, without `group:`.
    pub groups: Vec<String>,
}

/// What becomes of a delegation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DelegationChange {
    /// The files are held to these images and groups, and were not.
    Begins,
    /// They are no longer held to them.
    Ends,
    /// They may speak of these, too.
    Widens,
    /// They may speak of these no longer.
    Narrows,
}

impl DelegationChange {
    /// In one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begins => "begins",
            Self::Ends => "ends",
            Self::Widens => "widens",
            Self::Narrows => "narrows",
        }
    }
}

/// "files teams/backend/** may now speak of the images team/web/** and the groups web-*"
impl fmt::Display for Delegated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, change, images, groups } = self;
        let mut what = Vec::new();
        for (kind, names) in [("image", images), ("group", groups)] {
            match names.as_slice() {
                [] => {}
                [name] => what.push(format!("the {kind} {name}").replace("image ", "images ")),
                names => what.push(format!("the {kind}s {}", names.join(", "))),
            }
        }
        let what = match what.is_empty() {
            true => "nothing".to_owned(),
            false => what.join(" and "),
        };
        match change {
            DelegationChange::Begins => {
                write!(f, "files {files} are delegated: they may speak of {what} only")
            }
            DelegationChange::Ends => {
                write!(f, "files {files} are no longer held to {what} by a delegation")
            }
            DelegationChange::Widens => write!(f, "files {files} may now speak of {what}"),
            DelegationChange::Narrows => write!(f, "files {files} may no longer speak of {what}"),
        }
    }
}

/// All delegations that a file is covered by hold, so each is compared with the one that is about the
/// same files, if there is one such in each policy.
pub(super) fn delegations(policies: Both<&Policy>) -> Vec<Delegated> {
    let mut by_files: BTreeMap<&str, Both<Vec<&Delegation>>> = BTreeMap::new();
    for it in &policies.old.delegations {
        by_files.entry(&it.files).or_default().old.push(it);
    }
    for it in &policies.new.delegations {
        let there = by_files.entry(&it.files).or_default();
        match there.old.iter().position(|old| *old == it) {
            Some(same) => drop(there.old.remove(same)),
            None => there.new.push(it),
        }
    }
    let mut told = Vec::new();
    for Both { old, new } in by_files.into_values() {
        if let ([old], [new]) = (old.as_slice(), new.as_slice()) {
            told.extend(part(old, new, DelegationChange::Narrows));
            told.extend(part(new, old, DelegationChange::Widens));
            continue;
        }
        told.extend(old.into_iter().map(|it| whole(it, DelegationChange::Ends)));
        told.extend(new.into_iter().map(|it| whole(it, DelegationChange::Begins)));
    }
    told
}

fn whole(it: &Delegation, change: DelegationChange) -> Delegated {
    let Delegation { files, images, groups } = it.clone();
    Delegated { files, change, images, groups }
}

/// What is in one of them alone.
fn part(one: &Delegation, other: &Delegation, change: DelegationChange) -> Option<Delegated> {
    let without = |own: &[String], others: &[String]| -> Vec<String> {
        own.iter().filter(|it| !others.contains(it)).cloned().collect()
    };
    let images = without(&one.images, &other.images);
    let groups = without(&one.groups, &other.groups);
    let is_any = !images.is_empty() || !groups.is_empty();
    is_any.then(|| Delegated { files: one.files.clone(), change, images, groups })
}
