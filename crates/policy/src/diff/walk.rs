//! Example paths: for every set of patterns over segments that a path can match together, one that
//! does. As [`texts`], with segments in the place of letters.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::budget::Budget;
use super::grammar::Grammar;
use super::ranges::Ranges;
use super::shape::{Piece, Shape};
use super::texts::{Patterns, Text, texts};
use crate::glob::{Bindings, Glob, Part};
use crate::regex::{Reached, Regex};

/// Of all places together, in the patterns of one walk: some 100 MB.
const MAX_PLACES: usize = 4_000_000;
/// Of paths that are found.
pub(super) const MAX_PATHS: usize = 100_000;
/// Deeper than repositories are.
pub(super) const MAX_DEPTH: usize = 60;
/// In segments, letter by letter.
pub(super) const MAX_STEPS: usize = 500_000_000;

/// A path and what it matches, by the places in the list of patterns, in order.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) text: String,
    pub(super) matched: Vec<usize>,
}

/// Behind a segment: the next piece of a pattern, and where an expression stands that is that piece.
/// `None`: it has not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    pattern: usize,
    at: usize,
    reached: Option<Reached>,
}

/// One path for each set of patterns that can match together, as far as one that is `wanted` is
/// among them. False: there may be more.
pub(super) fn paths(
    grammar: Grammar,
    shapes: &[Shape],
    wanted: impl Fn(usize) -> bool,
) -> (Vec<Path>, bool) {
    meeting_paths(grammar, shapes, wanted, |_| true)
}

/// Likewise, as far as one that is `wanted` and one that is `met` are among them.
pub(super) fn meeting_paths(
    grammar: Grammar,
    shapes: &[Shape],
    wanted: impl Fn(usize) -> bool,
    met: impl Fn(usize) -> bool,
) -> (Vec<Path>, bool) {
    let (known, budget) = (HashMap::new(), Budget::new(MAX_STEPS));
    let mut walk = Walk { grammar, shapes, wanted, met, known, budget, is_whole: true };
    let found = walk.run();
    (found, walk.is_whole)
}

struct Walk<'a, W, M> {
    grammar: Grammar,
    shapes: &'a [Shape],
    wanted: W,
    met: M,
    known: HashMap<Key, Vec<Text>>,
    budget: Budget,
    is_whole: bool,
}

/// What segments were looked for with.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    globs: Vec<(String, bool)>,
    expressions: Vec<(usize, Reached, bool)>,
    literals: Vec<String>,
}

