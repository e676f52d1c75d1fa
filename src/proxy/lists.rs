//! Lists show what the caller may read and nothing else: the gate reads the upstream's pages,
//! filters them, and pages by itself.
//!
//! No list is held: see `walk.rs`. A page ends with a link that says the last name that it shows,
//! and has in it, sealed, where the gate had come to at the upstream. So the next page costs what
//! it shows, at every replica, and a link names nothing that is hidden.

mod at_once;
mod catalog;
mod referrers;
mod smallest;
mod tags;
mod turn;
mod walk;

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK};
use http::{HeaderValue, Response};
use oci::{BadRequest, Operation, Page, ParameterFault, Read};
use tokio::time::timeout;

pub use turn::Turns;

use super::forward::Forwarding;
use super::held::Room;
use super::seal::{ListPosition, ListReading};
use crate::body::Body;
use crate::refusal::Refusal;
use crate::upstream::Error;

/// The most entries of one page, whatever `n` says.
const MAX_PAGE: usize = 10_000;

/// For a page to be made. A registry may need minutes for the names of a million tags.
const LIST_TIME: Duration = Duration::from_secs(300);

/// Answers `tags/list`, `_catalog` or `referrers`.
pub(super) async fn answer(
    forwarding: &mut Forwarding<'_>,
    operation: Operation,
) -> Result<Response<Body>, Refusal> {
    let turns = &forwarding.gate.lists;
    let _turn = turns.take(&forwarding.question.principal.caller.subject.to_string()).await?;
    let making = async {
        match &operation {
            Operation::ListTags { read, repository, page } => {
                Ok((*read, tags::answer(forwarding, repository, page).await?))
            }
            Operation::Catalog { read, page } => {
                Ok((*read, catalog::answer(forwarding, page).await?))
            }
            Operation::Referrers { read, .. } => {
                Ok((*read, referrers::answer(forwarding, &operation).await?))
            }
            _ => Err(Refusal::Internal("not a list")),
        }
    };
    let made = timeout(LIST_TIME, making).await;
    let (read, mut response) = made.map_err(|_| Error::ResponseTimeout(LIST_TIME))??;
    if read == Read::Head {
        *response.body_mut() = Body::Empty;
    }
    Ok(response)
}

/// How many entries a page shows at most.
fn room(n: Option<u32>) -> usize {
    n.map_or(MAX_PAGE, |n| (n as usize).min(MAX_PAGE))
}

/// The pages of one list of the gate, as they are asked for.
struct Paging<'a> {
    forwarding: &'a Forwarding<'a>,
    /// The target of a page.
    target: &'a (dyn Fn(Page) -> String + Sync),
}

impl Paging<'_> {
    /// Where the page begins at the upstream, whose first page is `first`.
    fn begin(&self, page: &Page, first: String) -> Result<ListPosition, Refusal> {
        let Some(cursor) = &page.cursor else {
            return Ok(ListPosition { at: first, after: None, floor: page.last.clone() });
        };
        let unknown = BadRequest::Parameter { name: "cursor", fault: ParameterFault::Cursor };
        let seal = &self.forwarding.gate.seal;
        let open =
            |list: &str, subject: &str| seal.open_cursor(cursor, self.reading(list, subject));
        self.sealing(page.last.clone(), open).ok_or(Refusal::Target(unknown))
    }

    /// The link to the page after this one, that shows `last` as its last name (RFC 8288).
    fn link(
        &self,
        n: usize,
        last: Option<String>,
        next: &ListPosition,
    ) -> Result<HeaderValue, Refusal> {
        let seal = &self.forwarding.gate.seal;
        let sealed = self.sealing(last.clone(), |list, subject| {
            seal.seal_cursor(next, self.reading(list, subject))
        });
        let cursor = sealed.map_err(|error| Error::Wrong(error.to_string()))?;
        let n = u32::try_from(n).ok();
        let target = (self.target)(Page { n, last, cursor: Some(cursor) });
        HeaderValue::from_str(&format!("<{target}>; rel=\"next\""))
            .map_err(|_| Refusal::Internal("a link is unprintable"))
    }

    /// A cursor is for one place in one list: `last` belongs to it, the size of the page does not.
    fn sealing<T>(&self, last: Option<String>, act: impl FnOnce(&str, &str) -> T) -> T {
        let list = (self.target)(Page { n: None, last, cursor: None });
        let subject = self.forwarding.question.principal.caller.subject.to_string();
        act(&list, &subject)
    }

    fn reading<'r>(&self, list: &'r str, subject: &'r str) -> ListReading<'r> {
        ListReading { list, subject, now: self.forwarding.gate.clock.now() }
    }
}

/// A page that the gate made. It counts as held until it has been sent: readers may be slow.
fn respond(
    forwarding: &Forwarding<'_>,
    content_type: &'static str,
    body: Vec<u8>,
    link: Option<HeaderValue>,
) -> Result<Response<Body>, Refusal> {
    struct Sent {
        body: Vec<u8>,
        _room: Room,
    }
    impl AsRef<[u8]> for Sent {
        fn as_ref(&self) -> &[u8] {
            &self.body
        }
    }
    let length = body.len();
    let mut room = forwarding.gate.held.room();
    if !room.grow(length) {
        return Err(Refusal::Full);
    }
    let mut response = Response::new(Body::full(Bytes::from_owner(Sent { body, _room: room })));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.extend(link.map(|link| (LINK, link)));
    Ok(response)
}

#[cfg(test)]
mod tests;
