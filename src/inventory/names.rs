//! Digests by small numbers: a repository names each of them many times.

use std::hash::{BuildHasher as _, RandomState};

use hashbrown::HashTable;
use oci::Digest;

/// A digest of one repository, by the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(u32);

impl Id {
    /// The one at that place, if there may be one.
    pub(super) fn at(place: usize) -> Option<Self> {
        u32::try_from(place).ok().map(Self)
    }

    /// Its place in a list that has one for each digest.
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Every digest that one repository names.
#[derive(Debug, Default)]
pub(super) struct Names {
    digests: Vec<Digest>,
    by_hash: HashTable<Id>,
    hasher: RandomState,
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.digests.len()
    }

    /// The number of a digest that was named before.
    pub(super) fn find(&self, digest: &Digest) -> Option<Id> {
        let hash = self.hasher.hash_one(Some(digest));
        self.by_hash.find(hash, |id| self.digests.get(id.place()) == Some(digest)).copied()
    }

    /// The number of a digest, which it gets now if it has none yet. None if there are more than
    /// four billion of them.
    pub(super) fn number(&mut self, digest: &Digest) -> Option<Id> {
        if let Some(known) = self.find(digest) {
            return Some(known);
        }
        let id = u32::try_from(self.digests.len()).ok().filter(|&id| id < u32::MAX).map(Id)?;
        let (digests, hasher) = (&mut self.digests, &self.hasher);
        digests.push(digest.clone());
        let hash_of = |id: &Id| hasher.hash_one(digests.get(id.place()));
        let hash = hasher.hash_one(Some(digest));
        self.by_hash.insert_unique(hash, id, hash_of);
        Some(id)
    }

    /// Those that were made by another algorithm than this one.
    pub(super) fn of_another_kind(&self, digest: &Digest) -> impl Iterator<Item = &Digest> {
        let kind = digest.algorithm();
        self.digests.iter().filter(move |other| other.algorithm() != kind)
    }

    /// The digest with that number.
    pub(super) fn digest(&self, id: Id) -> Option<&Digest> {
        self.digests.get(id.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::samples::blob;

    #[test]
    fn each_digest_keeps_the_number_that_it_got_first() {
        let mut names = Names::default();
        let digests: Vec<_> = (0..1000).map(|number| blob(&number.to_string())).collect();
        let numbers: Vec<_> = digests.iter().map(|digest| names.number(digest).unwrap()).collect();
        for (digest, &number) in digests.iter().zip(&numbers) {
            assert_eq!(names.find(digest), Some(number));
            assert_eq!(names.number(digest), Some(number));
            assert_eq!(names.digest(number), Some(digest));
        }
        assert_eq!((names.len(), names.find(&blob("other"))), (1000, None));
    }
}
