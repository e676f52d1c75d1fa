//! Which ranges of versions a tag is in, read letter by letter.
//!
//! As in the walk through patterns, where a tag stands is what matters of the letters so far: how its
//! numbers compare with those that the ranges name, and no more. Tags that end where they stand alike
//! are in the same ranges, and a tag that is no version any more stands where all such tags do.

use semver::{Comparator, VersionReq};

use super::spelling::{Identifiers, Spelling};
use crate::versions::Versions;

/// Beyond it, a number is part of no version.
const LARGEST: u64 = u64::MAX;

/// Some ranges, read together.
pub(super) struct Ranges<'p> {
    ranges: Vec<&'p Versions>,
    named: Vec<Comparator>,
}

/// Where a tag stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Version {
    /// Nothing has been read.
    Start,
    /// A number begins: behind the `v` or a dot.
    Begin(Before),
    /// In a number.
    Number { before: Before, number: Number },
    /// In a prerelease.
    Prerelease { identifiers: Identifiers, named: Vec<String> },
    /// It is no version, whatever follows.
    None,
}

/// What is known of the numbers before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Before {
    /// A range begins with the same ones.
    Named(Vec<u64>),
    /// None does: whatever follows, as a release it is in these ranges.
    Apart { count: usize, inside: Vec<bool> },
}

/// The digits of a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Number {
    is_zero: bool,
    /// Beside each number that a range names in this place, and the largest.
    beside: Vec<Spelling>,
}

impl<'p> Ranges<'p> {
    pub(super) fn new(ranges: Vec<&'p Versions>) -> Self {
        let read = ranges.iter().filter_map(|range| VersionReq::parse(range.text()).ok());
        let named = read.flat_map(|range| range.comparators).collect();
        Self { ranges, named }
    }

    /// For each range, whether the tag is in it; `None` where it is no version.
    pub(super) fn kind(&self, tag: &str) -> Vec<Option<bool>> {
        self.ranges.iter().map(|range| range.contain(tag)).collect()
    }

    /// Before the first letter of a tag.
    pub(super) fn begin(&self) -> Version {
        if self.ranges.is_empty() { Version::None } else { Version::Start }
    }

    /// After one more letter. `text` is what has been read before.
    pub(super) fn after(&self, version: &Version, text: &str, letter: char) -> Version {
        let first = || Before::Named(Vec::new());
        match version {
            Version::Start if letter == 'v' => Version::Begin(first()),
            Version::Start => self.digit(first(), Number::new(), letter),
            Version::Begin(before) => self.digit(before.clone(), Number::new(), letter),
            Version::Number { before, number } => match letter {
                '.' if before.count() < 2 => Version::Begin(self.end(before, number, text)),
                '-' if before.count() == 2 => {
                    let named = match self.end(before, number, text) {
                        Before::Named(numbers) => self.prereleases(&numbers),
                        Before::Apart { .. } => Vec::new(),
                    };
                    Version::Prerelease { identifiers: Identifiers::new(named.len()), named }
                }
                _ => self.digit(before.clone(), number.clone(), letter),
            },
            Version::Prerelease { identifiers, named } => {
                match identifiers.clone().after(letter, named) {
                    Some(identifiers) => Version::Prerelease { identifiers, named: named.clone() },
                    None => Version::None,
                }
            }
            Version::None => Version::None,
        }
    }

    fn digit(&self, before: Before, mut number: Number, letter: char) -> Version {
        if !letter.is_ascii_digit() || number.is_zero {
            return Version::None;
        }
        let named = self.numbers(&before);
        if number.beside.is_empty() {
            number.is_zero = letter == '0';
            number.beside = vec![Spelling::default(); named.len()];
        }
        for (beside, named) in number.beside.iter_mut().zip(&named) {
            beside.push_digit(letter, &named.to_string());
        }
        match number.compare(&named).last() {
            Some(std::cmp::Ordering::Greater) => Version::None,
            _ => Version::Number { before, number },
        }
    }

