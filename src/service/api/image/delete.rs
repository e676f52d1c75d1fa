//! `/api/v1/image` with DELETE, and what that would take away.
//!
//! What is deleted here goes the way of a client's request ([`Act`]): nothing of that is decided anew.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use oci::{Digest, Operation, Reference, RepositoryName, Tag};
use policy::{Action, Policy};
use serde::Serialize;

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::flags::Which;
use super::named::{missing, parse, written};
use crate::authorize::{Effort, authorize};
use crate::inventory::{any_holds, head_digest, head_tag, tag_digests};
use crate::log::Causes;
use crate::proxy::{Act, Client};
use crate::refusal::Refusal;
use crate::upstream;

/// The way to the registry, and what the browser or program calls itself.
#[derive(Clone)]
pub(crate) struct Way {
    act: Option<Act>,
    user_agent: Option<HeaderValue>,
}

/// What deleting an image would take away.
#[derive(Debug, Serialize)]
pub(crate) struct Deletion {
    pub(crate) repository: String,
    pub(crate) reference: String,
    pub(crate) digest: String,
    /// Whether whoever asks may delete what they named.
    pub(crate) allowed: bool,
    /// Why not.
    pub(crate) reason: Option<String>,
    /// The tags that go: the one that was named, or all on the digest. None where nothing may go.
    pub(crate) tags: Vec<String>,
    /// The images with tags that hold the digest, as an index does, and lose it with that.
    pub(crate) holders: Vec<Holder>,
    /// False: the registry has so many tags there that not all of them were asked for.
    pub(crate) complete: bool,
}

/// An image that holds another one.
#[derive(Debug, Serialize)]
pub(crate) struct Holder {
    pub(crate) digest: String,
    pub(crate) tags: Vec<String>,
}

/// What was deleted.
#[derive(Debug, Serialize)]
pub(crate) struct Deleted {
    pub(crate) repository: String,
    pub(crate) reference: String,
}

impl<S: Sync> FromRequestParts<S> for Way {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let user_agent = parts.headers.get(USER_AGENT).cloned();
        Ok(Self { act: parts.extensions.get().cloned(), user_agent })
    }
}

