//! What the gate knows of all images, as of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{Digest, RepositoryName, Tag};

use super::by_digest::ByDigest;
use super::told::Told;
use crate::inventory::{Facts, Lesson};
use crate::release::Brief;

/// How deep indexes are looked into.
const MAX_DEPTH: usize = 4;

/// The most manifests of an index that are looked at.
const MAX_PARTS: usize = 256;

/// The tags of a repository, and what they point at.
pub(crate) type Tags = BTreeMap<Tag, Digest>;

/// Repositories by name.
pub(crate) type Repositories = BTreeMap<RepositoryName, Arc<Tags>>;

/// It is copied cheaply: the parts are shared.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    pub(super) repositories: Arc<Repositories>,
    pub(super) digests: ByDigest<Told>,
}

impl Known {
    pub(crate) fn repositories(&self) -> &Repositories {
        &self.repositories
    }

    /// What is told of a manifest.
    pub(crate) fn told(&self, digest: &Digest) -> Option<&Told> {
        self.digests.get(digest)
    }

    /// A manifest and, of an index, all below it.
    pub(crate) fn parts<'a>(
        &'a self,
        digest: &'a Digest,
    ) -> impl Iterator<Item = (&'a Digest, &'a Told)> {
        self.parts_of(digest, self.told(digest))
    }

    /// The same where it is known already what is told of the manifest.
    pub(crate) fn parts_of<'a>(
        &'a self,
        digest: &'a Digest,
        told: Option<&'a Told>,
    ) -> impl Iterator<Item = (&'a Digest, &'a Told)> {
        let itself = told.map(|told| (digest, told));
        // Most are no index: for those nothing need be gathered.
        let below = match itself {
            Some(itself) if itself.1.is_index() => self.below(itself),
            _ => Vec::new(),
        };
        itself.into_iter().chain(below)
    }

    fn below<'a>(&'a self, itself: (&'a Digest, &'a Told)) -> Vec<(&'a Digest, &'a Told)> {
        let mut parts = vec![itself];
        let (mut begin, mut depth) = (0, 0);
        while begin < parts.len() && depth < MAX_DEPTH {
            let end = parts.len();
            for at in begin..end {
                let Some(&(_, told)) = parts.get(at) else { continue };
                for child in &told.children {
                    let is_new = !parts.iter().any(|(known, _)| *known == child);
                    if let Some(told) =
                        self.told(child).filter(|_| is_new && parts.len() < MAX_PARTS)
                    {
                        parts.push((child, told));
                    }
                }
            }
            (begin, depth) = (end, depth + 1);
        }
        parts.remove(0);
        parts
    }

    /// Takes in what was learned of a repository.
    pub(super) fn learn(&mut self, repository: &RepositoryName, lesson: &Lesson) {
        if let Lesson::Manifest { digest, facts } = lesson {
            self.learn_facts(digest, facts);
        }
        learn_tag(Arc::make_mut(&mut self.repositories), repository, lesson);
    }

    /// Takes in what a manifest is, and of what an index is made.
    pub(super) fn learn_facts(&mut self, digest: &Digest, facts: &Facts) {
        let is_image = !facts.is_index && !facts.is_artifact;
        let children = if facts.is_index { &*facts.children } else { &[] };
        let known = self.told(digest).map_or((&[][..], false), |it| (&*it.children, it.is_image));
        if known != (children, is_image) {
            let children = Box::from(children);
            self.digests
                .change(digest, |told| (told.children, told.is_image) = (children, is_image));
        }
    }

    /// Takes in what is said of a digest now.
    pub(super) fn tell(&mut self, digest: &Digest, brief: Option<Brief>) {
        let repositories = &self.repositories;
        let same = |name: RepositoryName| match repositories.get_key_value(&name) {
            Some((known, _)) => known.clone(),
            None => name,
        };
        self.digests.change(digest, |told| told.hear(brief.unwrap_or_default(), same));
    }
}

/// Of what is learned, what tags point at.
fn learn_tag(repositories: &mut Repositories, repository: &RepositoryName, lesson: &Lesson) {
    match lesson {
        Lesson::Tag { tag, digest, .. } => {
            let tags = repositories.entry(repository.clone()).or_default();
            if tags.get(tag) != Some(digest) {
                Arc::make_mut(tags).insert(tag.clone(), digest.clone());
            }
        }
        Lesson::NoTag { tag, .. } => {
            if let Some(tags) = repositories.get_mut(repository).filter(|it| it.contains_key(tag)) {
                Arc::make_mut(tags).remove(tag);
            }
        }
        Lesson::NoManifest { digest, .. } => {
            if let Some(tags) = repositories.get_mut(repository) {
                Arc::make_mut(tags).retain(|_, pointed_at| pointed_at != digest);
            }
        }
        Lesson::Manifest { .. } | Lesson::Push { .. } => return,
    }
    if repositories.get(repository).is_some_and(|tags| tags.is_empty()) {
        repositories.remove(repository);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;

    use super::*;

    pub(crate) fn digest(number: u8) -> Digest {
        Digest::new(&format!("sha256:{}", format!("{number:02x}").repeat(32))).unwrap()
    }

    /// Tags and the numbers of what they point at.
    pub(crate) fn known(tags: &[(&str, &str, u8)]) -> Known {
        let mut known = Known::default();
        for &(name, tag, number) in tags {
            let tag = Tag::new(tag).unwrap();
            let at = Timestamp::UNIX_EPOCH;
            let lesson = Lesson::Tag { tag, digest: digest(number), at };
            known.learn(&RepositoryName::new(name).unwrap(), &lesson);
        }
        known
    }

    pub(crate) fn index(known: &mut Known, number: u8, children: &[u8]) {
        let facts = Facts {
            is_index: true,
            is_artifact: false,
            subject: None,
            children: children.iter().copied().map(digest).collect(),
            blobs: Box::default(),
        };
        let lesson = Lesson::Manifest { digest: digest(number), facts: Arc::new(facts) };
        known.learn(&RepositoryName::new("team/api").unwrap(), &lesson);
    }

    #[test]
    fn what_is_gone_is_not_known() {
        let mut known = known(&[("team/api", "v1", 1), ("team/api", "latest", 1)]);
        let name = RepositoryName::new("team/api").unwrap();
        let at = Timestamp::UNIX_EPOCH;
        let tag = Tag::new("latest").unwrap();
        known.learn(&name, &Lesson::NoTag { tag, at, deleted: true });
        assert_eq!(known.repositories()[&name].len(), 1);
        known.learn(&name, &Lesson::NoManifest { digest: digest(1), at });
        assert!(!known.repositories().contains_key(&name));
    }

    #[test]
    fn the_parts_of_an_index_are_all_below_it_each_once() {
        let mut known = Known::default();
        index(&mut known, 1, &[2, 3]);
        index(&mut known, 3, &[2, 4, 1]);
        let first = digest(1);
        for number in 1..=4 {
            known.tell(&digest(number), None);
        }
        let parts: Vec<_> = known.parts(&first).map(|(it, _)| it.clone()).collect();
        assert_eq!(parts, [1, 2, 3, 4].map(digest));
        assert_eq!(known.parts(&digest(9)).count(), 0, "nothing is known of it");
    }
}
