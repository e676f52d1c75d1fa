//! The judgement of gates over an image.

use std::sync::Arc;

use jiff::Timestamp;
use oci::{Digest, RepositoryName};

use super::compiled::Gate;
use super::facts::{Facts, Form, Scan};
use super::flag::Flag;
use super::lasting::{Lasting, after};
use super::reason::{Reason, Which, Why};
use super::require::OnGap;
use super::tree::{Leaf, is_artifact, leaves, until};
use super::verdict::{Cleared, Evidence, Held, InGrace, Judgement, Passed, Verdict};
use crate::policy::Policy;

/// Says whether a manifest may pass these gates `at` this time. Total and deterministic: what the
/// facts do not say holds it, wherever a gate asks.
///
/// `holders` are the indexes of the same repository that hold it: their flags, signatures and broken
/// glass count for it too.
#[must_use]
pub fn judge(
    gates: &[&Arc<Gate>],
    policy: &Policy,
    repository: &RepositoryName,
    facts: &Facts,
    holders: &[Arc<Facts>],
    at: Timestamp,
) -> Judgement {
    let mut lasting = Lasting::new(at);
    let (mut evidence, mut held, mut audited) = (Vec::new(), Vec::new(), Vec::new());
    for &gate in gates {
        let outcome = Judging::new(gate, policy, repository, facts, holders, &mut lasting).run();
        match outcome {
            Ok(found) if gate.is_enforced => evidence.push(found),
            Ok(_) => {}
            Err(reasons) => {
                let gate = Arc::clone(gate);
                let list = if gate.is_enforced { &mut held } else { &mut audited };
                list.push(Held { gate, digest: facts.digest.clone(), reasons, others: Vec::new() });
            }
        }
    }
    let mut held = held.into_iter();
    let verdict = match held.next() {
        Some(first) => Verdict::Held(Held { others: held.collect(), ..first }),
        None => Verdict::Passed(Passed::new(facts.digest.clone(), evidence)),
    };
    Judgement { verdict, audited, valid_until: lasting.until() }
}

/// A manifest before one gate.
pub(super) struct Judging<'j> {
    pub(super) gate: &'j Gate,
    pub(super) policy: &'j Policy,
    pub(super) repository: &'j RepositoryName,
    facts: &'j Facts,
    holders: &'j [Arc<Facts>],
    pub(super) lasting: &'j mut Lasting,
    evidence: Evidence,
    reasons: Vec<Reason>,
}

impl<'j> Judging<'j> {
    fn new(
        gate: &'j Arc<Gate>,
        policy: &'j Policy,
        repository: &'j RepositoryName,
        facts: &'j Facts,
        holders: &'j [Arc<Facts>],
        lasting: &'j mut Lasting,
    ) -> Self {
        let evidence = Evidence {
            gate: Arc::clone(gate),
            is_artifact: false,
            broken_until: None,
            in_grace: Vec::new(),
            warnings: Vec::new(),
            cleared: Vec::new(),
        };
        Self { gate, policy, repository, facts, holders, lasting, evidence, reasons: Vec::new() }
    }

    /// Why it passes, or why it does not.
    fn run(mut self) -> Result<Evidence, Vec<Reason>> {
        if is_artifact(self.facts) {
            self.evidence.is_artifact = true;
            return Ok(self.evidence);
        }
        if let Some(until) = self.broken() {
            self.evidence.broken_until = Some(until);
            return Ok(self.evidence);
        }
        self.flags();
        self.signatures();
        self.age();
        self.content();
        if self.reasons.is_empty() { Ok(self.evidence) } else { Err(self.reasons) }
    }

    /// The manifest, and what holds it.
    fn with_holders(&self) -> impl Iterator<Item = &'j Facts> + use<'j> {
        let holders: &'j [Arc<Facts>] = self.holders;
        std::iter::once(self.facts).chain(holders.iter().map(Arc::as_ref))
    }

    /// Until when the glass is broken, if it is.
    fn broken(&mut self) -> Option<Timestamp> {
        let of_gate = self.with_holders().flat_map(|facts| &facts.broken);
        let name = self.gate.name();
        let until = of_gate.filter(|(gate, _)| **gate == *name).map(|(_, until)| *until).max()?;
        self.lasting.is_before(until).then_some(until)
    }

