//! What one repository holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Operation, Page, Read, RepositoryName, Tag};

use super::super::graph::MAX_DEPTH;
use super::super::list::{MAX_TAGS, names_page};
use super::super::{Facts, Lesson, fetch, head_tag};
use super::{Crawl, Halt, is_of_one_thing};

/// What is known of it before.
#[derive(Default)]
struct Before {
    /// What each tag points at, as far as it is known to be there, and when that was seen.
    tags: HashMap<Tag, (Digest, Timestamp)>,
    /// The children of the manifests that are known.
    manifests: HashMap<Digest, Box<[Digest]>>,
}

impl Before {
    fn of(lessons: Vec<Lesson>) -> Self {
        let mut before = Self::default();
        let mut gone: HashMap<Tag, Timestamp> = HashMap::new();
        for lesson in lessons {
            match lesson {
                Lesson::Tag { tag, digest, at } => {
                    let known = before.tags.entry(tag).or_insert_with(|| (digest.clone(), at));
                    if known.1 < at {
                        *known = (digest, at);
                    }
                }
                Lesson::NoTag { tag, at, .. } => {
                    let known = gone.entry(tag).or_insert(at);
                    *known = at.max(*known);
                }
                Lesson::Manifest { digest, facts } => {
                    before.manifests.insert(digest, facts.children.clone());
                }
                Lesson::NoManifest { .. } | Lesson::Push { .. } => {}
            }
        }
        before.tags.retain(|tag, (_, seen)| gone.get(tag).is_none_or(|gone| gone < seen));
        before
    }
}

impl Crawl {
    /// Looks at all tags of a repository that were not seen since `began`, and at the manifests that
    /// are not known.
    pub(super) async fn look_at(
        &mut self,
        repository: &RepositoryName,
        began: Timestamp,
    ) -> Result<(), Halt> {
        let known = {
            let repository = repository.clone();
            self.state.ask(move |store| async move { store.lessons_of(&repository).await }).await?
        };
        let mut before = Before::of(known.lessons);
        let listed_at = self.clock.now();
        let Some(tags) = self.tags(repository).await? else { return Ok(()) };
        let gone: Vec<_> = before.tags.keys().filter(|tag| !tags.contains(*tag)).cloned().collect();
        for tag in gone {
            let lesson = Lesson::NoTag { tag, at: listed_at, deleted: false };
            self.learned(repository, lesson);
        }
        for tag in tags {
            // Seen since by the pass before a restart, or by somebody who pulled it.
            let seen = before.tags.get(&tag).filter(|(_, seen)| *seen >= began);
            let digest = match seen {
                Some((digest, _)) => Some(digest.clone()),
                None => self.tag(repository, tag).await?,
            };
            if let Some(digest) = digest {
                self.manifests(repository, digest, &mut before.manifests).await?;
            }
        }
        Ok(())
    }

    /// The tags that there are; none where they cannot be told. Where there is no such repository
    /// there are no tags.
    async fn tags(&mut self, repository: &RepositoryName) -> Result<Option<HashSet<Tag>>, Halt> {
        let operation = Operation::ListTags {
            read: Read::Get,
            repository: repository.clone(),
            page: Page::default(),
        };
        let mut target = operation.target();
        let mut tags = HashSet::new();
        while let Some(at) = target.take() {
            let ask = async |upstream: &_| names_page(upstream, &at, "tags").await;
            let page = match self.ask(ask).await? {
                Ok(Some(page)) => page,
                Ok(None) if tags.is_empty() => return Ok(Some(tags)),
                // Half a list is none: what is missing from it need not be gone.
                Ok(None) => return Ok(None),
                Err(error) if is_of_one_thing(&error) => {
                    tracing::debug!(%repository, %error, "the tags of a repository cannot be told");
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            };
            let known = tags.len();
            tags.extend(page.names.iter().filter_map(|name| Tag::new(name).ok()));
            if tags.len() > MAX_TAGS {
                return Ok(None);
            }
            // A page with nothing new would lead to itself for ever.
            target = page.next.filter(|_| tags.len() > known);
        }
        Ok(Some(tags))
    }

    /// What the tag points at now.
    async fn tag(&mut self, repository: &RepositoryName, tag: Tag) -> Result<Option<Digest>, Halt> {
        let at = self.clock.now();
        let ask = async |upstream: &_| head_tag(upstream, repository, &tag).await;
        match self.ask(ask).await? {
            Ok(Some(digest)) => {
                self.learned(repository, Lesson::Tag { tag, digest: digest.clone(), at });
                Ok(Some(digest))
            }
            Ok(None) => {
                self.learned(repository, Lesson::NoTag { tag, at, deleted: false });
                Ok(None)
            }
            Err(error) if is_of_one_thing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a manifest that is not known, and those below it.
    async fn manifests(
        &mut self,
        repository: &RepositoryName,
        top: Digest,
        known: &mut HashMap<Digest, Box<[Digest]>>,
    ) -> Result<(), Halt> {
        let mut ahead = vec![(top, 0)];
        let mut seen = HashSet::new();
        while let Some((digest, depth)) = ahead.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            if !known.contains_key(&digest) {
                let facts = self.manifest(repository, &digest).await?;
                // One that is missing or cannot be read is not asked for again in this pass.
                let children = facts.map(|facts| facts.children.clone()).unwrap_or_default();
                known.insert(digest.clone(), children);
            }
            if depth < MAX_DEPTH {
                let children = known.get(&digest).into_iter().flatten();
                ahead.extend(children.map(|child| (child.clone(), depth + 1)));
            }
        }
        Ok(())
    }

    async fn manifest(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Arc<Facts>>, Halt> {
        let ask = async |upstream: &_| fetch(upstream, repository, digest).await;
        match self.ask(ask).await? {
            Ok(Some(manifest)) => {
                let facts = Arc::new(Facts::from(&manifest));
                let lesson = Lesson::Manifest { digest: digest.clone(), facts: Arc::clone(&facts) };
                self.learned(repository, lesson);
                Ok(Some(facts))
            }
            Ok(None) => Ok(None),
            Err(error) if is_of_one_thing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
