//! All tags that the gate knows of, in memory, for people who look for something.
//!
//! It is read from the state once, and then follows what is learned. Searching is done here and not
//! in a database, so that both engines of the state find the same, also what is spelled wrongly.

mod words;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use oci::{Digest, RepositoryName, Tag};
use tokio::sync::{Mutex, watch};

use crate::inventory::Lesson;
use crate::state::State;
use crate::store::{Sequence, StoreError, Tagged};
pub(crate) use words::{Fit, Words};

/// How many tags, or lessons, are asked for at once.
const PIECE: u32 = 10_000;

/// The tags of a repository, and what they point at.
pub(crate) type Tags = BTreeMap<Tag, Digest>;

/// Repositories by name.
pub(crate) type Repositories = BTreeMap<RepositoryName, Arc<Tags>>;

/// The tags of all repositories.
pub(crate) struct Catalog {
    state: Arc<State>,
    /// The number of the last lesson that there is.
    latest: watch::Receiver<Sequence>,
    known: RwLock<Arc<Repositories>>,
    /// Up to which lesson that is; none before it was read. Whoever brings it up to date has this.
    until: Mutex<Option<Sequence>>,
}

impl Catalog {
    /// One that has read nothing yet.
    pub(crate) fn new(state: Arc<State>) -> Self {
        let latest = state.last_lesson();
        Self { state, latest, known: RwLock::default(), until: Mutex::new(None) }
    }

    /// As of now.
    ///
    /// # Errors
    /// The state does not answer.
    pub(crate) async fn current(&self) -> Result<Arc<Repositories>, StoreError> {
        let latest = *self.latest.borrow();
        let mut until = self.until.lock().await;
        match *until {
            Some(sequence) if sequence == latest => {}
            // A number that was counted back is of another state.
            Some(sequence) if sequence < latest => *until = Some(self.follow(sequence).await?),
            _ => {
                *until = None;
                self.read().await?;
                *until = Some(self.follow(latest).await?);
            }
        }
        Ok(Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner)))
    }

    async fn read(&self) -> Result<(), StoreError> {
        let mut repositories: BTreeMap<RepositoryName, Tags> = BTreeMap::new();
        let mut after = None;
        loop {
            let place = after.clone();
            let tags = self
                .state
                .ask(move |store| async move { store.tags_after(place.as_ref(), PIECE).await })
                .await?;
            let Some(last) = tags.last() else { break };
            after = Some((last.repository.clone(), last.tag.to_string()));
            for Tagged { repository, tag, digest } in tags {
                repositories.entry(repository).or_default().insert(tag, digest);
            }
        }
        let read = repositories.into_iter().map(|(name, tags)| (name, Arc::new(tags))).collect();
        self.set(read);
        Ok(())
    }

    /// Takes in what was learned since.
    async fn follow(&self, since: Sequence) -> Result<Sequence, StoreError> {
        let mut sequence = since;
        loop {
            let news = self
                .state
                .ask(move |store| async move { store.lessons_since(sequence, PIECE).await })
                .await?;
            let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
            let mut repositories = Repositories::clone(&known);
            for (repository, lesson) in &news.lessons {
                learn(&mut repositories, repository, lesson);
            }
            self.set(repositories);
            sequence = news.sequence;
            if !news.goes_on {
                return Ok(sequence);
            }
        }
    }

    fn set(&self, repositories: Repositories) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(repositories);
    }
}

/// Of what is learned, only what tags point at counts here.
fn learn(repositories: &mut Repositories, repository: &RepositoryName, lesson: &Lesson) {
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

/// A tag that was found, and how well it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit<'a> {
    pub(crate) repository: &'a RepositoryName,
    pub(crate) tag: &'a Tag,
    pub(crate) digest: &'a Digest,
    pub(crate) fit: Fit,
}

/// The tags that fit all words, the best first, and then by name.
pub(crate) fn search<'a>(repositories: &'a Repositories, words: &Words) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    for (repository, tags) in repositories {
        // What is asked of the name need be asked once for all its tags.
        let of_name = words.of_name(repository.as_str());
        for (tag, digest) in tags.iter() {
            if let Some(fit) = words.fit(&of_name, tag.as_str(), digest) {
                hits.push(Hit { repository, tag, digest, fit });
            }
        }
    }
    // Stable: what fits as well stays in the order of names.
    hits.sort_by_key(|hit| hit.fit);
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::new(&format!("sha256:{}", format!("{number:02x}").repeat(32))).unwrap()
    }

    fn some() -> Repositories {
        let mut repositories = Repositories::new();
        for (name, tag, number) in [
            ("team/backend/api", "v1.2.0", 1),
            ("team/backend/api", "latest", 1),
            ("team/backend/worker", "v1.2.0", 2),
            ("library/postgres", "16-alpine", 3),
            ("api/gateway", "dev", 4),
            ("apis", "v1", 5),
        ] {
            let name = RepositoryName::new(name).unwrap();
            let lesson = Lesson::Tag {
                tag: Tag::new(tag).unwrap(),
                digest: digest(number),
                at: jiff::Timestamp::UNIX_EPOCH,
            };
            learn(&mut repositories, &name, &lesson);
        }
        repositories
    }

    fn found(query: &str) -> Vec<String> {
        let repositories = some();
        let hits = search(&repositories, &Words::new(query));
        hits.iter().map(|hit| format!("{}:{}", hit.repository, hit.tag)).collect()
    }

    #[test]
    fn whole_words_come_before_beginnings_and_these_before_parts() {
        assert_eq!(
            found("api"),
            ["api/gateway:dev", "team/backend/api:latest", "team/backend/api:v1.2.0", "apis:v1"]
        );
        assert_eq!(found("ateway"), ["api/gateway:dev"]);
    }

    #[test]
    fn all_words_have_to_fit_and_a_tag_is_a_word_too() {
        assert_eq!(found("team v1.2"), ["team/backend/api:v1.2.0", "team/backend/worker:v1.2.0"]);
        assert_eq!(found("API latest"), ["team/backend/api:latest"]);
        assert_eq!(found("team/backend/api:v1.2.0"), ["team/backend/api:v1.2.0"]);
        assert_eq!(found("api nothing"), Vec::<String>::new());
    }

    #[test]
    fn one_wrong_letter_is_forgiven_in_words_of_five() {
        for query in ["postgers", "postgre", "postgress", "pastgres", "ostgres"] {
            assert_eq!(found(query), ["library/postgres:16-alpine"], "{query}");
        }
        assert_eq!(found("pastgers"), Vec::<String>::new());
        assert_eq!(found("dov"), Vec::<String>::new());
    }

    #[test]
    fn a_digest_is_found_by_how_it_begins() {
        assert_eq!(found("sha256:0303"), ["library/postgres:16-alpine"]);
        assert_eq!(found("0404040"), ["api/gateway:dev"]);
    }

    #[test]
    fn nothing_asked_is_everything() {
        assert_eq!(found(" ").len(), 6);
    }

    #[test]
    fn what_is_gone_is_not_found() {
        let mut repositories = some();
        let name = RepositoryName::new("team/backend/api").unwrap();
        let at = jiff::Timestamp::UNIX_EPOCH;
        learn(
            &mut repositories,
            &name,
            &Lesson::NoTag { tag: Tag::new("latest").unwrap(), at, deleted: true },
        );
        assert_eq!(repositories[&name].len(), 1);
        learn(&mut repositories, &name, &Lesson::NoManifest { digest: digest(1), at });
        assert!(!repositories.contains_key(&name));
    }
}
