//! `/`: looking for images.

mod asking;
mod facets;
mod having;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use oci::{Reference, RepositoryName};

use self::asking::Asking;
use self::facets::{Aspects, Facet, Facets};
use self::having::Having;
use super::Web;
use super::address::{repository_page, vulnerability_page};
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::session::SignedIn;
use super::summary::Summary;
use crate::catalog::{Hit, Known, Sought, Wanted, search};
use crate::service::api::Problem;
use crate::service::api::image::handled::may_look_inside;
use crate::service::api::image::named::Named;

/// The most images on a page.
const MOST: usize = 50;

/// The most that are judged for a page, whether they are on it or not.
const LOOKED_AT: usize = 500;

/// The most repositories on a page.
const MOST_REPOSITORIES: usize = 500;

#[derive(Template)]
#[template(path = "search.html")]
struct Page<'a> {
    frame: Frame<'a>,
    query: &'a str,
    /// What was chosen, for the form to carry on.
    chosen: Vec<(&'static str, &'a str)>,
    facets: Vec<Facet>,
    /// None where nothing is looked for; the repositories are the answer then.
    results: Option<Results>,
    repositories: Vec<Found>,
    /// There are more than these.
    more_repositories: usize,
    /// The images with a finding in the package of that name, and that name.
    package: Option<(String, String)>,
}

/// What was found.
struct Results {
    images: Vec<Summary>,
    /// How many fit, if all of them are here.
    count: Option<usize>,
    /// The page that goes on, and how many were looked at until there.
    next: Option<(String, usize)>,
}

/// A repository with tags that fit.
struct Found {
    name: String,
    page: String,
    tags: usize,
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let asked = Wanted::new(&asking.q);
    // A vulnerability alone has a page of its own, with images that have no tag, too.
    if let ([finding], true, false) =
        (asked.findings.as_slice(), asked.words.is_empty(), asking.is_narrowed())
    {
        return Ok(Redirect::to(&vulnerability_page(&finding.text())).into_response());
    }
    let known = web.catalog.current().await.map_err(Problem::from)?;
    let mut found = looked_for(&web, &signed_in, (&known, &asking, &asked)).await?;
    let is_asked = !asked.is_empty() || asking.is_narrowed();
    let results = match is_asked {
        true => Some(results(&web, &signed_in, (&known, &asking), &found.hits).await?),
        false => None,
    };
    let package = match asked.words.single() {
        Some(name) if asked.findings.is_empty() => {
            let finding = Sought::Package(name.to_owned());
            let having = Having::find(&web.api, &finding).await?;
            (!having.is_empty()).then(|| (vulnerability_page(&finding.text()), name.to_owned()))
        }
        _ => None,
    };
    let mut repositories: Vec<_> = std::mem::take(&mut found.repositories).into_iter().collect();
    let more_repositories = repositories.len().saturating_sub(MOST_REPOSITORIES);
    repositories.truncate(MOST_REPOSITORIES);
    let repositories = repositories.into_iter().map(|(name, tags)| Found {
        page: repository_page(name.as_str()),
        name: name.to_string(),
        tags,
    });
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, "Images"),
        query: asking.text(),
        chosen: asking.chosen(),
        facets: found.facets.shown(&asking),
        results,
        repositories: repositories.collect(),
        more_repositories,
        package,
    }))
}

/// What fits, as far as lists tell.
struct Fitting<'a> {
    hits: Vec<Hit<'a>>,
    facets: Facets,
    repositories: BTreeMap<&'a RepositoryName, usize>,
}

/// Looks through all images that whoever asks may know of.
async fn looked_for<'a>(
    web: &Web,
    signed_in: &SignedIn,
    (known, asking, asked): (&'a Known, &Asking, &Wanted),
) -> Result<Fitting<'a>, Problem> {
    let (api, policy, now) = (&web.api, web.api.policy(), web.api.now());
    let eyes = signed_in.who.eyes(api, &policy);
    let mut havings = Vec::new();
    for finding in &asked.findings {
        havings.push(Having::find(api, finding).await?);
    }
    let mut fitting =
        Fitting { hits: Vec::new(), facets: Facets::default(), repositories: BTreeMap::new() };
    // The hits of a repository stand together, so what holds for it is told once.
    let (mut before, mut knows_all): (Option<&RepositoryName>, _) = (None, false);
    for hit in search(known, &asked.words) {
        let Hit { repository, tag, digest, .. } = hit;
        if !before.is_some_and(|before| std::ptr::eq(before, repository)) {
            (before, knows_all) = (Some(repository), eyes.know_all_of(repository));
        }
        if !knows_all && !eyes.know(repository, tag).await? {
            continue;
        }
        if !havings.iter().all(|having| having.is_in(known, &policy, (repository, digest))) {
            continue;
        }
        let aspects = Aspects::of(known, &policy, (repository, digest), now);
        // A label is in the image: nothing may tell of it before it is known who may look inside,
        // which is asked of those on the page alone.
        let is_fitting = match hit.is_by_label() {
            true => aspects.fit(asking) == [true; 3],
            false => fitting.facets.count(asking, &aspects),
        };
        if is_fitting {
            fitting.hits.push(hit);
        }
    }
    let named: Vec<_> = fitting.hits.iter().filter(|hit| !hit.is_by_label()).collect();
    for of_one in named.chunk_by(|one, other| std::ptr::eq(one.repository, other.repository)) {
        if let Some(hit) = of_one.first() {
            *fitting.repositories.entry(hit.repository).or_default() += of_one.len();
        }
    }
    Ok(fitting)
}

/// A page of them. What gates say is asked here, of one after the other.
async fn results(
    web: &Web,
    signed_in: &SignedIn,
    (known, asking): (&Known, &Asking),
    hits: &[Hit<'_>],
) -> Result<Results, Problem> {
    let (api, policy) = (&web.api, web.api.policy());
    let wanted = asking.verdict();
    let mut images = Vec::new();
    let mut looked_at = asking.from.min(hits.len());
    let ahead = hits.get(looked_at..).unwrap_or_default();
    for hit in ahead.iter().take(LOOKED_AT) {
        if images.len() == MOST {
            break;
        }
        looked_at += 1;
        let &Hit { repository, tag, digest, .. } = hit;
        if hit.is_by_label() {
            let named = Named {
                repository: repository.clone(),
                reference: Reference::Tag(tag.clone()),
                digest: digest.clone(),
            };
            if !may_look_inside(api, &signed_in.who, &policy, &named).await? {
                continue;
            }
        }
        let summary = Summary::of(api, &policy, (repository, tag, digest)).await?;
        let summary = summary.described(known, digest);
        if wanted.is_none_or(|wanted| summary.verdict == wanted) {
            images.push(summary);
        }
    }
    let goes_on = looked_at < hits.len();
    Ok(Results {
        count: Some(images.len()).filter(|_| asking.from == 0 && !goes_on),
        images,
        next: goes_on.then(|| (asking.behind(looked_at), looked_at)),
    })
}
