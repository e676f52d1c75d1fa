//! An index as what it holds in the end.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use oci::{Digest, Platform};

use super::facts::{Child, Facts, Form};

/// A manifest below an index that is none itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'f> {
    /// As the index says.
    pub(super) platform: Option<&'f Platform>,
    pub(super) facts: &'f Facts,
}

/// Everything below an index that is no index. What stands in several places comes once for each, but
/// an index is looked into once: they may hold each other's children, and multiply.
pub(super) fn leaves(children: &[Child]) -> Vec<Leaf<'_>> {
    let mut leaves = Vec::with_capacity(children.len());
    let mut seen = HashSet::new();
    let mut open = vec![children];
    while let Some(children) = open.pop() {
        for Child { platform, facts } in children {
            match &facts.form {
                Form::Index { children } if seen.insert(&facts.digest) => open.push(children),
                Form::Index { .. } => {}
                _ => leaves.push(Leaf { platform: platform.as_ref(), facts }),
            }
        }
    }
    leaves
}

impl Leaf<'_> {
    /// Whether it is part of what the index is for. What could not be read may be.
    pub(super) fn is_runnable(&self) -> bool {
        match self.facts.form {
            Form::Image { .. } | Form::Unreadable(_) | Form::Index { .. } => true,
            Form::NotRunnable | Form::Artifact => false,
        }
    }

    /// The platform that its config says.
    pub(super) fn own_platform(&self) -> Option<&Platform> {
        match &self.facts.form {
            Form::Image { platform, .. } => platform.as_ref(),
            _ => None,
        }
    }
}

/// Whether it is exempt by what it is: an artifact, or an index of nothing else.
pub(super) fn is_artifact(facts: &Facts) -> bool {
    match &facts.form {
        Form::Artifact => true,
        Form::Index { children } => {
            let leaves = leaves(children);
            let is_artifact = |leaf: &Leaf<'_>| matches!(leaf.facts.form, Form::Artifact);
            !leaves.is_empty() && leaves.iter().all(is_artifact)
        }
        _ => false,
    }
}

/// How deep indexes may stand in each other where flags are looked for below them.
const MAX_DEPTH: usize = 8;

/// Until when something holds of a manifest: by itself, or because it holds of everything below that
/// runs. `own` says it of one manifest. None: it does not hold, and never did.
pub(super) fn until<'f>(
    facts: &'f Facts,
    own: &impl Fn(&'f Facts) -> Option<Timestamp>,
) -> Option<Timestamp> {
    Until { own, known: HashMap::new() }.of(facts, MAX_DEPTH)
}

struct Until<'f, 'o, F> {
    own: &'o F,
    known: HashMap<&'f Digest, Option<Timestamp>>,
}

impl<'f, F: Fn(&'f Facts) -> Option<Timestamp>> Until<'f, '_, F> {
    fn of(&mut self, facts: &'f Facts, depth: usize) -> Option<Timestamp> {
        let own = (self.own)(facts);
        let Form::Index { children } = &facts.form else { return own };
        if let Some(known) = self.known.get(&facts.digest) {
            return *known;
        }
        let Some(depth) = depth.checked_sub(1) else { return own };
        let mut least: Option<Option<Timestamp>> = None;
        for child in children {
            let is_runnable = Leaf { platform: None, facts: &child.facts }.is_runnable();
            if is_runnable && !is_artifact(&child.facts) {
                let of_child = self.of(&child.facts, depth);
                least = Some(least.map_or(of_child, |least| least.min(of_child)));
            }
        }
        let until = own.max(least.flatten());
        self.known.insert(&facts.digest, until);
        until
    }
}
