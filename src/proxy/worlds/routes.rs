//! What each route must answer, by the reference.

use std::collections::BTreeSet;

use oci::{Digest, Tag};
use policy::{Action, Image};

use super::content::Made;
use super::reference::{RIGHTS, Reference, Sure, WRITES, image_of, name};
use crate::identity::Ceiling;

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

impl Reference<'_> {
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
        if made.is_artifact || made.lists_only(is_harmless) {
            Expected::Whole
        } else {
            Expected::Hidden
        }
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
        let is_known = self.is_known(repository, digest);
        let readable = match self.readable(repository, digest) {
            Sure::Yes if head && pushes && !is_known => Sure::Either,
            readable => readable,
        };
        // "You have it already" may be said of what is not there. So it is not asked for in that way
        // where nothing but its being there tells it from what is denied.
        let shown = match self.allows(Action::Pull, repository, None) && !is_known {
            true => Expected::Whole,
            false => Expected::Registry,
        };
        either(readable, shown, hidden)
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
        let hidden = self.hidden(repository);
        let readable =
            match (self.readable(repository, digest), self.is_missing(repository, digest)) {
                (Sure::No, _) | (_, Sure::Yes) => return hidden,
                (_, Sure::Either) => Sure::Either,
                (readable, Sure::No) => readable,
            };
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

    /// Every tag and all that is untagged.
    pub(super) fn reads_all(&self, repository: &str) -> bool {
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

fn either(readable: Sure, yes: Expected, no: Expected) -> Expected {
    match readable {
        Sure::Yes => yes,
        Sure::No => no,
        Sure::Either => Expected::AnyOf(vec![yes, no]),
    }
}

/// The fallback tag of an image that can have one.
fn fallback_tag(image: &Digest) -> Option<String> {
    image.to_string().strip_prefix("sha256:").map(|hex| format!("sha256-{hex}"))
}
