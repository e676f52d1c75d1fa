//! Finds the path patterns that could match a text, without looking at the others.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::path::PathPattern;

/// Values by the literal beginning of patterns. A look-up asks for each beginning of the
/// text, so its cost grows with the depth of the text and with the patterns that begin as it does,
/// not with the patterns there are. Clients choose the texts, but only policies fill the map: so hashes
/// are quick rather than proof against whoever chooses what collides; they are seeded all the same.
#[derive(Debug)]
pub(crate) struct PrefixMap<T> {
    by_prefix: HashMap<Box<str>, T, RandomState>,
    longest: usize,
}

impl<T> Default for PrefixMap<T> {
    fn default() -> Self {
        Self { by_prefix: HashMap::default(), longest: 0 }
    }
}

impl<T> PrefixMap<Vec<T>> {
    /// Adds a value to those of the beginning that the pattern has.
    pub(crate) fn push(&mut self, pattern: &PathPattern, value: T) {
        let prefix = pattern.literal_prefix();
        match self.by_prefix.get_mut(prefix) {
            Some(values) => values.push(value),
            None => self.insert(prefix, vec![value]),
        }
    }
}

impl<T> PrefixMap<T> {
    /// Sets the value of patterns with this literal beginning.
    pub(crate) fn insert(&mut self, prefix: &str, value: T) {
        self.longest = self.longest.max(prefix.len());
        self.by_prefix.insert(prefix.into(), value);
    }

    /// The value of each beginning, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.by_prefix.values()
    }

    /// The value of each beginning that `text` has, with what follows it (`None`: nothing), for
    /// [`PathPattern::matches_after_literal`].
    pub(crate) fn candidates<'s, 't>(
        &'s self,
        text: &'t str,
    ) -> impl Iterator<Item = (Option<&'t str>, &'s T)> + use<'s, 't, T> {
        let ends = text.bytes().enumerate().filter_map(|(end, byte)| (byte == b'/').then_some(end));
        std::iter::once(0)
            .chain(ends)
            .chain(std::iter::once(text.len()))
            .take_while(|&end| end <= self.longest)
            .filter_map(move |end| {
                let value = self.by_prefix.get(text.get(..end)?)?;
                let rest = match end {
                    0 => Some(text),
                    _ => text.get(end + 1..),
                };
                Some((rest, value))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_patterns_with_the_same_beginning_are_candidates() {
        let mut map = PrefixMap::default();
        for pattern in ["**", "team/**", "team/app", "team/app/*", "team/application", "other"] {
            map.push(&PathPattern::of_name(pattern), pattern);
        }
        let found: Vec<_> = map.candidates("team/app").collect();
        assert_eq!(
            found,
            [
                (Some("team/app"), &vec!["**"]),
                (Some("app"), &vec!["team/**"]),
                (None, &vec!["team/app", "team/app/*"]),
            ]
        );
        let found: Vec<_> = map.candidates("team/app/web").flat_map(|(_, found)| found).collect();
        assert_eq!(found, [&"**", &"team/**", &"team/app", &"team/app/*"]);
    }
}
