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
    let mut search = Until { own, known: HashMap::new() };
    own(facts).max(search.of(facts, MAX_DEPTH).flatten())
}

struct Until<'f, 'o, F> {
    own: &'o F,
    known: HashMap<&'f Digest, Option<Option<Timestamp>>>,
}

impl<'f, F: Fn(&'f Facts) -> Option<Timestamp>> Until<'f, '_, F> {
    /// Until when it holds; the outer none: nothing in it runs.
    fn of(&mut self, facts: &'f Facts, depth: usize) -> Option<Option<Timestamp>> {
        let children = match &facts.form {
            Form::Index { children } => children,
            Form::Image { .. } | Form::Unreadable(_) => return Some((self.own)(facts)),
            Form::NotRunnable | Form::Artifact => return None,
        };
        if let Some(known) = self.known.get(&facts.digest) {
            return *known;
        }
        let Some(depth) = depth.checked_sub(1) else { return Some((self.own)(facts)) };
        let of_children = children.iter().filter_map(|child| self.of(&child.facts, depth)).min();
        let until = of_children.map(|of_children| of_children.max((self.own)(facts)));
        self.known.insert(&facts.digest, until);
        until
    }
}
