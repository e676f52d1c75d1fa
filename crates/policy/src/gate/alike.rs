//! Things that share names, and so are one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// Things in order, each with names. Those that share a name are one thing, and so are those that
/// others link. Strangers choose the names, so the work grows with their number and not faster: each
/// thing points at an earlier one that it is one with, or at itself.
#[derive(Debug)]
pub(super) struct Alike<N> {
    earlier: Vec<usize>,
    by_name: HashMap<N, usize>,
}

impl<N: Hash + Eq> Alike<N> {
    /// Room for so many.
    pub(super) fn of(count: usize) -> Self {
        Self { earlier: Vec::with_capacity(count), by_name: HashMap::with_capacity(2 * count) }
    }

    /// The next thing.
    pub(super) fn add(&mut self, names: impl Iterator<Item = N>) {
        let own = self.earlier.len();
        self.earlier.push(own);
        for name in names {
            let known = match self.by_name.entry(name) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => *entry.insert(own),
            };
            self.join(known, own);
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.point(one.max(other), one.min(other));
    }

    /// The first of those that are one with it. On the way, ways get shorter.
    fn first(&mut self, mut at: usize) -> usize {
        loop {
            let above = self.above(at);
            if above == at {
                return at;
            }
            let next = self.above(above);
            self.point(at, next);
            at = next;
        }
    }

    fn above(&self, at: usize) -> usize {
        self.earlier.get(at).copied().unwrap_or(at)
    }

    fn point(&mut self, at: usize, to: usize) {
        if let Some(earlier) = self.earlier.get_mut(at) {
            *earlier = to;
        }
    }

    /// Of each thing the first of those that are one with it, by its place; maybe itself.
    pub(super) fn firsts(mut self) -> impl Iterator<Item = usize> {
        (0..self.earlier.len()).map(move |at| self.first(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(things: &[&[u32]]) -> Vec<usize> {
        let mut alike = Alike::of(things.len());
        for names in things {
            alike.add(names.iter());
        }
        alike.firsts().collect()
    }

    #[test]
    fn what_shares_a_name_is_one_also_by_others_that_come_later() {
        assert_eq!(firsts(&[&[1], &[2], &[3, 3], &[]]), [0, 1, 2, 3]);
        assert_eq!(firsts(&[&[1], &[2], &[1, 3], &[3]]), [0, 1, 0, 0]);
        assert_eq!(firsts(&[&[9], &[1], &[2], &[3], &[2, 4], &[4, 3, 1]]), [0, 1, 1, 1, 1, 1]);
    }

    #[test]
    fn a_chain_of_names_is_one_however_long_it_is_and_in_whatever_order() {
        let links = 100_000_usize;
        let chain = |at: usize| [at * 7 % links, at * 7 % links + 1];
        let mut alike = Alike::of(links);
        (0..links).for_each(|at| alike.add(chain(at).into_iter()));
        assert!(alike.firsts().all(|first| first == 0));
    }
}