/// What the patterns say about the next segment.
#[derive(Default)]
struct Next<'a> {
    texts: HashMap<&'a str, Vec<Place>>,
    globs: Vec<(&'a Glob, Vec<Place>)>,
    /// With where they stand before the segment.
    expressions: Vec<(&'a Arc<Regex>, Reached, Place)>,
    many: Vec<Place>,
}

impl<'a, W: Fn(usize) -> bool, M: Fn(usize) -> bool> Walk<'a, W, M> {
    fn run(&mut self) -> Vec<Path> {
        let mut first = Vec::new();
        for pattern in 0..self.shapes.len() {
            self.reach(Place { pattern, at: 0, reached: None }, &mut first);
        }
        let mut stored = first.len();
        // Not the beginning itself: what leads back there has segments, and is a path.
        let mut seen = HashSet::new();
        let mut open = VecDeque::from([(first, String::new(), 0)]);
        let mut found = Vec::new();
        let mut sets = HashSet::new();
        while let Some((places, text, depth)) = open.pop_front() {
            if depth > 0 {
                let ends = places.iter().filter(|place| self.ends(place));
                let mut matched: Vec<usize> = ends.map(|place| place.pattern).collect();
                matched.dedup();
                if matched.iter().any(|pattern| (self.wanted)(*pattern))
                    && matched.iter().any(|pattern| (self.met)(*pattern))
                    && sets.insert(matched.clone())
                {
                    found.push(Path { text: text.clone(), matched });
                }
            }
            if depth >= MAX_DEPTH {
                self.is_whole = false;
                continue;
            }
            for (segment, next) in self.steps(&places) {
                if seen.contains(&next) {
                    continue;
                }
                stored += next.len();
                if stored > MAX_PLACES || found.len() > MAX_PATHS {
                    self.is_whole = false;
                    return found;
                }
                seen.insert(next.clone());
                let text = match depth {
                    0 => segment,
                    _ => format!("{text}/{segment}"),
                };
                open.push_back((next, text, depth + 1));
            }
        }
        found
    }

    fn piece(&self, place: &Place) -> Option<&'a Piece> {
        self.shapes.get(place.pattern).and_then(|shape| shape.piece(place.at))
    }

    /// Whether a path matches that ends here.
    fn ends(&self, place: &Place) -> bool {
        match (self.piece(place), place.reached) {
            (None, _) => true,
            (Some(Piece::Expression(regex)), Some(reached)) => regex.ends(reached),
            _ => false,
        }
    }

    fn reach(&self, mut place: Place, places: &mut Vec<Place>) {
        places.push(place);
        while let Some(Piece::Many) = self.piece(&place) {
            place.at += 1;
            places.push(place);
        }
    }

    /// The segments that make a difference at these places, and the places behind them.
    fn steps(&mut self, places: &[Place]) -> Vec<(String, Vec<Place>)> {
        let next = self.next(places);
        let is_wanted = |place: &Place| (self.wanted)(place.pattern);
        let by_wildcard = next.many.iter().any(is_wanted)
            || next.expressions.iter().any(|(.., place)| is_wanted(place))
            || next.globs.iter().any(|(_, places)| places.iter().any(is_wanted));
        let mut steps = Vec::new();
        let mut literals: Vec<&&str> = next.texts.keys().collect();
        literals.sort_unstable();
        let mut read = Read::new(&next.expressions);
        for text in literals {
            let own = next.texts.get(*text).map_or(&[][..], Vec::as_slice);
            if by_wildcard || own.iter().any(is_wanted) {
                if !self.budget.spend(next.globs.len() + next.expressions.len()) {
                    self.is_whole = false;
                    return Vec::new();
                }
                let globs =
                    next.globs.iter().filter(|(glob, _)| glob.matches(text, Bindings::default()));
                let read = read.to(text).iter().filter_map(|&(expression, reached)| {
                    let (.., place) = next.expressions.get(expression)?;
                    Some(Place { reached: Some(reached), ..*place })
                });
                let globs = globs.flat_map(|(_, places)| places);
                let after = self.after(own.iter().chain(globs), read, &next.many);
                steps.push(((*text).to_owned(), after));
            }
        }
        if by_wildcard {
            for Text { text, matched, reached } in self.segments(&next) {
                let globs = matched.iter().filter_map(|glob| next.globs.get(*glob));
                let read = reached.iter().filter_map(|(expression, reached)| {
                    let (.., place) = next.expressions.get(*expression)?;
                    Some(Place { reached: Some(*reached), ..*place })
                });
                let after = self.after(globs.flat_map(|(_, places)| places), read, &next.many);
                steps.push((text, after));
            }
        }
        steps.retain(|(_, after)| {
            after.iter().any(|place| (self.wanted)(place.pattern))
                && after.iter().any(|place| (self.met)(place.pattern))
        });
        steps
    }

    fn next(&self, places: &[Place]) -> Next<'a> {
        let mut next = Next::default();
        let mut globs: HashMap<String, usize> = HashMap::new();
        for place in places {
            match self.piece(place) {
                Some(Piece::Text(text)) => next.texts.entry(text).or_default().push(*place),
                Some(Piece::Many) => next.many.push(*place),
                Some(Piece::Glob(glob)) => {
                    let index = *globs.entry(glob.to_string()).or_insert(next.globs.len());
                    match next.globs.get_mut(index) {
                        Some((_, places)) => places.push(*place),
                        None => next.globs.push((glob, vec![*place])),
                    }
                }
                Some(Piece::Expression(regex)) => {
                    let begin = match place.reached {
                        Some(reached) => regex.after(reached, b'/'),
                        None => regex.begin(),
                    };
                    if begin != Reached::Lost {
                        next.expressions.push((regex, begin, *place));
                    }
                }
                None => {}
            }
        }
        next
    }

    /// Segments by which globs they match and where they lead expressions, none of them a literal
    /// one.
    fn segments(&mut self, next: &Next<'_>) -> Vec<Text> {
        let any = Glob(vec![Part::Any]);
        let is_wanted = |place: &Place| (self.wanted)(place.pattern);
        let mut globs: Vec<&Glob> = next.globs.iter().map(|(glob, _)| *glob).collect();
        let mut wanted: Vec<bool> =
            next.globs.iter().map(|(_, places)| places.iter().any(is_wanted)).collect();
        if !next.many.is_empty() {
            globs.push(&any);
            wanted.push(next.many.iter().any(is_wanted));
        }
        let mut literals: Vec<String> = next.texts.keys().map(|text| (*text).to_owned()).collect();
        literals.sort_unstable();
        let written = globs.iter().map(ToString::to_string);
        let key = Key {
            globs: written.zip(wanted.iter().copied()).collect(),
            expressions: next
                .expressions
                .iter()
                .map(|(_, reached, place)| (place.pattern, *reached, is_wanted(place)))
                .collect(),
            literals,
        };
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        wanted.extend(next.expressions.iter().map(|(.., place)| is_wanted(place)));
        let expressions: Vec<(&Regex, Reached)> =
            next.expressions.iter().map(|(regex, reached, _)| (&***regex, *reached)).collect();
        let patterns = Patterns {
            grammar: self.grammar,
            globs: &globs,
            expressions: &expressions,
            ranges: &Ranges::new(Vec::new()),
            taken: &next.texts.keys().copied().collect(),
            wanted: &|pattern| wanted.get(pattern).copied().unwrap_or(false),
        };
        let (found, is_whole) = texts(&patterns, &mut self.budget);
        self.is_whole &= is_whole;
        self.known.insert(key, found.clone());
        found
    }

    fn after<'p>(
        &self,
        matched: impl Iterator<Item = &'p Place>,
        read: impl Iterator<Item = Place>,
        many: &[Place],
    ) -> Vec<Place> {
        let mut after = Vec::new();
        for place in matched {
            let mut place = Place { at: place.at + 1, ..*place };
            if let Some(Piece::Expression(regex)) = self.piece(&place) {
                place.reached = Some(behind_literal(regex));
            }
            self.reach(place, &mut after);
        }
        after.extend(read);
        for &place in many {
            self.reach(place, &mut after);
        }
        after.sort_unstable_by_key(|place| (place.pattern, place.at));
        after.dedup();
        after
    }
}

