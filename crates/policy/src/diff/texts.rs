//! Example texts: for every set of patterns that a text can match together, one that does.
//!
//! The patterns are walked all at once, letter by letter: globs, expressions and ranges of versions.
//! Places in the patterns stand for the texts that lead there, so the walk ends although there are
//! texts without end, and the first text that arrives is one of the shortest.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::budget::Budget;
use super::grammar::{Grammar, Standing};
use super::ranges::{Ranges, Version};
use super::steps::{Step, steps};
use super::taken::{Names, free};
use crate::glob::{Bindings, Glob};
use crate::regex::{Reached, Regex};

/// The patterns that texts are looked for with. None of them has variables.
pub(super) struct Patterns<'a> {
    pub(super) grammar: Grammar,
    pub(super) globs: &'a [&'a Glob],
    /// With where each of them stands before the first letter. Their places in the list come after
    /// those of the globs.
    pub(super) expressions: &'a [(&'a Regex, Reached)],
    pub(super) ranges: &'a Ranges<'a>,
    /// Texts that are none of those looked for.
    pub(super) taken: &'a HashSet<&'a str>,
    /// The patterns one of which a text has to match, or may match if it goes on.
    pub(super) wanted: &'a dyn Fn(usize) -> bool,
}

/// A place in one of the globs.
type Place = (usize, usize);

/// Where some expressions stand, by their place in the list; the others cannot match any more.
pub(super) type Places = Vec<(usize, Reached)>;

/// A text, and the patterns that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// The globs by their place in the list, and where the text is a whole name, the expressions.
    pub(super) matched: Vec<usize>,
    /// Where the expressions stand that the name may still match, where it may go on.
    pub(super) reached: Places,
}

/// What tells texts apart.
pub(super) type Kind = (Vec<usize>, Places, Vec<Option<bool>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct State {
    places: Vec<Place>,
    reached: Places,
    version: Version,
    standing: Standing,
    names: Option<Names>,
}

/// One text of each kind, none of which is one of `taken`. False: the walk was too long, and there
/// may be more.
pub(super) fn texts(patterns: &Patterns<'_>, budget: &mut Budget) -> (Vec<Text>, bool) {
    let steps: Vec<Vec<Step>> = patterns.globs.iter().map(|glob| steps(glob)).collect();
    let mut walk = Walk { patterns, steps, found: Vec::new(), kinds: HashMap::new() };
    let mut is_whole = walk.run(None, budget);
    // Where all texts nearby are taken, others are looked for step by step.
    if walk.kinds.values().any(|is_found| !is_found) {
        let mut names: Vec<&str> = patterns.taken.iter().copied().collect();
        names.sort_unstable();
        is_whole &= walk.run(Some(&names), budget);
    }
    (walk.found, is_whole)
}

struct Walk<'a> {
    patterns: &'a Patterns<'a>,
    steps: Vec<Vec<Step>>,
    found: Vec<Text>,
    /// And whether a text of it was found.
    kinds: HashMap<Kind, bool>,
}

