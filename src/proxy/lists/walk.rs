//! The way through the upstream's pages, until there is enough to show.

use std::borrow::Cow;
use std::ops::ControlFlow;

use bytes::Bytes;
use http::StatusCode;
use oci::ListReader;

use super::at_once::all;
use super::smallest::Smallest;
use crate::inventory::{Budget, PageEnd, Undecided, ask_list, ends_early, not_a_list, read_page};
use crate::proxy::seal::ListPosition;
use crate::refusal::Refusal;
use crate::upstream::{Answer, Error, Upstream};

/// How many entries the upstream is asked for at once. Some registries refuse more.
const UPSTREAM_PAGE: usize = 1000;

/// How it is asked for them.
const SIZE: &str = "?n=1000";

/// How many names are held at least: of those that are to be looked at more closely, some turn out
/// to be hidden, and the page need not be read again for the next.
const MIN_CANDIDATES: usize = 1000;

/// The most that one page of the gate shows, in bytes.
const MAX_SHOWN: usize = 4 << 20;

/// One kind of list: what its entries are, and who may see them.
pub(super) trait Listing: Sync {
    /// The array in the upstream's pages.
    const MEMBER: &'static str;
    /// Whether a page without that array is none.
    const IS_NEEDED: bool = false;
    /// How many entries are looked at more closely at the same time.
    const AT_ONCE: usize = 1;
    /// What is held of an entry beside its name.
    type Kept: Send + Sync;

    /// The name of an entry, by which the list is sorted; none for what cannot be shown.
    fn name<'e>(&self, entry: &'e [u8]) -> Result<Option<Cow<'e, str>>, Error>;

    /// What is held of it; nothing if it is hidden for sure.
    fn keep(&self, name: &str, entry: &[u8]) -> Option<Self::Kept>;

    /// How many bytes that takes.
    fn size(_: &Self::Kept) -> usize {
        0
    }

    /// Whether it may be seen, at a closer look.
    fn is_visible(
        &self,
        name: &str,
        kept: &Self::Kept,
    ) -> impl Future<Output = Result<bool, Refusal>> + Send;

    /// Asks for a page that comes after another.
    fn open(&self, at: &str) -> impl Future<Output = Result<Source, Refusal>> + Send;
}

/// Where a page is read from.
pub(super) enum Source {
    /// From the upstream, as it comes.
    Coming(Box<Answer>),
    /// It is here as a whole.
    Held(Bytes),
}

/// What there is to show.
pub(super) struct Found<K> {
    /// In order within each page of the upstream.
    pub(super) entries: Vec<(String, K)>,
    /// Where the list goes on, if there is more.
    pub(super) more: Option<ListPosition>,
    /// The requests were used up before there was enough.
    pub(super) is_short: bool,
}

/// The first page of a list of names: asked for with a size, if the upstream takes one.
pub(super) fn first_page(list: &str) -> String {
    format!("{list}{SIZE}")
}

/// Asks for a page. The answer is a list, or says that there is none.
pub(super) async fn ask_page(
    upstream: &Upstream,
    budget: &Budget,
    at: &mut String,
) -> Result<Answer, Error> {
    loop {
        budget.spend()?;
        let answer = ask_list(upstream, at).await?;
        match (answer.head.status(), at.strip_suffix(SIZE)) {
            (StatusCode::OK | StatusCode::NOT_FOUND, _) => return Ok(answer),
            // It may have a bound of its own for sizes.
            (StatusCode::BAD_REQUEST, Some(without)) => {
                answer.discard().await;
                *at = without.to_owned();
            }
            _ => return Err(not_a_list(&answer)),
        }
    }
}

/// The same in the middle of a list, where a page is there or the list is broken.
pub(super) async fn next_page(
    upstream: &Upstream,
    budget: &Budget,
    at: &str,
) -> Result<Source, Refusal> {
    let answer = ask_page(upstream, budget, &mut at.to_owned()).await?;
    match answer.head.status() {
        StatusCode::OK => Ok(Source::Coming(Box::new(answer))),
        _ => Err(ends_early().into()),
    }
}

/// A page of just the size that was asked for, and no link: whether that was all, the upstream need
/// not say (spec, "Listing Tags"). Where to read the whole.
pub(super) fn if_cut<'a>(at: &'a str, end: &PageEnd) -> Option<&'a str> {
    let may_be_cut = end.next.is_none() && end.entries == UPSTREAM_PAGE;
    at.strip_suffix(SIZE).filter(|_| may_be_cut)
}

