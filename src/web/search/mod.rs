//! `/`: looking for images.

mod asking;
mod facets;
mod having;
mod results;

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use oci::RepositoryName;

use self::asking::Asking;
use self::facets::{Aspects, Facet, Facets};
use self::having::Having;
use self::results::Results;
use super::Web;
use super::address::{image_page, repository_page, vulnerability_page};
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::query::Query;
use super::session::SignedIn;
use crate::catalog::{Hit, Known, MAX_FINDINGS, Sought, Wanted, search};
use crate::service::api::Problem;
use crate::service::api::image::named::{Named, Need};

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
    /// The images with a finding in the package of that name, if there are any, and that name.
    package: Option<(String, &'a str)>,
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
    let asked = Wanted::new(&asking.q, web.api.issue.authenticator.issuer().service());
    // A vulnerability alone has a page of its own, with images that have no tag, too.
    if let ([finding], true, false) =
        (asked.findings.as_slice(), asked.words.is_empty(), asking.is_narrowed())
    {
        return Ok(Redirect::to(&vulnerability_page(&finding.text())).into_response());
    }
    if asked.is_too_much() {
        let told = format!("name at most {MAX_FINDINGS} vulnerabilities and packages at once");
        return Err(Trouble::wrong(told));
    }
    let known = web.catalog.current().await.map_err(Problem::from)?;
    let mut found = looked_for(&web, &signed_in, (&known, &asking, &asked)).await?;
    if let Some(page) = untagged(&web, &signed_in, (&asked, &asking, &found)).await {
        return Ok(Redirect::to(&page).into_response());
    }
    let is_asked = !asked.is_empty() || asking.is_narrowed();
    let results = match is_asked {
        true => Some(Results::of(&web, &signed_in, (&known, &asking, &asked), &found.hits).await?),
        false => None,
    };
    // Whether there is such a package is not asked: the answer would tell of images that whoever reads
    // may not see.
    let package = asked.words.single().filter(|_| asked.findings.is_empty()).map(|name| {
        let finding = Sought::Package(name.to_owned());
        (vulnerability_page(&finding.text()), name)
    });
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

/// The page of the image that is named by its digest, where no tag leads to it.
async fn untagged(
    web: &Web,
    signed_in: &SignedIn,
    (asked, asking, found): (&Wanted, &Asking, &Fitting<'_>),
) -> Option<String> {
    let (repository, digest) = asked.pinned.as_ref().filter(|_| found.hits.is_empty())?;
    if asking.is_narrowed() {
        return None;
    }
    let (api, image) = (&web.api, format!("{repository}@{digest}"));
    let named = Named::find(api, &signed_in.who, &api.policy(), ("q", &image), Need::Know).await;
    named.is_ok().then(|| image_page(&image))
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
        let Hit { repository, tag, .. } = hit;
        if !before.is_some_and(|before| std::ptr::eq(before, repository)) {
            (before, knows_all) = (Some(repository), eyes.know_all_of(repository));
        }
        if !knows_all && !eyes.know(repository, tag).await? {
            continue;
        }
        if !havings.iter().all(|having| having.is_in(known, &policy, &hit)) {
            continue;
        }
        let aspects = Aspects::of(known, &policy, &hit, now);
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
