//! Reading the upstream's lists: page by page, and each as it comes.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use http::header::{ACCEPT, LINK};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use oci::{ListReader, Operation, Page, Read, RepositoryName, Tag};
use serde::Deserialize;

use super::upstream::{Budget, failed, send};
use crate::body::BodyError;
use crate::upstream::{Answer, Error, Upstream};

/// The most tags of one repository that are held at once.
pub(super) const MAX_TAGS: usize = 1_000_000;

/// The largest page of a list that is read, in bytes: far more than a million tags take.
const MAX_PAGE: usize = 1 << 30;

/// How much is read of what is no longer needed, in bytes, so that the connection can be kept.
const SHORT: usize = 64 << 10;

/// What a page of a list said, beside its entries.
#[derive(Debug)]
pub(crate) struct PageEnd {
    /// Where the list goes on, as the upstream says: a target below its root.
    pub(crate) next: Option<String>,
    /// How many entries there were, as far as it was read.
    pub(crate) entries: usize,
    /// Whether the list was there, or `null` in its place or nothing.
    pub(crate) is_list: bool,
}

/// Asks for a page of a list.
pub(crate) async fn ask_list(upstream: &Upstream, target: &str) -> Result<Answer, Error> {
    const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/json, */*";
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(ACCEPTED))]);
    send(upstream, Method::GET, target, headers).await
}

/// Reads a page whose entries are the array `member`, and hands out each entry, a JSON value, as it
/// comes. Nothing of the page is held. What is left when there was enough is not read, unless it is
/// short.
///
/// # Errors
/// It is no such list, or broke off: then the entries that came are not all.
pub(crate) async fn read_page(
    upstream: &Upstream,
    answer: Answer,
    member: &'static str,
    mut each: impl FnMut(&[u8]) -> Result<ControlFlow<()>, Error>,
) -> Result<PageEnd, Error> {
    let next = next_link(answer.head.headers())?;
    let next = next.map(|target| upstream.path_of(&target).to_owned());
    let mut body = answer.stream(Arc::default());
    let mut reader = ListReader::new(member);
    let (mut entries, mut bytes, mut enough_at) = (0, 0, None);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes += data.len();
        if enough_at.is_some_and(|at| bytes > at + SHORT) {
            return Ok(PageEnd { next, entries, is_list: true });
        }
        if bytes > MAX_PAGE {
            return Err(BodyError::TooLarge(MAX_PAGE).into());
        }
        let mut failed = None;
        let read = reader.feed(&data, |entry| {
            entries += 1;
            if failed.is_some() || enough_at.is_some() {
                return;
            }
            match each(entry) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => enough_at = Some(bytes),
                Err(error) => failed = Some(error),
            }
        });
        read.map_err(unreadable)?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    let is_list = reader.finish().map_err(unreadable)?;
    Ok(PageEnd { next, entries, is_list })
}

/// The text of an entry that must be one.
pub(crate) fn entry_text(entry: &[u8]) -> Result<Cow<'_, str>, Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_slice(entry).map(|Text(text)| text).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::Wrong(format!("a list cannot be read: {error}"))
}

/// The names of all tags; none where there is no such repository.
pub(crate) async fn list_tags(
    upstream: &Upstream,
    repository: &RepositoryName,
    budget: &Budget,
) -> Result<Option<Vec<Tag>>, Error> {
    let operation = Operation::ListTags {
        read: Read::Get,
        repository: repository.clone(),
        page: Page::default(),
    };
    let mut target = operation.target();
    let mut tags: Option<Vec<Tag>> = None;
    while let Some(at) = target.take() {
        budget.spend()?;
        let answer = ask_list(upstream, &at).await?;
        match (answer.head.status(), &tags) {
            (StatusCode::OK, _) => {}
            (StatusCode::NOT_FOUND, None) => {
                answer.discard().await;
                return Ok(None);
            }
            // Half a list is none: a delete must know every tag.
            (StatusCode::NOT_FOUND, Some(_)) => return Err(ends_early()),
            _ => return Err(not_a_list(&answer)),
        }
        let tags = tags.get_or_insert_default();
        let page = read_page(upstream, answer, "tags", |entry| {
            // A name that is no tag cannot be asked for either.
            tags.extend(Tag::new(&entry_text(entry)?).ok());
            if tags.len() > MAX_TAGS { Err(Error::TooMany(MAX_TAGS)) } else { Ok(CONTINUE) }
        });
        target = page.await?.next;
    }
    Ok(tags)
}

/// One page of a list of names.
pub(super) struct NamesPage {
    /// In the order of the page.
    pub(super) names: Vec<String>,
    /// Where the list goes on.
    pub(super) next: Option<String>,
}

/// One page of a list of names, at `target`; none where there is no such list.
pub(super) async fn names_page(
    upstream: &Upstream,
    target: &str,
    member: &'static str,
) -> Result<Option<NamesPage>, Error> {
    let answer = ask_list(upstream, target).await?;
    match answer.head.status() {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.discard().await;
            return Ok(None);
        }
        _ => return Err(not_a_list(&answer)),
    }
    let mut names = Vec::new();
    let page = read_page(upstream, answer, member, |entry| {
        names.push(entry_text(entry)?.into_owned());
        if names.len() > MAX_TAGS { Err(Error::TooMany(MAX_TAGS)) } else { Ok(CONTINUE) }
    });
    let next = page.await?.next;
    Ok(Some(NamesPage { names, next }))
}

const CONTINUE: ControlFlow<()> = ControlFlow::Continue(());

/// Some status in place of a list.
pub(crate) fn not_a_list(answer: &Answer) -> Error {
    failed(answer, format!("it answered {} to a list", answer.head.status()))
}

/// A page that the one before it named is not there.
pub(crate) fn ends_early() -> Error {
    Error::Wrong("a list ended in the middle".to_owned())
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