/// Deletes a tag, or a digest with all tags on it.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    who: Requester,
    way: Way,
    Asked(which): Asked<Which>,
) -> Result<Json<Deleted>, Problem> {
    let (repository, reference) = parse("ref", &which.r#ref)?;
    let (Some(act), Some(known), Some(address)) =
        (way.act, who.maker().credential(), who.address())
    else {
        return Err(nobody(&who));
    };
    let principal = known.principal.clone();
    let client = Client { principal, address, user_agent: way.user_agent };
    match act.delete(client, repository.clone(), reference.clone()).await {
        Ok(status) if status.is_success() => {
            // Whoever deletes it must not find it for a second. That it is gone holds in any case.
            if let Err(error) = api.issue.state.look().await {
                tracing::warn!(error = %Causes(&error), "what was deleted may be found for a moment");
            }
            let (repository, reference) = (repository.to_string(), reference.to_string());
            Ok(Json(Deleted { repository, reference }))
        }
        Ok(StatusCode::NOT_FOUND) => Err(missing(&repository, &reference)),
        Ok(status) => Err(unanswered(status, &reference)),
        Err(refusal) => {
            let policy = api.policy();
            Err(refused(&api, &who, &policy, (&repository, &reference), refusal).await?)
        }
    }
}

/// What would go, and whether whoever asks may have it go.
pub(crate) async fn preview(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<Json<Deletion>, Problem> {
    let (repository, reference) = parse("ref", &which.r#ref)?;
    let image = (&repository, &reference);
    let policy = api.policy();
    let Some(deciding) = who.deciding(&policy, api.now()) else { return Err(nobody(&who)) };
    let operation =
        Operation::DeleteManifest { repository: repository.clone(), reference: reference.clone() };
    // As it will be decided, and not done.
    let decided = authorize(api.question(&deciding), operation).await;
    let reason = match decided {
        Ok(_) => None,
        Err(refusal) => {
            let problem = refused(&api, &who, &policy, image, refusal).await?;
            if problem.status() != StatusCode::FORBIDDEN {
                return Err(problem);
            }
            Some(problem.detail().to_owned())
        }
    };
    let upstream = &api.images.upstream;
    let found = match &reference {
        Reference::Tag(tag) => head_tag(upstream, &repository, tag).await?,
        Reference::Digest(digest) => head_digest(upstream, &repository, digest).await?,
    };
    let digest = found.ok_or_else(|| missing(&repository, &reference))?;
    let lost = match (&reason, &reference) {
        (Some(_), _) => Lost::default(),
        (None, Reference::Tag(tag)) => Lost { tags: vec![tag.to_string()], ..Lost::default() },
        (None, Reference::Digest(_)) => {
            Lost::with(&api, &who, &policy, &repository, &digest).await?
        }
    };
    Ok(Json(Deletion {
        repository: repository.to_string(),
        reference: reference.to_string(),
        digest: digest.to_string(),
        allowed: reason.is_none(),
        reason,
        tags: lost.tags,
        holders: lost.holders,
        complete: !lost.goes_on,
    }))
}

/// What goes.
#[derive(Default)]
struct Lost {
    tags: Vec<String>,
    holders: Vec<Holder>,
    /// There may be more.
    goes_on: bool,
}

impl Lost {
    /// With a digest, as the registry has it now; where that would be too many requests, as far as
    /// they reach.
    async fn with(
        api: &Api,
        who: &Requester,
        policy: &Arc<Policy>,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Self, Problem> {
        let budget = api.budget();
        let (inventory, upstream) = (&api.images.inventory, &api.images.upstream);
        let (mut tags, mut goes_on) = match tag_digests(upstream, repository, &budget).await {
            Ok(tags) => (tags, false),
            Err(upstream::Error::Budget(_)) => (known_tags(api, repository, digest).await?, true),
            Err(error) => return Err(error.into()),
        };
        tags.sort();
        let mut seen = Vec::new();
        for (tag, at) in tags {
            let reference = Reference::Tag(tag.clone());
            let image = (repository, &reference);
            if who.knows(api, policy, image, Effort::Known).await?
                || who.may(api, policy, image, Action::Delete).await?
            {
                seen.push((tag.to_string(), at));
            }
        }
        let on = |digest: &Digest| -> Vec<String> {
            let on = seen.iter().filter(|(_, at)| at == digest);
            on.map(|(tag, _)| tag.clone()).collect()
        };
        let mut others: Vec<&Digest> =
            seen.iter().map(|(_, at)| at).filter(|at| *at != digest).collect();
        others.sort();
        others.dedup();
        let mut holders = Vec::new();
        for other in others {
            let one = vec![other.clone()];
            match any_holds(inventory, upstream, repository, one, digest, &budget).await {
                Ok(true) => holders.push(Holder { digest: other.to_string(), tags: on(other) }),
                Ok(false) => {}
                Err(upstream::Error::Budget(_)) => {
                    goes_on = true;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { tags: on(digest), holders, goes_on })
    }
}

/// The tags that the gate has learned to be on the digest.
async fn known_tags(
    api: &Api,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Vec<(Tag, Digest)>, Problem> {
    /// So many are enough to see that there are many.
    const MOST: u32 = 1000;
    let (name, at) = (repository.clone(), digest.clone());
    let known =
        api.issue.state.ask(move |store| async move { store.tags_of(&name, &at, MOST).await });
    Ok(known.await?.into_iter().map(|tag| (tag, digest.clone())).collect())
}

/// A refusal, told to whoever may know of the image; to others it is not there.
async fn refused(
    api: &Api,
    who: &Requester,
    policy: &Arc<Policy>,
    image: (&RepositoryName, &Reference),
    refusal: Refusal,
) -> Result<Problem, Problem> {
    let (repository, reference) = image;
    match refusal {
        Refusal::Missing { .. } => Ok(missing(repository, reference)),
        Refusal::Denied { .. } if !who.knows(api, policy, image, Effort::Whole).await? => {
            Ok(missing(repository, reference))
        }
        Refusal::InsufficientScope => {
            let text = format!(
                "the token does not reach as far as deleting {}",
                written(repository, reference)
            );
            Ok(Problem::new(StatusCode::FORBIDDEN, text))
        }
        refusal => Ok(refusal.into()),
    }
}

/// The registry said something else than that it is done.
fn unanswered(status: StatusCode, reference: &Reference) -> Problem {
    let text = match (status, reference) {
        (StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST, Reference::Tag(_)) => {
            "the registry behind the gate deletes no tag by itself: delete its digest, with all tags \
             on it"
        }
        (StatusCode::METHOD_NOT_ALLOWED, Reference::Digest(_)) => {
            "deleting is switched off in the registry behind the gate: whoever runs it switches it on \
             (for docker-registry, `storage.delete.enabled`)"
        }
        _ => {
            tracing::warn!(%status, "the registry did not delete what it was asked to");
            let text = format!(
                "the registry behind the gate answered {status}, and nothing is known to be deleted"
            );
            return Problem::new(StatusCode::BAD_GATEWAY, text);
        }
    };
    Problem::new(StatusCode::CONFLICT, text)
}

/// Policies decide about callers, and on the gate's own machine there is none.
fn nobody(who: &Requester) -> Problem {
    who.denied("images are deleted by those whom policies allow it: ask over the gate's address, with a credential")
}
