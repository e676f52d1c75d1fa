//! A page of what was found.

use std::sync::Arc;

use oci::Reference;
use policy::Policy;

use super::asking::Asking;
use crate::catalog::{Hit, Known, Wanted};
use crate::service::api::image::handled::may_look_inside_if;
use crate::service::api::image::named::Named;
use crate::service::api::{Api, Problem, Requester};
use crate::web::Web;
use crate::web::activity::look_up;
use crate::web::session::SignedIn;
use crate::web::summary::{Summaries, Summary};

/// The most images on a page.
const MOST: usize = 50;

/// The most that are judged for a page, whether they are on it or not.
const LOOKED_AT: usize = 500;

/// What was found.
pub(super) struct Results {
    pub(super) images: Vec<Summary>,
    /// How many fit, if all of them are here.
    pub(super) count: Option<usize>,
    /// Some of them fit by a label.
    pub(super) has_labels: bool,
    /// The page that goes on, and how many were looked at until there.
    pub(super) next: Option<(String, usize)>,
}

impl Results {
    /// What gates say is asked here.
    pub(super) async fn of(
        web: &Web,
        signed_in: &SignedIn,
        (known, asking, asked): (&Known, &Asking, &Wanted),
        hits: &[Hit<'_>],
    ) -> Result<Self, Problem> {
        let (api, who, policy) = (&web.api, &signed_in.who, web.api.policy());
        let wanted = asking.verdict();
        let mut images = Vec::new();
        let mut summaries = Summaries::new(api, &policy);
        let mut looked_at = asking.from.min(hits.len());
        'page: for piece in ahead(hits, looked_at).chunks(MOST) {
            look_up(api, piece.iter().map(named)).await;
            for hit in piece {
                looked_at += 1;
                let shown = shown(api, who, &policy, (&mut summaries, hit)).await?;
                let Some(summary) = shown else { continue };
                let mut summary = summary.described(known, hit.digest);
                summary.label = hit.label(known, &asked.words).map(str::to_owned);
                if wanted.is_none_or(|wanted| summary.verdict == wanted) {
                    images.push(summary);
                }
                if images.len() == MOST {
                    break 'page;
                }
            }
        }
        let goes_on =
            is_any_shown(api, who, &policy, (&mut summaries, ahead(hits, looked_at))).await?;
        Ok(Self {
            count: Some(images.len()).filter(|_| asking.from == 0 && !goes_on),
            has_labels: images.iter().any(|image| image.label.is_some()),
            images,
            next: goes_on.then(|| (asking.behind(looked_at), looked_at)),
        })
    }
}

/// Those that a page looks at, from a place on.
fn ahead<'h, 'a>(hits: &'h [Hit<'a>], from: usize) -> &'h [Hit<'a>] {
    let ahead = hits.get(from..).unwrap_or_default();
    ahead.get(..LOOKED_AT).unwrap_or(ahead)
}

fn named(hit: &Hit<'_>) -> Named {
    Named {
        repository: hit.repository.clone(),
        reference: Reference::Tag(hit.tag.clone()),
        digest: hit.digest.clone(),
    }
}

/// None: what is found by a label is for those who may look inside.
async fn shown(
    api: &Api,
    who: &Requester,
    policy: &Arc<Policy>,
    (summaries, hit): (&mut Summaries<'_>, &Hit<'_>),
) -> Result<Option<Summary>, Problem> {
    let summary = summaries.of((hit.repository, hit.tag, hit.digest)).await?;
    let is_shown = !hit.is_by_label()
        || may_look_inside_if(api, who, policy, &named(hit), !summary.is_open()).await?;
    Ok(is_shown.then_some(summary))
}

/// A way on that leads to nothing would tell that a label is in images that are closed. Those behind
/// as many of them as a page looks at are not found: better so than telling of them.
async fn is_any_shown(
    api: &Arc<Api>,
    who: &Requester,
    policy: &Arc<Policy>,
    (summaries, hits): (&mut Summaries<'_>, &[Hit<'_>]),
) -> Result<bool, Problem> {
    for piece in hits.chunks(MOST) {
        // Whatever fits by name comes before what fits by a label, and is shown.
        if piece.first().is_some_and(|hit| !hit.is_by_label()) {
            return Ok(true);
        }
        look_up(api, piece.iter().map(named)).await;
        for hit in piece {
            if shown(api, who, policy, (&mut *summaries, hit)).await?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
