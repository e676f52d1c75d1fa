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
use crate::identity::{Ceiling, Principal};

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

/// What a request may be answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// What the registry itself answers to it.
    Registry,
    /// The same, or the whole where the client has it already.
    Whole,
    /// As if it were not there: 404.
    Hidden,
    /// 403.
    Denied,
    /// 401: another token would do.
    Scope,
    /// An upload begins.
    Upload,
    /// A list of exactly these, and perhaps some of those.
    List(BTreeSet<String>, BTreeSet<String>),
    /// Any of several.
    AnyOf(Vec<Expected>),
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
    // ---- what policy says ----

    fn allows(&self, action: Action, repository: &str, tag: Option<&str>) -> bool {
        let (name, tag) = (name(repository), tag.map(|tag| Tag::new(tag).unwrap()));
        let image = Image { repository: &name, tag: tag.as_ref() };
        self.policy.decide(&self.person.caller, action, image).is_allowed()
            && self.person.ceiling.covers(action, &name)
    }

    /// No rule speaks of reading that tag, neither for nor against it.
    fn is_silent_about(&self, repository: &str, tag: &str) -> bool {
        let (name, tag) = (name(repository), Tag::new(tag).unwrap());
        let image = Image { repository: &name, tag: Some(&tag) };
        let decision = self.policy.decide(&self.person.caller, Action::Pull, image);
        !decision.is_allowed() && decision.rule().is_none()
    }

    /// Policy grants something of that, whatever the token was asked for.
    fn is_granted_any(&self, actions: &[Action], repository: &str) -> bool {
        let grants = |&action: &Action| {
            self.policy.grants_any(&self.person.caller, action, &name(repository))
        };
        actions.iter().any(grants)
    }

    fn may_any(&self, actions: &[Action], repository: &str) -> bool {
        actions.iter().any(|&action| {
            self.person.ceiling.covers(action, &name(repository))
                && self.is_granted_any(&[action], repository)
        })
    }

    // ---- what vouches for what ----

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
        let is_list_of_artifacts = |digest: &Digest| {
            known(digest)
                .is_some_and(|made| made.is_index() && made.children.iter().all(is_artifact))
        };
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
    fn readable_from(&self, repository: &str, digest: &Digest, asked: Option<&Digest>) -> Sure {
        if self.owns(repository, digest) {
            return Sure::Yes;
        }
        if !self.may_any(&[Action::Pull], repository) {
            return Sure::No;
        }
        let least = self.view(repository, asked, false);
        let most = self.view(repository, asked, true);
        let open = |view: &View<'_>| self.vouched_for(repository, true, view).contains(digest);
        let closed = |view: &View<'_>| self.vouched_for(repository, false, view).contains(digest);
        // Granted as a whole but for some tags: what none of these vouches for is readable too.
        let whole = self.allows(Action::Pull, repository, None);
        let surely = open(&least) || whole && !closed(&most);
        let perhaps = open(&most) || whole && !closed(&least);
        match (surely, perhaps) {
            (true, _) => Sure::Yes,
            (false, true) => Sure::Either,
            (false, false) => Sure::No,
        }
    }

    /// One's own recent content, as long as one has any right there. Nothing is nobody's own.
    fn owns(&self, repository: &str, digest: &Digest) -> bool {
        let pushed = (repository.to_owned(), pusher(self.person), digest.clone());
        self.memory.lingers
            && self.person.caller.subject != Subject::Anonymous
            && self.may_any(&RIGHTS, repository)
            && self.memory.pushed.contains(&pushed)
    }

    /// What the gate surely goes by when it is asked for that digest, or the most that it may.
    fn view(&self, repository: &str, asked: Option<&Digest>, most: bool) -> View<'_> {
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
                false => self.findable(repository, &pointers, asked),
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
    ) -> BTreeSet<Digest> {
        let all = &self.registry.library.manifests;
        let counts = |tag: &str| {
            self.allows(Action::Pull, repository, None)
                || self.allows(Action::Pull, repository, Some(tag))
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

    // ---- the routes ----

    /// A manifest by tag.
    pub(super) fn tag(&self, repository: &str, tag: &str, head: bool) -> Expected {
        if self.allows(Action::Pull, repository, Some(tag)) {
            return Expected::Registry;
        }
        let refused = self.refused(Action::Pull, repository, Some(tag));
        let writes = [Action::Create, Action::Overwrite]
            .iter()
            .any(|&action| self.allows(action, repository, Some(tag)));
        let otherwise = match head {
            true if writes => Expected::Registry,
            true if self.may_any(&WRITES, repository) => Expected::Hidden,
            _ => refused,
        };
        let follows =
            self.may_any(&[Action::Pull], repository) && self.is_silent_about(repository, tag);
        let image = image_of(tag).filter(|_| follows);
        // Many tags may follow: the images that they name are found by these images' own tags.
        match image.map(|image| self.readable_from(repository, &image, None)) {
            None | Some(Sure::No) => otherwise,
            Some(Sure::Yes) => self.artifact(repository, tag),
            Some(Sure::Either) => Expected::AnyOf(vec![otherwise, self.artifact(repository, tag)]),
        }
    }

    /// What stands at a fallback tag that is followed: shown if it is an artifact, or a list of
    /// them. What is gone from the list does no harm.
    fn artifact(&self, repository: &str, tag: &str) -> Expected {
        let Some(held) = self.registry.held(repository) else { return Expected::Hidden };
        let Some(at) = held.tags.get(tag) else { return Expected::Hidden };
        let made = &self.registry.library.manifests[at];
        let is_harmless = |child: &Digest| {
            !held.manifests.contains(child) || self.registry.library.manifests[child].is_artifact
        };
        let is_list = made.is_index() && made.children.iter().all(is_harmless);
        if made.is_artifact || is_list { Expected::Whole } else { Expected::Hidden }
    }

    /// A manifest by digest.
    pub(super) fn manifest(&self, repository: &str, digest: &Digest, head: bool) -> Expected {
        self.content(repository, digest, head, self.hidden(repository))
    }

    pub(super) fn blob(&self, repository: &str, digest: &Digest, head: bool) -> Expected {
        let hidden = match self.hidden(repository) {
            // Whoever pushes asks in this way, and gives up on a 403.
            Expected::Denied if head => Expected::Hidden,
            hidden => hidden,
        };
        self.content(repository, digest, head, hidden)
    }

    fn content(&self, repository: &str, digest: &Digest, head: bool, hidden: Expected) -> Expected {
        // Whoever pushes asks in this way for all that it is about to push, with a token that was
        // made for pushing: for that alone the registry need not be searched.
        let pushes = self.person.ceiling != Ceiling::Unlimited && self.may_any(&WRITES, repository);
        let readable = match self.readable(repository, digest) {
            Sure::Yes if head && pushes && !self.memory.taught && !self.reads_all(repository) => {
                Sure::Either
            }
            readable => readable,
        };
        either(readable, Expected::Registry, hidden)
    }

    pub(super) fn tags(&self, repository: &str) -> Expected {
        let absent = self.hidden(repository);
        let Some(held) = self.registry.held(repository) else { return absent };
        if !self.may_any(&[Action::Pull], repository) {
            return absent;
        }
        let (mut surely, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
        for tag in held.tags.keys() {
            let follows = || match image_of(tag).filter(|_| self.is_silent_about(repository, tag)) {
                Some(image) => self.readable_from(repository, &image, None),
                None => Sure::No,
            };
            match self.allows(Action::Pull, repository, Some(tag)) {
                true => drop(surely.insert(tag.clone())),
                false if follows() == Sure::Yes => drop(surely.insert(tag.clone())),
                false if follows() == Sure::Either => drop(perhaps.insert(tag.clone())),
                false => {}
            }
        }
        let list = Expected::List(surely.clone(), perhaps.clone());
        // To whom no tag is visible, the repository is not there; but to whom all of it is.
        match (surely.is_empty(), perhaps.is_empty()) {
            _ if self.reads_all(repository) => list,
            (true, true) => Expected::Hidden,
            (true, false) => Expected::AnyOf(vec![list, Expected::Hidden]),
            (false, _) => list,
        }
    }

    pub(super) fn catalog(&self) -> Expected {
        if !self.person.ceiling.covers_catalog() {
            return Expected::Scope;
        }
        let grants = |repository: &str, tag: Option<&str>| {
            let (name, tag) = (name(repository), tag.map(|tag| Tag::new(tag).unwrap()));
            let image = Image { repository: &name, tag: tag.as_ref() };
            self.policy.decide(&self.person.caller, Action::Pull, image).is_allowed()
        };
        let shown = self.registry.repositories.iter().filter(|(name, held)| {
            grants(name, None) || held.tags.keys().any(|tag| grants(name, Some(tag)))
        });
        Expected::List(shown.map(|(name, _)| name.clone()).collect(), BTreeSet::new())
    }

    /// The artifacts about a manifest: by the API, or where there is none by the fallback tag.
    pub(super) fn referrers(
        &self,
        repository: &str,
        digest: &Digest,
        wanted: Option<&str>,
    ) -> Expected {
        let readable = self.readable(repository, digest);
        let hidden = self.hidden(repository);
        if readable == Sure::No {
            return hidden;
        }
        let library = &self.registry.library.manifests;
        let held = self.registry.held(repository);
        let manners = self.registry.manners;
        let mut found: Vec<&Made> = if manners.referrers {
            let here = held.iter().flat_map(|held| &held.manifests);
            let here = here.map(|digest| &library[digest]);
            here.filter(|made| made.subject.as_ref() == Some(digest)).collect()
        } else {
            let fallback = fallback_tag(digest);
            let at = held.and_then(|held| held.tags.get(&fallback?));
            match at.map(|at| &library[at]) {
                Some(list) if list.is_index() => {
                    list.children.iter().map(|child| &library[child]).collect()
                }
                _ => return either(readable, Expected::Registry, hidden),
            }
        };
        if let Some(wanted) = wanted.filter(|_| manners.filters || !manners.referrers) {
            found.retain(|made| made.artifact_type == Some(wanted));
        }
        let (mut surely, mut perhaps) = (BTreeSet::new(), BTreeSet::new());
        for made in found {
            match self.readable(repository, &made.digest) {
                Sure::Yes => drop(surely.insert(made.digest.to_string())),
                Sure::Either => drop(perhaps.insert(made.digest.to_string())),
                Sure::No => {}
            }
        }
        either(readable, Expected::List(surely, perhaps), hidden)
    }

    /// A blob of one repository is to be put into another.
    pub(super) fn mount(&self, to: &str, from: &str, digest: &Digest) -> Expected {
        if !self.may_any(&WRITES, to) {
            return match self.is_granted_any(&WRITES, to) {
                true => Expected::Scope,
                false => Expected::Denied,
            };
        }
        either(self.readable(from, digest), Expected::Registry, Expected::Upload)
    }

    // ---- refusals ----

    /// Every tag and all that is untagged.
    fn reads_all(&self, repository: &str) -> bool {
        let name = name(repository);
        self.person.ceiling.covers(Action::Pull, &name)
            && matches!(
                self.policy.tags(&self.person.caller, Action::Pull, &name),
                policy::Tags::All
            )
    }

    /// The answer to a read of what the person cannot know to be there: whoever has no right in the
    /// repository at all is told so.
    fn hidden(&self, repository: &str) -> Expected {
        match self.may_any(&RIGHTS, repository) {
            true => Expected::Hidden,
            false => self.refused(Action::Pull, repository, None),
        }
    }

    fn refused(&self, action: Action, repository: &str, tag: Option<&str>) -> Expected {
        let (name, tag) = (name(repository), tag.map(|tag| Tag::new(tag).unwrap()));
        let image = Image { repository: &name, tag: tag.as_ref() };
        let allowed = self.policy.decide(&self.person.caller, action, image).is_allowed();
        let elsewhere = tag.is_none() && self.is_granted_any(&RIGHTS, repository);
        if allowed || elsewhere { Expected::Scope } else { Expected::Denied }
    }
}

const WRITES: [Action; 3] = [Action::Create, Action::Overwrite, Action::Attach];
const RIGHTS: [Action; 4] = [Action::Pull, Action::Create, Action::Overwrite, Action::Attach];

fn either(readable: Sure, yes: Expected, no: Expected) -> Expected {
    match readable {
        Sure::Yes => yes,
        Sure::No => no,
        Sure::Either => Expected::AnyOf(vec![yes, no]),
    }
}

fn name(repository: &str) -> RepositoryName {
    RepositoryName::new(repository).unwrap()
}

/// The image that a fallback tag is about.
fn image_of(tag: &str) -> Option<Digest> {
    let hex = tag.strip_prefix("sha256-")?;
    let hex = hex.split('.').next()?;
    Digest::new(&format!("sha256:{hex}")).ok()
}

/// The fallback tag of an image that can have one.
fn fallback_tag(image: &Digest) -> Option<String> {
    image.to_string().strip_prefix("sha256:").map(|hex| format!("sha256-{hex}"))
}

/// Whose something is: with bounds, it is of those who have the same.
pub(super) fn pusher(person: &Principal) -> String {
    let bounds = person.caller.bounds.as_ref();
    match bounds {
        Some(bounds) => format!("{} {bounds}", person.caller.subject),
        None => person.caller.subject.to_string(),
    }
}
