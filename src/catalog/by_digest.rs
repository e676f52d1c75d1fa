//! A map by digest that is copied cheaply.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use oci::Digest;

/// How many pieces there are. A change copies the piece that it is in, if somebody else reads that.
const PIECES: usize = 256;

/// What is known of each digest.
#[derive(Debug)]
pub(super) struct ByDigest<V>(Vec<Arc<Piece<V>>>);

type Piece<V> = HashMap<Digest, Arc<V>, BuildHasherDefault<OfHash>>;

/// A digest is a hash already: its bytes are taken as they are. Whoever wanted many in one place
/// would have to find them.
#[derive(Debug, Default)]
struct OfHash(u64);

impl Hasher for OfHash {
    fn write(&mut self, bytes: &[u8]) {
        // The last ones, as the first have chosen the piece.
        if let Some(last) = bytes.last_chunk() {
            self.0 ^= u64::from_le_bytes(*last);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<V> Default for ByDigest<V> {
    fn default() -> Self {
        Self((0..PIECES).map(|_| Arc::default()).collect())
    }
}

/// The pieces are shared until one changes.
impl<V> Clone for ByDigest<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Hashes are spread evenly by themselves.
fn place(digest: &Digest) -> usize {
    digest.as_bytes().first().copied().map_or(0, usize::from) % PIECES
}

impl<V> ByDigest<V> {
    pub(super) fn get(&self, digest: &Digest) -> Option<&V> {
        self.0.get(place(digest))?.get(digest).map(|value| &**value)
    }

    /// Makes it another.
    pub(super) fn change(&mut self, digest: &Digest, change: impl FnOnce(&mut V))
    where
        V: Clone + Default,
    {
        if let Some(piece) = self.0.get_mut(place(digest)) {
            let value = Arc::make_mut(piece).entry(digest.clone()).or_default();
            change(Arc::make_mut(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest::new(&format!("sha256:{}", format!("{number:02x}").repeat(32))).unwrap()
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut map: ByDigest<&str> = ByDigest::default();
        map.change(&digest(1), |text| *text = "one");
        let copy = map.clone();
        map.change(&digest(1), |text| *text = "another");
        map.change(&digest(2), |text| *text = "two");
        assert_eq!((copy.get(&digest(1)), copy.get(&digest(2))), (Some(&"one"), None));
        assert_eq!((map.get(&digest(1)), map.get(&digest(2))), (Some(&"another"), Some(&"two")));
    }

    #[test]
    fn digests_that_end_alike_are_told_apart() {
        let mut map: ByDigest<u8> = ByDigest::default();
        let alike =
            |number: u8| Digest::new(&format!("sha256:00{number:02x}{}", "7".repeat(60))).unwrap();
        (0..=255).for_each(|number| map.change(&alike(number), |value| *value = number));
        assert!((0..=255).all(|number| map.get(&alike(number)) == Some(&number)));
    }
}