/// Reads on from `from`, whose page is `first`, until there are `room` entries to show and one
/// more, or the list ends.
///
/// A page of the upstream comes in any order: docker-registry's is that of a directory. So each is
/// read to its end, and the smallest names are held. What cannot be told by the name alone is asked
/// afterwards, in order, and no further than is needed.
pub(super) async fn walk<L: Listing>(
    upstream: &Upstream,
    listing: &L,
    from: ListPosition,
    first: Source,
    room: usize,
) -> Result<Found<L::Kept>, Refusal> {
    let ListPosition { mut at, mut after, floor } = from;
    let mut found = Found { entries: Vec::new(), more: None, is_short: false };
    let (mut shown, mut is_moved) = (0, false);
    let mut opened = Some(first);
    loop {
        let source = match opened.take() {
            Some(source) => source,
            None => match listing.open(&at).await {
                Ok(source) => source,
                Err(refusal) if is_moved && is_spent(&refusal) => {
                    found.more = Some(ListPosition { at, after, floor });
                    found.is_short = true;
                    return Ok(found);
                }
                Err(refusal) => return Err(refusal),
            },
        };
        let wanted = (room + 1).saturating_sub(found.entries.len());
        let mut smallest = Smallest::new(wanted.max(MIN_CANDIDATES));
        let begin = after.as_deref().max(floor.as_deref());
        let end = read::<L>(upstream, source, |entry| {
            let Some(name) = listing.name(entry)? else { return Ok(()) };
            if begin.is_some_and(|begin| &*name <= begin) || !smallest.takes(&name) {
                return Ok(());
            }
            if let Some(kept) = listing.keep(&name, entry) {
                let size = L::size(&kept);
                smallest.put(name.into_owned(), kept, size);
            }
            Ok(())
        });
        let end = end.await?;
        if let Some(whole) = if_cut(&at, &end) {
            at = whole.to_owned();
            continue;
        }
        let is_cut = smallest.is_cut();
        let mut candidates = smallest.into_sorted().peekable();
        while candidates.peek().is_some() {
            let wanted = (room + 1).saturating_sub(found.entries.len()).clamp(1, L::AT_ONCE);
            let some: Vec<_> = candidates.by_ref().take(wanted).collect();
            let looks = some.iter().map(|(name, kept)| listing.is_visible(name, kept));
            let looks = all(looks).await;
            for ((name, kept), is_visible) in some.into_iter().zip(looks) {
                match is_visible {
                    Ok(false) => {}
                    Ok(true) => {
                        let size = L::size(&kept) + name.len();
                        let is_first = found.entries.is_empty();
                        if found.entries.len() >= room || (shown + size > MAX_SHOWN && !is_first) {
                            found.more = Some(ListPosition { at, after, floor });
                            return Ok(found);
                        }
                        shown += size;
                        found.entries.push((name.clone(), kept));
                    }
                    Err(refusal) if is_moved && is_spent(&refusal) => {
                        found.more = Some(ListPosition { at, after, floor });
                        found.is_short = true;
                        return Ok(found);
                    }
                    Err(refusal) => return Err(refusal),
                }
                after = Some(name);
                is_moved = true;
            }
        }
        if is_cut {
            continue;
        }
        match end.next {
            None => return Ok(found),
            Some(next) if next == at => {
                return Err(Error::Wrong("a list leads to itself".to_owned()).into());
            }
            Some(next) => (at, after, is_moved) = (next, None, true),
        }
    }
}

async fn read<L: Listing>(
    upstream: &Upstream,
    source: Source,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<PageEnd, Error> {
    let end = match source {
        Source::Coming(answer) => {
            let each = |entry: &[u8]| each(entry).map(ControlFlow::Continue);
            read_page(upstream, *answer, L::MEMBER, each).await?
        }
        Source::Held(bytes) => {
            let mut reader = ListReader::new(L::MEMBER);
            let (mut entries, mut outcome) = (0, Ok(()));
            let read = reader.feed(&bytes, |entry| {
                entries += 1;
                if outcome.is_ok() {
                    outcome = each(entry);
                }
            });
            outcome?;
            let unreadable = |error| Error::Wrong(format!("a list cannot be read: {error}"));
            read.map_err(unreadable)?;
            PageEnd { next: None, entries, is_list: reader.finish().map_err(unreadable)? }
        }
    };
    if L::IS_NEEDED && !end.is_list {
        return Err(Error::Wrong(format!("a list has no `{}`", L::MEMBER)));
    }
    Ok(end)
}

fn is_spent(refusal: &Refusal) -> bool {
    let spent = matches!(refusal, Refusal::Undecided(Undecided::Upstream(Error::Budget(_))));
    spent || matches!(refusal, Refusal::Upstream(Error::Budget(_)))
}
