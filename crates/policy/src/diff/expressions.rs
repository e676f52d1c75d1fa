//! Example texts for expressions and ranges of versions, which are not walked through. They are
//! tried with the matcher by whoever asks for them; not all of them match.

use std::collections::{HashMap, HashSet, VecDeque};

use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

use crate::name_grammar::Reading;
use crate::regex::{Reached, Regex};
use crate::versions::Versions;

/// Of one expression.
const MAX_EXAMPLES: usize = 12;

/// With so many expressions over names, all sets that match together are looked for.
const MAX_TOGETHER: usize = 4;
/// In the automata of some expressions.
const MAX_PLACES: usize = 50_000;

/// For every set of expressions that a name of a repository can match together, one that does.
/// `None`: there are too many, or the walk was too long.
pub(super) fn together(expressions: &[&Regex]) -> Option<HashMap<Vec<bool>, String>> {
    if expressions.len() > MAX_TOGETHER {
        return None;
    }
    let begin: Vec<Reached> = expressions.iter().map(|it| it.begin()).collect();
    let start = (Reading::Segment, begin);
    let mut seen = HashSet::from([start.clone()]);
    let mut open = VecDeque::from([(start, String::new())]);
    let mut found = HashMap::new();
    while let Some(((reading, reached), text)) = open.pop_front() {
        if reading.may_end() {
            let ends = expressions.iter().zip(&reached).map(|(it, at)| it.ends(*at)).collect();
            found.entry(ends).or_insert_with(|| text.clone());
        }
        for &byte in Reading::ALPHABET {
            let Some(reading) = reading.next(byte) else { continue };
            let reached = expressions.iter().zip(&reached).map(|(it, at)| it.after(*at, byte));
            let state = (reading, reached.collect::<Vec<_>>());
            if !seen.contains(&state) {
                if seen.len() >= MAX_PLACES {
                    return None;
                }
                seen.insert(state.clone());
                open.push_back((state, format!("{text}{}", char::from(byte))));
            }
        }
    }
    Some(found)
}

/// Texts of an expression: of its alternatives, with as few repetitions as there may be and with
/// one more.
pub(super) fn of_regex(regex: &Regex) -> Vec<String> {
    let Ok(hir) = regex_syntax::parse(regex.text()) else { return Vec::new() };
    let mut examples = of_hir(&hir);
    examples.retain(|text| regex.matches(text));
    examples
}

fn of_hir(hir: &Hir) -> Vec<String> {
    let mut examples = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => vec![String::from_utf8_lossy(&literal.0).into_owned()],
        HirKind::Class(class) => of_class(class).map(String::from).into_iter().collect(),
        HirKind::Capture(capture) => of_hir(&capture.sub),
        HirKind::Alternation(all) => all.iter().flat_map(of_hir).collect(),
        HirKind::Repetition(repetition) => {
            let once = of_hir(&repetition.sub);
            let more = repetition.max.is_none_or(|max| max > repetition.min);
            let counts = [Some(repetition.min), more.then(|| repetition.min.saturating_add(1))];
            let times = |count: u32| {
                once.iter()
                    .map(move |text| text.repeat(usize::try_from(count.min(64)).unwrap_or(0)))
            };
            counts.into_iter().flatten().flat_map(times).collect()
        }
        HirKind::Concat(all) => all.iter().fold(vec![String::new()], |before, part| {
            let after = of_hir(part);
            let mut both: Vec<String> = before
                .iter()
                .flat_map(|before| after.iter().map(move |after| format!("{before}{after}")))
                .collect();
            both.truncate(MAX_EXAMPLES);
            both
        }),
    };
    examples.sort_by_key(String::len);
    examples.dedup();
    examples.truncate(MAX_EXAMPLES);
    examples
}

/// A plain letter of a class, if there is one.
fn of_class(class: &Class) -> Option<char> {
    let has = |letter: char| match class {
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| range.start() <= letter && letter <= range.end())
        }
        Class::Bytes(class) => u8::try_from(letter).is_ok_and(|letter| {
            class.ranges().iter().any(|range| range.start() <= letter && letter <= range.end())
        }),
    };
    let first = || match class {
        Class::Unicode(class) => class.ranges().first().map(ClassUnicodeRange::start),
        Class::Bytes(class) => class.ranges().first().map(|range| char::from(range.start())),
    };
    ('a'..='z').rev().skip(2).chain('0'..='9').chain('A'..='Z').find(|it| has(*it)).or_else(first)
}

/// Versions at the ends of a range, and beyond them.
pub(super) fn of_versions(versions: &Versions) -> Vec<String> {
    let mut examples = vec!["0.0.1".to_owned(), "1.0.0".to_owned()];
    let Ok(range) = semver::VersionReq::parse(versions.text()) else { return examples };
    for it in &range.comparators {
        let (major, minor, patch) = (it.major, it.minor.unwrap_or(0), it.patch.unwrap_or(0));
        let near = |number: u64| [number.saturating_sub(1), number, number.saturating_add(1)];
        examples.extend(near(major).map(|major| format!("{major}.0.0")));
        examples.extend(near(minor).map(|minor| format!("{major}.{minor}.0")));
        examples.extend(near(patch).map(|patch| format!("{major}.{minor}.{patch}")));
        if !it.pre.is_empty() {
            examples.push(format!("{major}.{minor}.{patch}-{}", it.pre));
            examples.push(format!("{major}.{minor}.{patch}-{}.x", it.pre));
            examples.push(format!("{major}.{minor}.{patch}-0"));
        }
    }
    examples
}