/// Expressions that are read along one text after another. What a text has in common with the one
/// before is read once: in the order of texts, each beginning is.
struct Read<'e, 'a> {
    expressions: &'e [(&'a Arc<Regex>, Reached, Place)],
    text: String,
    /// After so many bytes of the text, those that can still match.
    reached: Vec<Vec<(usize, Reached)>>,
}

impl<'e, 'a> Read<'e, 'a> {
    fn new(expressions: &'e [(&'a Arc<Regex>, Reached, Place)]) -> Self {
        let begin =
            expressions.iter().enumerate().map(|(place, (_, reached, _))| (place, *reached));
        Self { expressions, text: String::new(), reached: vec![begin.collect()] }
    }

    /// Where those stand that can match behind a text.
    fn to(&mut self, text: &str) -> &[(usize, Reached)] {
        let same = self.text.bytes().zip(text.bytes()).take_while(|(own, other)| own == other);
        let same = same.count();
        self.reached.truncate(same + 1);
        for byte in text.bytes().skip(same) {
            let latest = self.reached.last().into_iter().flatten();
            let next = latest.filter_map(|&(place, reached)| {
                let next = self.expressions.get(place)?.0.after(reached, byte);
                (next != Reached::Lost).then_some((place, next))
            });
            self.reached.push(next.collect());
        }
        text.clone_into(&mut self.text);
        self.reached.last().map_or(&[], Vec::as_slice)
    }
}

/// Where an expression stands behind the segments that it begins with.
fn behind_literal(regex: &Regex) -> Reached {
    regex.literal_prefix().bytes().fold(regex.begin(), |reached, byte| regex.after(reached, byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expressions::{Expressions, Names};
    use crate::path::PathPattern;

    /// What is written between slashes is an expression.
    fn found(patterns: &[&str]) -> Vec<String> {
        let mut read = Expressions::default();
        let expression = |text: &&str| {
            let inner = text.strip_prefix("regex ")?;
            Some(read.read(Names::Repositories, inner).unwrap())
        };
        let expressions: Vec<Option<Arc<Regex>>> = patterns.iter().map(expression).collect();
        let shapes = patterns.iter().zip(&expressions).map(|(text, expression)| match expression {
            Some(regex) => Shape::of_expression(regex),
            None => Shape::new(&PathPattern::of_name(text), Bindings::default()).unwrap(),
        });
        let shapes: Vec<Shape> = shapes.collect();
        let (paths, is_whole) = paths(Grammar::Segment, &shapes, |pattern| pattern == 0);
        assert!(is_whole);
        for path in &paths {
            for (index, (text, expression)) in patterns.iter().zip(&expressions).enumerate() {
                let matches = match expression {
                    Some(regex) => regex.matches(&path.text),
                    None => PathPattern::of_name(text).matches(&path.text, Bindings::default()),
                };
                assert_eq!(matches, path.matched.contains(&index), "{} {text}", path.text);
            }
        }
        paths.into_iter().map(|path| path.text).collect()
    }

    #[test]
    fn there_is_a_path_for_every_way_to_match() {
        assert_eq!(found(&["team/*/api", "team/backend/**"]), ["team/backend/api", "team/x/api"]);
        assert_eq!(found(&["a/**", "a/b", "**/c"]), ["a", "a/b", "a/c"]);
        assert_eq!(found(&["a/b", "**", "x/**"]), ["a/b"]);
    }

    #[test]
    fn expressions_over_several_segments_are_walked_through_with_the_others() {
        assert_eq!(
            found(&["regex mirror/[a-z]+/base", "mirror/eu/**"]),
            ["mirror/eu/base", "mirror/x/base"]
        );
        assert_eq!(found(&["**", "regex a/(b/)*c", "a/b/**"]), ["a", "a/b", "a/c", "a/b/c"]);
        assert_eq!(found(&["regex a(/b)+", "regex .*/b/b/b"]), ["a/b", "a/b/b/b"]);
        assert_eq!(found(&["a/*", "regex a/[a-c]", "regex .*[c-e]"]), ["a/x", "a/a", "a/c", "a/d"]);
        assert_eq!(found(&["regex [a-f]|g/h", "a", "b", "c", "d", "e", "f"]).len(), 7);
    }
}
