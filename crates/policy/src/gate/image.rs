//! What a gate asks of one image: its labels, its shape, and what scanners say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use reports::Severity;

use super::exception::Exception;
use super::facts::{FindingFact, Scan, ScanState, Shape};
use super::findings::{Merged, count, merged, score};
use super::found::{Found, TOLD};
use super::judge::Judging;
use super::lasting::after;
use super::reason::{Reason, Which, Why};
use super::require::{MaxSeverity, OnGap, OnUnknown, Vulnerabilities};
use super::verdict::{Clearance, Cleared};

impl Judging<'_> {
    pub(super) fn labels(&mut self, of: Option<&Which>, labels: Option<&BTreeMap<String, String>>) {
        let wanted = &self.gate.require.labels;
        let Some(labels) = labels else {
            if !wanted.is_empty() {
                self.hold(of.cloned(), Why::LabelsUnknown);
            }
            return;
        };
        for (name, pattern) in wanted {
            let found = labels.get(&**name);
            if !found.is_some_and(|value| pattern.matches(value)) {
                let why = Why::Label {
                    name: name.clone(),
                    wanted: pattern.to_string().into(),
                    found: found.cloned(),
                };
                self.hold(of.cloned(), why);
            }
        }
    }

    pub(super) fn shape(&mut self, of: Option<&Which>, shape: Option<&Shape>) {
        let require = &self.gate.require;
        if let Some(max) = require.max_size {
            match shape.and_then(|shape| shape.size) {
                Some(size) if size <= max => {}
                Some(size) => self.hold(of.cloned(), Why::TooLarge { size, max }),
                None => self.hold(of.cloned(), Why::ShapeUnknown),
            }
        }
        if !require.base_images.is_empty() {
            let bases = shape.map(|shape| shape.bases.as_slice()).unwrap_or_default();
            self.base(of, bases);
        }
        if require.media_types.is_empty() {
            return;
        }
        let Some(types) = shape.and_then(|shape| shape.media_types.as_ref()) else {
            return self.hold(of.cloned(), Why::ShapeUnknown);
        };
        for found in types {
            if !require.media_types.iter().any(|pattern| pattern.matches(found)) {
                self.hold(of.cloned(), Why::MediaType(found.clone()));
            }
        }
    }

    fn base(&mut self, of: Option<&Which>, bases: &[(RepositoryName, Tag)]) {
        let wanted = &self.gate.require.base_images;
        let is_one = |(repository, tag): &(RepositoryName, Tag)| {
            wanted.iter().any(|base| base.repository() == repository && base.include(tag))
        };
        if !bases.iter().any(is_one) {
            let wanted: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            self.hold(of.cloned(), Why::OtherBase { wanted: wanted.join(" or ").into() });
        }
    }

    /// `digests`: of the image, and of indexes that hold it.
    pub(super) fn vulnerabilities(&mut self, of: Option<&Which>, scan: &Scan, digests: &[&Digest]) {
        let gate = self.gate;
        let Some(require) = &gate.require.vulnerabilities else { return };
        if scan.reports.is_empty() {
            return self.without_report(require, of, scan);
        }
        self.reports(require, of, scan);
        if require.max_severity.is_none() && require.max_cvss.is_none() {
            return;
        }
        let about = self.policy.exceptions.about(self.repository, digests);
        let found = merged(
            scan,
            |finding| self.is_cleared(&about, scan, finding),
            |finding| require.may_mind(finding),
        );
        let (mut held, mut in_grace, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let grace = gate.grace.new_finding.filter(|_| self.has_passed());
        for merged in found {
            let Some(is_known) = require.minds(&merged) else { continue };
            let may_wait = is_known || require.unknown_severity == OnUnknown::Block;
            let end = grace.filter(|_| may_wait).map(|grace| after(merged.first_seen, grace));
            match end {
                Some(end) if self.lasting.is_before(end) => in_grace.push((end, is_known, merged)),
                _ if is_known => held.push(merged),
                _ => unknown.push(merged),
            }
        }
        self.in_grace(require, of, in_grace);
        if !held.is_empty() {
            self.hold(of.cloned(), Why::Vulnerabilities(require.found(held)));
        }
        if !unknown.is_empty() {
            let why = Why::UnknownSeverity(require.found(unknown).without_bounds());
            self.gap(require.unknown_severity.as_gap(), of.cloned(), why);
        }
    }

    /// Where a failed scan stands beside an older report, the report counts, until it is too old.
    fn without_report(&mut self, require: &Vulnerabilities, of: Option<&Which>, scan: &Scan) {
        let (gap, why) = match &scan.state {
            ScanState::Pending => (require.scan_pending, Why::ScanPending),
            ScanState::Failed { since, reason } => {
                let (since, reason) = (*since, reason.clone());
                (require.scan_failed, Why::ScanFailed { since, reason })
            }
            ScanState::Never | ScanState::Done => (require.unscanned, Why::Unscanned),
        };
        if let Why::ScanFailed { since, .. } = why
            && gap == OnGap::Block
        {
            let until = self.gate.grace.scan_failed.map(|grace| after(since, grace));
            self.unless_in_grace(Reason { of: of.cloned(), why }, until);
        } else {
            self.gap(gap, of.cloned(), why);
        }
    }

    fn reports(&mut self, require: &Vulnerabilities, of: Option<&Which>, scan: &Scan) {
        let recognized = || scan.reports.iter().filter(|report| report.recognized);
        if recognized().next().is_none() {
            self.gap(require.scan_incomplete, of.cloned(), Why::ScanIncomplete);
        }
        let newest = |made: &mut dyn Iterator<Item = Timestamp>| made.max();
        let made_at = newest(&mut recognized().map(|report| report.made_at))
            .or_else(|| newest(&mut scan.reports.iter().map(|report| report.made_at)));
        let (Some(made_at), Some(max_age)) = (made_at, require.max_report_age) else { return };
        let end = after(made_at, max_age);
        if !self.lasting.is_before(end) {
            let until = self.gate.grace.report_too_old.map(|grace| after(end, grace));
            let reason = Reason { of: of.cloned(), why: Why::ReportTooOld { made_at } };
            self.unless_in_grace(reason, until);
        }
    }

    fn is_cleared(&mut self, about: &[&Exception], scan: &Scan, finding: &FindingFact) -> bool {
        let by = match scan.vex.iter().find(|vex| vex.names(finding)) {
            Some(vex) => Clearance::Vex { by: vex.by.clone(), status: vex.status.as_str() },
            None => {
                let named = about.iter().filter(|exception| exception.names(finding));
                let Some(longest) = named.max_by_key(|exception| exception.expires) else {
                    return false;
                };
                if !self.lasting.is_before(longest.expires) {
                    return false;
                }
                Clearance::Exception {
                    by: longest.by.clone(),
                    reason: longest.reason.clone(),
                    expires: longest.expires,
                }
            }
        };
        let (vulnerability, package) = (finding.id.clone(), finding.package.clone());
        self.note_cleared(Cleared { vulnerability, package, by });
        true
    }

    /// Those whose grace ends at the same time are told together.
    fn in_grace(
        &mut self,
        require: &Vulnerabilities,
        of: Option<&Which>,
        found: Vec<(Timestamp, bool, Merged<'_>)>,
    ) {
        let mut by_end: BTreeMap<(Timestamp, bool), Vec<Merged<'_>>> = BTreeMap::new();
        for (end, is_known, merged) in found {
            by_end.entry((end, is_known)).or_default().push(merged);
        }
        for ((until, is_known), merged) in by_end {
            let found = require.found(merged);
            let why = match is_known {
                true => Why::Vulnerabilities(found),
                false => Why::UnknownSeverity(found.without_bounds()),
            };
            self.unless_in_grace(Reason { of: of.cloned(), why }, Some(until));
        }
    }
}

impl Vulnerabilities {
    /// Whether it is too much, and if so, whether for what is known of it.
    fn minds(&self, merged: &Merged<'_>) -> Option<bool> {
        if self.only_fixable && !merged.is_fixable {
            return None;
        }
        if self.exceeds(merged.severity, merged.score) {
            return Some(true);
        }
        (merged.is_unknown && self.unknown_severity.as_gap() != OnGap::Allow).then_some(false)
    }

    /// Whether it may be too much by what this finding alone says; another one may say that there is
    /// a version without it. Of findings that are one vulnerability, some may, or it is not minded.
    fn may_mind(&self, finding: &FindingFact) -> bool {
        let is_unknown = finding.severity == Severity::Unknown;
        self.exceeds(finding.severity, score(finding))
            || is_unknown && self.unknown_severity.as_gap() != OnGap::Allow
    }

    fn exceeds(&self, severity: Severity, score: f64) -> bool {
        self.max_severity.is_some_and(|max| max.is_exceeded_by(severity))
            || self.max_cvss.is_some_and(|max| score > max)
    }

    fn found(&self, mut merged: Vec<Merged<'_>>) -> Found {
        let count = count(&merged);
        merged.sort_by(|one, other| {
            let by_severity = other.severity.cmp(&one.severity);
            by_severity
                .then_with(|| other.score.total_cmp(&one.score))
                .then_with(|| one.name().cmp(&other.name()))
        });
        Found {
            count,
            worst: merged.iter().take(TOLD).filter_map(Merged::finding).collect(),
            from: self.max_severity.and_then(MaxSeverity::least_held),
            above: self.max_cvss,
        }
    }
}
