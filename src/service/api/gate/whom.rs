//! Before whom gates stand, and what they do not hold although they would.

use std::collections::BTreeSet;
use std::sync::Arc;

use oci::{Digest, Reference, RepositoryName, Tag};
use policy::gate::{Gates, Occasion};
use policy::{Action, Caller, Image, Policy};

use super::super::Api;
use super::super::image::Named;
use super::super::problem::Problem;
use crate::inventory::{Sight, Sought, Undecided, View};
use crate::refusal::Refusal;

/// Somebody in a repository, or whomever gates stand before there. To them applies what applies to
/// a pull (`authorize`), without anybody pulling.
#[derive(Clone, Copy)]
pub(super) struct Whom<'p, 'a> {
    pub(super) policy: &'p Policy,
    pub(super) caller: Option<&'a Caller>,
    pub(super) repository: &'a RepositoryName,
}

/// The tag by which the image is named.
pub(super) fn tag(image: &Named) -> Option<&Tag> {
    match &image.reference {
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => None,
    }
}

impl<'p> Whom<'p, '_> {
    /// The gates before the tag; without one, those before anything in the repository.
    pub(super) fn gates(&self, on: Occasion, tag: Option<&Tag>) -> Gates<'p> {
        match self.caller {
            Some(caller) => self.policy.gates_for(caller, on, self.repository, tag),
            None => self.policy.gates_before(on, self.repository, tag),
        }
    }

    /// Whether pulls by them pass no gate, by what they may do.
    pub(super) fn is_exempt(&self, tag: Option<&Tag>) -> bool {
        self.caller.is_some()
            && [Action::Inspect, Action::Delete].iter().any(|it| self.may(*it, tag))
    }

    /// Whomever may be meant may read everything.
    fn may(&self, action: Action, tag: Option<&Tag>) -> bool {
        let image = Image { repository: self.repository, tag };
        self.caller.is_none_or(|caller| self.policy.decide(caller, action, image).is_allowed())
    }

    /// Whether a tag leads to the digest that they may read, and before which none of these gates
    /// stands.
    pub(super) async fn is_open_by_tag(
        &self,
        api: &Api,
        digest: &Digest,
        holding: &BTreeSet<&str>,
    ) -> Result<bool, Problem> {
        let is_free = |tag: &Tag| {
            let gates = self.gates(Occasion::Pull, Some(tag));
            !gates.iter().any(|gate| holding.contains(gate.name()))
        };
        let sight = |tag: &Tag| {
            let is_open = self.may(Action::Pull, Some(tag)) && is_free(tag);
            if is_open || self.is_exempt(Some(tag)) { Sight::Open } else { Sight::Closed }
        };
        let (inventory, repository, now) = (&api.images.inventory, self.repository, api.now());
        let known = inventory.is_vouched_for(repository, digest, sight, now);
        if known.map_err(|error| Refusal::from(Undecided::from(error)))? {
            return Ok(true);
        }
        let (upstream, budget) = (&api.images.upstream, &Arc::new(api.budget()));
        let sought = Sought { upstream, repository, digest, looks_at_it: true, budget, now };
        let found = inventory.resolve(sought, View { sight: &sight, includes_untagged: false });
        Ok(found.await.map_err(Refusal::from)?)
    }
}
