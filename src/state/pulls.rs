//! What was pulled, until that is written down.
//!
//! A fleet that starts pulls the same image many times a second. Of each name of it the latest pull
//! counts, and is written no more often than once a minute.

use std::hash::Hash;
use std::time::Duration;

use dashmap::DashMap;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use policy::Subject;

use crate::store::{GroupPull, Pull};

/// How often one thing is written at the most.
const GRAIN: Duration = Duration::from_secs(60);

/// Beyond so many things of a kind, further ones have to wait until these are written down.
const MOST: usize = 100_000;

/// The most groups that one pull is noted for.
const MOST_GROUPS: usize = 100;

/// The longest name of a group that is noted, in bytes.
const MAX_GROUP: usize = 256;

/// Somebody pulled a manifest.
#[derive(Debug, Clone, Copy)]
pub struct Pulled<'a> {
    /// Where.
    pub repository: &'a RepositoryName,
    /// Which manifest.
    pub digest: &'a Digest,
    /// The tag that was asked for; none: its digest.
    pub tag: Option<&'a Tag>,
    /// Who.
    pub by: &'a Subject,
    /// Their groups.
    pub groups: &'a [String],
    /// When.
    pub at: Timestamp,
}

/// The pulls that are not written down yet, and those that were a moment ago.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    names: Coalesced<(RepositoryName, Digest, Option<Tag>), ByName>,
    groups: Coalesced<(RepositoryName, Digest, String), Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ByName {
    first_at: Timestamp,
    last_at: Timestamp,
    by: Subject,
}

/// What is to be written now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) pulls: Vec<Pull>,
    pub(super) groups: Vec<GroupPull>,
}

impl Pulls {
    pub(super) fn note(&self, pulled: Pulled<'_>) {
        let Pulled { repository, digest, tag, by, groups, at } = pulled;
        let key = (repository.clone(), digest.clone(), tag.cloned());
        let new = ByName { first_at: at, last_at: at, by: by.clone() };
        self.names.note(key, new, merge_names);
        for group in groups.iter().filter(|group| is_kept(group)).take(MOST_GROUPS) {
            let key = (repository.clone(), digest.clone(), group.clone());
            self.groups.note(key, at, merge_times);
        }
    }

    /// Takes out what is to be written now: all of it, or what was not written for a while.
    pub(super) fn due(&self, now: Timestamp, all: bool) -> Due {
        let pulls = self.names.due(now, all).into_iter();
        let pulls = pulls.map(|((repository, digest, tag), ByName { first_at, last_at, by })| {
            Pull { repository, digest, tag, first_at, last_at, by }
        });
        let groups = self.groups.due(now, all).into_iter();
        let groups = groups.map(|((repository, digest, group), at)| GroupPull {
            repository,
            digest,
            group,
            at,
        });
        Due { pulls: pulls.collect(), groups: groups.collect() }
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, due: Due) {
        for Pull { repository, digest, tag, first_at, last_at, by } in due.pulls {
            let value = ByName { first_at, last_at, by };
            self.names.put_back((repository, digest, tag), value, merge_names);
        }
        for GroupPull { repository, digest, group, at } in due.groups {
            self.groups.put_back((repository, digest, group), at, merge_times);
        }
    }
}

/// Names of groups come from outside. No database keeps all of them, and one that is refused would
/// stop all others that are written with it.
fn is_kept(group: &str) -> bool {
    group.len() <= MAX_GROUP && !group.contains(char::is_control)
}

fn merge_names(known: &mut ByName, new: ByName) {
    known.first_at = known.first_at.min(new.first_at);
    if known.last_at <= new.last_at {
        (known.last_at, known.by) = (new.last_at, new.by);
    }
}

fn merge_times(known: &mut Timestamp, new: Timestamp) {
    *known = new.max(*known);
}

/// Values by key, each of which is due no more often than once in a while.
#[derive(Debug)]
struct Coalesced<K: Eq + Hash, V> {
    kept: DashMap<K, Kept<V>>,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    /// There is something that was not written yet.
    is_new: bool,
    written_at: Option<Timestamp>,
}