    /// The numbers that ranges name behind these; the largest of all is the last one.
    fn numbers(&self, before: &Before) -> Vec<u64> {
        let Before::Named(numbers) = before else { return vec![LARGEST] };
        let mut named: Vec<u64> = self
            .named
            .iter()
            .filter_map(|it| {
                let own = [Some(it.major), it.minor, it.patch];
                let begins = own.iter().zip(numbers).all(|(own, number)| *own == Some(*number));
                own.get(numbers.len()).copied().flatten().filter(|_| begins)
            })
            .chain([LARGEST])
            .collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    fn prereleases(&self, numbers: &[u64]) -> Vec<String> {
        let own = self.named.iter().filter(|it| {
            let own = [Some(it.major), it.minor, it.patch];
            !it.pre.is_empty() && own.iter().zip(numbers).all(|(own, it)| *own == Some(*it))
        });
        let mut named: Vec<String> = own.map(|it| it.pre.to_string()).collect();
        named.sort_unstable();
        named.dedup();
        named
    }

    /// Behind a number, with which `text` ends.
    fn end(&self, before: &Before, number: &Number, text: &str) -> Before {
        match before {
            Before::Apart { count, inside } => {
                Before::Apart { count: count + 1, inside: inside.clone() }
            }
            Before::Named(numbers) => {
                let named = self.numbers(before);
                let compared = number.compare(&named);
                let same = compared.zip(&named).find(|(compared, _)| compared.is_eq());
                match same {
                    Some((_, same)) => Before::Named([numbers.as_slice(), &[*same]].concat()),
                    None => Before::Apart {
                        count: numbers.len() + 1,
                        inside: self.kind(text).iter().map(|it| *it == Some(true)).collect(),
                    },
                }
            }
        }
    }
}

impl Before {
    fn count(&self) -> usize {
        match self {
            Self::Named(numbers) => numbers.len(),
            Self::Apart { count, .. } => *count,
        }
    }
}

impl Number {
    fn new() -> Self {
        Self { is_zero: false, beside: Vec::new() }
    }

    fn compare<'a>(
        &'a self,
        named: &'a [u64],
    ) -> impl DoubleEndedIterator<Item = std::cmp::Ordering> {
        let each = self.beside.iter().zip(named);
        each.map(|(beside, named)| beside.as_number(&named.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn read(ranges: &Ranges<'_>, tag: &str) -> Version {
        tag.char_indices().fold(ranges.begin(), |version, (at, letter)| {
            ranges.after(&version, &tag[..at], letter)
        })
    }

    #[test]
    fn what_is_no_version_stands_where_all_such_tags_do() {
        let versions = Versions::parse(">=2.1.0-rc.1, <3").unwrap();
        let ranges = Ranges::new(vec![&versions]);
        for tag in ["latest", "v", "vv1", "01", "1.02", "1.2.3.4", "2.1-a", "2.1.0-rc_1", "v2.1."] {
            let stands = read(&ranges, tag);
            let may_go_on = ["v", "v2.1."].contains(&tag);
            assert_eq!(stands == Version::None, !may_go_on, "{tag}");
        }
        let [largest, beyond] = [LARGEST.to_string(), (u128::from(LARGEST) + 1).to_string()];
        assert_ne!(read(&ranges, &largest), Version::None);
        assert_eq!(read(&ranges, &beyond), Version::None);
    }

    #[test]
    fn versions_stand_apart_only_where_a_range_tells_them_apart() {
        let versions = Versions::parse(">=2.1, <3").unwrap();
        let ranges = Ranges::new(vec![&versions]);
        assert_eq!(read(&ranges, "v4.0."), read(&ranges, "7.11."));
        assert_eq!(read(&ranges, "2.1.0-rc.1"), read(&ranges, "v2.1.7-x.9"));
        assert_ne!(read(&ranges, "2.0.1"), read(&ranges, "2.1.1"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn tags_that_stand_alike_are_in_the_same_ranges(
            parts in proptest::collection::vec(
                "(=|<|<=|>|>=|\\^|~)(0|1|2|12|120)([.](0|1|21)([.](0|2|13)(-(0|1|10|a|a[.]1|rc[.]2))?)?)?",
                1..4,
            ),
            tags in proptest::collection::vec(
                "v?(0|1|2|3|11|12|13|1[0-9]{2})([.](0|1|2|2[0-2]|[0-9]{2})([.](0|1|2|3|1[2-4])(-(0|1|2|10|11|0a|a|aa|b|a[.]0|a[.]1|a[.]10|a[.]1[.]0|a[.]b|rc[.]2|rc[.]3|-))?)?)?|[0-9v.-]{1,5}",
                120,
            ),
        ) {
            let versions: Vec<Versions> =
                parts.iter().filter_map(|text| Versions::parse(text).ok()).collect();
            let ranges = Ranges::new(versions.iter().collect());
            let mut known: HashMap<Version, &str> = HashMap::new();
            for tag in &tags {
                let first = known.entry(read(&ranges, tag)).or_insert(tag);
                prop_assert_eq!(ranges.kind(first), ranges.kind(tag), "{:?} {} {}", parts, first, tag);
            }
        }
    }
}
