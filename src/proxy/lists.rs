//! Lists show what the caller may read and nothing else: the gate reads the upstream's pages,
//! filters them, and pages by itself.

use http::header::LINK;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use oci::{
    BadRequest, Digest, ErrorCode, Operation, Page, ParameterFault, Read, RepositoryName, Tag,
};
use policy::{Action, Tags};
use serde::Deserialize;
use serde_json::{Value, json};

use super::forward::{Forwarding, json};
use super::shadow::learn_referrers;
use crate::body::Body;
use crate::inventory::{Budget, ListPage, Sight, learn_manifests, list_page, list_tags};
use crate::refusal::Refusal;

/// The most entries of one page, whatever `n` says.
const MAX_PAGE: usize = 10_000;

/// How many repositories are asked for at once from the upstream.
const UPSTREAM_PAGE: usize = 1000;

/// Answers `tags/list`, `_catalog` or `referrers`.
pub(super) async fn answer(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
) -> Result<Response<Body>, Refusal> {
    let mut budget = Budget::new(forwarding.gate.inventory.settings().max_requests);
    let (read, mut response) = match &operation {
        Operation::ListTags { read, repository, page } => {
            (*read, tags(forwarding, repository, page, &mut budget).await?)
        }
        Operation::Catalog { read, page } => (*read, catalog(forwarding, page, &mut budget).await?),
        Operation::Referrers { read, repository, cursor, .. } => {
            no_cursor(cursor.as_deref())?;
            (*read, referrers(forwarding, &operation, repository, &mut budget).await?)
        }
        _ => return Err(Refusal::Internal("not a list")),
    };
    if read == Read::Head {
        *response.body_mut() = Body::Empty;
    }
    Ok(response)
}

async fn tags(
    forwarding: &Forwarding<'_>,
    repository: &RepositoryName,
    page: &Page,
    budget: &mut Budget,
) -> Result<Response<Body>, Refusal> {
    no_cursor(page.cursor.as_deref())?;
    let question = &forwarding.question;
    let caller = &question.principal.caller;
    let scope = question.policy.tags(caller, Action::Pull, repository);
    let all = list_tags(&forwarding.gate.upstream, repository, budget).await?;
    let reader = question.reader(repository);
    let absent = all.is_none();
    let mut visible: Vec<Tag> = Vec::new();
    for tag in all.unwrap_or_default() {
        if reader.sight(&tag) == Sight::Open || reader.follows(&tag).await? {
            visible.push(tag);
        }
    }
    // To whom no tag is visible the repository is not there.
    if visible.is_empty() && (absent || !matches!(scope, Tags::All)) {
        return Err(Refusal::Missing {
            code: ErrorCode::NameUnknown,
            message: "repository name not known to registry",
        });
    }
    visible.sort_unstable();
    if let Some(last) = &page.last {
        visible.retain(|tag| tag.as_str() > last.as_str());
    }
    let more = cut(&mut visible, page);
    let names: Vec<&str> = visible.iter().map(Tag::as_str).collect();
    let body = json!({ "name": repository.as_str(), "tags": names });
    let mut response = json(StatusCode::OK, body.to_string());
    if let (true, Some(last)) = (more, names.last()) {
        link(&mut response, &format!("/v2/{repository}/tags/list"), names.len(), last);
    }
    Ok(response)
}

async fn catalog(
    forwarding: &Forwarding<'_>,
    page: &Page,
    budget: &mut Budget,
) -> Result<Response<Body>, Refusal> {
    #[derive(Deserialize)]
    struct Catalog {
        repositories: Option<Vec<String>>,
    }
    no_cursor(page.cursor.as_deref())?;
    let wanted = page.n.map_or(UPSTREAM_PAGE, |n| (n as usize).min(MAX_PAGE));
    let from = Page { n: Some(UPSTREAM_PAGE as u32), last: page.last.clone(), cursor: None };
    let target = Operation::Catalog { read: Read::Get, page: from }.canonical_target();
    let mut target = Some(target);
    let mut visible: Vec<String> = Vec::new();
    while let Some(at) = target.take() {
        let found: Option<ListPage<Catalog>> =
            list_page(&forwarding.gate.upstream, &at, budget).await?;
        let Some(found) = found else { break };
        for name in found.body.repositories.unwrap_or_default() {
            let Ok(repository) = RepositoryName::new(&name) else { continue };
            if shows(forwarding, &repository, budget).await? {
                visible.push(name);
            }
        }
        target = if visible.len() > wanted { None } else { found.next };
    }
    let more = cut(&mut visible, &Page { n: Some(wanted as u32), ..Page::default() });
    let mut response = json(StatusCode::OK, json!({ "repositories": visible }).to_string());
    if let (true, Some(last)) = (more, visible.last()) {
        link(&mut response, "/v2/_catalog", visible.len(), last);
    }
    Ok(response)
}