impl Walk<'_> {
    /// Looks for texts of kinds that are still without one. With `names`, those that are taken are
    /// told from all other texts.
    fn run(&mut self, names: Option<&[&str]>, budget: &mut Budget) -> bool {
        let mut first = Vec::new();
        for (pattern, steps) in self.steps.iter().enumerate() {
            reach(steps, (pattern, 0), &mut first);
        }
        let begin = self.patterns.expressions.iter().map(|(_, reached)| *reached);
        let start = State {
            places: first,
            reached: begin.enumerate().filter(|(_, it)| *it != Reached::Lost).collect(),
            version: self.patterns.ranges.begin(),
            standing: Standing::Start,
            names: names.map(Names::all),
        };
        let mut seen = HashSet::from([start.clone()]);
        let mut open = VecDeque::from([(start, String::new())]);
        while let Some((state, text)) = open.pop_front() {
            if state.standing == Standing::Whole {
                self.end(&state, &text, names);
            }
            let (letters, named) = self.letters(&state, names, text.len());
            let is_read = !state.reached.is_empty() || state.version != Version::None;
            let mut tried = Vec::new();
            for letter in letters {
                if !budget.spend(1 + state.reached.len()) {
                    return false;
                }
                let Some(standing) = self.patterns.grammar.after(state.standing, letter) else {
                    continue;
                };
                let reached = self.read(&state.reached, letter);
                let version = self.patterns.ranges.after(&state.version, &text, letter);
                // All letters that nothing names lead to the same place.
                if !named.contains(&letter) {
                    let fate = (reached.clone(), version.clone(), is_read.then_some(standing));
                    if tried.contains(&fate) {
                        continue;
                    }
                    tried.push(fate);
                }
                if !budget.spend(state.places.len()) {
                    return false;
                }
                let places = self.after(&state.places, letter);
                let names = state.names.zip(names);
                let names = names.and_then(|(it, all)| it.after(all, text.len(), letter));
                let next = State { places, reached, version, standing, names };
                if self.is_wanted(&next) && !seen.contains(&next) {
                    seen.insert(next.clone());
                    open.push_back((next, format!("{text}{letter}")));
                }
            }
        }
        true
    }

    fn end(&mut self, state: &State, text: &str, names: Option<&[&str]>) {
        let globs = state
            .places
            .iter()
            .filter(|(pattern, at)| self.steps.get(*pattern).is_some_and(|own| own.len() == *at));
        let globs = globs.map(|(pattern, _)| *pattern).collect();
        let kind = self.patterns.kind(globs, state.reached.clone(), text);
        if (kind.0.is_empty() && kind.1.is_empty())
            || self.kinds.get(&kind).is_some_and(|is_found| *is_found || names.is_none())
        {
            return;
        }
        let text = match (names, state.names) {
            (None, _) => free(self.patterns, text, &kind),
            (Some(all), Some(own)) if own.is_one(all, text.len()) => None,
            (Some(_), _) => Some(text.to_owned()),
        };
        self.kinds.insert(kind.clone(), text.is_some());
        let (matched, reached, _) = kind;
        self.found.extend(text.map(|text| Text { text, matched, reached }));
    }

    fn read(&self, reached: &Places, letter: char) -> Places {
        self.patterns.read(reached, letter)
    }

    fn after(&self, places: &[Place], letter: char) -> Vec<Place> {
        let mut next = Vec::new();
        for &(pattern, at) in places {
            let Some(own) = self.steps.get(pattern) else { continue };
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
        next
    }

    /// The letters that may make a difference, and those that patterns name at these places.
    fn letters(
        &self,
        state: &State,
        names: Option<&[&str]>,
        depth: usize,
    ) -> (Vec<char>, BTreeSet<char>) {
        let at = |&(pattern, at): &Place| self.steps.get(pattern).and_then(|own| own.get(at));
        let mut named = BTreeSet::new();
        let mut is_open = !state.reached.is_empty() || state.version != Version::None;
        for step in state.places.iter().filter_map(at) {
            match step {
                Step::Letter(letter) => drop(named.insert(*letter)),
                Step::One | Step::Any => is_open = true,
            }
        }
        if let (Some(all), Some(own)) = (names, state.names) {
            named.extend(own.next(all, depth));
        }
        let mut letters: Vec<char> = Vec::new();
        if is_open {
            letters.extend(self.patterns.grammar.letters());
        }
        let more: Vec<char> = named.iter().copied().filter(|it| !letters.contains(it)).collect();
        letters.extend(more);
        (letters, named)
    }

    fn is_wanted(&self, state: &State) -> bool {
        let globs = state.places.iter().map(|(pattern, _)| *pattern);
        let expressions = state.reached.iter().map(|(place, _)| self.patterns.globs.len() + place);
        globs.chain(expressions).any(self.patterns.wanted)
    }
}

impl Patterns<'_> {
    fn read(&self, reached: &Places, letter: char) -> Places {
        // Names are ASCII.
        let Ok(byte) = u8::try_from(letter) else { return Vec::new() };
        let next = reached.iter().filter_map(|(place, reached)| {
            let next = self.expressions.get(*place)?.0.after(*reached, byte);
            (next != Reached::Lost).then_some((*place, next))
        });
        next.collect()
    }

    fn kind(&self, globs: Vec<usize>, reached: Places, text: &str) -> Kind {
        let (mut matched, mut reached) = (globs, reached);
        if self.grammar == Grammar::Tag {
            let ends = reached.iter().filter(|(place, reached)| {
                self.expressions.get(*place).is_some_and(|(regex, _)| regex.ends(*reached))
            });
            matched.extend(ends.map(|(place, _)| self.globs.len() + place));
            reached = Vec::new();
        }
        (matched, reached, self.ranges.kind(text))
    }

    /// Of what kind a text is.
    pub(super) fn kind_of(&self, text: &str) -> Kind {
        let globs = self.globs.iter().enumerate();
        let globs = globs.filter(|(_, glob)| glob.matches(text, Bindings::default()));
        let begin = self.expressions.iter().map(|(_, reached)| *reached).enumerate();
        let begin = begin.filter(|(_, it)| *it != Reached::Lost).collect();
        let reached = text.chars().fold(begin, |reached, letter| self.read(&reached, letter));
        self.kind(globs.map(|(place, _)| place).collect(), reached, text)
    }
}

