//! The first names of a list that comes in any order.

use std::collections::BTreeMap;

/// How much is held of one page, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// What one entry takes beside its name and what belongs to it, in bytes.
const OVERHEAD: usize = 64;

/// The smallest of the names that were put in, up to a number and a size, each once.
#[derive(Debug)]
pub(super) struct Smallest<V> {
    kept: BTreeMap<String, (V, usize)>,
    most: usize,
    bytes: usize,
    is_cut: bool,
}

impl<V> Smallest<V> {
    /// Holds at most so many: one at least.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: BTreeMap::new(), most: most.max(1), bytes: 0, is_cut: false }
    }

    /// Whether a name would be held, as far as can be told without the rest of it. A name that
    /// would not be is one that was left out.
    pub(super) fn takes(&mut self, name: &str) -> bool {
        let is_full = self.is_cut || self.kept.len() == self.most;
        let is_late =
            is_full && self.kept.last_key_value().is_none_or(|(last, _)| last.as_str() <= name);
        if is_late && !self.kept.contains_key(name) {
            self.is_cut = true;
            return false;
        }
        true
    }

    /// Puts in a name, with what belongs to it and how many bytes that takes. The last ones make
    /// room.
    pub(super) fn put(&mut self, name: String, value: V, size: usize) {
        let size = size + name.len() + OVERHEAD;
        self.bytes += size;
        if let Some((_, before)) = self.kept.insert(name, (value, size)) {
            self.bytes -= before;
        }
        while self.kept.len() > self.most || (self.bytes > MOST_BYTES && self.kept.len() > 1) {
            let Some((_, (_, size))) = self.kept.pop_last() else { return };
            self.bytes -= size;
            self.is_cut = true;
        }
    }

    /// Whether names were left out. They come after all that are held.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// What is held, in order.
    pub(super) fn into_sorted(self) -> impl Iterator<Item = (String, V)> {
        self.kept.into_iter().map(|(name, (value, _))| (name, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn fill(names: &[String], most: usize, size: usize) -> Smallest<()> {
        let mut smallest = Smallest::new(most);
        for name in names {
            if smallest.takes(name) {
                smallest.put(name.clone(), (), size);
            }
            assert!(smallest.kept.len() <= most);
            assert!(smallest.bytes <= MOST_BYTES || smallest.kept.len() == 1);
        }
        smallest
    }

    #[test]
    fn what_is_larger_than_all_the_room_is_held_alone() {
        let names = ["b", "a", "c"].map(str::to_owned);
        let smallest = fill(&names, 10, 2 * MOST_BYTES);
        assert!(smallest.is_cut());
        assert!(smallest.into_sorted().map(|(name, ())| name).eq(["a"]));
    }

    proptest! {
        #[test]
        fn the_first_names_are_held_in_order_whatever_order_they_come_in(
            names in prop::collection::vec("[ab]{1,4}", 0..60),
            most in 1..12_usize,
            large: bool,
        ) {
            let size = if large { MOST_BYTES / 5 } else { 1 };
            let smallest = fill(&names, most, size);
            let all: BTreeSet<_> = names.iter().cloned().collect();
            let is_cut = smallest.is_cut();
            let held: Vec<_> = smallest.into_sorted().map(|(name, ())| name).collect();
            let expected = all.len().min(most).min(if large { 4 } else { usize::MAX });
            prop_assert_eq!(&held, &all.iter().take(expected).cloned().collect::<Vec<_>>());
            prop_assert_eq!(is_cut, all.len() > expected);
        }
    }
}
