//! Which images have passed which gates: from then on they have grace.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::Digest;

use crate::recent::Recent;
use crate::state::State;

/// How many passes are remembered as told to the state, and as many again.
const TOLD: usize = 20_000;

/// For how long the state is believed to write down what it was told.
const RETELL: Duration = Duration::from_secs(60);

/// What passed here a moment ago, and is being written down.
pub(super) struct Passes {
    state: Arc<State>,
    /// Gate and digest of what passed, and when that was handed to the state.
    told: Recent<(Box<str>, Digest), Timestamp>,
}

impl Passes {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self { state, told: Recent::new(TOLD) }
    }

    /// Writes down that images have passed.
    pub(super) fn note(&self, mut news: Vec<(Box<str>, Digest)>, now: Timestamp) {
        news.retain(|passed| self.told_at(passed, now).is_none());
        if news.is_empty() {
            return;
        }
        for passed in &news {
            self.told.insert(passed.clone(), now);
        }
        let news: Vec<_> =
            news.into_iter().map(|(gate, digest)| (gate.into_string(), digest, now)).collect();
        // Should it fail, a later pull tells it.
        self.state.later("note that an image has passed", move |store| async move {
            store.note_passed(&news).await
        });
    }

    /// Which of these gates it passed so short a time ago that the state may not know it yet. Whoever
    /// pulled an image would be refused in between, should a finding become known just then.
    pub(super) fn of<'a>(
        &self,
        digest: &Digest,
        gates: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) -> impl Iterator<Item = (Box<str>, Timestamp)> {
        gates.into_iter().filter_map(move |gate| {
            let passed = (Box::from(gate), digest.clone());
            self.told_at(&passed, now).map(|at| (passed.0, at))
        })
    }

    fn told_at(&self, passed: &(Box<str>, Digest), now: Timestamp) -> Option<Timestamp> {
        let at = self.told.get(passed)?;
        (now.duration_since(at).unsigned_abs() <= RETELL).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::sample::absent;

    #[test]
    fn what_passed_has_passed_at_once_and_not_for_long_if_it_is_not_written_down() {
        let passes = Passes::new(absent());
        let digest = Digest::new(&format!("sha256:{}", "1".repeat(64))).unwrap();
        let (now, second) = (Timestamp::UNIX_EPOCH, Duration::from_secs(1));
        let gates = ["prod", "staging"];
        let at = |at| passes.of(&digest, gates, at).collect::<Vec<_>>();
        assert_eq!(at(now), []);
        passes.note(vec![("prod".into(), digest.clone())], now);
        for later in [now, now + RETELL] {
            assert_eq!(at(later), [("prod".into(), now)]);
        }
        assert_eq!(at(now + RETELL + second), []);
        // A pull after that tells it again.
        passes.note(vec![("prod".into(), digest.clone())], now + RETELL + second);
        assert_eq!(at(now + RETELL + second), [("prod".into(), now + RETELL + second)]);
    }
}
