//! Texts that give way to those that are taken.

use super::grammar::PLAIN;
use super::texts::{Kind, Patterns};

/// The names of a sorted list that begin with what has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Names {
    from: usize,
    until: usize,
}

impl Names {
    pub(super) fn all(names: &[&str]) -> Self {
        Self { from: 0, until: names.len() }
    }

    fn of<'n>(self, names: &'n [&'n str]) -> &'n [&'n str] {
        names.get(self.from..self.until).unwrap_or_default()
    }

    /// After one more letter. `None`: no name begins like that.
    pub(super) fn after(self, names: &[&str], depth: usize, letter: char) -> Option<Self> {
        let own = self.of(names);
        let at = |name: &&str| name.get(depth..).and_then(|rest| rest.chars().next());
        let from = own.partition_point(|name| at(name) < Some(letter));
        let until = own.partition_point(|name| at(name) <= Some(letter));
        (from < until).then_some(Self { from: self.from + from, until: self.from + until })
    }

    /// The letters with which they go on.
    pub(super) fn next<'n>(
        self,
        names: &'n [&'n str],
        depth: usize,
    ) -> impl Iterator<Item = char> + 'n {
        let own = self.of(names).iter();
        own.filter_map(move |name| name.get(depth..).and_then(|rest| rest.chars().next()))
    }

    /// Whether what has been read is one of them.
    pub(super) fn is_one(self, names: &[&str], depth: usize) -> bool {
        self.of(names).first().is_some_and(|name| name.len() == depth)
    }
}

/// The text, or one nearby of the same kind that is not taken.
pub(super) fn free(patterns: &Patterns<'_>, text: &str, kind: &Kind) -> Option<String> {
    let Patterns { grammar, taken, .. } = patterns;
    if !taken.contains(text) {
        return Some(text.to_owned());
    }
    // A text nearby is seldom of the same kind where expressions are read, and it takes long to see.
    if !patterns.expressions.is_empty() {
        return None;
    }
    let same = |other: &String| {
        !taken.contains(other.as_str())
            && grammar.is_whole(other)
            && patterns.kind_of(other) == *kind
    };
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let put = |at: usize, letter: &str, over: usize| {
        let (before, after) = text.split_at(at);
        let after: String = after.chars().skip(over).collect();
        format!("{before}{letter}{after}")
    };
    for over in [0, 1] {
        for length in 1..=3 {
            for letter in PLAIN.chars() {
                let run = letter.to_string().repeat(length);
                let found = places.iter().rev().map(|&at| put(at, &run, over)).find(same);
                if found.is_some() {
                    return found;
                }
            }
        }
    }
    None
}
