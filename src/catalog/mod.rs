//! All images that the gate knows of, in memory, for people who look for something.
//!
//! It is read from the state once, and then follows what is learned of the registry and what is said
//! of images. Searching is done here and not in a database, so that both engines of the state find
//! the same, also what is spelled wrongly.

mod advisories;
mod by_digest;
mod find;
mod known;
mod near;
mod query;
mod told;
mod words;

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, watch};

use crate::state::State;
use crate::store::{Sequence, StoreError, Tagged};
pub(crate) use find::{Hit, search};
pub(crate) use known::Known;
pub(crate) use query::{MAX_FINDINGS, Sought, Wanted};
pub(crate) use told::Told;
pub(crate) use words::Words;

/// How many tags, or lessons, are asked for at once.
const PIECE: u32 = 10_000;

/// How many digests are.
const DIGESTS: u32 = 1000;

/// The images behind the gate.
pub(crate) struct Catalog {
    state: Arc<State>,
    /// The numbers of the last lesson and of the last change of what is said that there are.
    last_lesson: watch::Receiver<Sequence>,
    last_release: watch::Receiver<Sequence>,
    known: RwLock<Known>,
    /// Whoever brings it up to date has this.
    until: Mutex<Until>,
}

/// Up to what is taken in.
#[derive(Default)]
struct Until {
    /// None before everything was read.
    lessons: Option<Sequence>,
    releases: Sequence,
}

impl Catalog {
    /// One that has read nothing yet.
    pub(crate) fn new(state: Arc<State>) -> Self {
        let (last_lesson, last_release) = (state.last_lesson(), state.last_release());
        Self { state, last_lesson, last_release, known: RwLock::default(), until: Mutex::default() }
    }

    /// As of now.
    ///
    /// # Errors
    /// The state does not answer.
    pub(crate) async fn current(&self) -> Result<Known, StoreError> {
        let (lesson, release) = (*self.last_lesson.borrow(), *self.last_release.borrow());
        let mut until = self.until.lock().await;
        match until.lessons {
            Some(sequence) if sequence == lesson => {}
            // A number that was counted back is of another state.
            Some(sequence) if sequence < lesson => {
                until.lessons = Some(self.follow(sequence).await?);
            }
            _ => {
                *until = Until::default();
                self.set(Known::default());
                self.read().await?;
                until.lessons = Some(self.follow(lesson).await?);
            }
        }
        if until.releases != release {
            until.releases = self.follow_releases(until.releases).await?;
        }
        Ok(self.get())
    }

    fn get(&self) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Reads what is there.
    async fn read(&self) -> Result<(), StoreError> {
        let mut known = self.get();
        let mut after = None;
        loop {
            let place = after.clone();
            let tags = self
                .state
                .ask(move |store| async move { store.tags_after(place.as_ref(), PIECE).await })
                .await?;
            let Some(last) = tags.last() else { break };
            after = Some((last.repository.clone(), last.tag.to_string()));
            let repositories = Arc::make_mut(&mut known.repositories);
            for Tagged { repository, tag, digest } in tags {
                Arc::make_mut(repositories.entry(repository).or_default()).insert(tag, digest);
            }
        }
        let mut after = None;
        loop {
            let place = after.clone();
            let manifests = self
                .state
                .ask(move |store| async move { store.manifests_after(place.as_ref(), PIECE).await })
                .await?;
            let Some((last, _)) = manifests.last() else { break };
            after = Some(last.clone());
            for (place, facts) in &manifests {
                known.learn_facts(&place.digest, facts);
            }
        }
        self.set(known);
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
            let mut known = self.get();
            for (repository, lesson) in &news.lessons {
                known.learn(repository, lesson);
            }
            self.set(known);
            sequence = news.sequence;
            if !news.goes_on {
                return Ok(sequence);
            }
        }
    }

    /// Takes in what was said since.
    async fn follow_releases(&self, since: Sequence) -> Result<Sequence, StoreError> {
        let mut sequence = since;
        loop {
            let changed = self
                .state
                .ask(move |store| async move { store.released_since(sequence, DIGESTS).await })
                .await?;
            // It is another state's number: from the beginning then.
            if changed.is_all {
                sequence = Sequence::default();
                continue;
            }
            let digests = changed.digests.clone();
            let mut briefs =
                self.state.ask(|store| async move { store.briefs_of(&digests).await }).await?;
            let mut known = self.get();
            for digest in &changed.digests {
                known.tell(digest, briefs.remove(digest));
            }
            self.set(known);
            sequence = changed.sequence;
            if !changed.goes_on {
                return Ok(sequence);
            }
        }
    }
}
