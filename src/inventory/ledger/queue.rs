//! What was learned and is not written down yet.

use std::collections::HashMap;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};

use super::super::Lesson;

/// What a lesson is about. Of two lessons about the same thing the later one says everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Thing {
    Tag(RepositoryName, Tag, Digest),
    NoTag(RepositoryName, Tag, bool),
    NoManifest(RepositoryName, Digest),
    Manifest(RepositoryName, Digest),
    Push(RepositoryName, Digest, Box<str>),
}

/// Lessons that wait, one for each thing.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: HashMap<Thing, (RepositoryName, Lesson)>,
    /// How many were ever told.
    told: u64,
    most: usize,
}

impl Queue {
    /// Beyond so many lessons what was only seen is left out: it will be seen again. What happened
    /// through the gate is never left out.
    pub(super) fn new(most: usize) -> Self {
        Self { waiting: HashMap::new(), told: 0, most }
    }

    /// False: there was no room for it.
    pub(super) fn put(&mut self, repository: &RepositoryName, lesson: &Lesson) -> bool {
        self.told += 1;
        self.put_back(repository, lesson)
    }

    /// The same with what was taken out and could not be written down.
    pub(super) fn put_back(&mut self, repository: &RepositoryName, lesson: &Lesson) -> bool {
        let is_full = self.waiting.len() >= self.most;
        let thing = thing(repository.clone(), lesson);
        match self.waiting.get_mut(&thing) {
            Some((_, waiting)) => {
                if time(waiting) < time(lesson) {
                    *waiting = lesson.clone();
                }
            }
            None if is_full && was_only_seen(lesson) => return false,
            None => {
                self.waiting.insert(thing, (repository.clone(), lesson.clone()));
            }
        }
        true
    }

    /// Takes all of it out, with how many lessons had been told by then.
    pub(super) fn take(&mut self) -> (Vec<(RepositoryName, Lesson)>, u64) {
        (std::mem::take(&mut self.waiting).into_values().collect(), self.told)
    }

    /// How many lessons were told so far.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

fn thing(repository: RepositoryName, lesson: &Lesson) -> Thing {
    match lesson {
        Lesson::Tag { tag, digest, .. } => Thing::Tag(repository, tag.clone(), digest.clone()),
        Lesson::NoTag { tag, deleted, .. } => Thing::NoTag(repository, tag.clone(), *deleted),
        Lesson::NoManifest { digest, .. } => Thing::NoManifest(repository, digest.clone()),
        Lesson::Manifest { digest, .. } => Thing::Manifest(repository, digest.clone()),
        Lesson::Push { digest, pusher, .. } => {
            Thing::Push(repository, digest.clone(), pusher.clone())
        }
    }
}

/// What a manifest says holds for ever.
fn time(lesson: &Lesson) -> Option<Timestamp> {
    match lesson {
        Lesson::Manifest { .. } => None,
        Lesson::Tag { at, .. }
        | Lesson::NoTag { at, .. }
        | Lesson::NoManifest { at, .. }
        | Lesson::Push { at, .. } => Some(*at),
    }
}

fn was_only_seen(lesson: &Lesson) -> bool {
    match lesson {
        Lesson::Tag { .. } | Lesson::Manifest { .. } => true,
        Lesson::NoTag { deleted, .. } => !deleted,
        Lesson::NoManifest { .. } | Lesson::Push { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::samples::blob;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn tag(name: &str, digest: &str, seen: i64) -> Lesson {
        Lesson::Tag { tag: Tag::new(name).unwrap(), digest: blob(digest), at: at(seen) }
    }

    fn here() -> RepositoryName {
        RepositoryName::new("team/app").unwrap()
    }

    fn taken(queue: &mut Queue) -> Vec<Lesson> {
        let mut lessons: Vec<_> = queue.take().0.into_iter().map(|(_, lesson)| lesson).collect();
        lessons.sort_by_key(|lesson| format!("{lesson:?}"));
        lessons
    }

    #[test]
    fn of_the_same_thing_the_latest_lesson_waits() {
        let mut queue = Queue::new(10);
        for lesson in [tag("v1", "a", 5), tag("v1", "a", 7), tag("v1", "a", 6), tag("v1", "b", 1)] {
            assert!(queue.put(&here(), &lesson));
        }
        assert_eq!((queue.len(), queue.told()), (2, 4));
        assert_eq!(taken(&mut queue), [tag("v1", "b", 1), tag("v1", "a", 7)]);
        assert_eq!((queue.len(), queue.told()), (0, 4));
    }

    #[test]
    fn where_there_is_no_room_what_was_only_seen_is_left_out() {
        let mut queue = Queue::new(2);
        let (seen, also) = (tag("v1", "a", 1), tag("v2", "a", 1));
        let no_tag = |deleted| Lesson::NoTag { tag: Tag::new("v3").unwrap(), at: at(1), deleted };
        assert!(queue.put(&here(), &seen) && queue.put(&here(), &also));
        assert!(!queue.put(&here(), &tag("v3", "a", 1)));
        assert!(!queue.put(&here(), &no_tag(false)));
        // What waits already is brought up to date.
        assert!(queue.put(&here(), &tag("v2", "a", 9)));
        let kept = [
            no_tag(true),
            Lesson::NoManifest { digest: blob("a"), at: at(1) },
            Lesson::Push { digest: blob("a"), pusher: "user:alice".into(), at: at(1) },
        ];
        for lesson in &kept {
            assert!(queue.put(&here(), lesson));
        }
        assert_eq!(queue.len(), 5);
        let other = RepositoryName::new("team/other").unwrap();
        assert!(!queue.put(&other, &seen), "of another repository");
        let left = taken(&mut queue);
        assert!(kept.iter().chain([&seen, &tag("v2", "a", 9)]).all(|lesson| left.contains(lesson)));
    }
}
