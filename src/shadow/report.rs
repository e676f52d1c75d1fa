//! What two policies decide differently: each difference once, and how often it was seen.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::Verdict;
use crate::audit::{Decision, cut_reason, cut_text};
use crate::watch::Fingerprint;

/// The most differences that are kept. What finds no room is counted. Each has texts as long as those
/// of the audit trail, so that a client that names a hundred long tags takes little room.
const MAX_ENTRIES: usize = 10_000;

/// The policies that a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The one in force.
    pub policy: Fingerprint,
    /// The one beside it.
    pub shadow: Fingerprint,
}

/// A request that the two decide differently.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Difference {
    /// Who asked.
    pub subject: String,
    /// For what, such as `manifest_read`.
    pub operation: &'static str,
    /// Where.
    pub repository: Option<String>,
    /// The tag or digest.
    pub reference: Option<String>,
    /// What was decided.
    pub decision: Decision,
    /// What the shadow policy would have decided.
    pub shadow: Verdict,
    /// By which rule of its own.
    pub shadow_rule: Option<String>,
    /// Why, in words.
    pub shadow_reason: Option<String>,
}

/// A difference, and when it was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// What was decided differently.
    #[serde(flatten)]
    pub difference: Difference,
    /// How often.
    pub count: u64,
    /// For the first time.
    pub first_seen: Timestamp,
    /// For the last time.
    pub last_seen: Timestamp,
}

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// Of the policy in force; none while there are not two.
    pub policy_sha256: Option<String>,
    /// Of the one beside it.
    pub shadow_sha256: Option<String>,
    /// When the two policies came to stand beside each other, or the gate started.
    pub since: Timestamp,
    /// Requests that both decided since.
    pub requests: u64,
    /// How many of them they decided differently.
    pub different: u64,
    /// How many of those found no room among the entries.
    pub more: u64,
    /// In the order in which they were first seen.
    pub entries: Vec<Entry>,
    /// Where the next page begins.
    pub cursor: Option<String>,
}

/// The cursor is none that this report gave out: it may have begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "`cursor` has to be the one that came with the last page; a report begins anew when a policy \
     changes, so ask from the start"
)]
pub struct InvalidCursor;

/// All that was decided differently since one of the policies changed last.
#[derive(Debug)]
pub struct Report(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    pair: Option<Pair>,
    /// How often it began anew; cursors name it.
    generation: u64,
    since: Timestamp,
    requests: u64,
    different: u64,
    more: u64,
    /// In the order in which they were first seen, so that pages do not move.
    entries: Vec<(Arc<Difference>, Seen)>,
    places: HashMap<Arc<Difference>, usize>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

impl Report {
    /// About nothing yet.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Kept::new(None, 0, now)))
    }

    /// Counts a request that these two decided, differently or alike.
    pub fn add(&self, by: Pair, difference: Option<Difference>, now: Timestamp) {
        let mut kept = self.about(Some(by), now);
        kept.requests += 1;
        if let Some(difference) = difference {
            kept.add(difference, now);
        }
    }

    /// A page of what these two decided differently.
    ///
    /// # Errors
    /// The cursor is not of this report.
    pub fn page(
        &self,
        about: Option<Pair>,
        cursor: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, InvalidCursor> {
        let kept = self.about(about, now);
        let from = cursor.map_or(Ok(0), |cursor| kept.place(cursor))?;
        let entries: Vec<Entry> =
            kept.entries.iter().skip(from).take(limit).map(Entry::of).collect();
        let next = from + entries.len();
        Ok(Page {
            policy_sha256: kept.pair.map(|pair| pair.policy.to_string()),
            shadow_sha256: kept.pair.map(|pair| pair.shadow.to_string()),
            since: kept.since,
            requests: kept.requests,
            different: kept.different,
            more: kept.more,
            entries,
            cursor: (next < kept.entries.len()).then(|| format!("{}-{next}", kept.generation)),
        })
    }

    /// What is kept about these two, which is nothing where it was about others.
    fn about(&self, pair: Option<Pair>, now: Timestamp) -> MutexGuard<'_, Kept> {
        // Each step leaves it valid, so a panic elsewhere does not spoil it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.pair != pair {
            *kept = Kept::new(pair, kept.generation + 1, now);
        }
        kept
    }
}

