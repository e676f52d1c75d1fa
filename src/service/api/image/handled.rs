//! What was done with images: who pushed and pulled them, and when.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, Reference, RepositoryName};
use policy::gate::Occasion;
use policy::{Action, Policy};
use serde::Serialize;

use super::super::Api;
use super::super::gate::verdicts;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::named::Named;
use super::parts::Part;
use super::text::shown_subject;
use crate::authorize::Effort;
use crate::store::{Handled, Move, RemovedFlag};

/// What was done with an image, as far as whoever asks may know.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct ShownHandling {
    /// Through the gate, last.
    pub(crate) pushed_at: Option<Timestamp>,
    pub(crate) pushed_by: Option<String>,
    pub(crate) first_pulled_at: Option<Timestamp>,
    pub(crate) last_pulled_at: Option<Timestamp>,
    /// For administrators alone: who works with what is their own affair.
    pub(crate) last_pulled_by: Option<String>,
}

/// Where a tag pointed from some time on.
#[derive(Serialize)]
pub(crate) struct ShownMove {
    pub(crate) at: Timestamp,
    /// None: at nothing.
    pub(crate) digest: Option<String>,
    /// None: it was only seen.
    pub(crate) by: Option<String>,
}

/// A flag that was taken away.
#[derive(Serialize)]
pub(crate) struct ShownRemoval {
    pub(crate) flag: String,
    pub(crate) at: Timestamp,
    pub(crate) by: String,
}

impl ShownHandling {
    /// None: nothing is known to have been done.
    pub(crate) fn of(handled: Option<&Handled>, who: &Requester) -> Self {
        let Some(Handled { pushed, first_pulled_at, last_pulled }) = handled else {
            return Self::default();
        };
        let is_administrator = who.maker().is_administrator();
        Self {
            pushed_at: pushed.as_ref().map(|(at, _)| *at),
            pushed_by: pushed.as_ref().map(|(_, by)| shown_subject(by)),
            first_pulled_at: *first_pulled_at,
            last_pulled_at: last_pulled.as_ref().map(|(at, _)| *at),
            last_pulled_by: last_pulled
                .as_ref()
                .filter(|_| is_administrator)
                .map(|(_, by)| shown_subject(by)),
        }
    }
}

impl ShownMove {
    fn of(moved: Move) -> Self {
        Self {
            at: moved.at,
            digest: moved.digest.map(|digest| digest.to_string()),
            by: moved.by.as_ref().map(shown_subject),
        }
    }
}

impl Api {
    /// What was done with these images.
    pub(crate) async fn handled(
        &self,
        images: Vec<(RepositoryName, Digest)>,
    ) -> Result<HashMap<(RepositoryName, Digest), Handled>, Problem> {
        let state = &self.issue.state;
        Ok(state.ask(|store| async move { store.handled(&images).await }).await?)
    }

    /// Where the tag pointed by which the image was named, the latest first; nothing where it was
    /// named by its digest.
    pub(crate) async fn history(&self, image: &Named) -> Result<Vec<ShownMove>, Problem> {
        let Reference::Tag(tag) = &image.reference else { return Ok(Vec::new()) };
        let (repository, tag) = (image.repository.clone(), tag.clone());
        let state = &self.issue.state;
        let moves = state.ask(|store| async move { store.history_of(&repository, &tag).await });
        Ok(moves.await?.into_iter().map(ShownMove::of).collect())
    }

    /// The flags that were taken away from it where it is, the last one first.
    pub(crate) async fn removed_flags(&self, image: &Named) -> Result<Vec<ShownRemoval>, Problem> {
        let (repository, digest) = (image.repository.clone(), image.digest.clone());
        let state = &self.issue.state;
        let removed =
            state.ask(|store| async move { store.removed_flags(&repository, &digest).await });
        let shown = |removed: RemovedFlag| ShownRemoval {
            flag: removed.name,
            at: removed.at,
            by: shown_subject(&removed.by),
        };
        Ok(removed.await?.into_iter().map(shown).collect())
    }

    /// When an image was made, or the first of several, as its configuration says. What cannot be
    /// told, since the registry does not answer, is left out.
    pub(crate) async fn created(
        &self,
        repository: &RepositoryName,
        images: &[Part],
    ) -> Option<Timestamp> {
        let budget = self.budget();
        let first = images.first()?;
        let asking = self.asking(repository, &budget);
        self.images.release.created(asking, &first.digest).await.ok().flatten()
    }
}

/// Whether they may see what is in an image: its configuration, its layers. What a gate holds is
/// looked at by those who may inspect it, as it is where clients ask.
pub(crate) async fn may_look_inside(
    api: &Api,
    who: &Requester,
    policy: &Arc<Policy>,
    image: &Named,
) -> Result<bool, Problem> {
    let tag = match &image.reference {
        Reference::Tag(tag) => Some(tag),
        Reference::Digest(_) => None,
    };
    let is_gated = !policy.gates_before(Occasion::Pull, &image.repository, tag).is_empty();
    if may_look_inside_if(api, who, policy, image, is_gated).await? {
        return Ok(true);
    }
    Ok(is_gated
        && may_look_inside_if(api, who, policy, image, false).await?
        && !verdicts(api, policy, image, None).await?.held)
}

/// The same where it is known already whether a gate holds it.
pub(crate) async fn may_look_inside_if(
    api: &Api,
    who: &Requester,
    policy: &Arc<Policy>,
    image: &Named,
    is_held: bool,
) -> Result<bool, Problem> {
    let place = (&image.repository, &image.reference);
    Ok(who.reads(api, policy, place, Effort::Whole).await?
        && (!is_held || who.may(api, policy, place, Action::Inspect).await?))
}
