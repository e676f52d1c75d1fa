//! What one caller may read in one repository, digest by digest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use oci::{Digest, RepositoryName, Tag};
use policy::{Action, Image, Subject, Tags};

use super::Question;
use crate::inventory::{
    Budget, Lookup, Sight, Sought, Undecided, View, blob_is_there, head_digest,
};
use crate::log::Causes;
use crate::refusal::Refusal;

/// By which address a digest is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Manifest,
    Blob,
}

/// What a caller may read in one repository: found out once, asked about many digests.
pub(crate) struct Reader<'a, 'r> {
    question: Question<'a>,
    action: Action,
    repository: &'r RepositoryName,
    tags: Tags<'a>,
    /// For all that it is asked.
    budget: Arc<Budget>,
    pub(super) asks_upstream: bool,
    /// Of the tags that policy opens, only these count.
    only: Option<&'r (dyn Fn(&Tag) -> bool + Send + Sync)>,
    /// All that the caller may read was looked at for it just now.
    has_looked: AtomicBool,
}

impl<'a, 'r> Reader<'a, 'r> {
    pub(super) fn new(
        question: Question<'a>,
        action: Action,
        repository: &'r RepositoryName,
        tags: Tags<'a>,
    ) -> Self {
        Self {
            question,
            action,
            repository,
            tags,
            budget: Arc::new(Budget::new(question.max_requests)),
            // A question that may cost nothing is answered by what is known.
            asks_upstream: question.max_requests > 0,
            only: None,
            has_looked: AtomicBool::new(false),
        }
    }

    /// The same reader where of the tags that policy opens only some count, and nothing but what
    /// these lead to: neither what is untagged nor what is the caller's own.
    pub(super) fn only(self, only: &'r (dyn Fn(&Tag) -> bool + Send + Sync)) -> Self {
        Self { only: Some(only), ..self }
    }

    /// The same reader by what memory and the state know, without a request to the upstream.
    pub(super) fn without_asking(self) -> Self {
        Self { asks_upstream: false, ..self }
    }

    /// Has the inventory find out what leads to the digest, as far as the caller may know.
    pub(super) async fn find(&self, digest: &Digest) -> Result<bool, Refusal> {
        self.look(digest, true).await
    }

