//! Finds the path patterns that could match a text, without looking at the others.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::path::PathPattern;

/// Values by the literal beginning of their pattern. A look-up asks for each beginning of the
/// text, so its cost grows with the depth of the text and with the patterns that begin as it does,
/// not with the patterns there are. Clients choose the texts, but only policies fill the map: so hashes
/// are quick rather than proof against whoever chooses what collides; they are seeded all the same.
#[derive(Debug)]
pub(crate) struct PrefixMap<T> {
    by_prefix: HashMap<Box<str>, Vec<T>, RandomState>,
    longest: usize,
}

impl<T> Default for PrefixMap<T> {
    fn default() -> Self {
        Self { by_prefix: HashMap::default(), longest: 0 }
    }
}

impl<T> PrefixMap<T> {
    pub(crate) fn insert(&mut self, pattern: &PathPattern, value: T) {
        self.insert_at(pattern.literal_prefix(), value);
    }

    /// For a pattern of any kind with this literal beginning.
    pub(crate) fn insert_at(&mut self, prefix: &str, value: T) {
        self.longest = self.longest.max(prefix.len());
        match self.by_prefix.get_mut(prefix) {
            Some(values) => values.push(value),
            None => {
                self.by_prefix.insert(prefix.into(), vec![value]);
            }
        }
    }

    /// The values of each beginning, in the order in which they came; the beginnings in no order.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = &[T]> {
        self.by_prefix.values().map(Vec::as_slice)
    }

    /// All values, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.by_prefix.values().flatten()
    }

    /// The values whose pattern begins as `text` does, each with what follows that beginning
    /// (`None`: nothing), for [`PathPattern::matches_after_literal`].
    pub(crate) fn candidates<'s, 't>(
        &'s self,
        text: &'t str,
    ) -> impl Iterator<Item = (Option<&'t str>, &'s T)> + use<'s, 't, T> {
        let ends = text.match_indices('/').map(|(end, _)| end);
        std::iter::once(0)
            .chain(ends)
            .chain(std::iter::once(text.len()))
            .take_while(|&end| end <= self.longest)
            .filter_map(move |end| {
                let values = self.by_prefix.get(text.get(..end)?)?;
                let rest = match end {
                    0 => Some(text),
                    _ => text.get(end + 1..),
                };
                Some(values.iter().map(move |value| (rest, value)))
            })
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_with_the_same_beginning_are_candidates() {
        let mut map = PrefixMap::default();
        for pattern in ["**", "team/**", "team/app", "team/app/*", "team/application", "other"] {
            map.insert(&PathPattern::of_name(pattern), pattern);
        }
        let found: Vec<_> = map.candidates("team/app").collect();
        assert_eq!(
            found,
            [
                (Some("team/app"), &"**"),
                (Some("app"), &"team/**"),
                (None, &"team/app"),
                (None, &"team/app/*"),
            ]
        );
        let found: Vec<_> = map.candidates("team/app/web").map(|(_, pattern)| *pattern).collect();
        assert_eq!(found, ["**", "team/**", "team/app", "team/app/*"]);
    }
}
