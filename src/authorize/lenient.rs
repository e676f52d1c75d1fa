//! What gates let through although something is missing, for the audit trail.

use policy::gate::{Evidence, Held, Judgement, Verdict};

/// Why an image passed that would otherwise be held, or that a gate would hold if it were enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leniency {
    /// The gate; the first by name, if there are several.
    pub gate: String,
    /// In words.
    pub reason: String,
}

impl Leniency {
    /// None where nothing is held, or where the image passes as it should.
    pub(super) fn of(judgement: &Judgement) -> Option<Self> {
        let Verdict::Passed(passed) = &judgement.verdict else { return None };
        let enforced = passed.evidence().iter().filter_map(by_evidence);
        let audited = judgement.audited.iter().map(by_mode);
        let mut told: Vec<(&str, String)> = enforced.chain(audited).collect();
        told.sort_by_key(|(gate, _)| *gate);
        let gate = told.first()?.0.to_owned();
        let reasons: Vec<_> =
            told.into_iter().map(|(gate, why)| format!("gate \"{gate}\": {why}")).collect();
        Some(Self { gate, reason: reasons.join("; ") })
    }
}

fn by_evidence(evidence: &Evidence) -> Option<(&str, String)> {
    let gate = evidence.gate.name();
    if let Some(until) = evidence.broken_until {
        return Some((gate, format!("its glass is broken until {until}")));
    }
    let grace =
        evidence.in_grace.iter().map(|it| format!("{} (grace until {})", it.reason, it.until));
    let warned = evidence.warnings.iter().map(|reason| format!("{reason} (warning)"));
    let told: Vec<_> = grace.chain(warned).collect();
    (!told.is_empty()).then(|| (gate, told.join(", ")))
}

fn by_mode(held: &Held) -> (&str, String) {
    (held.gate.name(), format!("{} (audit)", held.summary()))
}
