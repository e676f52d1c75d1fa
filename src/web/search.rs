//! `/`: looking for images.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use oci::{Reference, RepositoryName};
use serde::Deserialize;

use super::Web;
use super::address::repository_page;
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::session::SignedIn;
use super::summary::Summary;
use crate::authorize::Effort;
use crate::catalog::{Hit, Words, search};
use crate::service::api::Problem;

/// The most images on a page.
const MOST: usize = 50;

/// The most repositories on a page.
const MOST_REPOSITORIES: usize = 500;

#[derive(Deserialize)]
pub(super) struct Asking {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "search.html")]
struct Page<'a> {
    frame: Frame<'a>,
    query: &'a str,
    images: Vec<Summary>,
    repositories: Vec<Found>,
    /// There are more than are shown.
    goes_on: bool,
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
    let (api, who, policy) = (&web.api, &signed_in.who, web.api.policy());
    let repositories = web.catalog.current().await.map_err(Problem::from)?;
    let words = Words::new(&asking.q);
    let mut images = Vec::new();
    let mut found: BTreeMap<&RepositoryName, usize> = BTreeMap::new();
    let mut goes_on = false;
    for hit in search(&repositories, &words) {
        let Hit { repository, tag, digest, .. } = hit;
        let reference = Reference::Tag(tag.clone());
        if !who.knows(api, &policy, (repository, &reference), Effort::Known).await? {
            continue;
        }
        let is_new = !found.contains_key(repository);
        if is_new && found.len() == MOST_REPOSITORIES {
            goes_on = true;
            continue;
        }
        *found.entry(repository).or_default() += 1;
        // Without a word, the repositories are the answer.
        if words.is_empty() {
            continue;
        }
        if images.len() == MOST {
            goes_on = true;
            continue;
        }
        images.push(Summary::of(api, &policy, (repository, tag, digest)).await?);
    }
    let found = found.into_iter().map(|(name, tags)| Found {
        page: repository_page(name.as_str()),
        name: name.to_string(),
        tags,
    });
    let repositories = found.collect();
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, "Images"),
        query: asking.q.trim(),
        images,
        repositories,
        goes_on,
    }))
}
