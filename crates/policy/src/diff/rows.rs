//! Differences put together: as few lines as say what changes, in the words of the rules.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::cells::{Cell, Difference};
use super::images::{Bound, Images};
use super::instances::without_instances;
use super::tags::tags_within;
use super::{Change, When};
use crate::Action;
use crate::decide::RuleRef;
use crate::image_pattern::ImagePattern;

/// As many patterns may be left out of another in one line.
const MAX_EXCEPTIONS: usize = 3;

type Key = (String, bool, When);

pub(super) struct Rows<'a, 'p> {
    images: &'a Images<'p>,
    cells: Vec<Cell>,
    /// What each of them matches.
    matched: HashSet<Vec<Pattern>>,
    by_key: BTreeMap<Key, BTreeMap<Action, BTreeMap<usize, Difference<'p>>>>,
    /// The cells in each pattern.
    cells_of: Vec<Vec<usize>>,
    within: HashMap<(Pattern, Pattern), String>,
    /// The patterns, by text and by what their variables stand for.
    known: HashMap<(String, Option<String>, Option<String>), Pattern>,
    by_place: HashMap<usize, Pattern>,
    patterns: Vec<usize>,
    /// Alike for patterns that differ in nothing but what their variables stand for.
    spellings: Vec<usize>,
    by_text: HashMap<String, usize>,
}

/// A pattern, whichever rules it stands in.
type Pattern = usize;

/// Some cells, and the words for them.
struct Part {
    text: String,
    cells: Vec<usize>,
}

impl<'a, 'p> Rows<'a, 'p> {
    pub(super) fn new(images: &'a Images<'p>) -> Self {
        Self {
            images,
            cells: Vec::new(),
            matched: HashSet::new(),
            by_key: BTreeMap::new(),
            cells_of: Vec::new(),
            within: HashMap::new(),
            known: HashMap::new(),
            by_place: HashMap::new(),
            patterns: Vec::new(),
            spellings: Vec::new(),
            by_text: HashMap::new(),
        }
    }

    /// Adds an image; all of them are there before differences are put together.
    pub(super) fn add(&mut self, mut cell: Cell) -> usize {
        cell.matched = cell.matched.iter().filter_map(|bound| self.pattern(*bound)).collect();
        cell.matched.sort_unstable();
        cell.matched.dedup();
        cell.undecided = cell.undecided.iter().filter_map(|bound| self.pattern(*bound)).collect();
        for touched in &mut cell.touched {
            touched.0 = self.pattern(touched.0).unwrap_or(usize::MAX);
        }
        let place = self.cells.len();
        for pattern in &cell.matched {
            if let Some(cells) = self.cells_of.get_mut(*pattern) {
                cells.push(place);
            }
        }
        self.matched.insert(cell.matched.clone());
        self.cells.push(cell);
        place
    }

    fn pattern(&mut self, place: usize) -> Option<Pattern> {
        if let Some(known) = self.by_place.get(&place) {
            return Some(*known);
        }
        let bound = self.images.bound.get(place)?;
        let key = (bound.image.to_string(), bound.user.clone(), bound.group.clone());
        let next = self.patterns.len();
        let pattern = *self.known.entry(key).or_insert(next);
        if pattern == next {
            self.patterns.push(place);
            let next = self.by_text.len();
            self.spellings.push(*self.by_text.entry(bound.image.to_string()).or_insert(next));
            self.cells_of.push(Vec::new());
        }
        self.by_place.insert(place, pattern);
        Some(pattern)
    }

    pub(super) fn put(
        &mut self,
        who: String,
        is_allowed: bool,
        when: When,
        cell: usize,
        mut difference: Difference<'p>,
    ) {
        let patterns = |of_others: &Vec<usize>| -> Vec<Pattern> {
            of_others.iter().filter_map(|bound| self.by_place.get(bound).copied()).collect()
        };
        difference.of_others = difference.of_others.iter().map(patterns).collect();
        let row = self.by_key.entry((who, is_allowed, when)).or_default();
        let row = row.entry(difference.example.action).or_default();
        // The same words can mean some by their names and others by their groups.
        if let Some(same) = row.remove(&cell) {
            difference.of_others.extend(same.of_others);
        }
        row.insert(cell, difference);
    }