    /// The first of these that the caller may not read. Memory is asked, then what is kept of the
    /// repository, then the upstream.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn first_unreadable<'d>(
        &self,
        digests: impl IntoIterator<Item = &'d Digest>,
    ) -> Result<Option<&'d Digest>, Refusal> {
        let digests: Vec<&Digest> = digests.into_iter().collect();
        match self.first_remembered(&digests).await? {
            Some(_) if self.asks_upstream && !matches!(self.tags, Tags::None) => {
                self.resolve(&digests).await
            }
            unknown => Ok(unknown),
        }
    }

    /// The same where it matters that they are there, too. To whom it is enough that nobody denies
    /// something, what is not there reads as what is denied, and costs as much.
    pub(super) async fn first_missing<'d>(
        &self,
        parts: &[(Kind, &'d Digest)],
    ) -> Result<Option<&'d Digest>, Refusal> {
        let digests: Vec<&Digest> = parts.iter().map(|&(_, digest)| digest).collect();
        if !(self.asks_upstream && self.includes_untagged()) {
            return self.first_unreadable(digests).await;
        }
        if self.first_remembered(&digests).await?.is_none() {
            return Ok(None);
        }
        // One after the other, as what is denied ends it, too.
        for &(kind, digest) in parts {
            if self.first_unknown(&[digest])?.is_none() {
                continue;
            }
            if !self.look(digest, true).await? {
                self.ask_in_vain(kind, digest).await;
                return Ok(Some(digest));
            }
            if self.is_merely_undenied(digest)? && !self.is_there(kind, digest).await? {
                self.look_in_vain(digest).await?;
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    async fn is_there(&self, kind: Kind, digest: &Digest) -> Result<bool, Refusal> {
        let upstream = self.question.upstream;
        self.budget.spend()?;
        Ok(match kind {
            Kind::Manifest => head_digest(upstream, self.repository, digest).await?.is_some(),
            Kind::Blob => blob_is_there(upstream, self.repository, digest).await?,
        })
    }

    /// Whoever reads what nobody denies is let through to what is not there. So what is denied is
    /// asked for, too, whatever comes of it: it must not be told by the time.
    pub(super) async fn ask_in_vain(&self, kind: Kind, digest: &Digest) {
        if !(self.asks_upstream && self.includes_untagged()) {
            return;
        }
        if let Err(error) = self.is_there(kind, digest).await {
            tracing::debug!(error = %Causes(&error), "what is denied was asked for in vain");
        }
    }

    /// What is denied is looked for behind the open tags, which may lead to it as well. So what is
    /// not there is looked for there, too.
    ///
    /// # Errors
    /// It would not be told of what is denied either.
    pub(crate) async fn look_in_vain(&self, digest: &Digest) -> Result<(), Refusal> {
        if self.asks_upstream && self.is_merely_undenied(digest)? {
            self.look_among(digest, true, false).await?;
        }
        Ok(())
    }

    /// Whether what may be read of it may be read as nobody denies it, and not as anything leads to
    /// it: then it need not even be there.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) fn is_merely_undenied(&self, digest: &Digest) -> Result<bool, Refusal> {
        Ok(self.includes_untagged() && self.first_unknown(&[digest])?.is_some())
    }

    /// The first that is not known to be readable, neither by memory nor by what is kept.
    async fn first_remembered<'d>(
        &self,
        digests: &[&'d Digest],
    ) -> Result<Option<&'d Digest>, Refusal> {
        if self.reads_all() {
            return Ok(None);
        }
        let inventory = self.question.inventory;
        let Some(unknown) = self.first_unknown(digests)? else {
            inventory.looked_up(Lookup::Known);
            return Ok(None);
        };
        if matches!(self.tags, Tags::None) && !self.may_own() {
            return Ok(Some(unknown));
        }
        inventory.recall(self.repository, self.question.now).await;
        let unknown = self.first_unknown(digests)?;
        if unknown.is_none() {
            inventory.looked_up(Lookup::Recalled);
        }
        Ok(unknown)
    }

    /// Asks the upstream about each that memory does not know of.
    async fn resolve<'d>(&self, digests: &[&'d Digest]) -> Result<Option<&'d Digest>, Refusal> {
        for &digest in digests {
            if self.first_unknown(&[digest])?.is_some() && !self.look(digest, true).await? {
                return Ok(Some(digest));
            }
        }
        Ok(None)
    }

    async fn look(&self, digest: &Digest, looks_at_it: bool) -> Result<bool, Refusal> {
        self.look_among(digest, looks_at_it, self.includes_untagged()).await
    }

    async fn look_among(
        &self,
        digest: &Digest,
        looks_at_it: bool,
        includes_untagged: bool,
    ) -> Result<bool, Refusal> {
        let Self { question, repository, budget, .. } = self;
        let sight = |tag: &Tag| self.sight(tag);
        let view = View { sight: &sight, includes_untagged };
        let sought = Sought {
            upstream: question.upstream,
            repository,
            digest,
            looks_at_it,
            budget,
            now: question.now,
        };
        Ok(question.inventory.resolve(sought, view).await?)
    }

    /// Whether what no denied tag vouches for is readable.
    fn includes_untagged(&self) -> bool {
        self.only.is_none()
            && matches!(&self.tags, Tags::Some(filter) if filter.includes_untagged())
    }

    /// The first that is neither the caller's own nor known to be readable.
    fn first_unknown<'d>(&self, digests: &[&'d Digest]) -> Result<Option<&'d Digest>, Refusal> {
        let Self { question, repository, tags, .. } = self;
        let owner = &question.principal.caller;
        let may_own = self.may_own();
        let is_own = |digest: &&Digest| {
            may_own && question.inventory.is_own(repository, owner, digest, question.now)
        };
        // All of them now, as the inventory is locked while it is asked the next question.
        let others: Vec<&Digest> =
            digests.iter().copied().filter(|digest| !is_own(digest)).collect();
        if let Tags::None = tags {
            return Ok(others.first().copied());
        }
        let sight = |tag: &Tag| self.sight(tag);
        Ok(question
            .inventory
            .first_unvouched(repository, &others, sight, question.now)
            .map_err(Undecided::from)?)
    }

    /// One's own recent content, as long as one still has any right there. Anonymous callers are
    /// many, and nothing is one's own.
    fn may_own(&self) -> bool {
        self.only.is_none()
            && self.question.principal.caller.subject != Subject::Anonymous
            && self.question.reaches(self.repository)
    }

    /// Whether that is the whole repository.
    pub(crate) fn reads_all(&self) -> bool {
        self.only.is_none() && matches!(self.tags, Tags::All)
    }

    /// What is to be believed of that tag.
    pub(crate) fn sight(&self, tag: &Tag) -> Sight {
        match self.granted(tag) {
            Sight::Open if self.only.is_some_and(|only| !only(tag)) => Sight::Closed,
            sight => sight,
        }
    }

    /// What policy says of reading that tag.
    fn granted(&self, tag: &Tag) -> Sight {
        match &self.tags {
            Tags::All => Sight::Open,
            Tags::None => Sight::Closed,
            Tags::Some(filter) if filter.allows(tag) => Sight::Open,
            // No other tag follows anything.
            Tags::Some(_) if self.action != Action::Pull || tag.referrers_subject().is_none() => {
                Sight::Closed
            }
            Tags::Some(_) => {
                let image = Image { repository: self.repository, tag: Some(tag) };
                let caller = &self.question.principal.caller;
                let decision = self.question.policy.decide(caller, Action::Pull, image);
                if decision.rule().is_none() { Sight::Silent } else { Sight::Closed }
            }
        }
    }

    /// Whether that is a fallback referrers tag, no rule speaks of it, and the caller may read the
    /// image that it names.
    ///
    /// # Errors
    /// It could not be told.
    pub(crate) async fn follows(&self, tag: &Tag) -> Result<bool, Refusal> {
        let Some(image) = tag.referrers_subject() else { return Ok(false) };
        if self.sight(tag) != Sight::Silent {
            return Ok(false);
        }
        if self.first_remembered(&[&image]).await?.is_none() {
            return Ok(true);
        }
        // There may be thousands of these tags: the images that they name are found by their own
        // tags, and once these were looked at for this caller, they need not be again.
        if !self.asks_upstream || self.has_looked.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let found = self.look(&image, false).await?;
        self.has_looked.store(!found, Ordering::Relaxed);
        Ok(found)
    }
}
