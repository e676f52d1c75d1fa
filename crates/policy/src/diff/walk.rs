//! Example paths: for every set of patterns over segments that a path can match together, one that
//! does. As [`texts`], with segments in the place of letters.

use std::collections::{HashMap, HashSet, VecDeque};

use super::texts::{Grammar, Text, texts};
use crate::glob::{Bindings, Glob, Part};
use crate::path::{PathPattern, Segment};

/// Of all places together, in the patterns of one walk: some 100 MB.
const MAX_PLACES: usize = 4_000_000;
/// Of paths that are found.
const MAX_PATHS: usize = 100_000;
/// Deeper than repositories are.
const MAX_DEPTH: usize = 60;

/// A pattern without variables.
#[derive(Debug, Clone)]
pub(super) struct Shape(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(Box<str>),
    Glob(Glob),
    Many,
}

impl Shape {
    /// `None`: a variable stands for nothing, and nothing matches.
    pub(super) fn new(pattern: &PathPattern, bindings: Bindings<'_>) -> Option<Self> {
        let piece = |segment| match segment {
            Segment::AnyNumber => Some(Piece::Many),
            Segment::One(glob) => {
                let glob = glob.bind(bindings)?;
                let only_text = |part: &Part| matches!(part, Part::Text(_));
                Some(match glob.0.iter().all(only_text) {
                    true => Piece::Text(glob.to_string().into()),
                    false => Piece::Glob(glob),
                })
            }
        };
        pattern.segments().map(piece).collect::<Option<_>>().map(Self)
    }

    /// Whether it matches one path alone.
    pub(super) fn is_one_path(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    /// Likewise, where a variable stands for any name.
    pub(super) fn of_anybody(pattern: &PathPattern) -> Self {
        let part = |part: &Part| match part {
            Part::User | Part::Group => Part::Any,
            other => other.clone(),
        };
        let piece = |segment| match segment {
            Segment::AnyNumber => Piece::Many,
            Segment::One(glob) => Piece::Glob(Glob(glob.0.iter().map(part).collect())),
        };
        Self(pattern.segments().map(piece).collect())
    }
}

/// A path and what it matches, by the places in the list of patterns, in order.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) text: String,
    pub(super) matched: Vec<usize>,
}

type Place = (usize, usize);

/// One path for each set of patterns that can match together, as far as one that is `wanted` is
/// among them. False: there may be more.
pub(super) fn paths(
    grammar: Grammar,
    shapes: &[Shape],
    wanted: impl Fn(usize) -> bool,
) -> (Vec<Path>, bool) {
    let mut walk = Walk { grammar, shapes, wanted, known: HashMap::new(), is_whole: true };
    let found = walk.run();
    (found, walk.is_whole)
}

struct Walk<'a, F> {
    grammar: Grammar,
    shapes: &'a [Shape],
    wanted: F,
    known: HashMap<Vec<String>, Vec<Text>>,
    is_whole: bool,
}

/// What the patterns say about the next segment.
#[derive(Default)]
struct Next<'a> {
    texts: HashMap<&'a str, Vec<Place>>,
    globs: Vec<(&'a Glob, Vec<Place>)>,
    many: Vec<Place>,
}

