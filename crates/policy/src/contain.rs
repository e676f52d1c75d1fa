//! Whether a pattern matches everything that another one matches, and whether two have anything in
//! common.
//!
//! Both questions are answered by walking through two patterns at once, letter by letter. Letters
//! that neither pattern names are all alike, so few have to be tried. A name is read with a `/`
//! before each of its segments, so that `a/**` and `**/a` need no cases of their own.
//!
//! "Yes" is never wrong. It may be "no" although it is so: where variables meet wildcards of a fixed
//! length, and where two patterns are so odd that the walk would take long.

use std::collections::HashSet;

use crate::glob::{Bindings, Glob, Part};
use crate::image_pattern::{ImagePattern, RepositoryPattern, TagPattern};
use crate::path::{PathPattern, Segment};
use crate::subject_pattern::SubjectPattern;

/// Steps of a walk. What people write takes a few hundred.
const MAX_STEPS: usize = 5_000;

impl ImagePattern {
    /// Whether everything that `inner` matches for a caller, this matches for the same caller. What
    /// either cannot decide has to come to the same, or this [`decides`](Self::decides).
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        self.tags.contains(&inner.tags) && self.repository.contains(&inner.repository)
    }

    /// Whether it says of every tag whether that matches: a range of versions does not.
    pub(crate) fn decides(&self) -> bool {
        !matches!(self.tags, TagPattern::Semver(_))
    }

    /// Whether there may be something that both match.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        let tags = match (&self.tags, &other.tags) {
            (TagPattern::Matching(one), TagPattern::Matching(other)) => {
                meet(&tag_steps(one), &tag_steps(other))
            }
            _ => true,
        };
        tags && self.repository.may_meet(&other.repository)
    }
}

impl RepositoryPattern {
    fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Path(outer), Self::Path(inner)) => outer.contains(inner),
            (Self::Path(outer), Self::Regex(_)) => {
                outer.wildcards() == [Segment::AnyNumber]
                    && is_beginning(outer.literal_prefix(), inner.literal_prefix())
            }
            (Self::Regex(outer), Self::Path(inner)) => {
                inner.literal().is_some_and(|name| outer.matches(name))
            }
            (Self::Regex(outer), Self::Regex(inner)) => outer == inner,
        }
    }

    fn may_meet(&self, other: &Self) -> bool {
        let (one, two) = (self.literal_prefix(), other.literal_prefix());
        (is_beginning(one, two) || is_beginning(two, one))
            && match (self, other) {
                (Self::Path(one), Self::Path(two)) => meet(&path_steps(one), &path_steps(two)),
                (Self::Regex(regex), Self::Path(path)) | (Self::Path(path), Self::Regex(regex)) => {
                    path.literal().is_none_or(|name| regex.matches(name))
                }
                (Self::Regex(_), Self::Regex(_)) => true,
            }
    }
}

impl TagPattern {
    fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Whole, _) => true,
            (_, Self::Whole) => false,
            (Self::Matching(outer), _) if outer.0 == [Part::Any] => true,
            (Self::Matching(outer), Self::Matching(inner)) => {
                outer == inner
                    || (outer.matches(&sample_text(inner), SAMPLE)
                        && includes(&tag_steps(outer), &tag_steps(inner)))
            }
            (Self::Regex(outer), Self::Matching(inner)) => {
                inner.literal().is_some_and(|tag| outer.matches(tag))
            }
            (Self::Semver(outer), Self::Matching(inner)) => {
                inner.literal().and_then(|tag| outer.contain(tag)) == Some(true)
            }
            (Self::Regex(outer), Self::Regex(inner)) => outer == inner,
            (Self::Semver(outer), Self::Semver(inner)) => outer.text() == inner.text(),
            (Self::Matching(_) | Self::Regex(_) | Self::Semver(_), _) => false,
        }
    }
}

impl PathPattern {
    /// Whether everything that `inner` matches, this matches, whatever the variables stand for.
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        let begins_as_this = is_beginning(self.literal_prefix(), inner.literal_prefix());
        match self.wildcards() {
            _ if !begins_as_this => false,
            [Segment::AnyNumber] => true,
            [] => self == inner,
            _ => {
                self == inner
                    || (self.matches(&sample_path(inner), SAMPLE)
                        && includes(&path_steps(self), &path_steps(inner)))
            }
        }
    }

    fn may_meet(&self, other: &Self) -> bool {
        let (one, two) = (self.literal_prefix(), other.literal_prefix());
        (is_beginning(one, two) || is_beginning(two, one))
            && meet(&path_steps(self), &path_steps(other))
    }
}

impl SubjectPattern {
    /// Whether everybody that `inner` names by itself, this names: group membership apart.
    pub(crate) fn contains(&self, inner: &Self) -> bool {
        match (self, inner) {
            (Self::Anyone, _)
            | (Self::Authenticated, Self::Authenticated | Self::User(_) | Self::Service(_)) => true,
            (Self::User(outer), Self::User(inner))
            | (Self::Service(outer), Self::Service(inner))
            | (Self::Peer(outer), Self::Peer(inner))
            | (Self::Group(outer), Self::Group(inner)) => outer.contains(inner),
            _ => false,
        }
    }

    /// Whether there may be somebody whom both name.
    pub(crate) fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(one), Self::User(two))
            | (Self::Service(one), Self::Service(two))
            | (Self::Peer(one), Self::Peer(two)) => one.may_meet(two),
            (Self::User(_), Self::Service(_) | Self::Peer(_))
            | (Self::Service(_), Self::User(_) | Self::Peer(_))
            | (Self::Peer(_), Self::User(_) | Self::Service(_) | Self::Authenticated)
            | (Self::Authenticated, Self::Peer(_)) => false,
            // Anybody may be in a group.
            _ => true,
        }
    }
}

/// Whether `path` begins with the segments of `beginning`.
fn is_beginning(beginning: &str, path: &str) -> bool {
    beginning.is_empty()
        || path.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What variables stand for in a sample: letters that no pattern names.
const SAMPLE: Bindings<'_> = Bindings { user: Some("\u{2}"), group: Some("\u{3}") };

/// One of the names that a pattern matches. Most patterns that do not contain another one do not
/// match it, and that is soon found out.
fn sample_path(pattern: &PathPattern) -> String {
    let literal = Some(pattern.literal_prefix().to_owned()).filter(|text| !text.is_empty());
    let segments = pattern.wildcards().iter().filter_map(|segment| match segment {
        Segment::AnyNumber => None,
        Segment::One(glob) => Some(sample_text(glob)),
    });
    let segments: Vec<_> = literal.into_iter().chain(segments).collect();
    if segments.is_empty() { "\u{1}".to_owned() } else { segments.join("/") }
}

fn sample_text(glob: &Glob) -> String {
    let mut text = String::new();
    for part in &glob.0 {
        text.push_str(match part {
            Part::Text(text) => text,
            Part::Any => "",
            Part::One => "\u{1}",
            Part::User => "\u{2}",
            Part::Group => "\u{3}",
        });
    }
    if text.is_empty() { "\u{1}".to_owned() } else { text }
}

/// One step through a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
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
enum Letter {
    Slash,
    Named(char),
    /// Any letter that no pattern names.
    Other,
    /// What `${user}` stands for.
    User,
    /// What `${group}` stands for.
    Group,
}

fn path_steps(pattern: &PathPattern) -> Vec<Step> {
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
fn tag_steps(glob: &Glob) -> Vec<Step> {
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
fn includes(outer: &[Step], inner: &[Step]) -> bool {
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
fn meet(one: &[Step], two: &[Step]) -> bool {
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

#[cfg(test)]
mod tests;
