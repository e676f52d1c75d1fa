//! Where in a path the segments of a pattern can stand.

use crate::glob::Glob;
use crate::path::{PathPattern, Segment};

/// How many segments can be before one, and how many behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    before: Count,
    behind: Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Exactly(usize),
    AtLeast(usize),
}

/// The segments that are not `**`.
pub(super) fn seats(path: &PathPattern) -> Vec<(Glob, Seat)> {
    let segments: Vec<Segment> = path.segments().collect();
    let count = |part: &[Segment]| {
        let ones = part.iter().filter(|it| matches!(it, Segment::One(_))).count();
        if ones == part.len() { Count::Exactly(ones) } else { Count::AtLeast(ones) }
    };
    let mut seats = Vec::new();
    for (at, segment) in segments.iter().enumerate() {
        let (before, rest) = segments.split_at(at);
        if let (Segment::One(glob), [_, behind @ ..]) = (segment, rest) {
            let seat = Seat { before: count(before), behind: count(behind) };
            seats.push((glob.clone(), seat));
        }
    }
    seats
}

impl Seat {
    /// Whether both can be the same segment of a path.
    pub(super) fn meets(self, other: Self) -> bool {
        self.before.meets(other.before) && self.behind.meets(other.behind)
    }

    /// How many segments are before it, if that is certain.
    pub(super) fn before(self) -> Option<usize> {
        match self.before {
            Count::Exactly(count) => Some(count),
            Count::AtLeast(_) => None,
        }
    }
}

impl Count {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Exactly(one), Self::Exactly(two)) => one == two,
            (Self::Exactly(exact), Self::AtLeast(least))
            | (Self::AtLeast(least), Self::Exactly(exact)) => exact >= least,
            (Self::AtLeast(_), Self::AtLeast(_)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_meet_that_can_be_the_same_one_of_a_path() {
        let seat = |pattern: &str, text: &str| {
            let all = seats(&PathPattern::of_name(pattern));
            all.into_iter().find(|(glob, _)| glob.to_string() == text).unwrap().1
        };
        let home = seat("home/*/**", "*");
        assert_eq!(home.before(), Some(1));
        assert!(home.meets(seat("home/bob/**", "bob")));
        assert!(!home.meets(seat("home/bob/**", "home")));
        assert!(home.meets(seat("**/bob", "bob")));
        assert!(!home.meets(seat("a/b/**/bob", "bob")));
        assert!(!seat("**/x", "x").meets(seat("y/x", "y")));
        assert!(seat("**/x", "x").meets(seat("y/**", "y")));
    }
}
