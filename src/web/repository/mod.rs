//! `/ui/repository`: the tags of a repository.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use oci::{Digest, RepositoryName, Tag};
use serde::Deserialize;

use super::Web;
use super::address::repository_tags;
use super::frame::{Frame, Place, rendered};
use super::problem::Trouble;
use super::session::SignedIn;
use super::summary::Summary;
use crate::service::api::Problem;

/// The most tags on a page.
const MOST: usize = 50;

#[derive(Deserialize)]
pub(super) struct Asking {
    name: String,
    /// The tag before the first on the page.
    #[serde(default)]
    after: String,
    #[serde(default)]
    tag: String,
}

#[derive(Template)]
#[template(path = "repository.html")]
struct Page<'a> {
    frame: Frame<'a>,
    name: &'a str,
    filter: &'a str,
    images: Vec<Summary>,
    /// All that fit.
    count: usize,
    next: Option<String>,
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let (api, who, policy) = (&web.api, &signed_in.who, web.api.policy());
    let name = RepositoryName::new(&asking.name)
        .map_err(|error| Trouble::wrong(format!("`name`: {error}")))?;
    let catalog = web.catalog.current().await.map_err(Problem::from)?;
    let mut known: Vec<(&Tag, &Digest)> = Vec::new();
    let filter = asking.tag.trim();
    let eyes = who.eyes(api, &policy);
    let knows_all = eyes.know_all_of(&name);
    for (tag, digest) in catalog.repositories().get(&name).iter().flat_map(|tags| tags.iter()) {
        if knows_all || eyes.know(&name, tag).await? {
            known.push((tag, digest));
        }
    }
    if known.is_empty() {
        let text = format!("there is no repository {name}, or none that you may see");
        return Err(Problem::new(StatusCode::NOT_FOUND, text).into());
    }
    known.retain(|(tag, _)| tag.as_str().contains(filter));
    let count = known.len();
    let mut ahead = known.into_iter().filter(|(tag, _)| tag.as_str() > asking.after.as_str());
    let mut images = Vec::new();
    for (tag, digest) in ahead.by_ref().take(MOST) {
        images.push(Summary::of(api, &policy, (&name, tag, digest)).await?);
    }
    let next = match (ahead.next(), images.last()) {
        (Some(_), Some(last)) => Some(repository_tags(name.as_str(), filter, &last.tag)),
        _ => None,
    };
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Search, name.as_str()),
        name: name.as_str(),
        filter,
        images,
        count,
        next,
    }))
}
