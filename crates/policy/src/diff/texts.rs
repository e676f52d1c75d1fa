//! Example texts: for every set of patterns that a text can match together, one that does.
//!
//! The patterns are walked all at once, letter by letter. Places in the patterns stand for the texts
//! that lead there, so the walk ends although there are texts without end, and the first text that
//! arrives is one of the shortest.

use std::collections::{HashSet, VecDeque};

use crate::glob::{Bindings, Glob, Part};
use crate::regex::{Reached, Regex};

/// Far more places than the patterns of one repository have together.
const MAX_PLACES: usize = 20_000;

/// What a text is: this says which letters may stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grammar {
    /// A segment of a repository.
    Segment,
    Tag,
    /// A part of the name of a subject.
    Name,
}

/// Where a text stands in its grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Standing {
    Start,
    /// It may end here.
    Whole,
    Dot,
    Underscore,
    TwoUnderscores,
    Dashes,
}

impl Grammar {
    fn after(self, standing: Standing, letter: char) -> Option<Standing> {
        use Standing::{Dashes, Dot, Start, TwoUnderscores, Underscore, Whole};
        match self {
            Self::Name => (letter != '/').then_some(Whole),
            Self::Tag => {
                let is_word = letter.is_ascii_alphanumeric() || letter == '_';
                let follows = standing == Whole && matches!(letter, '.' | '-');
                (is_word || follows).then_some(Whole)
            }
            Self::Segment => match (standing, letter) {
                (_, 'a'..='z' | '0'..='9') => Some(Whole),
                (Whole, '.') => Some(Dot),
                (Whole, '_') => Some(Underscore),
                (Underscore, '_') => Some(TwoUnderscores),
                (Whole | Dashes, '-') => Some(Dashes),
                (Start | Dot | Underscore | TwoUnderscores | Dashes | Whole, _) => None,
            },
        }
    }

    fn is_whole(self, text: &str) -> bool {
        let mut standing = Standing::Start;
        for letter in text.chars() {
            match self.after(standing, letter) {
                Some(next) => standing = next,
                None => return false,
            }
        }
        standing == Standing::Whole
    }
}

/// Letters for wildcards, the plainest first.
const LETTERS: &str = "xyzabcdefghijklmnopqrstuvw0123456789";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Letter(char),
    One,
    Any,
}

/// A place in one of the patterns.
type Place = (usize, usize);

/// A text, and the patterns that it matches by their place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) matched: Vec<usize>,
}

/// One text for each set of patterns that can match together and no others with them, none of which
/// is one of `taken`. The patterns have no variables. False: the walk was too long, and there may
/// be more.
pub(super) fn texts(
    grammar: Grammar,
    patterns: &[&Glob],
    taken: &HashSet<&str>,
) -> (Vec<Text>, bool) {
    texts_with(grammar, patterns, &[], taken)
}

/// Likewise, with expressions, whose places in the list come after those of the patterns.
pub(super) fn texts_with(
    grammar: Grammar,
    patterns: &[&Glob],
    expressions: &[&Regex],
    taken: &HashSet<&str>,
) -> (Vec<Text>, bool) {
    let steps: Vec<Vec<Step>> = patterns.iter().map(|pattern| steps(pattern)).collect();
    let mut first = Vec::new();
    for (pattern, steps) in steps.iter().enumerate() {
        reach(steps, (pattern, 0), &mut first);
    }
    let begins: Vec<Reached> = expressions.iter().map(|it| it.begin()).collect();
    let start = (first, begins, Standing::Start);
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([(start, String::new())]);
    let mut found: Vec<Text> = Vec::new();
    let mut sets = HashSet::new();
    while let Some(((places, reached, standing), text)) = open.pop_front() {
        if standing == Standing::Whole {
            let mut matched: Vec<usize> = places
                .iter()
                .filter(|(pattern, at)| steps.get(*pattern).is_some_and(|own| own.len() == *at))
                .map(|(pattern, _)| *pattern)
                .collect();
            let expressions_there = expressions.iter().zip(&reached).enumerate();
            matched.extend(
                expressions_there
                    .filter(|(_, (expression, reached))| expression.ends(**reached))
                    .map(|(place, _)| patterns.len() + place),
            );
            if !matched.is_empty()
                && !sets.contains(&matched)
                && let Some(text) = free(grammar, &text, patterns, expressions, taken)
            {
                sets.insert(matched.clone());
                found.push(Text { text, matched });
            }
        }
        let is_read = reached.iter().any(|it| *it != Reached::Lost);
        for letter in letters(grammar, &steps, &places, is_read) {
            let Some(standing) = grammar.after(standing, letter) else { continue };
            let mut next = Vec::new();
            for &(pattern, at) in &places {
                let Some(own) = steps.get(pattern) else { continue };
                match own.get(at) {
                    Some(Step::Any) => reach(own, (pattern, at), &mut next),
                    Some(Step::One) => reach(own, (pattern, at + 1), &mut next),
                    Some(Step::Letter(wanted)) if *wanted == letter => {
                        reach(own, (pattern, at + 1), &mut next);
                    }
                    _ => {}
                }
            }
            next.sort_unstable();
            next.dedup();
            let mut byte = [0; 4];
            let byte = letter.encode_utf8(&mut byte).bytes().next().unwrap_or_default();
            let reached: Vec<Reached> =
                expressions.iter().zip(&reached).map(|(it, at)| it.after(*at, byte)).collect();
            let is_over = next.is_empty() && reached.iter().all(|it| *it == Reached::Lost);
            let state = (next, reached, standing);
            if !is_over && !seen.contains(&state) {
                if seen.len() >= MAX_PLACES {
                    return (found, false);
                }
                seen.insert(state.clone());
                open.push_back((state, format!("{text}{letter}")));
            }
        }
    }
    (found, true)
}

