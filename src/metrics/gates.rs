//! What is counted of release gates.

use policy::gate::{Judgement, Verdict};
use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use super::Make;

/// So many gates have series of their own; the rest of them are counted together.
const MAX_GATES: usize = 100;

/// Verdicts, and what is in grace.
pub(super) struct Gates {
    verdicts: IntCounterVec,
    grace: IntGaugeVec,
    broken: IntCounter,
}

impl Gates {
    pub(super) fn new(make: &Make) -> Self {
        Self {
            verdicts: make.counters(
                "gate_verdicts_total",
                "Verdicts of release gates, by the first reason where an image is held.",
                &["verdict", "reason"],
            ),
            grace: make.gauges(
                "gate_grace_images",
                "Images that would be held, were it not for the grace that they have.",
                &["gate"],
            ),
            broken: make.counter(
                "gate_exceptions_total",
                "How often the glass of a release gate was broken, to let an image through.",
            ),
        }
    }

    /// The glass was broken.
    pub(super) fn broken(&self) {
        self.broken.inc();
    }

    /// One image was judged.
    pub(super) fn judged(&self, judgement: &Judgement) {
        let count = |verdict, reason| self.verdicts.with_label_values(&[verdict, reason]).inc();
        match &judgement.verdict {
            Verdict::Passed(_) => count("passed", ""),
            Verdict::Held(held) => count("held", word(held)),
        }
        for held in &judgement.audited {
            count("audited", word(held));
        }
    }

    /// So many images are in grace, by gate.
    pub(super) fn in_grace<'g>(&self, counts: impl Iterator<Item = (&'g str, usize)>) {
        let mut others = 0;
        for (at, (gate, count)) in counts.enumerate() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            if at < MAX_GATES {
                self.grace.with_label_values(&[gate]).set(count);
            } else {
                others += count;
                self.grace.with_label_values(&["others"]).set(others);
            }
        }
    }
}

fn word(held: &policy::gate::Held) -> &'static str {
    held.reasons.first().map_or("", |reason| reason.why.word())
}
