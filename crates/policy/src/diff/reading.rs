//! How far patterns are read where a text begins or ends that they do not begin or end with: the
//! name in `home/x-${user}` stands in the middle of what `home/*-bob` matches.

use std::collections::{BTreeSet, HashMap};

use super::grammar::Grammar;
use super::steps::{Step, steps, written};
use super::walk::MAX_DEPTH;
use crate::glob::{Glob, Part};
use crate::regex::{Reached, Regex};

/// What a glob matches between two other ones: globs, of which a text there matches one.
pub(super) fn between(glob: &Glob, before: &Glob, behind: &Glob) -> Vec<Glob> {
    let own = steps(glob);
    let begins = reached(&own, &steps(before));
    let backwards = |glob: &Glob| steps(glob).into_iter().rev().collect::<Vec<_>>();
    let ends = reached(&backwards(glob), &backwards(behind));
    let ends: BTreeSet<usize> = ends.into_iter().map(|it| own.len() - it).collect();
    let is_any = |at: Option<usize>| at.and_then(|at| own.get(at)) == Some(&Step::Any);
    // From within a `*` on, it matches all that it does from behind it on.
    let begins = begins.iter().filter(|at| {
        let before = at.checked_sub(1);
        !(is_any(before) && before.is_some_and(|it| begins.contains(&it)))
    });
    let widest = ends.iter().filter(|at| !(is_any(Some(**at)) && ends.contains(&(**at + 1))));
    let widest: Vec<usize> = widest.copied().collect();
    let parts = begins.flat_map(|&from| widest.iter().map(move |&until| (from, until)));
    parts.filter_map(|(from, until)| own.get(from..until)).map(written).collect()
}

/// Whether it says nothing of a name.
pub(super) fn is_anything(glob: &Glob) -> bool {
    let is_any = glob.0.contains(&Part::Any);
    let ones = glob.0.iter().filter(|part| **part == Part::One).count();
    is_any && ones < 2 && glob.0.iter().all(|part| matches!(part, Part::Any | Part::One))
}

/// Where a glob can stand after some text.
fn reached(glob: &[Step], text: &[Step]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::from([(0, 0)]);
    let mut open = vec![(0, 0)];
    while let Some((at, read)) = open.pop() {
        let (own, letter) = (glob.get(at), text.get(read));
        let behind = |step: Option<&Step>, place: usize| match step {
            Some(Step::Any) => place,
            _ => place + 1,
        };
        let mut next = Vec::new();
        if own == Some(&Step::Any) {
            next.push((at + 1, read));
        }
        if letter == Some(&Step::Any) {
            next.push((at, read + 1));
        }
        let is_same = match (own, letter) {
            (Some(Step::Letter(own)), Some(Step::Letter(letter))) => own == letter,
            (Some(_), Some(_)) => true,
            _ => false,
        };
        if is_same {
            next.push((behind(own, at), behind(letter, read)));
        }
        open.extend(next.into_iter().filter(|it| seen.insert(*it)));
    }
    seen.into_iter().filter(|(_, read)| *read == text.len()).map(|(at, _)| at).collect()
}

/// Where an expression can stand after some text.
pub(super) fn behind(
    regex: &Regex,
    from: Reached,
    text: &Glob,
    grammar: Grammar,
) -> BTreeSet<Reached> {
    let text = steps(text);
    let mut seen = BTreeSet::from([(from, 0)]);
    let mut open = vec![(from, 0)];
    while let Some((reached, read)) = open.pop() {
        let mut next = Vec::new();
        let mut go = |letter: char, read: usize| {
            let after = u8::try_from(letter).map_or(Reached::Lost, |it| regex.after(reached, it));
            next.extend((after != Reached::Lost).then_some((after, read)));
        };
        match text.get(read) {
            Some(Step::Letter(letter)) => go(*letter, read + 1),
            Some(Step::One) => grammar.letters().for_each(|letter| go(letter, read + 1)),
            Some(Step::Any) => {
                grammar.letters().for_each(|letter| go(letter, read));
                next.push((reached, read + 1));
            }
            None => {}
        }
        open.extend(next.into_iter().filter(|it| seen.insert(*it)));
    }
    seen.into_iter().filter(|(_, read)| *read == text.len()).map(|(reached, _)| reached).collect()
}

/// Where expressions over repositories can stand before a segment.
#[derive(Default)]
pub(super) struct Boundaries<'p> {
    known: HashMap<(&'p str, Option<usize>), BTreeSet<Reached>>,
}

impl<'p> Boundaries<'p> {
    /// Behind so many segments; `None`: behind any number of them.
    pub(super) fn of(&mut self, regex: &'p Regex, before: Option<usize>) -> &BTreeSet<Reached> {
        let key = (regex.text(), before);
        self.known.entry(key).or_insert_with(|| boundaries(regex, before))
    }
}

fn boundaries(regex: &Regex, before: Option<usize>) -> BTreeSet<Reached> {
    let mut latest = BTreeSet::from([regex.begin()]);
    let mut all = latest.clone();
    for _ in 0..before.unwrap_or(MAX_DEPTH) {
        let segment = Glob(vec![Part::One, Part::Any]);
        let ends = latest.iter().flat_map(|it| behind(regex, *it, &segment, Grammar::Segment));
        let next: BTreeSet<Reached> =
            ends.map(|it| regex.after(it, b'/')).filter(|it| *it != Reached::Lost).collect();
        if before.is_none() && next.is_subset(&all) {
            break;
        }
        all.extend(next.iter().copied());
        latest = next;
    }
    if before.is_some() { latest } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expressions::{Expressions, Names};

    fn parts(glob: &str, before: &str, behind: &str) -> Vec<String> {
        let [glob, before, behind] = [glob, before, behind].map(Glob::of_name);
        between(&glob, &before, &behind).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_left_of_a_glob_between_two_others_is_globs() {
        assert_eq!(parts("a*b", "", ""), ["a*b"]);
        assert_eq!(parts("*-bob", "x-", ""), ["*-bob", "bob"]);
        assert_eq!(parts("bob-1", "", "-*"), ["bob"]);
        assert_eq!(parts("a*", "", "b"), ["a*"]);
        assert_eq!(parts("ab", "*", ""), ["ab", "b", ""]);
        assert_eq!(parts("ab", "c", ""), [""; 0]);
    }

    #[test]
    fn expressions_are_read_up_to_each_segment() {
        let mut read = Expressions::default();
        let regex = read.read(Names::Repositories, "(a|b/x)/c+").unwrap();
        let count = |before| boundaries(&regex, before).len();
        // Behind `a/c/` nothing matches, which shows a byte later.
        let counts = [0, 1, 2, 3].map(|before| count(Some(before)));
        assert_eq!(counts, [1, 2, 1 + 1, 1]);
        assert_eq!((count(Some(4)), count(None)), (0, 4));
    }
}
