//! What the gate must answer: tag ACLs in plain words, over what the registry really holds.
//!
//! It shares nothing with the gate but the policy engine, which has a reference of its own. It is
//! slow and forgets nothing. Where a gate cannot know something, such as who signed what in a
//! registry that keeps no list of it, there is more than one right answer.

use std::collections::BTreeSet;

use oci::{Digest, RepositoryName, Tag};
use policy::{Action, Image, Policy, Subject};

use super::content::Made;
use super::registry::Registry;
use crate::identity::Principal;

/// What went through the gate, as far as it may go by it later. Empty for a gate that knows nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// What was seen, and what was pushed, still counts today.
    pub(super) lingers: bool,
    /// All that is there was read through the gate: there is nothing that it would have to ask for.
    pub(super) taught: bool,
    /// Repository, tag and manifest, as answers showed them.
    pub(super) seen: BTreeSet<(String, String, Digest)>,
    /// The same for all that ever was: the gate may have looked at any moment.
    pub(super) was: BTreeSet<(String, String, Digest)>,
    /// Manifests whose bytes the gate had in its hands.
    pub(super) read: BTreeSet<(String, Digest)>,
    /// Those that it may have had, as they were there while it was.
    pub(super) held: BTreeSet<(String, Digest)>,
    /// Repository, pusher, content.
    pub(super) pushed: BTreeSet<(String, String, Digest)>,
}

/// An answer to "may this be read".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sure {
    Yes,
    No,
    /// That depends on what the gate could find out.
    Either,
}

/// How much a gate goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// What it surely finds.
    Least,
    /// What it surely finds where it looks at denied tags alone, to tell that none of them holds
    /// something.
    Denied,
    /// The most that it may find.
    Most,
}

/// Which pointers and which manifests a gate goes by.
struct View<'a> {
    pointers: BTreeSet<(String, Digest)>,
    manifests: Vec<&'a Made>,
}

pub(super) struct Reference<'a> {
    pub(super) registry: &'a Registry,
    pub(super) policy: &'a Policy,
    pub(super) person: &'a Principal,
    pub(super) memory: &'a Memory,
}