    pub(super) fn changes(mut self) -> Vec<Change<'p>> {
        let mut changes = Vec::new();
        for ((who, is_allowed, when), row) in std::mem::take(&mut self.by_key) {
            let mut lines: BTreeMap<String, Vec<(Action, Vec<usize>)>> = BTreeMap::new();
            for (action, differences) in &row {
                for part in self.parts(*action, differences) {
                    lines.entry(part.text).or_default().push((*action, part.cells));
                }
            }
            for (images, actions) in lines {
                let mut of: Vec<&Difference<'_>> = Vec::new();
                for (action, cells) in &actions {
                    let differences = row.get(action);
                    of.extend(cells.iter().filter_map(|cell| differences?.get(cell)));
                }
                let Some(first) = of.first() else { continue };
                changes.push(Change {
                    who: who.clone(),
                    actions: actions.iter().map(|(action, _)| *action).collect(),
                    images,
                    is_allowed,
                    when: when.clone(),
                    old_by_default: of.iter().any(|it| it.old.is_none()),
                    new_by_default: of.iter().any(|it| it.new.is_none()),
                    old: distinct(of.iter().filter_map(|it| it.old)),
                    new: distinct(of.iter().filter_map(|it| it.new)),
                    example: first.example.clone(),
                });
            }
        }
        without_instances(&mut changes);
        changes
    }

    /// Some cells in as few words as describe them.
    fn parts(
        &mut self,
        action: Action,
        differences: &BTreeMap<usize, Difference<'p>>,
    ) -> Vec<Part> {
        let cells: &BTreeSet<usize> = &differences.keys().copied().collect();
        let mut counts: BTreeMap<Pattern, usize> = BTreeMap::new();
        let mut touched: BTreeSet<Pattern> = BTreeSet::new();
        for cell in cells.iter().filter_map(|cell| self.cells.get(*cell)) {
            for pattern in &cell.matched {
                *counts.entry(*pattern).or_default() += 1;
            }
            touched.extend(cell.touched_by(action));
        }
        let mut by_count: Vec<(Pattern, usize)> = counts.into_iter().collect();
        by_count.sort_by_cached_key(|(pattern, count)| {
            (std::cmp::Reverse(*count), self.text(*pattern))
        });
        let by_count: Vec<Pattern> = by_count.into_iter().map(|(pattern, _)| pattern).collect();
        let of_touched = by_count.iter().filter(|pattern| touched.contains(pattern));
        let mut regions: Vec<(Pattern, Pattern)> = of_touched.map(|it| (*it, *it)).collect();
        let is_needed = |it: &(&usize, &Difference<'_>)| {
            it.1.of_others.is_empty()
                || !it.1.of_others.iter().all(|of| !of.is_empty() && self.is_elsewhere(*it.0, of))
        };
        let needed = differences.iter().filter(is_needed);
        let mut open: BTreeSet<usize> = needed.map(|(cell, _)| *cell).collect();
        let mut parts = Vec::new();
        // Touched patterns first, then what others have in common with them.
        for _ in 0..2 {
            for few in [0, MAX_EXCEPTIONS] {
                for &(inner, outer) in &regions {
                    let is_told = |cell: &usize| {
                        let of = differences.get(cell);
                        of.is_some_and(|it| self.tells(&[inner, outer], *cell, it))
                    };
                    if !self.having(&open, inner, outer).iter().any(is_told) {
                        continue;
                    }
                    let mut own = self.having(cells, inner, outer);
                    own.retain(is_told);
                    if let Some(others) = self.others(action, (inner, outer), differences, few) {
                        let mut text = self.both(inner, outer);
                        if !others.is_empty() {
                            text = format!("{text} except {}", others.join(", "));
                        }
                        for cell in &own {
                            open.remove(cell);
                        }
                        parts.push(Part { text, cells: own });
                    }
                }
            }
            if open.is_empty() {
                return without_covered(parts);
            }
            let others = by_count.iter().filter(|pattern| !touched.contains(pattern));
            regions =
                others.flat_map(|inner| touched.iter().map(|outer| (*inner, *outer))).collect();
        }
        // And what cannot be told so, by one image each.
        let text = |cell: &usize| self.cells.get(*cell).map(|cell| cell.example.clone());
        parts.extend(open.iter().filter_map(|cell| {
            Some(Part { text: format!("images such as {}", text(cell)?), cells: vec![*cell] })
        }));
        without_covered(parts)
    }

    /// Whether the words of patterns tell all of a difference. A variable means everybody's own name
    /// there: what changes for others, too, has to be told by another image, where they are alike.
    fn tells(&self, patterns: &[Pattern], cell: usize, difference: &Difference<'_>) -> bool {
        let mut of_others = difference.of_others.iter();
        of_others.all(|of| {
            !patterns.iter().any(|pattern| of.contains(pattern)) || self.is_elsewhere(cell, of)
        })
    }

    /// Whether there is an image that matches the same but for these patterns.
    fn is_elsewhere(&self, cell: usize, without: &[Pattern]) -> bool {
        self.cells.get(cell).is_some_and(|cell| {
            let own = cell.matched.iter().filter(|pattern| !without.contains(pattern));
            self.matched.contains(&own.copied().collect::<Vec<_>>())
        })
    }

    /// At most `few` patterns that make up what both patterns match and is not among the cells.
    fn others(
        &self,
        action: Action,
        (inner, outer): (Pattern, Pattern),
        differences: &BTreeMap<usize, Difference<'p>>,
        few: usize,
    ) -> Option<Vec<String>> {
        let is_outside = |place: &usize| {
            // As `decided`.
            let is_meant = |cell: &Cell| {
                cell.touched_by(action).next().is_some()
                    && !cell.undecided.iter().any(|pattern| [inner, outer].contains(pattern))
            };
            !differences.contains_key(place)
                && self.has(*place, outer)
                && self.cells.get(*place).is_some_and(is_meant)
        };
        let outside = || self.cells_of.get(inner).into_iter().flatten().copied().filter(is_outside);
        let Some(first) = outside().next() else { return Some(Vec::new()) };
        if few == 0 {
            return None;
        }
        let spelling = |pattern: &Pattern| self.spellings.get(*pattern).copied();
        let mut inside: BTreeSet<Option<usize>> = BTreeSet::new();
        let has_both = |cell: &usize| self.has(*cell, inner) && self.has(*cell, outer);
        for (cell, difference) in differences.iter().filter(|(cell, _)| has_both(cell)) {
            let of_others = &difference.of_others;
            let is_own = |pattern: &Pattern| {
                of_others.is_empty() || of_others.iter().any(|of| !of.contains(pattern))
            };
            inside.extend(self.decided(*cell).filter(is_own).map(|pattern| spelling(&pattern)));
        }
        let is_forbidden = |pattern: &Pattern| inside.contains(&spelling(pattern));
        // No pattern takes out two of these.
        let mut apart: Vec<usize> = vec![first];
        let meets = |one: usize, two: usize| {
            let mut own = self.decided(one).filter(|pattern| !is_forbidden(pattern));
            own.any(|pattern| self.decided(two).any(|other| other == pattern))
        };
        for cell in outside() {
            if !apart.iter().any(|other| meets(cell, *other)) {
                apart.push(cell);
                if apart.len() > few {
                    return None;
                }
            }
        }
        let outside: Vec<usize> = outside().collect();
        let mut candidates: BTreeMap<Pattern, usize> = BTreeMap::new();
        for pattern in outside.iter().flat_map(|cell| self.decided(*cell)) {
            *candidates.entry(pattern).or_default() += 1;
        }
        let mut candidates: Vec<(Pattern, usize)> =
            candidates.into_iter().filter(|(pattern, _)| !is_forbidden(pattern)).collect();
        candidates.sort_by_key(|(pattern, count)| (std::cmp::Reverse(*count), *pattern));
        let mut open: BTreeSet<usize> = outside.into_iter().collect();
        let mut others = Vec::new();
        for (other, _) in candidates {
            let before = open.len();
            open.retain(|cell| !self.decided(*cell).any(|pattern| pattern == other));
            if open.len() < before {
                others.push(self.text(other));
            }
            if open.is_empty() || others.len() > few {
                break;
            }
        }
        (open.is_empty() && others.len() <= few).then_some(others)
    }

    /// What a cell matches for certain: a tag that is no version is not said to be in a range.
    fn decided(&self, cell: usize) -> impl Iterator<Item = Pattern> {
        let cell = self.cells.get(cell).into_iter();
        cell.flat_map(|cell| {
            cell.matched.iter().copied().filter(|pattern| !cell.undecided.contains(pattern))
        })
    }

    fn has(&self, cell: usize, pattern: Pattern) -> bool {
        self.cells.get(cell).is_some_and(|cell| cell.matched.binary_search(&pattern).is_ok())
    }

    /// Whichever is less is looked through: the cells, or those of the first pattern.
    fn having(&self, cells: &BTreeSet<usize>, one: Pattern, two: Pattern) -> Vec<usize> {
        let of_one = self.cells_of.get(one).map_or(&[][..], Vec::as_slice);
        if cells.len() < of_one.len() {
            let all = cells.iter().copied();
            return all.filter(|cell| self.has(*cell, one) && self.has(*cell, two)).collect();
        }
        let all = of_one.iter().copied();
        all.filter(|cell| cells.contains(cell) && self.has(*cell, two)).collect()
    }

    fn bound(&self, pattern: Pattern) -> Option<&'a Bound<'p>> {
        self.patterns.get(pattern).and_then(|place| self.images.bound.get(*place))
    }

    fn text(&self, pattern: Pattern) -> String {
        self.bound(pattern).map(|bound| bound.image.to_string()).unwrap_or_default()
    }

    /// What two patterns have in common, as one pattern where that is simple.
    fn both(&mut self, inner: Pattern, outer: Pattern) -> String {
        if inner == outer {
            return self.text(inner);
        }
        if let Some(known) = self.within.get(&(inner, outer)) {
            return known.clone();
        }
        let text = match (self.bound(inner), self.bound(outer)) {
            (Some(one), Some(two)) => {
                let repository = if self.images.is_within(one, two) {
                    Some(&one.image.repository)
                } else if self.images.is_within(two, one) {
                    Some(&two.image.repository)
                } else {
                    None
                };
                let tags = if tags_within(one, two) {
                    Some(&one.image.tags)
                } else if tags_within(two, one) {
                    Some(&two.image.tags)
                } else {
                    None
                };
                match (repository, tags) {
                    (Some(repository), Some(tags)) => {
                        ImagePattern::new(repository.clone(), tags.clone()).to_string()
                    }
                    _ => format!("{} within {}", one.image, two.image),
                }
            }
            _ => String::new(),
        };
        self.within.insert((inner, outer), text.clone());
        text
    }
}

/// Takes out what the other parts say together, the smallest first.
fn without_covered(mut parts: Vec<Part>) -> Vec<Part> {
    parts.sort_by_key(|part| part.cells.len());
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for cell in parts.iter().flat_map(|part| &part.cells) {
        *counts.entry(*cell).or_default() += 1;
    }
    parts.retain(|part| {
        let is_said = part.cells.iter().all(|cell| counts.get(cell).is_some_and(|it| *it > 1));
        if is_said {
            for cell in &part.cells {
                counts.entry(*cell).and_modify(|count| *count -= 1);
            }
        }
        !is_said
    });
    parts
}

fn distinct<'p>(rules: impl Iterator<Item = RuleRef<'p>>) -> Vec<RuleRef<'p>> {
    let mut known = HashSet::new();
    rules.filter(|rule| known.insert(rule.name)).collect()
}