impl<'a, F: Fn(usize) -> bool> Walk<'a, F> {
    fn run(&mut self) -> Vec<Path> {
        let mut first = Vec::new();
        for pattern in 0..self.shapes.len() {
            self.reach((pattern, 0), &mut first);
        }
        let mut stored = first.len();
        // Not the beginning itself: what leads back there has segments, and is a path.
        let mut seen = HashSet::new();
        let mut open = VecDeque::from([(first, String::new(), 0)]);
        let mut found = Vec::new();
        let mut sets = HashSet::new();
        while let Some((places, text, depth)) = open.pop_front() {
            if depth > 0 {
                let matched: Vec<usize> = places
                    .iter()
                    .filter(|(pattern, at)| self.pieces(*pattern).len() == *at)
                    .map(|(pattern, _)| *pattern)
                    .collect();
                if matched.iter().any(|pattern| (self.wanted)(*pattern))
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

    fn pieces(&self, pattern: usize) -> &'a [Piece] {
        self.shapes.get(pattern).map_or(&[], |shape| &shape.0)
    }

    fn reach(&self, (pattern, mut at): Place, places: &mut Vec<Place>) {
        places.push((pattern, at));
        while let Some(Piece::Many) = self.pieces(pattern).get(at) {
            at += 1;
            places.push((pattern, at));
        }
    }

    /// The segments that make a difference at these places, and the places behind them.
    fn steps(&mut self, places: &[Place]) -> Vec<(String, Vec<Place>)> {
        let next = self.next(places);
        let is_wanted = |&(pattern, _): &Place| (self.wanted)(pattern);
        let by_wildcard = next.many.iter().any(is_wanted)
            || next.globs.iter().any(|(_, places)| places.iter().any(is_wanted));
        let mut steps = Vec::new();
        let mut literals: Vec<&&str> = next.texts.keys().collect();
        literals.sort_unstable();
        for text in literals {
            let own = next.texts.get(*text).map_or(&[][..], Vec::as_slice);
            if by_wildcard || own.iter().any(is_wanted) {
                let globs =
                    next.globs.iter().filter(|(glob, _)| glob.matches(text, Bindings::default()));
                let after = self.after(own, globs.flat_map(|(_, places)| places), &next.many);
                steps.push(((*text).to_owned(), after));
            }
        }
        if by_wildcard {
            for Text { text, matched } in self.segments(&next) {
                let globs = matched.iter().filter_map(|glob| next.globs.get(*glob));
                let after = self.after(&[], globs.flat_map(|(_, places)| places), &next.many);
                steps.push((text, after));
            }
        }
        steps.retain(|(_, after)| after.iter().any(|(pattern, _)| (self.wanted)(*pattern)));
        steps
    }

    fn next(&self, places: &[Place]) -> Next<'a> {
        let mut next = Next::default();
        let mut globs: HashMap<String, usize> = HashMap::new();
        for &(pattern, at) in places {
            match self.pieces(pattern).get(at) {
                Some(Piece::Text(text)) => next.texts.entry(text).or_default().push((pattern, at)),
                Some(Piece::Many) => next.many.push((pattern, at)),
                Some(Piece::Glob(glob)) => {
                    let index = *globs.entry(glob.to_string()).or_insert(next.globs.len());
                    match next.globs.get_mut(index) {
                        Some((_, places)) => places.push((pattern, at)),
                        None => next.globs.push((glob, vec![(pattern, at)])),
                    }
                }
                None => {}
            }
        }
        next
    }

    /// Segments by which globs they match, none of them a literal one.
    fn segments(&mut self, next: &Next<'_>) -> Vec<Text> {
        let any = Glob(vec![Part::Any]);
        let mut globs: Vec<&Glob> = next.globs.iter().map(|(glob, _)| *glob).collect();
        if !next.many.is_empty() {
            globs.push(&any);
        }
        let mut key: Vec<String> = globs.iter().map(ToString::to_string).collect();
        let mut literals: Vec<_> = next.texts.keys().map(|text| format!("={text}")).collect();
        literals.sort_unstable();
        key.extend(literals);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let (found, is_whole) = texts(self.grammar, &globs, &next.texts.keys().copied().collect());
        self.is_whole &= is_whole;
        self.known.insert(key, found.clone());
        found
    }

    fn after<'p>(
        &self,
        texts: &'p [Place],
        globs: impl Iterator<Item = &'p Place>,
        many: &[Place],
    ) -> Vec<Place> {
        let mut after = Vec::new();
        for &(pattern, at) in texts.iter().chain(globs) {
            self.reach((pattern, at + 1), &mut after);
        }
        for &place in many {
            self.reach(place, &mut after);
        }
        after.sort_unstable();
        after.dedup();
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str]) -> Vec<String> {
        let shapes: Vec<Shape> = patterns
            .iter()
            .map(|text| Shape::new(&PathPattern::of_name(text), Bindings::default()).unwrap())
            .collect();
        let (paths, is_whole) = paths(Grammar::Segment, &shapes, |pattern| pattern == 0);
        assert!(is_whole);
        for path in &paths {
            for (index, text) in patterns.iter().enumerate() {
                let matches = PathPattern::of_name(text).matches(&path.text, Bindings::default());
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
}
