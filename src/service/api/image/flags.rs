//! `/api/v1/image/flags`: what is said of an image.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use document::nearest;
use http::StatusCode;
use jiff::Timestamp;
use oci::RepositoryName;
use policy::gate::{self, FlagFact};
use policy::{Action, FlagName, Policy};
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::input::{Asked, Body};
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::named::{Named, Need, Shown};
use super::text::{Expiry, line, link, shown_subject};
use crate::audit::Record;
use crate::release::Flag;
use crate::store::RemovedFlag;

/// Which image.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    pub(crate) r#ref: String,
}

/// Which flag of which image.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichFlag {
    pub(crate) r#ref: String,
    pub(crate) flag: String,
}

/// A flag to be set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Setting {
    pub(crate) flag: String,
    pub(crate) reason: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) expires_in: Option<String>,
}

/// A flag as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownFlag {
    pub(crate) flag: String,
    pub(crate) by: String,
    pub(crate) from: Option<IpAddr>,
    pub(crate) at: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) link: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    /// When it ends by its declaration or by `expires_at`, whichever is sooner.
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) state: &'static str,
    /// It was set in another repository, and follows the digest.
    pub(crate) is_carried: bool,
}

impl ShownFlag {
    pub(crate) fn is_in_force(&self) -> bool {
        self.state == IN_FORCE
    }

    pub(crate) fn name(&self) -> String {
        self.flag.clone()
    }
}

const IN_FORCE: &str = "in force";

/// The flags of an image.
#[derive(Serialize)]
pub(crate) struct Flags {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) flags: Vec<ShownFlag>,
}

/// A flag that was set or taken away.
#[derive(Serialize)]
pub(crate) struct Done {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) flag: ShownFlag,
}

/// Those that count in this repository, or did.
pub(crate) fn shown(
    flags: &[Flag],
    policy: &Policy,
    here: &RepositoryName,
    now: Timestamp,
) -> Vec<ShownFlag> {
    let counts = |flag: &&Flag| {
        flag.repository == *here
            || policy.flag(&flag.name).is_some_and(|it| it.counts(&flag.repository, here))
    };
    flags.iter().filter(counts).map(|flag| show(flag, policy, here, now)).collect()
}

/// The names of those that are in force in this repository.
pub(crate) fn in_force<'a>(
    flags: &'a [Flag],
    policy: &Policy,
    here: &RepositoryName,
    now: Timestamp,
) -> Vec<&'a str> {
    let is_in_force = |flag: &&Flag| {
        let declared = policy.flag(&flag.name);
        declared.is_some_and(|declared| is_in_force(declared, &fact(declared, flag), here, now))
    };
    flags.iter().filter(is_in_force).map(|flag| flag.name.as_str()).collect()
}

/// Whether a flag counts here and now.
pub(crate) fn is_in_force(
    declared: &gate::Flag,
    flag: &FlagFact,
    here: &RepositoryName,
    now: Timestamp,
) -> bool {
    let is_here = flag.repository == *here;
    (is_here || declared.counts(&flag.repository, here)) && declared.ends(flag) > now
}

/// The flag as gates judge it.
fn fact(declared: &gate::Flag, flag: &Flag) -> FlagFact {
    FlagFact {
        name: declared.name(),
        repository: flag.repository.clone(),
        set_at: flag.at,
        expires_at: flag.expires_at,
    }
}

fn show(flag: &Flag, policy: &Policy, here: &RepositoryName, now: Timestamp) -> ShownFlag {
    let declared = policy.flag(&flag.name);
    let ends = declared.map(|declared| declared.ends(&fact(declared, flag)));
    let state = match ends {
        None => "undeclared",
        Some(ends) if ends <= now => "expired",
        Some(_) => IN_FORCE,
    };
    ShownFlag {
        flag: flag.name.clone(),
        by: shown_subject(&flag.by),
        from: flag.from,
        at: flag.at,
        reason: flag.reason.clone(),
        link: flag.link.clone(),
        expires_at: flag.expires_at,
        ends_at: ends.filter(|ends| *ends < Timestamp::MAX),
        state,
        is_carried: flag.repository != *here,
    }
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<Json<Flags>, Problem> {
    let policy = api.policy();
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), Need::Know).await?;
    let known = api.images.release.known(&image.digest).await?;
    let flags = shown(&known.kept.flags, &policy, &image.repository, api.now());
    Ok(Json(Flags { image: image.shown(), flags }))
}

pub(crate) async fn set(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
    Body(setting): Body<Setting>,
) -> Result<Json<Done>, Problem> {
    let (policy, now) = (api.policy(), api.now());
    let name = declared(&policy, &setting.flag)?;
    let expires_at = Expiry { at: setting.expires_at, after: setting.expires_in }.time(now)?;
    let (reason, link) = (line("reason", setting.reason)?, link(setting.link)?);
    let need = Need::Do(Action::Flag(name));
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), need).await?;
    let flag = Flag {
        repository: image.repository.clone(),
        digest: image.digest.clone(),
        name: name.to_string(),
        by: who.subject(),
        from: who.address(),
        at: now,
        reason,
        link,
        expires_at,
    };
    let kept = flag.clone();
    api.change(|store| async move { store.set_flag(&kept).await }).await?;
    api.audit.flush(record(&who, "flag.set", &image, &flag)).await?;
    let flag = show(&flag, &policy, &image.repository, now);
    Ok(Json(Done { image: image.shown(), flag }))
}

pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<WhichFlag>,
) -> Result<Json<Done>, Problem> {
    let policy = api.policy();
    // One whose declaration is gone can still be taken away.
    let name: FlagName =
        which.flag.parse().map_err(|error| Problem::wrong(format!("`flag`: {error}")))?;
    let need = Need::Do(Action::Flag(name));
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), need).await?;
    let (repository, digest) = (image.repository.clone(), image.digest.clone());
    let note = RemovedFlag { name: name.to_string(), at: api.now(), by: who.subject() };
    let removed = api.change(move |store| async move {
        let removed = store.remove_flag(&repository, &digest, name.as_str()).await?;
        if removed.is_some() {
            store.note_removed_flag(&repository, &digest, &note).await?;
        }
        Ok(removed)
    });
    let Some(flag) = removed.await? else {
        let text = format!("{} ({}) is not flagged {name} here", image.text(), image.digest);
        return Err(Problem::new(StatusCode::NOT_FOUND, text));
    };
    api.audit.flush(record(&who, "flag.removed", &image, &flag)).await?;
    let flag = show(&flag, &policy, &image.repository, api.now());
    Ok(Json(Done { image: image.shown(), flag }))
}

/// A flag that the policy declares.
fn declared(policy: &Policy, text: &str) -> Result<FlagName, Problem> {
    if let Some(flag) = policy.flag(text) {
        return Ok(flag.name());
    }
    let names: Vec<_> = policy.flags().map(gate::Flag::name).collect();
    let remedy = match nearest(text, names.iter().map(FlagName::as_str)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "declare it under `flags`".to_owned(),
    };
    let text = format!("the policy declares no flag `{}`: {remedy}", text.escape_debug());
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text))
}

fn record(who: &Requester, event: &'static str, image: &Named, flag: &Flag) -> Record {
    let why = flag.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let reason = Some(format!("{}{why}", flag.name));
    image.record(Record { reason, ..who.record(event) })
}
