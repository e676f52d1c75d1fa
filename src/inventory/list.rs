//! Reading the upstream's lists, page by page.

use http::header::LINK;
use http::{HeaderMap, Method, StatusCode};
use oci::{Operation, Page, Read, RepositoryName, Tag};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::upstream::{Budget, failed, send};
use crate::upstream::{Answer, Error, Upstream};

/// The most tags of one repository that are held at once.
pub(super) const MAX_TAGS: usize = 1_000_000;

/// The largest page of a list that is read.
const MAX_PAGE: usize = 32 << 20;

/// The names of all tags; none where there is no such repository.
pub(crate) async fn list_tags(
    upstream: &Upstream,
    repository: &RepositoryName,
    budget: &Budget,
) -> Result<Option<Vec<Tag>>, Error> {
    #[derive(Deserialize)]
    struct TagList {
        // docker-registry says `null` for a repository whose tags were all deleted.
        tags: Option<Vec<String>>,
    }
    let operation = Operation::ListTags {
        read: Read::Get,
        repository: repository.clone(),
        page: Page::default(),
    };
    let mut target = operation.target();
    let mut tags: Option<Vec<Tag>> = None;
    while let Some(at) = target.take() {
        let page = list_page::<TagList>(upstream, &at, budget).await?;
        let page = match (page, &tags) {
            (Some(page), _) => page,
            (None, None) => return Ok(None),
            // Half a list is none: a delete must know every tag.
            (None, Some(_)) => return Err(Error::Wrong("a list ended in the middle".to_owned())),
        };
        // A name that is no tag cannot be asked for either.
        let names = page.body.tags.unwrap_or_default();
        let tags = tags.get_or_insert_default();
        tags.extend(names.iter().filter_map(|name| Tag::new(name).ok()));
        if tags.len() > MAX_TAGS {
            return Err(Error::TooMany(MAX_TAGS));
        }
        target = page.next;
    }
    Ok(tags)
}

/// One page of a list, and where the next one is.
pub(crate) struct ListPage<T> {
    pub(crate) body: T,
    pub(crate) next: Option<String>,
}

/// Fetches a page of a list; none where the upstream says 404.
pub(crate) async fn list_page<T: DeserializeOwned>(
    upstream: &Upstream,
    target: &str,
    budget: &Budget,
) -> Result<Option<ListPage<T>>, Error> {
    budget.spend()?;
    let answer = send(upstream, Method::GET, target, HeaderMap::new()).await?;
    match answer.head.status() {
        StatusCode::OK => read_page(upstream, answer).await.map(Some),
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            Ok(None)
        }
        status => Err(failed(&answer, format!("it answered {status} to a list"))),
    }
}

/// Reads a page of a list.
pub(crate) async fn read_page<T: DeserializeOwned>(
    upstream: &Upstream,
    answer: Answer,
) -> Result<ListPage<T>, Error> {
    let next = next_link(answer.head.headers())?;
    let next = next.map(|target| upstream.path_of(&target).to_owned());
    let bytes = answer.collect(MAX_PAGE).await?;
    let body = serde_json::from_slice(&bytes)
        .map_err(|error| Error::Wrong(format!("a list cannot be read: {error}")))?;
    Ok(ListPage { body, next })
}

/// The target of `Link: <…>; rel="next"` (RFC 8288), on the upstream's own origin. A link that is not
/// understood is an error: a list that seems to end early hides tags, and a tag that nobody knows of
/// protects nothing from being deleted.
fn next_link(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let unclear = || Error::Wrong("a list does not say clearly how it goes on".to_owned());
    for line in headers.get_all(LINK) {
        let mut rest = line.to_str().map_err(|_| unclear())?;
        while !rest.is_empty() {
            let (target, after) =
                rest.strip_prefix('<').and_then(|rest| rest.split_once('>')).ok_or_else(unclear)?;
            let (parameters, links) = after.split_at(after.find('<').unwrap_or(after.len()));
            if parameters.split([';', ',']).any(is_rel_next) {
                // The path alone is used, so that a list cannot send the gate to another place.
                let uri: http::Uri = target.parse().map_err(|_| unclear())?;
                let path = uri.path_and_query().filter(|path| path.as_str().starts_with('/'));
                return path.map(|path| Some(path.as_str().to_owned())).ok_or_else(unclear);
            }
            rest = links;
        }
    }
    Ok(None)
}

fn is_rel_next(parameter: &str) -> bool {
    parameter.trim().split_once('=').is_some_and(|(name, value)| {
        name.eq_ignore_ascii_case("rel") && value.trim_matches('"').eq_ignore_ascii_case("next")
    })
}
