//! The repositories that are in memory, and room for others.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dashmap::DashMap;
use oci::RepositoryName;

use super::graph::Graph;
use super::lock;

/// Graphs by repository, within so many bytes. Those that nobody has asked about for the longest
/// time go first, and as a whole: half a repository would look like a whole one with less in it.
pub(super) struct Room {
    max_bytes: usize,
    shelves: DashMap<RepositoryName, Shelf>,
    bytes: AtomicUsize,
    /// Counts every use, to tell which is the latest.
    uses: AtomicU64,
}

#[derive(Default)]
struct Shelf {
    graph: Arc<Mutex<Graph>>,
    /// Held by whoever asks the upstream about the repository.
    flight: Arc<tokio::sync::Mutex<()>>,
    used: AtomicU64,
}

impl Room {
    pub(super) fn new(max_bytes: usize) -> Self {
        let (bytes, uses) = (AtomicUsize::new(0), AtomicU64::new(0));
        Self { max_bytes, shelves: DashMap::new(), bytes, uses }
    }

    /// What is known of the repository, if anything.
    pub(super) fn graph(&self, repository: &RepositoryName) -> Option<Arc<Mutex<Graph>>> {
        self.shelves.get(repository).map(|shelf| self.used(&shelf))
    }

    /// Whether anything is known of the repository; to ask this is no use of it.
    pub(super) fn holds(&self, repository: &RepositoryName) -> bool {
        self.shelves.contains_key(repository)
    }

    fn used(&self, shelf: &Shelf) -> Arc<Mutex<Graph>> {
        let tick = self.uses.fetch_add(1, Ordering::Relaxed);
        shelf.used.store(tick, Ordering::Relaxed);
        Arc::clone(&shelf.graph)
    }

    /// Changes what is known of the repository.
    pub(super) fn change<T>(
        &self,
        repository: &RepositoryName,
        change: impl FnOnce(&mut Graph) -> T,
    ) -> T {
        let mut is_new = false;
        let graph = self.graph(repository).unwrap_or_else(|| {
            let empty = || {
                is_new = true;
                Shelf::default()
            };
            self.used(&self.shelves.entry(repository.clone()).or_insert_with(empty))
        });
        let (changed, before, after) = {
            let mut graph = lock(&graph);
            let before = if is_new { 0 } else { graph.bytes() };
            let changed = change(&mut graph);
            (changed, before, graph.bytes())
        };
        let (shrunk, grown) = (before.saturating_sub(after), after.saturating_sub(before));
        let count = |total: usize| Some(total.saturating_sub(shrunk) + grown);
        let counted = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count);
        let (Ok(total) | Err(total)) = counted;
        if total + grown > self.max_bytes {
            self.make_room();
        }
        changed
    }

    /// What whoever asks the upstream about the repository holds. None if the repository was
    /// forgotten just now.
    pub(super) fn flight(
        &self,
        repository: &RepositoryName,
    ) -> Option<Arc<tokio::sync::Mutex<()>>> {
        self.change(repository, |_| ());
        self.shelves.get(repository).map(|shelf| Arc::clone(&shelf.flight))
    }

    /// Keeps the repositories that were used last, as far as three quarters of the room go. What is
    /// forgotten only denies, until it is recalled or looked for again.
    fn make_room(&self) {
        let mut held: Vec<_> = self
            .shelves
            .iter()
            .map(|shelf| {
                let bytes = lock(&shelf.graph).bytes();
                (shelf.used.load(Ordering::Relaxed), bytes, shelf.key().clone())
            })
            .collect();
        held.sort_unstable_by_key(|&(used, ..)| std::cmp::Reverse(used));
        let (mut kept, most) = (0, self.max_bytes / 4 * 3);
        let mut is_full = false;
        for (_, bytes, repository) in held {
            // The one that was used last may have all the room.
            let most = if kept == 0 { self.max_bytes } else { most };
            is_full |= kept + bytes > most;
            if is_full {
                self.shelves.remove(&repository);
            } else {
                kept += bytes;
            }
        }
        self.bytes.store(kept, Ordering::Relaxed);
    }
}

#[cfg(test)]
impl Room {
    /// How many repositories are held.
    pub(super) fn len(&self) -> usize {
        self.shelves.len()
    }

    /// What is counted, and what it should be.
    pub(super) fn counted(&self) -> (usize, usize) {
        let held = self.shelves.iter().map(|shelf| lock(&shelf.graph).bytes()).sum();
        (self.bytes.load(Ordering::Relaxed), held)
    }
}
