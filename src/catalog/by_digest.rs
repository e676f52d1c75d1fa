//! A map by digest that is copied cheaply.

use std::collections::HashMap;
use std::sync::Arc;

use oci::Digest;

/// How many pieces there are. A change copies the piece that it is in, if somebody else reads that.
const PIECES: usize = 256;

/// What is known of each digest.
#[derive(Debug)]
pub(super) struct ByDigest<V>(Vec<Arc<HashMap<Digest, Arc<V>>>>);

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

    pub(super) fn insert(&mut self, digest: Digest, value: V) {
        if let Some(piece) = self.0.get_mut(place(&digest)) {
            Arc::make_mut(piece).insert(digest, Arc::new(value));
        }
    }

    pub(super) fn remove(&mut self, digest: &Digest) {
        if let Some(piece) = self.0.get_mut(place(digest))
            && piece.contains_key(digest)
        {
            Arc::make_mut(piece).remove(digest);
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
        let mut map = ByDigest::default();
        map.insert(digest(1), "one");
        let copy = map.clone();
        map.insert(digest(1), "another");
        map.insert(digest(2), "two");
        map.remove(&digest(3));
        assert_eq!((copy.get(&digest(1)), copy.get(&digest(2))), (Some(&"one"), None));
        assert_eq!((map.get(&digest(1)), map.get(&digest(2))), (Some(&"another"), Some(&"two")));
        map.remove(&digest(1));
        assert_eq!(map.get(&digest(1)), None);
    }
}