/// Whether the catalogue shows a repository: it is granted as a whole, or has a readable tag.
async fn shows(
    forwarding: &Forwarding<'_>,
    repository: &RepositoryName,
    budget: &mut Budget,
) -> Result<bool, Refusal> {
    let question = &forwarding.question;
    match question.policy.tags(&question.principal.caller, Action::Pull, repository) {
        Tags::All => Ok(true),
        Tags::None => Ok(false),
        Tags::Some(filter) if filter.includes_untagged() => Ok(true),
        Tags::Some(filter) => {
            let tags = list_tags(&forwarding.gate.upstream, repository, budget).await?;
            Ok(tags.unwrap_or_default().iter().any(|tag| filter.allows(tag)))
        }
    }
}

/// The referrers that the caller may read. An upstream without this API says so itself, and clients
/// go on to the fallback tag.
async fn referrers(
    forwarding: &mut Forwarding<'_>,
    operation: &Operation,
    repository: &RepositoryName,
    budget: &mut Budget,
) -> Result<Response<Body>, Refusal> {
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let filters_applied = HeaderName::from_static("oci-filters-applied");
    let answer = forwarding.send(operation, Method::GET, Body::Empty).await?;
    if answer.head.status() != StatusCode::OK {
        return Ok(forwarding.stream(answer, http::HeaderMap::new()));
    }
    let applied = answer.head.headers().get(&filters_applied).cloned();
    let mut index: Option<Value> = None;
    let mut page =
        Some(crate::inventory::read_page::<Value>(&forwarding.gate.upstream, answer).await?);
    while let Some(ListPage { mut body, next }) = page.take() {
        let entries = match body.get_mut("manifests") {
            Some(Value::Array(entries)) => std::mem::take(entries),
            _ => Vec::new(),
        };
        let digest = |entry: &Value| {
            let descriptor = Descriptor::deserialize(entry).ok()?;
            Digest::new(&descriptor.digest).ok()
        };
        let question = forwarding.question;
        let digests = || entries.iter().filter_map(digest).collect::<Vec<_>>();
        if question.reader(repository).reads_all() {
            learn_referrers(forwarding.gate, repository, digests).await;
        } else {
            // What is about the image is readable with it, if it is an artifact: so that is asked.
            let digests = digests();
            let (inventory, upstream) = (question.inventory, question.upstream);
            learn_manifests(inventory, upstream, repository, &digests, budget).await?;
        }
        let mut shown = Vec::new();
        for entry in entries {
            if let Some(digest) = digest(&entry)
                && question.readable(repository, &digest).await?
            {
                shown.push(entry);
            }
        }
        match index.get_or_insert(body).get_mut("manifests") {
            Some(Value::Array(all)) => all.extend(shown),
            _ => return Err(wrong("referrers are no index")),
        }
        if let Some(next) = next {
            page = list_page(&forwarding.gate.upstream, &next, budget).await?;
        }
    }
    let index = index.ok_or_else(|| wrong("referrers are no index"))?;
    let mut response = json(StatusCode::OK, index.to_string());
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/vnd.oci.image.index.v1+json"),
    );
    if let Some(applied) = applied {
        headers.insert(filters_applied, applied);
    }
    Ok(response)
}

/// Keeps what the page has room for; true if there is more.
fn cut<T>(entries: &mut Vec<T>, page: &Page) -> bool {
    let room = page.n.map_or(usize::MAX, |n| (n as usize).min(MAX_PAGE));
    let more = entries.len() > room;
    entries.truncate(room);
    more
}

/// The next page begins after the last name that this one shows (RFC 8288).
fn link(response: &mut Response<Body>, path: &str, n: usize, last: &str) {
    // Repository names and tags need no encoding in a query, but for the slash, which may stand
    // there too (RFC 3986 §3.4).
    let value = format!("<{path}?n={n}&last={last}>; rel=\"next\"");
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(LINK, value);
    }
}

/// The gate has given out no cursor yet, so one cannot be its own.
fn no_cursor(cursor: Option<&str>) -> Result<(), Refusal> {
    match cursor {
        None => Ok(()),
        Some(_) => Err(Refusal::Target(BadRequest::Parameter {
            name: "cursor",
            fault: ParameterFault::Cursor,
        })),
    }
}

fn wrong(what: &str) -> Refusal {
    crate::upstream::Error::Wrong(what.to_owned()).into()
}

#[cfg(test)]
mod tests;
