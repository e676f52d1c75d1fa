//! A map that forgets.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use dashmap::DashMap;

/// A concurrent map of bounded size. Two generations are kept: when the young one is full it
/// becomes the old one, and the old one goes. What is used moves back to the young one, so that a
/// flood of new keys costs what is idle and not what is busy; and no insertion ever has to walk the
/// map in search of something to drop.
pub(crate) struct Recent<K, V> {
    /// Of one generation; the whole holds at most twice as many.
    capacity: usize,
    generations: ArcSwap<Generations<K, V>>,
    turning: Mutex<()>,
}

struct Generations<K, V> {
    young: Arc<DashMap<K, V>>,
    old: Arc<DashMap<K, V>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    pub(crate) fn new(capacity: usize) -> Self {
        let generations =
            Generations { young: Arc::new(DashMap::new()), old: Arc::new(DashMap::new()) };
        Self { capacity, generations: ArcSwap::from_pointee(generations), turning: Mutex::new(()) }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let generations = self.generations.load();
        let young = generations.young.get(key).map(|entry| entry.value().clone());
        if young.is_some() {
            return young;
        }
        let value = generations.old.get(key)?.value().clone();
        // First in the young one and then out of the old one: it is never in neither.
        let value = self.keep(key.clone(), || value);
        generations.old.remove(key);
        Some(value)
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        self.make_room();
        self.generations.load().young.insert(key, value);
    }

    /// The value of a key, made now if there is none. Of two callers at once both get the same one.
    pub(crate) fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> V {
        self.get(&key).unwrap_or_else(|| self.keep(key, make))
    }

    pub(crate) fn remove(&self, key: &K) {
        let generations = self.generations.load();
        generations.young.remove(key);
        generations.old.remove(key);
    }

    pub(crate) fn clear(&self) {
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let (young, old) = (Arc::new(DashMap::new()), Arc::new(DashMap::new()));
        self.generations.store(Arc::new(Generations { young, old }));
    }

    fn keep(&self, key: K, make: impl FnOnce() -> V) -> V {
        self.make_room();
        self.generations.load().young.entry(key).or_insert_with(make).value().clone()
    }

    fn make_room(&self) {
        if self.generations.load().young.len() < self.capacity {
            return;
        }
        let _turning = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let generations = self.generations.load();
        if generations.young.len() >= self.capacity {
            let old = Arc::clone(&generations.young);
            self.generations.store(Arc::new(Generations { young: Arc::new(DashMap::new()), old }));
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let generations = self.generations.load();
        generations.young.len() + generations.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_holds_more_than_two_generations() {
        let map = Recent::new(10);
        for key in 0..1000 {
            map.insert(key, ());
            assert!(map.len() <= 20);
        }
    }

    #[test]
    fn what_is_used_survives_a_flood_of_new_keys() {
        let map = Recent::new(10);
        map.insert(0, "kept");
        for key in 1..1000 {
            map.insert(key, "flood");
            if key % 5 == 0 {
                assert_eq!(map.get(&0), Some("kept"));
            }
        }
        assert_eq!(map.get(&1), None);
    }

    #[test]
    fn a_value_is_made_once() {
        let map = Recent::new(10);
        assert_eq!(map.get_or_insert_with("a", || 1), 1);
        assert_eq!(map.get_or_insert_with("a", || 2), 1);
        map.remove(&"a");
        assert_eq!(map.get_or_insert_with("a", || 3), 3);
    }
}