fn steps(glob: &Glob) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in &glob.0 {
        match part {
            Part::Text(text) => steps.extend(text.chars().map(Step::Letter)),
            Part::Any => steps.push(Step::Any),
            // A variable that is still there stands for nothing that is known.
            Part::One | Part::User | Part::Group => steps.push(Step::One),
        }
    }
    steps
}

fn reach(steps: &[Step], (pattern, mut at): Place, places: &mut Vec<Place>) {
    places.push((pattern, at));
    while steps.get(at) == Some(&Step::Any) {
        at += 1;
        places.push((pattern, at));
    }
}

/// The letters that the patterns name at these places, and one that none of them names.
/// Where an expression is read, all there are: what it names is not known.
fn letters(grammar: Grammar, steps: &[Vec<Step>], places: &[Place], is_read: bool) -> Vec<char> {
    let more = if grammar == Grammar::Segment { "" } else { "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-." };
    if is_read {
        return LETTERS.chars().chain(more.chars()).collect();
    }
    let at = |&(pattern, at): &Place| steps.get(pattern).and_then(|own| own.get(at));
    let mut named: Vec<char> = places
        .iter()
        .filter_map(at)
        .filter_map(|step| match step {
            Step::Letter(letter) => Some(*letter),
            Step::One | Step::Any => None,
        })
        .collect();
    named.sort_unstable();
    named.dedup();
    if places.iter().filter_map(at).any(|step| !matches!(step, Step::Letter(_))) {
        let other = LETTERS.chars().chain(more.chars()).find(|letter| !named.contains(letter));
        named.splice(0..0, other);
    }
    named
}

/// The text, or one that matches the same patterns and is not taken.
fn free(
    grammar: Grammar,
    text: &str,
    patterns: &[&Glob],
    expressions: &[&Regex],
    taken: &HashSet<&str>,
) -> Option<String> {
    if !taken.contains(text) {
        return Some(text.to_owned());
    }
    let none = Bindings::default();
    let same = |other: &String| {
        !taken.contains(other.as_str())
            && grammar.is_whole(other)
            && patterns.iter().all(|glob| glob.matches(other, none) == glob.matches(text, none))
            && expressions.iter().all(|it| it.matches(other) == it.matches(text))
    };
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let put = |at: usize, letter: &str, over: usize| {
        let (before, after) = text.split_at(at);
        let after: String = after.chars().skip(over).collect();
        format!("{before}{letter}{after}")
    };
    for over in [0, 1] {
        for length in 1..=3 {
            for letter in LETTERS.chars() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(grammar: Grammar, patterns: &[&str], taken: &[&str]) -> Vec<String> {
        let globs: Vec<Glob> = patterns.iter().map(|text| Glob::of_name(text)).collect();
        let globs: Vec<&Glob> = globs.iter().collect();
        let (found, is_all) = texts(grammar, &globs, &taken.iter().copied().collect());
        assert!(is_all);
        for Text { text, matched } in &found {
            for (index, glob) in globs.iter().enumerate() {
                let matches = glob.matches(text, Bindings::default());
                assert_eq!(matches, matched.contains(&index), "{text} {glob}");
            }
        }
        found.into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn there_is_a_text_for_every_way_to_match() {
        let texts = found(Grammar::Tag, &["v*", "*-rc", "*"], &[]);
        assert_eq!(texts, ["x", "v", "x-rc", "v-rc"]);
        assert_eq!(found(Grammar::Segment, &["*-*"], &[]), ["x-x"]);
        assert_eq!(found(Grammar::Segment, &["a*b", "*"], &[]), ["x", "ab"]);
    }

    #[test]
    fn a_text_that_is_taken_gives_way() {
        let texts = found(Grammar::Segment, &["*", "v*"], &["x", "v", "xx", "vx"]);
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|text| !["x", "v", "xx", "vx"].contains(&text.as_str())));
    }
}
