//! What the gate knows of all images, as of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{Digest, RepositoryName, Tag};

use super::by_digest::ByDigest;
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

/// What is told of a digest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// The manifests of an index; of an image, none.
    pub(super) children: Box<[Digest]>,
    /// But for its description, which is in `labels`.
    pub(crate) brief: Brief,
    /// What an image runs on, as it says itself.
    pub(crate) platform: Option<Box<str>>,
    /// In lower case, each as `key=value` between ends of lines; none where it was not looked into.
    pub(crate) labels: Option<Box<str>>,
}

impl Told {
    /// Takes in what is said of it now.
    fn hear(&mut self, mut brief: Brief) {
        let description = brief.description.take();
        let platform = description.as_ref().and_then(|it| it.platform.as_deref().map(Box::from));
        let labels = description.map(|description| {
            let lines = description.labels.iter();
            let lines = lines.map(|(key, value)| format!("\n{key}={value}").to_lowercase());
            (lines.collect::<String>() + "\n").into()
        });
        (self.brief, self.platform, self.labels) = (brief, platform, labels);
    }
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
    pub(crate) fn parts<'a>(&'a self, digest: &'a Digest) -> Vec<(&'a Digest, &'a Told)> {
        let mut parts = Vec::new();
        parts.extend(self.told(digest).map(|told| (digest, told)));
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
        parts
    }

    /// Takes in what was learned of a repository.
    pub(super) fn learn(&mut self, repository: &RepositoryName, lesson: &Lesson) {
        if let Lesson::Manifest { digest, facts } = lesson {
            self.learn_children(digest, facts);
        }
        learn_tag(Arc::make_mut(&mut self.repositories), repository, lesson);
    }

    /// Takes in of what an index is made; of an image nothing need be kept.
    pub(super) fn learn_children(&mut self, digest: &Digest, facts: &Facts) {
        if facts.is_index && self.told(digest).is_none_or(|told| told.children != facts.children) {
            self.digests.change(digest, |told| told.children = facts.children.clone());
        }
    }

    /// Takes in what is said of a digest now.
    pub(super) fn tell(&mut self, digest: &Digest, brief: Option<Brief>) {
        self.digests.change(digest, |told| told.hear(brief.unwrap_or_default()));
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
    use crate::release::Description;

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

    fn index(known: &mut Known, number: u8, children: &[u8]) {
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
        let parts: Vec<_> = known.parts(&first).into_iter().map(|(it, _)| it.clone()).collect();
        assert_eq!(parts, [1, 2, 3, 4].map(digest));
        assert_eq!(known.parts(&digest(9)).len(), 0, "nothing is known of it");
    }

    #[test]
    fn labels_are_lines_in_lower_case() {
        let labels = [("Org", "ACME"), ("team", "a=b")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let description = Description { labels, ..Description::default() };
        let mut told = Told::default();
        told.hear(Brief { description: Some(description), ..Brief::default() });
        assert_eq!(told.labels.as_deref(), Some("\norg=acme\nteam=a=b\n"));
        told.hear(Brief::default());
        assert_eq!(told.labels, None);
    }
}