fn reach(steps: &[Step], (pattern, mut at): Place, places: &mut Vec<Place>) {
    places.push((pattern, at));
    while steps.get(at) == Some(&Step::Any) {
        at += 1;
        places.push((pattern, at));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expressions::{Expressions, Names};
    use crate::versions::Versions;

    struct Written {
        globs: Vec<Glob>,
        expressions: Vec<Arc<Regex>>,
        ranges: Vec<Versions>,
    }

    impl Written {
        fn new(globs: &[&str], expressions: &[&str], ranges: &[&str]) -> Self {
            let mut read = Expressions::default();
            Self {
                globs: globs.iter().map(|text| Glob::of_name(text)).collect(),
                expressions: expressions
                    .iter()
                    .map(|text| read.read(Names::Tags, text).unwrap())
                    .collect(),
                ranges: ranges.iter().map(|text| Versions::parse(text).unwrap()).collect(),
            }
        }

        fn found(&self, grammar: Grammar, taken: &[&str]) -> Vec<String> {
            let globs: Vec<&Glob> = self.globs.iter().collect();
            let expressions: Vec<_> =
                self.expressions.iter().map(|it| (&**it, it.begin())).collect();
            let patterns = Patterns {
                grammar,
                globs: &globs,
                expressions: &expressions,
                ranges: &Ranges::new(self.ranges.iter().collect()),
                taken: &taken.iter().copied().collect(),
                wanted: &|_| true,
            };
            let (found, is_all) = texts(&patterns, &mut Budget::new(10_000_000));
            assert!(is_all);
            for Text { text, matched, reached } in &found {
                let kind = patterns.kind_of(text);
                assert_eq!((&kind.0, &kind.1), (matched, reached), "{text}");
            }
            found.into_iter().map(|found| found.text).collect()
        }

        /// What it matches, by asking each pattern.
        fn kind(&self, text: &str) -> (Vec<bool>, Vec<Option<bool>>) {
            let globs = self.globs.iter().map(|it| it.matches(text, Bindings::default()));
            let expressions = self.expressions.iter().map(|it| it.matches(text));
            let ranges = self.ranges.iter().map(|it| it.contain(text)).collect();
            (globs.chain(expressions).collect(), ranges)
        }
    }

    fn found(grammar: Grammar, patterns: &[&str], taken: &[&str]) -> Vec<String> {
        Written::new(patterns, &[], &[]).found(grammar, taken)
    }

    #[test]
    fn there_is_a_text_for_every_way_to_match() {
        let texts = found(Grammar::Tag, &["v*", "*-rc", "*"], &[]);
        assert_eq!(texts, ["x", "v", "x-rc", "v-rc"]);
        assert_eq!(found(Grammar::Segment, &["*-*"], &[]), ["x-x"]);
        assert_eq!(found(Grammar::Segment, &["a*b", "*"], &[]), ["x", "ab"]);
        assert_eq!(found(Grammar::Name, &["*@example.com", "*"], &[]), ["x", "@example.com"]);
    }

    #[test]
    fn a_text_that_is_taken_gives_way() {
        let texts = found(Grammar::Segment, &["*", "v*"], &["x", "v", "xx", "vx"]);
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|text| !["x", "v", "xx", "vx"].contains(&text.as_str())));
    }

    #[test]
    fn the_one_text_that_is_not_taken_is_found() {
        let letters: Vec<String> =
            Grammar::Tag.letters().map(|it| format!("v{it}v{it}v{it}")).collect();
        let mut taken: Vec<&str> = letters.iter().map(String::as_str).collect();
        taken.retain(|text| *text != "vkvkvk");
        let written =
            Written::new(&[], &["v(av|bv|cv|xv|yv|zv|kv){2}k|v[xyza]v[xyza]v[xyza]"], &[]);
        assert!(!written.found(Grammar::Tag, &taken).is_empty());
        let written = Written::new(&[], &["x[a-f]k|xx"], &[]);
        let texts = written.found(Grammar::Tag, &["xx", "xak", "xbk", "xck", "xdk", "xek"]);
        assert_eq!(texts, ["xfk"]);
        let texts = written.found(Grammar::Tag, &["xx", "xak", "xbk", "xck", "xdk", "xek", "xfk"]);
        assert_eq!(texts, [""; 0]);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

        #[test]
        fn whatever_a_tag_matches_a_text_was_found_that_matches_the_same(
            globs in proptest::sample::subsequence(vec!["v*", "*-*", "*1", "?.?", "v?.*"], 0..3),
            expressions in proptest::sample::subsequence(
                vec![r"v?\d+\.\d+", r"[1-9]\d*", "v1.*", "(?i)rc-[a-z0-9]+", r".*-\d"], 0..3,
            ),
            ranges in proptest::sample::subsequence(
                vec![">=1", "<2.1", "~1.2", "=1.2.3", ">=1.2.0-rc.1", "<2.0.0-b, >1"], 0..3,
            ),
            tags in proptest::collection::vec(
                "v?[0-3](\\.[0-3]){0,2}(-(rc|b|1|rc\\.[0-2])){0,1}|[v0-2.-]{1,6}|rc-[a-c1-3]|x|RC-1|1{19,22}",
                60,
            ),
        ) {
            let all = [&globs[..], &["*"]].concat();
            let written = Written::new(&all, &expressions, &ranges);
            let found = written.found(Grammar::Tag, &["x", "1", "v1"]);
            let kinds: HashSet<_> = found.iter().map(|text| written.kind(text)).collect();
            for tag in tags.iter().filter(|tag| oci::Tag::new(tag).is_ok()) {
                let is_taken = ["x", "1", "v1"].contains(&tag.as_str());
                proptest::prop_assert!(
                    is_taken || kinds.contains(&written.kind(tag)), "{} {:?} {:?}", tag, written.kind(tag), found
                );
            }
        }
    }
}
