//! Walks through two patterns at once, letter by letter.
//!
//! Letters that neither pattern names are all alike, so few have to be tried. A name is read with a
//! `/` before each of its segments, so that `a/**` and `**/a` need no cases of their own.

use std::collections::HashSet;

use crate::glob::{Glob, Part};
use crate::path::{PathPattern, Segment};

/// Steps of a walk. What people write takes a few hundred.
const MAX_STEPS: usize = 5_000;

/// One step through a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Letter(Letter),
    /// `?`
    One,
    /// `*`
    Any,
    /// The first `/` of what `**` stands for, if it stands for anything; then [`Step::Deeper`].
    Deep,
    Deeper,
}

/// What a name is made of, as far as the patterns tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Letter {
    Slash,
    Named(char),
    /// Any letter that no pattern names.
    Other,
    /// What `${user}` stands for.
    User,
    /// What `${group}` stands for.
    Group,
}

pub(super) fn path_steps(pattern: &PathPattern) -> Vec<Step> {
    let mut steps = Vec::new();
    let literal = pattern.literal_prefix();
    if !literal.is_empty() {
        steps.push(Step::Letter(Letter::Slash));
        steps.extend(literal.chars().map(|char| match char {
            '/' => Step::Letter(Letter::Slash),
            _ => Step::Letter(Letter::Named(char)),
        }));
    }
    for segment in pattern.wildcards() {
        match segment {
            Segment::AnyNumber => steps.extend([Step::Deep, Step::Deeper]),
            Segment::One(glob) => {
                steps.push(Step::Letter(Letter::Slash));
                steps.extend(glob_steps(glob));
            }
        }
    }
    steps
}

/// A tag is a path of one segment.
pub(super) fn tag_steps(glob: &Glob) -> Vec<Step> {
    std::iter::once(Step::Letter(Letter::Slash)).chain(glob_steps(glob)).collect()
}

fn glob_steps(glob: &Glob) -> impl Iterator<Item = Step> {
    glob.0.iter().flat_map(|part| {
        let (text, one) = match part {
            Part::Text(text) => (&**text, None),
            Part::Any => ("", Some(Step::Any)),
            Part::One => ("", Some(Step::One)),
            Part::User => ("", Some(Step::Letter(Letter::User))),
            Part::Group => ("", Some(Step::Letter(Letter::Group))),
        };
        text.chars().map(|char| Step::Letter(Letter::Named(char))).chain(one)
    })
}

/// The letters that wildcards have to be tried with.
fn alphabet(steps: &[&[Step]]) -> Vec<Letter> {
    let mut letters = vec![Letter::Slash, Letter::Other];
    for step in steps.iter().copied().flatten() {
        if let Step::Letter(letter @ Letter::Named(_)) = step
            && !letters.contains(letter)
        {
            letters.push(*letter);
        }
    }
    letters
}

impl Step {
    /// Whether the letter may come here.
    fn takes(self, letter: Letter) -> bool {
        match self {
            Self::Letter(own) => own == letter,
            Self::One => matches!(letter, Letter::Named(_) | Letter::Other),
            Self::Any => letter != Letter::Slash,
            Self::Deep => letter == Letter::Slash,
            Self::Deeper => true,
        }
    }

    fn repeats(self) -> bool {
        matches!(self, Self::Any | Self::Deeper)
    }
}

/// Adds a place in a pattern, and those that are reached from it without a letter.
fn reach(steps: &[Step], mut place: usize, places: &mut Vec<usize>) {
    loop {
        if places.contains(&place) {
            return;
        }
        places.push(place);
        match steps.get(place) {
            Some(Step::Any | Step::Deeper) => place += 1,
            Some(Step::Deep) => place += 2,
            _ => return,
        }
    }
}

/// The places in a pattern after a letter, in order.
fn after(steps: &[Step], from: &[usize], letter: Letter) -> Vec<usize> {
    let mut places = Vec::new();
    for &place in from {
        if let Some(step) = steps.get(place).filter(|step| step.takes(letter)) {
            reach(steps, if step.repeats() { place } else { place + 1 }, &mut places);
        }
    }
    places.sort_unstable();
    places
}

fn start(steps: &[Step]) -> Vec<usize> {
    let mut places = Vec::new();
    reach(steps, 0, &mut places);
    places
}

/// Whether a name can stop, or a new segment can begin, after this letter: no segment is empty.
fn ends_segment(letter: Option<Letter>) -> bool {
    !matches!(letter, None | Some(Letter::Slash))
}

/// Whether every name that `inner` matches, `outer` matches.
pub(super) fn includes(outer: &[Step], inner: &[Step]) -> bool {
    let letters = alphabet(&[outer, inner]);
    let first = start(outer);
    let mut open: Vec<_> =
        start(inner).into_iter().map(|place| (place, first.clone(), None)).collect();
    let mut seen = HashSet::new();
    while let Some((place, others, latest)) = open.pop() {
        let Some(&step) = inner.get(place) else {
            if ends_segment(latest) && !others.contains(&outer.len()) {
                return false;
            }
            continue;
        };
        let own;
        let tried = match step {
            Step::Letter(letter) => {
                own = [letter];
                &own[..]
            }
            _ => &letters,
        };
        for &letter in tried.iter().filter(|&&letter| step.takes(letter)) {
            if letter == Letter::Slash && latest == Some(Letter::Slash) {
                continue;
            }
            let others = after(outer, &others, letter);
            if others.is_empty() {
                return false;
            }
            let next = if step.repeats() { place } else { place + 1 };
            let mut places = Vec::new();
            reach(inner, next, &mut places);
            // Which letter it was matters no more, but whether a segment has begun.
            let latest = if letter == Letter::Slash { Letter::Slash } else { Letter::Other };
            for place in places {
                let node = (place, others.clone(), Some(latest));
                if !seen.contains(&node) {
                    seen.insert(node.clone());
                    open.push(node);
                }
            }
        }
        if seen.len() > MAX_STEPS {
            return false;
        }
    }
    true
}

/// Whether there may be a name that both match. A variable may stand for any name.
pub(super) fn meet(one: &[Step], two: &[Step]) -> bool {
    let (one, two) = (&without_variables(one), &without_variables(two));
    let letters = alphabet(&[one, two]);
    let mut open = Vec::new();
    for first in start(one) {
        open.extend(start(two).into_iter().map(|second| (first, second, None)));
    }
    let mut seen = HashSet::new();
    while let Some((first, second, latest)) = open.pop() {
        if first == one.len() && second == two.len() && ends_segment(latest) {
            return true;
        }
        for &letter in &letters {
            if letter == Letter::Slash && latest == Some(Letter::Slash) {
                continue;
            }
            let kind = if letter == Letter::Slash { Letter::Slash } else { Letter::Other };
            for next in after(one, &[first], letter) {
                for other in after(two, &[second], letter) {
                    let node = (next, other, Some(kind));
                    if seen.insert(node) {
                        open.push(node);
                    }
                }
            }
        }
        if seen.len() > MAX_STEPS {
            return true;
        }
    }
    false
}

fn without_variables(steps: &[Step]) -> Vec<Step> {
    let any = [Step::One, Step::Any];
    let each = |step: &Step| match step {
        Step::Letter(Letter::User | Letter::Group) => any.to_vec(),
        _ => vec![*step],
    };
    steps.iter().flat_map(each).collect()
}