impl Kept {
    fn new(pair: Option<Pair>, generation: u64, since: Timestamp) -> Self {
        Self {
            pair,
            generation,
            since,
            requests: 0,
            different: 0,
            more: 0,
            entries: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn add(&mut self, mut difference: Difference, now: Timestamp) {
        self.different += 1;
        difference.cut();
        let place = self.places.get(&difference).copied();
        if let Some((_, seen)) = place.and_then(|place| self.entries.get_mut(place)) {
            seen.count += 1;
            seen.last = now;
            return;
        }
        if self.entries.len() == MAX_ENTRIES {
            self.more += 1;
            return;
        }
        let difference = Arc::new(difference);
        self.places.insert(Arc::clone(&difference), self.entries.len());
        self.entries.push((difference, Seen { count: 1, first: now, last: now }));
    }

    fn place(&self, cursor: &str) -> Result<usize, InvalidCursor> {
        let (generation, place) = cursor.split_once('-').ok_or(InvalidCursor)?;
        if generation.parse() != Ok(self.generation) {
            return Err(InvalidCursor);
        }
        place.parse().map_err(|_| InvalidCursor)
    }
}

impl Difference {
    fn cut(&mut self) {
        let Self { subject, repository, reference, shadow_rule, shadow_reason, .. } = self;
        let texts = [Some(subject), repository.as_mut(), reference.as_mut(), shadow_rule.as_mut()];
        texts.into_iter().flatten().for_each(cut_text);
        shadow_reason.iter_mut().for_each(cut_reason);
    }
}

impl Entry {
    fn of((difference, seen): &(Arc<Difference>, Seen)) -> Self {
        Self {
            difference: Difference::clone(difference),
            count: seen.count,
            first_seen: seen.first,
            last_seen: seen.last,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(policy: u8, shadow: u8) -> Pair {
        let print = |byte: u8| Fingerprint::of([&[byte][..]]);
        Pair { policy: print(policy), shadow: print(shadow) }
    }

    fn difference(reference: &str) -> Difference {
        Difference {
            subject: "user:alice".to_owned(),
            operation: "manifest_read",
            repository: Some("team/app".to_owned()),
            reference: Some(reference.to_owned()),
            decision: Decision::Allow,
            shadow: Verdict::Deny,
            shadow_rule: None,
            shadow_reason: Some("no rule".to_owned()),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn references(page: &Page) -> Vec<&str> {
        page.entries.iter().map(|entry| entry.difference.reference.as_deref().unwrap()).collect()
    }

    #[test]
    fn what_is_seen_again_is_counted_and_keeps_its_place() {
        let report = Report::new(at(0));
        for (second, reference) in [(1, "a"), (2, "b"), (3, "a")] {
            report.add(pair(1, 2), Some(difference(reference)), at(second));
        }
        report.add(pair(1, 2), None, at(4));
        let page = report.page(Some(pair(1, 2)), None, 10, at(5)).unwrap();
        assert_eq!((page.requests, page.different, page.more, page.since), (4, 3, 0, at(1)));
        assert_eq!(references(&page), ["a", "b"]);
        let [a, b] = &page.entries[..] else { panic!("{page:?}") };
        assert_eq!((a.count, a.first_seen, a.last_seen), (2, at(1), at(3)));
        assert_eq!((b.count, b.first_seen, b.last_seen), (1, at(2), at(2)));
        assert_eq!(page.cursor, None);
    }

    #[test]
    fn a_change_of_either_policy_begins_a_new_report_and_ends_the_cursors_of_the_old_one() {
        let report = Report::new(at(0));
        for reference in ["a", "b", "c"] {
            report.add(pair(1, 2), Some(difference(reference)), at(1));
        }
        let first = report.page(Some(pair(1, 2)), None, 2, at(2)).unwrap();
        let cursor = first.cursor.clone();
        let second = report.page(Some(pair(1, 2)), cursor.as_deref(), 2, at(2)).unwrap();
        assert_eq!((references(&first), references(&second)), (vec!["a", "b"], vec!["c"]));
        assert_eq!(second.cursor, None);
        for other in [Some(pair(1, 3)), Some(pair(4, 3)), None] {
            let page = report.page(other, None, 2, at(9)).unwrap();
            assert_eq!((page.entries.len(), page.requests, page.since), (0, 0, at(9)));
            assert_eq!(report.page(other, cursor.as_deref(), 2, at(9)), Err(InvalidCursor));
            if let Some(pair) = other {
                report.add(pair, Some(difference("d")), at(9));
            }
        }
        for cursor in ["", "1", "x-1", "0-x", "-1"] {
            assert_eq!(report.page(None, Some(cursor), 2, at(9)), Err(InvalidCursor), "{cursor}");
        }
    }

    #[test]
    fn long_texts_are_cut_as_in_the_audit_trail() {
        let report = Report::new(at(0));
        for end in ["1", "2"] {
            let reason = Some("x".repeat(5000) + end);
            let long = difference(&("y".repeat(5000) + end));
            let long = Difference { shadow_reason: reason, ..long };
            report.add(pair(1, 2), Some(long), at(1));
        }
        let page = report.page(Some(pair(1, 2)), None, 10, at(5)).unwrap();
        let [entry] = &page.entries[..] else { panic!("{page:?}") };
        assert_eq!(entry.difference.reference, Some("y".repeat(512) + "…"));
        assert_eq!(entry.difference.shadow_reason, Some("x".repeat(2048) + "…"));
        assert_eq!(entry.count, 2);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for_and_the_rest_is_counted() {
        let report = Report::new(at(0));
        for n in 0..MAX_ENTRIES + 5 {
            report.add(pair(1, 2), Some(difference(&n.to_string())), at(1));
        }
        report.add(pair(1, 2), Some(difference("0")), at(2));
        let page = report.page(Some(pair(1, 2)), None, usize::MAX, at(5)).unwrap();
        assert_eq!((page.entries.len(), page.more), (MAX_ENTRIES, 5));
        assert_eq!((page.requests, page.different), (10_006, 10_006));
        assert_eq!(page.entries[0].count, 2);
    }
}
