//! What a row of a repository says.

use std::sync::Arc;

use jiff::Timestamp;
use oci::Reference;
use policy::{Action, Policy};

use crate::catalog::Known;
use crate::service::api::image::handled::{ShownHandling, may_look_inside_if};
use crate::service::api::image::named::Named;
use crate::service::api::{Api, Problem, Requester};
use crate::web::activity::made;
use crate::web::address::delete_page;
use crate::web::shown::Moment;
use crate::web::summary::{CLEAN, Findings, Summaries, Summary, UNREPORTED};

/// It.
pub(super) struct Row {
    pub(super) summary: Summary,
    pub(super) bytes: Option<u64>,
    pub(super) created: Option<Timestamp>,
    pub(super) handling: ShownHandling,
    /// Where it is deleted, for those who may.
    pub(super) delete_page: Option<String>,
}

impl Row {
    /// Whether it has the flag, the verdict and the worst finding that are looked for, if any are.
    pub(super) fn fits(&self, flag: &str, verdict: &str, severity: &str) -> bool {
        (flag.is_empty() || self.summary.flags.iter().any(|name| name == flag))
            && (verdict.is_empty() || self.summary.verdict.word() == verdict)
            && (severity.is_empty() || self.worst() == Some(severity))
    }

    /// The word for the worst that reports say; none where that cannot be told.
    fn worst(&self) -> Option<&'static str> {
        match &self.summary.findings {
            Findings::Unknown => None,
            Findings::Unreported => Some(UNREPORTED),
            Findings::Found(found) => {
                Some(found.first().map_or(CLEAN, |(severity, _)| severity.as_str()))
            }
        }
    }

    /// The beginning of its digest, without the algorithm: there are many columns.
    pub(super) fn digest(&self) -> &str {
        let digest = self.summary.digest.as_str();
        digest.split_once(':').map_or(digest, |(_, hex)| hex)
    }

    pub(super) fn created(&self) -> Option<Moment> {
        self.created.map(Moment::of)
    }

    pub(super) fn pushed(&self) -> Option<Moment> {
        self.handling.pushed_at.map(Moment::of)
    }

    pub(super) fn last_pulled(&self) -> Option<Moment> {
        self.handling.last_pulled_at.map(Moment::of)
    }
}

/// Those of images that were named by tags, in their order.
pub(super) async fn rows(
    api: &Arc<Api>,
    who: &Requester,
    policy: &Arc<Policy>,
    (known, images): (&Known, Vec<Named>),
) -> Result<Vec<Row>, Problem> {
    let made = made(api, images.iter().cloned()).await;
    let keys = images.iter().map(|image| (image.repository.clone(), image.digest.clone()));
    let handled = api.handled(keys.collect()).await?;
    let mut rows = Vec::with_capacity(images.len());
    let mut summaries = Summaries::new(api, policy);
    for image in images {
        let Reference::Tag(tag) = &image.reference else { continue };
        let summary = summaries.of((&image.repository, tag, &image.digest)).await?;
        let summary = summary.described(known, &image.digest);
        let made = made.get(&image.digest).copied().unwrap_or_default();
        let created = match made.created {
            Some(at)
                if may_look_inside_if(api, who, policy, &image, !summary.is_open()).await? =>
            {
                Some(at)
            }
            _ => None,
        };
        let place = (&image.repository, &image.reference);
        let may_delete = who.may(api, policy, place, Action::Delete).await?;
        let delete_page = may_delete.then(|| delete_page(&image.text()));
        let handling = ShownHandling::of(handled.get(&(image.repository, image.digest)), who);
        rows.push(Row { summary, bytes: made.bytes, created, handling, delete_page });
    }
    Ok(rows)
}
