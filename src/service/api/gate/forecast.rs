//! `/api/v1/gates/forecast`: what will be held, if nothing is done.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use oci::Reference;
use policy::Policy;
use policy::gate::{Gates, Held, Judgement, Occasion, Verdict};
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::image::{Cursor, Expiry, Named};
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::list::mode;
use crate::log::Causes;
use crate::release::{Gathered, Unknown};
use crate::store::Tagged;

/// How far it looks, unless the client says.
const WITHIN: &str = "7d";

/// How many tags are looked at for one page.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 200;

/// At how many times one image is judged at most, from now to the end.
const TIMES: usize = 50;

/// How far ahead, and which part.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::service::api) struct Ahead {
    within: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// An image that will be held, or is already.
#[derive(Serialize)]
pub(in crate::service::api) struct Foreseen {
    repository: String,
    tag: String,
    digest: String,
    gate: Option<String>,
    mode: Option<&'static str>,
    /// From when on; now, if it is held already. None where it could not be told.
    held_at: Option<Timestamp>,
    is_held_now: bool,
    /// Why, in one line.
    why: String,
}

/// A part of the forecast.
#[derive(Serialize)]
pub(in crate::service::api) struct Forecast {
    now: Timestamp,
    until: Timestamp,
    /// How many tags are behind gates, of those that this part is about.
    images: usize,
    entries: Vec<Foreseen>,
    cursor: Option<String>,
}

pub(in crate::service::api) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(ahead): Asked<Ahead>,
) -> Result<Json<Forecast>, Problem> {
    who.administrator()?;
    let (policy, now) = (api.policy(), api.now());
    let after = Some(ahead.within.unwrap_or_else(|| WITHIN.to_owned()));
    let until = Expiry { at: None, after }.time(now)?.unwrap_or(now);
    let limit = ahead.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let wrong = || Problem::wrong("`cursor` has to be the one that came with the last page");
    let place = match api.open_cursor(ahead.cursor.as_deref())? {
        None => None,
        Some(Cursor::Tag(repository, tag)) => Some((repository.parse().map_err(|_| wrong())?, tag)),
        Some(Cursor::Finding(..) | Cursor::Subject(..)) => return Err(wrong()),
    };
    let tags = api
        .issue
        .state
        .ask(move |store| async move { store.tags_after(place.as_ref(), limit).await });
    let tags = tags.await?;
    let is_last = tags.len() < usize::try_from(limit).unwrap_or(usize::MAX);
    let last = tags.last().filter(|_| !is_last);
    let cursor = last.map(|last| Cursor::Tag(last.repository.to_string(), last.tag.to_string()));
    let cursor = cursor.and_then(|cursor| api.seal_cursor(&cursor));
    let (mut images, mut entries) = (0, Vec::new());
    for tagged in tags {
        let gates = policy.gates_before(Occasion::Pull, &tagged.repository, Some(&tagged.tag));
        if gates.is_empty() {
            continue;
        }
        images += 1;
        entries.extend(foresee(&api, &policy, &gates, &tagged, (now, until)).await);
    }
    Ok(Json(Forecast { now, until, images, entries, cursor }))
}

/// One image at its gates. What cannot be told is told as that: the others still can be.
async fn foresee(
    api: &Api,
    policy: &Policy,
    gates: &Gates<'_>,
    tagged: &Tagged,
    times: (Timestamp, Timestamp),
) -> Vec<Foreseen> {
    let image = Named {
        repository: tagged.repository.clone(),
        reference: Reference::Tag(tagged.tag.clone()),
        digest: tagged.digest.clone(),
    };
    let entry = |gate: Option<&Held>, held_at: Option<Timestamp>, why: String| Foreseen {
        repository: tagged.repository.to_string(),
        tag: tagged.tag.to_string(),
        digest: tagged.digest.to_string(),
        gate: gate.map(|held| held.gate.name().to_owned()),
        mode: gate.map(|held| mode(&held.gate)),
        held_at,
        is_held_now: held_at == Some(times.0),
        why,
    };
    match gather(api, policy, gates, &image, times.0).await {
        Ok(None) => Vec::new(),
        Ok(Some(gathered)) => {
            let held = ahead(&gathered, policy, gates, &image, times);
            held.into_iter()
                .map(|(at, held)| entry(Some(&held), Some(at), held.summary()))
                .collect()
        }
        Err(error) => vec![entry(None, None, Causes(&error).to_string())],
    }
}

async fn gather(
    api: &Api,
    policy: &Policy,
    gates: &Gates<'_>,
    image: &Named,
    now: Timestamp,
) -> Result<Option<Gathered>, Unknown> {
    let budget = api.budget();
    let asking = api.asking(&image.repository, &budget);
    api.images.inventory.recall(&image.repository, now).await;
    let holders = api.images.inventory.indexes(&image.repository, &image.digest);
    api.images.release.gather(asking, policy, gates, &image.digest, &holders, now).await
}

/// Each gate that holds it at some time, with the first of these times.
pub(super) fn ahead(
    gathered: &Gathered,
    policy: &Policy,
    gates: &Gates<'_>,
    image: &Named,
    (now, until): (Timestamp, Timestamp),
) -> Vec<(Timestamp, Held)> {
    let (mut told, mut held, mut at) = (BTreeSet::new(), Vec::new(), now);
    for _ in 0..TIMES {
        let judgement = gathered.judge(policy, &image.repository, gates, at);
        let next = judgement.valid_until;
        for one in holding(judgement) {
            if told.insert(one.gate.name().to_owned()) {
                held.push((at, one));
            }
        }
        match next {
            Some(next) if next > at && next <= until => at = next,
            _ => break,
        }
    }
    held
}

/// All gates that hold it, or would.
fn holding(judgement: Judgement) -> Vec<Held> {
    let mut holding = judgement.audited;
    if let Verdict::Held(mut held) = judgement.verdict {
        holding.append(&mut held.others);
        holding.insert(0, held);
    }
    holding
}
