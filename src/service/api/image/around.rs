//! What lists tell of images besides what is said of them: tags, pushes, pulls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName, Tag};
use policy::Policy;

use super::super::Api;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::handled::ShownHandling;
use crate::authorize::Effort;
use crate::store::Handled;

/// How deep indexes may stand in each other.
const MAX_DEPTH: usize = 4;

/// A manifest in a repository.
type Key = (RepositoryName, Digest);

/// It, of all images of a page at once: asking takes longer than answering.
#[derive(Default)]
pub(super) struct Around {
    handled: HashMap<Key, Handled>,
    pulled_by_group: HashMap<Key, Timestamp>,
    tags: HashMap<Key, Vec<String>>,
}

/// The images of a page.
pub(super) struct Listed {
    /// All of them.
    pub(super) images: Vec<Key>,
    /// Those of which it is not known yet which tags lead to them.
    pub(super) untagged: Vec<Key>,
}

impl Around {
    pub(super) async fn of(
        api: &Api,
        who: &Requester,
        policy: &Arc<Policy>,
        group: Option<&str>,
        Listed { images, untagged }: Listed,
    ) -> Result<Self, Problem> {
        let pulled_by_group = match group {
            None => HashMap::new(),
            Some(group) => {
                let (group, images, state) = (group.to_owned(), images.clone(), &api.issue.state);
                state.ask(|store| async move { store.pulled_by(&group, &images).await }).await?
            }
        };
        let tags = leading_to(api, who, policy, untagged).await?;
        Ok(Self { handled: api.handled(images).await?, pulled_by_group, tags })
    }

    pub(super) fn handling(&self, key: &Key, who: &Requester) -> ShownHandling {
        ShownHandling::of(self.handled.get(key), who)
    }

    pub(super) fn group_pulled_at(&self, key: &Key) -> Option<Timestamp> {
        self.pulled_by_group.get(key).copied()
    }

    /// The tag by which it was found, or those that lead to it.
    pub(super) fn tags(&self, key: &Key, tag: Option<&Tag>) -> Vec<String> {
        match tag {
            Some(tag) => vec![tag.to_string()],
            None => self.tags.get(key).cloned().unwrap_or_default(),
        }
    }
}

/// The tags that lead to manifests, directly or by an index, as far as whoever asks may know of them.
async fn leading_to(
    api: &Api,
    who: &Requester,
    policy: &Arc<Policy>,
    images: Vec<Key>,
) -> Result<HashMap<Key, Vec<String>>, Problem> {
    let inventory = &api.images.inventory;
    let repositories: BTreeSet<_> = images.iter().map(|(repository, _)| repository).collect();
    for repository in repositories {
        inventory.recall(repository, api.now()).await;
    }
    let above: BTreeMap<Key, Vec<Digest>> =
        images.into_iter().map(|key| (key.clone(), holding(api, &key))).collect();
    let all = above.iter().flat_map(|((repository, _), digests)| {
        digests.iter().map(|digest| (repository.clone(), digest.clone()))
    });
    let all: Vec<Key> = all.collect::<BTreeSet<_>>().into_iter().collect();
    let on = api.issue.state.ask(|store| async move { store.tags_on(&all).await }).await?;
    let mut leading = HashMap::new();
    for (key, digests) in above {
        let (repository, mut shown) = (key.0.clone(), BTreeSet::new());
        for digest in digests {
            for tag in on.get(&(repository.clone(), digest)).into_iter().flatten() {
                let reference = Reference::Tag(tag.clone());
                if who.knows(api, policy, (&repository, &reference), Effort::Known).await? {
                    shown.insert(tag.to_string());
                }
            }
        }
        leading.insert(key, shown.into_iter().collect());
    }
    Ok(leading)
}

/// The manifest itself, and the indexes that are known to hold it.
fn holding(api: &Api, (repository, digest): &Key) -> Vec<Digest> {
    let (mut found, mut ahead) = (vec![digest.clone()], vec![digest.clone()]);
    for _ in 0..MAX_DEPTH {
        let above: BTreeSet<_> = ahead
            .iter()
            .flat_map(|digest| api.images.inventory.indexes(repository, digest))
            .filter(|digest| !found.contains(digest))
            .collect();
        ahead = above.into_iter().collect();
        found.extend(ahead.iter().cloned());
    }
    found
}