    fn flags(&mut self) {
        for &name in &self.gate.require.flags {
            // A gate names declared flags alone; what is not declared counts nowhere.
            let flag = self.policy.flag(name.as_str());
            let repository = self.repository;
            let own = |facts: &'j Facts| lasts(flag?, facts, repository);
            let by_holder = self.holders.iter().filter_map(|holder| own(holder)).max();
            match by_holder.max(until(self.facts, &own)) {
                Some(end) if self.lasting.is_before(end) => {}
                Some(since) => {
                    let why = Why::FlagExpired { flag: name, since };
                    let grace = self.gate.grace.flag_expired.map(|grace| after(since, grace));
                    self.unless_in_grace(Reason { of: None, why }, grace);
                }
                None => self.hold(None, Why::FlagMissing(name)),
            }
        }
    }

    fn signatures(&mut self) {
        for key in &self.gate.require.signed_by {
            if !self.with_holders().any(|facts| facts.signers.contains(key)) {
                self.hold(None, Why::NotSigned(key.clone()));
            }
        }
    }

    fn age(&mut self) {
        let Some(max_age) = self.gate.require.max_age else { return };
        match self.facts.first_seen {
            None => self.hold(None, Why::AgeUnknown),
            Some(first_seen) => {
                if !self.lasting.is_before(after(first_seen, max_age)) {
                    self.hold(None, Why::TooOld { first_seen });
                }
            }
        }
    }

    /// What is asked of each image: of the manifest itself, or of the children that are judged.
    fn content(&mut self) {
        let Form::Index { children } = &self.facts.form else {
            return self.image(None, self.facts, &[&self.facts.digest]);
        };
        let require = &self.gate.require;
        let mut judged: Vec<Leaf<'j>> = leaves(children)
            .into_iter()
            .filter(Leaf::is_runnable)
            .filter(|leaf| require.judges([leaf.platform, leaf.own_platform()]))
            .collect();
        if judged.is_empty() {
            return self.hold(None, Why::NoRunnablePlatform);
        }
        // What an index names twice is told once.
        let mut seen = std::collections::HashSet::new();
        judged.retain(|leaf| seen.insert(&leaf.facts.digest));
        for leaf in judged {
            let platform = leaf.platform.or(leaf.own_platform()).cloned();
            let which = Which { digest: leaf.facts.digest.clone(), platform };
            self.image(Some(which), leaf.facts, &[&leaf.facts.digest, &self.facts.digest]);
        }
    }

    /// `digests`: its own, and that of the index by which it is judged.
    fn image(&mut self, of: Option<Which>, facts: &'j Facts, digests: &[&Digest]) {
        let holders = self.holders.iter().map(|holder| &holder.digest);
        let digests: Vec<&Digest> = digests.iter().copied().chain(holders).collect();
        let none = (&Scan::default(), None, None);
        let (scan, labels, shape) = match &facts.form {
            Form::Image { labels, scan, shape, .. } => (scan, labels.as_ref(), Some(shape)),
            Form::Unreadable(why) => return self.hold(of, Why::Unreadable(why.clone())),
            Form::NotRunnable | Form::Artifact | Form::Index { .. } => none,
        };
        self.labels(of.as_ref(), labels);
        self.shape(of.as_ref(), shape);
        self.vulnerabilities(of.as_ref(), scan, &digests);
    }

    pub(super) fn hold(&mut self, of: Option<Which>, why: Why) {
        self.reasons.push(Reason { of, why });
    }

    /// A fact is missing, and a setting says what comes of it.
    pub(super) fn gap(&mut self, gap: OnGap, of: Option<Which>, why: Why) {
        match gap {
            OnGap::Allow => {}
            OnGap::Warn => self.evidence.warnings.push(Reason { of, why }),
            OnGap::Block => self.hold(of, why),
        }
    }

    /// Holds it for the reason, unless it has passed this gate before and the grace for that is not
    /// over yet.
    pub(super) fn unless_in_grace(&mut self, reason: Reason, until: Option<Timestamp>) {
        match until.filter(|_| self.has_passed()) {
            Some(until) if self.lasting.is_before(until) => {
                self.evidence.in_grace.push(InGrace { reason, until });
            }
            _ => self.reasons.push(reason),
        }
    }

    pub(super) fn has_passed(&self) -> bool {
        self.facts.passed.iter().any(|(gate, _)| **gate == *self.gate.name())
    }

    pub(super) fn note_cleared(&mut self, cleared: Cleared) {
        if !self.evidence.cleared.contains(&cleared) {
            self.evidence.cleared.push(cleared);
        }
    }
}

/// Until when a manifest has a flag that counts in the repository; none where it never had.
fn lasts(flag: &Flag, facts: &Facts, repository: &RepositoryName) -> Option<Timestamp> {
    let set = facts.flags.iter().filter(|it| it.name == flag.name());
    set.filter(|it| flag.counts(&it.repository, repository)).map(|it| flag.ends(it)).max()
}
