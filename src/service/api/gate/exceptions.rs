//! `/api/v1/exceptions`: breaking the glass of a gate.

use std::sync::Arc;

use aws_lc_rs::rand;
use axum::Json;
use axum::extract::{Path, State};
use document::nearest;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use oci::Reference;
use policy::gate::Gate;
use policy::{Action, Policy};
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::image::{Expiry, Named, Need, line, parse, shown_subject};
use super::super::input::Body;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::verdict::before;
use crate::audit::Record;
use crate::authorize::Effort;
use crate::release::{Exception, ExceptionId};

/// The longest life. Whoever needs it for longer writes it into the policy, where others see it.
const LONGEST: SignedDuration = SignedDuration::from_hours(72);

/// An exception to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Addition {
    pub(crate) gate: String,
    pub(crate) image: String,
    pub(crate) reason: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) expires_in: Option<String>,
}

/// An exception as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownException {
    pub(crate) id: String,
    pub(crate) gate: String,
    pub(crate) repository: String,
    pub(crate) image: String,
    pub(crate) digests: Vec<String>,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) reason: String,
    pub(crate) state: &'static str,
    pub(crate) removed_at: Option<Timestamp>,
    pub(crate) removed_by: Option<String>,
}

/// Exceptions, those in force first.
#[derive(Serialize)]
pub(crate) struct Exceptions {
    pub(crate) exceptions: Vec<ShownException>,
}

impl ShownException {
    pub(crate) fn of(exception: &Exception, now: Timestamp) -> Self {
        let state = match &exception.removed {
            Some(_) => "removed",
            None if exception.expires_at <= now => "expired",
            None => "in force",
        };
        let removed = exception.removed.as_ref();
        Self {
            id: exception.id.to_string(),
            gate: exception.gate.clone(),
            repository: exception.repository.to_string(),
            image: exception.image.clone(),
            digests: exception.digests.iter().map(ToString::to_string).collect(),
            by: shown_subject(&exception.by),
            at: exception.at,
            expires_at: exception.expires_at,
            reason: exception.reason.clone(),
            state,
            removed_at: removed.map(|(at, _)| *at),
            removed_by: removed.map(|(_, by)| shown_subject(by)),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state != "in force"
    }
}

pub(crate) async fn add(
    State(api): State<Arc<Api>>,
    who: Requester,
    Body(addition): Body<Addition>,
) -> Result<(StatusCode, Json<ShownException>), Problem> {
    let (policy, now) = (api.policy(), api.now());
    let expires_at = Expiry { at: addition.expires_at, after: addition.expires_in }.time(now)?;
    let expires_at = expires_at.ok_or_else(|| {
        Problem::wrong("say until when: `expires_in`, such as `4h`, or `expires_at`")
    })?;
    if expires_at.duration_since(now) > LONGEST {
        let text = format!(
            "the glass is broken for at most {} hours: write an exception into the policy for more",
            LONGEST.as_hours()
        );
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    }
    let reason = line("reason", Some(addition.reason))?
        .ok_or_else(|| Problem::wrong("`reason`: say why"))?;
    let need = Need::Do(Action::BreakGlass);
    let named = ("image", addition.image.as_str());
    let image = Named::find(&api, &who, &policy, named, need).await?;
    let gate = standing(&policy, &addition.gate, &image)?;
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Problem::internal())?;
    let exception = Exception {
        id: ExceptionId::of_random(bytes),
        gate: gate.to_owned(),
        repository: image.repository.clone(),
        image: image.text(),
        digests: api.parts(&image).await?.digests,
        by: who.subject(),
        at: now,
        expires_at,
        reason,
        removed: None,
    };
    // Nobody breaks the glass unseen.
    api.audit.flush(record(&who, "exception.added", &image, &exception)).await?;
    let kept = exception.clone();
    api.change(|store| async move { store.add_exception(&kept).await }).await?;
    api.metrics.gate_exception();
    tracing::warn!(
        gate,
        image = %exception.image,
        digest = %image.digest,
        by = %who,
        until = %expires_at,
        reason = ?exception.reason,
        "somebody broke the glass of a release gate"
    );
    Ok((StatusCode::CREATED, Json(ShownException::of(&exception, now))))
}

/// A gate that stands before the image.
fn standing<'p>(policy: &'p Policy, name: &str, image: &Named) -> Result<&'p str, Problem> {
    let refused = |text: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text);
    let gates = before(policy, image, None);
    let names: Vec<&str> = gates.iter().map(|gate: &&Arc<Gate>| gate.name()).collect();
    if let Some(&name) = names.iter().find(|known| **known == name) {
        return Ok(name);
    }
    let remedy = match (nearest(name, names.iter().copied()), names.as_slice()) {
        (Some(name), _) => format!("did you mean `{name}`?"),
        (None, []) => "no gate does".to_owned(),
        (None, names) => format!("those that do are {}", names.join(", ")),
    };
    let name = name.escape_debug();
    Err(refused(format!("no gate `{name}` stands before {}: {remedy}", image.text())))
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Exceptions>, Problem> {
    let (policy, now) = (api.policy(), api.now());
    let kept = api.issue.state.ask(|store| async move { store.exceptions(None).await }).await?;
    let mut exceptions = Vec::new();
    for exception in &kept {
        let (repository, reference) = place(exception)?;
        if who.knows(&api, &policy, (&repository, &reference), Effort::Known).await? {
            exceptions.push(ShownException::of(exception, now));
        }
    }
    exceptions.sort_by_key(ShownException::is_over);
    Ok(Json(Exceptions { exceptions }))
}

pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<ShownException>, Problem> {
    let (policy, now) = (api.policy(), api.now());
    let missing = || Problem::new(StatusCode::NOT_FOUND, "there is no such exception");
    // What is no name is the name of nothing.
    let id: ExceptionId = id.parse().map_err(|_| missing())?;
    let kept = api.issue.state.ask(|store| async move { store.exceptions(None).await }).await?;
    let found = kept.into_iter().find(|exception| exception.id == id).ok_or_else(missing)?;
    let (repository, reference) = place(&found)?;
    let image = (&repository, &reference);
    if !who.knows(&api, &policy, image, Effort::Known).await? {
        return Err(missing());
    }
    who.needs(&api, &policy, image, Need::Do(Action::BreakGlass)).await?;
    let by = who.subject();
    let removed = api
        .change(move |store| async move { store.remove_exception(&id, now, &by).await })
        .await?
        .ok_or_else(missing)?;
    let digest = removed.digests.first().cloned().ok_or_else(missing)?;
    let image = Named { repository, reference, digest };
    api.audit.flush(record(&who, "exception.removed", &image, &removed)).await?;
    Ok(Json(ShownException::of(&removed, now)))
}

/// The image that it was made for.
fn place(exception: &Exception) -> Result<(oci::RepositoryName, Reference), Problem> {
    parse("image", &exception.image)
}

fn record(who: &Requester, event: &'static str, image: &Named, exception: &Exception) -> Record {
    let Exception { id, expires_at, reason, .. } = exception;
    let record = Record {
        gate: Some(exception.gate.clone()),
        reason: Some(format!("{id} until {expires_at}: {reason}")),
        ..who.record(event)
    };
    image.record(record)
}