impl Reference<'_> {
    pub(super) fn allows(&self, action: Action, repository: &str, tag: Option<&str>) -> bool {
        let (name, tag) = (name(repository), tag.map(|tag| Tag::new(tag).unwrap()));
        let image = Image { repository: &name, tag: tag.as_ref() };
        self.policy.decide(&self.person.caller, action, image).is_allowed()
            && self.person.ceiling.covers(action, &name)
    }

    /// No rule speaks of reading that tag, neither for nor against it.
    pub(super) fn is_silent_about(&self, repository: &str, tag: &str) -> bool {
        let (name, tag) = (name(repository), Tag::new(tag).unwrap());
        let image = Image { repository: &name, tag: Some(&tag) };
        let decision = self.policy.decide(&self.person.caller, Action::Pull, image);
        !decision.is_allowed() && decision.rule().is_none()
    }

    /// Policy grants something of that, whatever the token was asked for.
    pub(super) fn is_granted_any(&self, actions: &[Action], repository: &str) -> bool {
        let grants = |&action: &Action| {
            self.policy.grants_any(&self.person.caller, action, &name(repository))
        };
        actions.iter().any(grants)
    }

    pub(super) fn may_any(&self, actions: &[Action], repository: &str) -> bool {
        actions.iter().any(|&action| {
            self.person.ceiling.covers(action, &name(repository))
                && self.is_granted_any(&[action], repository)
        })
    }

    /// All that is reachable from these manifests: what they name, and the artifacts that are about
    /// any of it, by their `subject` or by a fallback tag that may be followed.
    fn reachable(
        &self,
        from: BTreeSet<Digest>,
        view: &View<'_>,
        follows: impl Fn(&str) -> bool,
    ) -> BTreeSet<Digest> {
        let known = |digest: &Digest| view.manifests.iter().find(|made| made.digest == *digest);
        // Signatures, SBOMs and the like; at a fallback tag also the list of them.
        let is_artifact = |digest: &Digest| known(digest).is_some_and(|made| made.is_artifact);
        let is_list_of_artifacts =
            |digest: &Digest| known(digest).is_some_and(|made| made.lists_only(is_artifact));
        let mut reached = from;
        loop {
            let mut more = BTreeSet::new();
            for made in &view.manifests {
                if reached.contains(&made.digest) {
                    more.extend(made.children.iter().chain(&made.blobs).cloned());
                }
                let about = made.subject.as_ref().is_some_and(|image| reached.contains(image));
                if about && made.is_artifact {
                    more.insert(made.digest.clone());
                }
            }
            for (tag, at) in &view.pointers {
                let image = image_of(tag).filter(|image| reached.contains(image));
                if image.is_some() && follows(tag) && (is_artifact(at) || is_list_of_artifacts(at))
                {
                    more.insert(at.clone());
                }
            }
            if more.is_subset(&reached) {
                return reached;
            }
            reached.extend(more);
        }
    }

    /// What the tags that the person may read vouch for, or those that it may not.
    fn vouched_for(&self, repository: &str, readable: bool, view: &View<'_>) -> BTreeSet<Digest> {
        let tags = view.pointers.iter();
        let from = tags
            .filter(|(tag, _)| self.allows(Action::Pull, repository, Some(tag)) == readable)
            .map(|(_, digest)| digest.clone());
        self.reachable(from.collect(), view, |tag| {
            self.allows(Action::Pull, repository, Some(tag))
                || self.is_silent_about(repository, tag)
        })
    }

    /// Whether the person may read that content there.
    pub(super) fn readable(&self, repository: &str, digest: &Digest) -> Sure {
        self.readable_from(repository, digest, Some(digest))
    }

    /// The same where the gate surely asks for that one only.
    pub(super) fn readable_from(
        &self,
        repository: &str,
        digest: &Digest,
        asked: Option<&Digest>,
    ) -> Sure {
        if self.owns(repository, digest) {
            return Sure::Yes;
        }
        if !self.may_any(&[Action::Pull], repository) {
            return Sure::No;
        }
        let least = self.view(repository, asked, Extent::Least);
        let most = self.view(repository, asked, Extent::Most);
        let open = |view: &View<'_>| self.vouched_for(repository, true, view).contains(digest);
        // What has another kind of digest may be the same content.
        let closed = |view: &View<'_>| {
            let closed = self.vouched_for(repository, false, view);
            let is_other = |other: &Digest| other.algorithm() != digest.algorithm();
            closed.contains(digest) || closed.iter().any(is_other)
        };
        // Granted as a whole but for some tags: what none of these vouches for is readable too.
        let whole = self.allows(Action::Pull, repository, None);
        let denied = self.view(repository, asked, Extent::Denied);
        let surely = open(&least) || whole && !closed(&most);
        let perhaps = open(&most) || whole && !closed(&denied);
        match (surely, perhaps) {
            (true, _) => Sure::Yes,
            (false, true) => Sure::Either,
            (false, false) => Sure::No,
        }
    }

    /// Whether the person might read that manifest as nobody denies it, and it is not there: then it
    /// must read as one that is denied, also where the registry would answer.
    pub(super) fn is_missing(&self, repository: &str, digest: &Digest) -> Sure {
        let held = self.registry.held(repository);
        let is_there = held.is_some_and(|held| held.manifests.contains(digest));
        let whole = self.allows(Action::Pull, repository, None) && !self.reads_all(repository);
        if is_there || !whole || self.owns(repository, digest) {
            return Sure::No;
        }
        let is_open = |most: bool| {
            let extent = if most { Extent::Most } else { Extent::Least };
            let view = self.view(repository, Some(digest), extent);
            self.vouched_for(repository, true, &view).contains(digest)
        };
        match (is_open(false), is_open(true)) {
            (true, _) => Sure::No,
            (false, true) => Sure::Either,
            (false, false) => Sure::Yes,
        }
    }

    /// Whether the gate surely knows, without asking, that the person may read it. What may be read
    /// as nobody denies it takes a look at every denied tag.
    pub(super) fn is_known(&self, repository: &str, digest: &Digest) -> bool {
        let is_open = || {
            let view = self.view(repository, None, Extent::Least);
            self.vouched_for(repository, true, &view).contains(digest)
        };
        self.reads_all(repository)
            || self.owns(repository, digest)
            || self.memory.taught && is_open()
    }

    /// One's own recent content, as long as one has any right there. Nothing is nobody's own.
    fn owns(&self, repository: &str, digest: &Digest) -> bool {
        let pushed = (repository.to_owned(), pusher(self.person), digest.clone());
        self.memory.lingers
            && self.person.caller.subject != Subject::Anonymous
            && self.may_any(&RIGHTS, repository)
            && self.memory.pushed.contains(&pushed)
    }

    /// What the gate goes by when it is asked for that digest.
    fn view(&self, repository: &str, asked: Option<&Digest>, extent: Extent) -> View<'_> {
        let most = extent == Extent::Most;
        let held = self.registry.held(repository);
        let remembered = if most { &self.memory.was } else { &self.memory.seen };
        let mut pointers: BTreeSet<(String, Digest)> = remembered
            .iter()
            .filter(|(there, ..)| self.memory.lingers && there == repository)
            .map(|(_, tag, digest)| (tag.clone(), digest.clone()))
            .collect();
        if most || !self.memory.taught {
            let now = held.iter().flat_map(|held| &held.tags);
            pointers.extend(now.map(|(tag, digest)| (tag.clone(), digest.clone())));
        }
        let all = self.registry.library.manifests.values();
        let is_here = |made: &&Made| held.is_some_and(|held| held.manifests.contains(&made.digest));
        let key = |made: &Made| (repository.to_owned(), made.digest.clone());
        let was_read = |made: &&Made| self.memory.read.contains(&key(made));
        let was_here = |made: &&Made| self.memory.held.contains(&key(made));
        let manifests: Vec<&Made> = if most {
            all.filter(|made| is_here(made) || was_here(made) || was_read(made)).collect()
        } else {
            let found = match self.memory.taught {
                true => BTreeSet::new(),
                false => self.findable(repository, &pointers, asked, extent),
            };
            all.filter(|made| was_read(made) || is_here(made) && found.contains(&made.digest))
                .collect()
        };
        View { pointers, manifests }
    }

    /// The manifests that can be found: from tags down, from what was asked for to its subject, and
    /// what is about any of these where the registry lists that. Tags that are closed to the person
    /// need looking at only where they decide, which is where the rest is granted as a whole. Who holds a blob, no registry
    /// tells; nor, if it has no referrers, who is about an image.
    fn findable(
        &self,
        repository: &str,
        pointers: &BTreeSet<(String, Digest)>,
        asked: Option<&Digest>,
        extent: Extent,
    ) -> BTreeSet<Digest> {
        let all = &self.registry.library.manifests;
        let counts = |tag: &str| {
            let is_open = self.allows(Action::Pull, repository, Some(tag));
            match extent {
                Extent::Denied => !is_open,
                Extent::Least | Extent::Most => {
                    is_open || self.allows(Action::Pull, repository, None)
                }
            }
        };
        let mut ahead: Vec<&Digest> = asked.into_iter().collect();
        let (first, mut rest): (Vec<_>, Vec<_>) = pointers.iter().partition(|(tag, _)| counts(tag));
        ahead.extend(first.into_iter().map(|(_, digest)| digest));
        let mut found = BTreeSet::new();
        while let Some(digest) = ahead.pop() {
            if let Some(made) = all.get(digest)
                && found.insert(digest.clone())
            {
                ahead.extend(made.children.iter().chain(&made.subject));
                let about = all.values().filter(|other| other.subject.as_ref() == Some(digest));
                ahead.extend(
                    about.filter(|_| self.registry.manners.referrers).map(|other| &other.digest),
                );
            }
            // A fallback tag is followed from the image that it names.
            let follows = |(tag, _): &mut &(String, Digest)| {
                image_of(tag).is_some_and(|image| found.contains(&image))
                    && self.is_silent_about(repository, tag)
            };
            ahead.extend(rest.extract_if(.., follows).map(|(_, digest)| digest));
        }
        found
    }
}

pub(super) const WRITES: [Action; 3] = [Action::Create, Action::Overwrite, Action::Attach];
pub(super) const RIGHTS: [Action; 4] =
    [Action::Pull, Action::Create, Action::Overwrite, Action::Attach];

pub(super) fn name(repository: &str) -> RepositoryName {
    RepositoryName::new(repository).unwrap()
}

/// The image that a fallback tag is about.
pub(super) fn image_of(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = hex.split('.').next()?;
    Digest::new(&format!("sha256:{hex}")).ok()
}

/// Whose something is: with bounds, it is of those who have the same.
pub(super) fn pusher(person: &Principal) -> String {
    let bounds = person.caller.bounds.as_ref();
    match bounds {
        Some(bounds) => format!("{} {bounds}", person.caller.subject),
        None => person.caller.subject.to_string(),
    }
}
