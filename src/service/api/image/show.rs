//! `/api/v1/image`: what is known of an image.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use oci::Reference;
use serde::Serialize;

use super::super::Api;
use super::super::gate::{Verdicts, verdicts};
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::flags::{ShownFlag, Which, shown as shown_flags};
use super::handled::{ShownHandling, ShownMove, ShownRemoval, may_look_inside};
use super::named::{Named, Need, Shown};
use super::parts::Kind;
use super::report::{ShownReport, ShownStatements, shown as shown_reports, shown_statements};
use super::scan::ShownScan;
use crate::authorize::Effort;

/// The most other tags that are looked at.
const MAX_TAGS: u32 = 1000;

/// All of it.
#[derive(Serialize)]
pub(crate) struct Image {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) kind: Kind,
    /// Of all its platforms together, in bytes; what they share counts for each.
    pub(crate) size: u64,
    pub(crate) first_seen: Option<Timestamp>,
    /// As its configuration says, for those who may see that.
    pub(crate) created: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) handling: ShownHandling,
    pub(crate) platforms: Vec<Platform>,
    /// On the same digest, as far as they are known and whoever asks may know of them.
    pub(crate) tags: Vec<String>,
    pub(crate) flags: Vec<ShownFlag>,
    /// That were taken away, the last one first.
    pub(crate) removed_flags: Vec<ShownRemoval>,
    pub(crate) reports: Vec<ShownReport>,
    pub(crate) statements: Vec<ShownStatements>,
    pub(crate) scans: Vec<ShownScan>,
    pub(crate) verdicts: Verdicts,
    /// Where the tag pointed by which it was named, the latest first.
    pub(crate) history: Vec<ShownMove>,
}

/// An image for one platform.
#[derive(Serialize)]
pub(crate) struct Platform {
    pub(crate) platform: Option<String>,
    pub(crate) digest: String,
    pub(crate) size: u64,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<Json<Image>, Problem> {
    let policy = api.policy();
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), Need::Know).await?;
    let parts = api.parts(&image).await?;
    let known = api.images.release.known(&image.digest).await?;
    let here = &image.repository;
    let (mut reports, mut statements, mut scans) = (Vec::new(), Vec::new(), Vec::new());
    for part in &parts.images {
        let known = api.images.release.known(&part.digest).await?;
        reports.extend(shown_reports(&known, &policy, here));
        statements.extend(shown_statements(&known, here));
        scans.push(ShownScan::of(
            part,
            known.kept.scans.iter().find(|scan| scan.repository == *here),
        ));
    }
    let platforms = parts.images.iter().map(|part| Platform {
        platform: part.platform_text(),
        digest: part.digest.to_string(),
        size: part.size,
    });
    let verdicts = verdicts(&api, &policy, &image, None).await?;
    let created = match may_look_inside(&api, &who, &policy, &image).await? {
        true => api.created(here, &parts.images).await,
        false => None,
    };
    let key = (here.clone(), image.digest.clone());
    let handled = api.handled(vec![key.clone()]).await?;
    Ok(Json(Image {
        kind: parts.kind,
        size: parts.images.iter().fold(0, |sum, part| sum.saturating_add(part.size)),
        first_seen: known.kept.first_seen,
        platforms: platforms.collect(),
        tags: tags(&api, &who, &policy, &image).await?,
        removed_flags: api.removed_flags(&image).await?,
        flags: shown_flags(&known.kept.flags, &policy, here, api.now()),
        reports,
        statements,
        scans,
        verdicts,
        history: api.history(&image).await?,
        created,
        handling: ShownHandling::of(handled.get(&key), &who),
        image: image.shown(),
    }))
}

/// Tags on the same digest.
async fn tags(
    api: &Api,
    who: &Requester,
    policy: &Arc<policy::Policy>,
    image: &Named,
) -> Result<Vec<String>, Problem> {
    let (repository, digest) = (image.repository.clone(), image.digest.clone());
    let tags = api
        .issue
        .state
        .ask(move |store| async move { store.tags_of(&repository, &digest, MAX_TAGS).await });
    let mut tags = tags.await?;
    if let Reference::Tag(tag) = &image.reference
        && !tags.contains(tag)
    {
        tags.push(tag.clone());
    }
    let mut shown = Vec::new();
    for tag in tags {
        let reference = Reference::Tag(tag.clone());
        if who.knows(api, policy, (&image.repository, &reference), Effort::Known).await? {
            shown.push(tag.to_string());
        }
    }
    shown.sort_unstable();
    Ok(shown)
}