impl<K: Eq + Hash, V> Default for Coalesced<K, V> {
    fn default() -> Self {
        Self { kept: DashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Coalesced<K, V> {
    fn note(&self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        if let Some(mut kept) = self.kept.get_mut(&key) {
            merge(&mut kept.value, value);
            kept.is_new = true;
        } else if self.kept.len() < MOST {
            self.put_back(key, value, merge);
        }
    }

    /// As something new, whatever the room.
    fn put_back(&self, key: K, value: V, merge: impl FnOnce(&mut V, V)) {
        match self.kept.entry(key) {
            dashmap::Entry::Occupied(mut entry) => {
                let kept = entry.get_mut();
                merge(&mut kept.value, value);
                (kept.is_new, kept.written_at) = (true, None);
            }
            dashmap::Entry::Vacant(entry) => {
                entry.insert(Kept { value, is_new: true, written_at: None });
            }
        }
    }

    fn due(&self, now: Timestamp, all: bool) -> Vec<(K, V)> {
        let is_recent = |at: Timestamp| now.duration_since(at).unsigned_abs() < GRAIN;
        let mut due = Vec::new();
        self.kept.retain(|key, kept| {
            let is_written = kept.written_at.is_some_and(is_recent);
            if kept.is_new && (all || !is_written) {
                due.push((key.clone(), kept.value.clone()));
                (kept.is_new, kept.written_at) = (false, Some(now));
                return true;
            }
            kept.is_new || is_written
        });
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::content::samples::blob;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn here() -> RepositoryName {
        RepositoryName::new("team/app").unwrap()
    }

    fn user(name: &str) -> Subject {
        Subject::User(name.to_owned())
    }

    fn pull(pulls: &Pulls, who: &str, second: i64) {
        pulls.note(Pulled {
            repository: &here(),
            digest: &blob("a"),
            tag: None,
            by: &user(who),
            groups: &["dev".to_owned()],
            at: at(second),
        });
    }

    fn due(first: i64, last: i64, who: &str) -> Due {
        let (repository, digest) = (here(), blob("a"));
        let pull = Pull {
            repository: repository.clone(),
            digest: digest.clone(),
            tag: None,
            first_at: at(first),
            last_at: at(last),
            by: user(who),
        };
        let group = GroupPull { repository, digest, group: "dev".to_owned(), at: at(last) };
        Due { pulls: vec![pull], groups: vec![group] }
    }

    #[test]
    fn many_pulls_are_one_write_a_minute_and_the_last_one_is_written_too() {
        let pulls = Pulls::default();
        pull(&pulls, "alice", 100);
        assert_eq!(pulls.due(at(101), false), due(100, 100, "alice"));
        for second in 102..130 {
            pull(&pulls, "bob", second);
            assert_eq!(pulls.due(at(second), false), Due::default(), "{second}");
        }
        assert_eq!(pulls.due(at(161), false), due(100, 129, "bob"));
        assert_eq!(pulls.due(at(300), false), Due::default());
        assert!(pulls.names.kept.is_empty() && pulls.groups.kept.is_empty());
    }

    #[test]
    fn at_the_end_nothing_waits() {
        let pulls = Pulls::default();
        pull(&pulls, "alice", 100);
        pulls.due(at(100), false);
        pull(&pulls, "bob", 101);
        assert_eq!(pulls.due(at(102), true), due(100, 101, "bob"));
    }

    #[test]
    fn what_could_not_be_written_is_due_again_with_what_came_meanwhile() {
        let pulls = Pulls::default();
        pull(&pulls, "alice", 100);
        let failed = pulls.due(at(100), false);
        pull(&pulls, "bob", 101);
        pulls.put_back(failed);
        assert_eq!(pulls.due(at(102), false), due(100, 101, "bob"));
    }

    #[test]
    fn a_caller_of_very_many_groups_takes_no_more_than_its_share() {
        let pulls = Pulls::default();
        let strange = ["nul\0".to_owned(), "long".repeat(100)];
        let groups = (0..1000).map(|number| format!("group-{number}"));
        let groups: Vec<_> = strange.into_iter().chain(groups).collect();
        let (repository, digest, by) = (here(), blob("a"), user("alice"));
        pulls.note(Pulled {
            repository: &repository,
            digest: &digest,
            tag: None,
            by: &by,
            groups: &groups,
            at: at(1),
        });
        let due = pulls.due(at(1), false).groups;
        assert_eq!(due.len(), MOST_GROUPS);
        assert!(due.iter().all(|it| it.group.starts_with("group-")));
    }

    proptest! {
        /// Whenever it is written, and whatever fails: the earliest and the latest arrive, and no
        /// two writes of the same thing are closer than a minute unless one failed.
        #[test]
        fn the_first_and_the_last_pull_arrive(
            steps in prop::collection::vec((0_i64..50, any::<bool>()), 1..60)
        ) {
            let pulls = Pulls::default();
            let (mut now, mut first, mut last) = (1000, None, None);
            let (mut seen, mut written): (Vec<Pull>, Option<i64>) = (Vec::new(), None);
            for (pause, fails) in steps {
                now += pause;
                pull(&pulls, "alice", now);
                first = first.or(Some(now));
                last = Some(now);
                let due = pulls.due(at(now), false);
                if due.pulls.is_empty() {
                    continue;
                }
                if fails {
                    pulls.put_back(due);
                    written = None;
                } else {
                    prop_assert!(written.is_none_or(|before| now - before >= 60));
                    written = Some(now);
                    seen.extend(due.pulls);
                }
            }
            seen.extend(pulls.due(at(now), true).pulls);
            let earliest = seen.iter().map(|pull| pull.first_at).min();
            let latest = seen.iter().map(|pull| pull.last_at).max();
            prop_assert_eq!(earliest, first.map(at));
            prop_assert_eq!(latest, last.map(at));
        }
    }
}
