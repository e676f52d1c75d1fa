//! What the gate knows of all images, as of one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::by_digest::ByDigest;
use super::shape::Shape;
use crate::inventory::Lesson;
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
    pub(super) shapes: ByDigest<Shape>,
    pub(super) digests: ByDigest<Told>,
}

/// What is told of a digest.
#[derive(Debug)]
pub(crate) struct Told {
    /// But for its description, which is in `labels`.
    pub(crate) brief: Brief,
    /// What an image runs on, as it says itself.
    pub(crate) platform: Option<Box<str>>,
    /// In lower case, each as `key=value` between ends of lines; none where it was not looked into.
    pub(crate) labels: Option<Box<str>>,
}

impl From<Brief> for Told {
    fn from(mut brief: Brief) -> Self {
        let description = brief.description.take();
        let platform = description.as_ref().and_then(|it| it.platform.as_deref().map(Box::from));
        let labels = description.map(|description| {
            let lines = description.labels.iter();
            let lines = lines.map(|(key, value)| format!("\n{key}={value}").to_lowercase());
            (lines.collect::<String>() + "\n").into()
        });
        Self { brief, platform, labels }
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
    pub(crate) fn parts<'a>(&'a self, digest: &'a Digest) -> Vec<&'a Digest> {
        let mut parts = vec![digest];
        let (mut begin, mut depth) = (0, 0);
        while begin < parts.len() && depth < MAX_DEPTH {
            let end = parts.len();
            for at in begin..end {
                let Some(shape) = parts.get(at).and_then(|part| self.shapes.get(part)) else {
                    continue;
                };
                for child in &shape.children {
                    if parts.len() < MAX_PARTS && !parts.contains(&child) {
                        parts.push(child);
                    }
                }
            }
            (begin, depth) = (end, depth + 1);
        }
        parts
    }

    /// When the gate learned of a manifest.
    pub(crate) fn first_seen(&self, digest: &Digest) -> Option<Timestamp> {
        self.told(digest)?.brief.first_seen
    }

    /// Takes in what was learned of a repository.
    pub(super) fn learn(&mut self, repository: &RepositoryName, lesson: &Lesson) {
        if let Some((digest, shape)) = Shape::learned(lesson) {
            self.shapes.insert(digest.clone(), shape);
        }
        learn_tag(Arc::make_mut(&mut self.repositories), repository, lesson);
    }

    /// Forgets what is told of all of them.
    pub(super) fn forget_told(&mut self) {
        self.digests = ByDigest::default();
    }

    /// Takes in what is told of a digest now; none: nothing is.
    pub(super) fn tell(&mut self, digest: &Digest, brief: Option<Brief>) {
        match brief {
            Some(brief) => self.digests.insert(digest.clone(), brief.into()),
            None => self.digests.remove(digest),
        }
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
        let facts = crate::inventory::Facts {
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
        let parts: Vec<_> = known.parts(&first).into_iter().cloned().collect();
        assert_eq!(parts, [1, 2, 3, 4].map(digest));
        let image = digest(9);
        assert_eq!(known.parts(&image), [&image]);
    }

    #[test]
    fn labels_are_lines_in_lower_case() {
        let labels = [("Org", "ACME"), ("team", "a=b")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let description = Description { labels, ..Description::default() };
        let told = Told::from(Brief { description: Some(description), ..Brief::default() });
        assert_eq!(told.labels.as_deref(), Some("\norg=acme\nteam=a=b\n"));
        assert_eq!(Told::from(Brief::default()).labels, None);
    }
}
