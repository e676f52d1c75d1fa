//! Which images pass only because they have grace, for the metrics.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use oci::Digest;
use policy::gate::Passed;

/// So many are counted at most; more than that is alarm enough.
const MAX: usize = 100_000;

/// The images that passed a gate in grace when they were judged last, and until when.
#[derive(Debug, Default)]
pub(super) struct Grace(Mutex<HashMap<(Box<str>, Digest), Timestamp>>);

impl Grace {
    /// Takes over how an image passed.
    pub(super) fn note(&self, passed: &Passed) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for evidence in passed.evidence() {
            let until = evidence.in_grace.iter().map(|grace| grace.until).min();
            // Most images have none, and most often none is counted.
            if until.is_none() && known.is_empty() {
                continue;
            }
            let key = (evidence.gate.name().into(), passed.digest().clone());
            match until {
                Some(until) if known.len() < MAX || known.contains_key(&key) => {
                    known.insert(key, until);
                }
                Some(_) => {}
                // To be told as none once: the gauge of its gate stays as it was otherwise.
                None => {
                    if let Some(until) = known.get_mut(&key) {
                        *until = Timestamp::MIN;
                    }
                }
            }
        }
    }

    /// How many there are at each gate; what was in grace once is told as none afterwards.
    pub(super) fn count(&self, now: Timestamp) -> BTreeMap<Box<str>, usize> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: BTreeMap<Box<str>, usize> = BTreeMap::new();
        known.retain(|(gate, _), until| {
            let count = counts.entry(gate.clone()).or_default();
            let is_there = *until > now;
            *count += usize::from(is_there);
            is_there
        });
        counts
    }
}
