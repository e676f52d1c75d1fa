//! The judgement once more, slowly and straight from what the specification says.

use jiff::{SignedDuration, Timestamp};
use policy::gate::{Facts, FindingFact, Form, Scan, ScanState, VexScope};
use reports::{Severity, Status};

use super::known::{day, digest};

/// A gate as it is made up; written as a policy, and asked here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// Of `a`, which is carried among `dev/**` and `prod/**`, and `b`, which expires after 5 days.
    pub(crate) flags: Vec<&'static str>,
    pub(crate) keys: Vec<&'static str>,
    pub(crate) max_age: Option<i64>,
    pub(crate) only_amd64: bool,
    pub(crate) scans: Option<Scans>,
    /// In days: new_finding, report_too_old, scan_failed, flag_expired.
    pub(crate) grace: [Option<i64>; 4],
    pub(crate) audit: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scans {
    /// `none`, or a severity.
    pub(crate) max_severity: Option<&'static str>,
    pub(crate) max_cvss: Option<f64>,
    pub(crate) only_fixable: bool,
    /// ignore, warn, block
    pub(crate) unknown: &'static str,
    /// allow, warn, block: unscanned, pending, failed, incomplete.
    pub(crate) gaps: [&'static str; 4],
    pub(crate) max_report_age: Option<i64>,
}

/// The exceptions of every made-up policy.
pub(crate) fn exceptions() -> String {
    format!(
        "exceptions:\n\
         \x20 - {{cve: CVE-1, package: 'pkg:deb/debian/p*', images: ['prod/**'], reason: r, by: 'user:a', expires: 2026-03-05}}\n\
         \x20 - {{cve: CVE-2, images: ['{}'], reason: r, by: 'user:a', expires: 2026-03-08}}\n",
        digest(1)
    )
}

impl Model {
    pub(crate) fn yaml(&self, name: &str) -> String {
        let mut parts = Vec::new();
        let mut add = |key: &str, value: String| parts.push(format!("{key}: {value}"));
        if !self.flags.is_empty() {
            add("flags", format!("[{}]", self.flags.join(", ")));
        }
        if !self.keys.is_empty() {
            add("signed_by", format!("[{}]", self.keys.join(", ")));
        }
        // So that it never asks for nothing.
        add("max_age", format!("{}d", self.max_age.unwrap_or(3000)));
        if self.only_amd64 {
            add("platforms", "[linux/amd64]".to_owned());
        }
        if let Some(scans) = &self.scans {
            let mut inner = Vec::new();
            let mut add = |key: &str, value: String| inner.push(format!("{key}: {value}"));
            scans.max_severity.into_iter().for_each(|it| add("max_severity", it.to_owned()));
            scans.max_cvss.into_iter().for_each(|it| add("max_cvss", it.to_string()));
            add("only_fixable", scans.only_fixable.to_string());
            add("unknown_severity", scans.unknown.to_owned());
            let keys = ["unscanned", "scan_pending", "scan_failed", "scan_incomplete"];
            keys.iter().zip(scans.gaps).for_each(|(key, gap)| add(key, gap.to_owned()));
            scans.max_report_age.into_iter().for_each(|it| add("max_report_age", format!("{it}d")));
            parts.push(format!("vulnerabilities: {{{}}}", inner.join(", ")));
        }
        let keys = ["new_finding", "report_too_old", "scan_failed", "flag_expired"];
        let graces = keys.iter().zip(self.grace).filter_map(|(key, days)| Some((key, days?)));
        let graces: Vec<_> = graces.map(|(key, days)| format!("{key}: {days}d")).collect();
        let mode = if self.audit { "audit" } else { "enforce" };
        format!(
            "  - {{name: {name}, images: ['**'], mode: {mode}, require: {{{}}}, grace: {{{}}}}}\n",
            parts.join(", "),
            graces.join(", ")
        )
    }

    /// Whether the manifest may pass, in `prod/api`.
    pub(crate) fn passes(
        &self,
        name: &str,
        top: &Facts,
        holders: &[&Facts],
        at: Timestamp,
    ) -> bool {
        if is_artifact(top) || self.is_broken(name, top, holders, at) {
            return true;
        }
        let passed = top.passed.iter().any(|(gate, _)| **gate == *name);
        let flags = self.flags.iter().all(|flag| {
            let own = |facts: &Facts| lasts(flag, facts);
            let end = holders.iter().filter_map(|it| own(it)).chain(until(top, &own)).max();
            end.is_some_and(|end| at < end || (passed && in_time(end, self.grace[3], at)))
        });
        let keys = self.keys.iter().all(|key| {
            holders.iter().chain([&top]).any(|facts| facts.signers.iter().any(|it| **it == **key))
        });
        let max_age = days(self.max_age.unwrap_or(3000));
        let age = top.first_seen.is_some_and(|seen| at < seen + max_age);
        flags && keys && age && self.content(top, holders, passed, at)
    }

    fn is_broken(&self, name: &str, top: &Facts, holders: &[&Facts], at: Timestamp) -> bool {
        let all = holders.iter().chain([&top]).flat_map(|facts| &facts.broken);
        all.into_iter().any(|(gate, end)| **gate == *name && at < *end)
    }

    fn content(&self, top: &Facts, holders: &[&Facts], passed: bool, at: Timestamp) -> bool {
        let Form::Index { .. } = top.form else {
            return self.image(top, &[&[top], holders].concat(), passed, at);
        };
        let mut judged = Vec::new();
        collect(top, &mut judged);
        judged.retain(|(said, facts)| {
            let own = match &facts.form {
                Form::Image { platform, .. } => platform.clone(),
                _ => None,
            };
            let known: Vec<_> = [said.clone(), own].into_iter().flatten().collect();
            let is_amd64 = known.iter().any(|it| it.architecture == "amd64" && it.os == "linux");
            !self.only_amd64 || known.is_empty() || is_amd64
        });
        !judged.is_empty()
            && judged.iter().all(|(_, facts)| {
                self.image(facts, &[&[*facts, top], holders].concat(), passed, at)
            })
    }

    fn image(&self, facts: &Facts, around: &[&Facts], passed: bool, at: Timestamp) -> bool {
        let none = Scan::default();
        let scan = match &facts.form {
            Form::Unreadable(_) => return false,
            Form::Image { scan, .. } => scan,
            _ => &none,
        };
        let Some(require) = &self.scans else { return true };
        let [unscanned, pending, failed, incomplete] = require.gaps.map(|gap| gap != "block");
        if scan.reports.is_empty() {
            return match &scan.state {
                ScanState::Pending => pending,
                ScanState::Failed { since, .. } => {
                    failed || (passed && in_time(*since, self.grace[2], at))
                }
                _ => unscanned,
            };
        }
        let recognized: Vec<_> = scan.reports.iter().filter(|report| report.recognized).collect();
        if recognized.is_empty() && !incomplete {
            return false;
        }
        let counting =
            if recognized.is_empty() { scan.reports.iter().collect() } else { recognized };
        if let Some(max_age) = require.max_report_age {
            let newest = counting.iter().map(|report| report.made_at).max().unwrap();
            let end = newest + days(max_age);
            if at >= end && !(passed && in_time(end, self.grace[1], at)) {
                return false;
            }
        }
        let counts = |finding: &&FindingFact| {
            finding.status != Status::NotAffected && !cleared(finding, scan, around, at)
        };
        let findings = scan.reports.iter().flat_map(|report| report.findings.iter());
        let findings: Vec<&FindingFact> = findings.filter(counts).collect();
        findings.iter().all(|finding| {
            let same = same_as(finding, &findings);
            let first_seen = same.iter().map(|it| it.first_seen).min().unwrap();
            !require.minds(&same) || (passed && in_time(first_seen, self.grace[0], at))
        })
    }
}

impl Scans {
    /// Whether findings that are one vulnerability in one package are too much.
    fn minds(&self, same: &[&FindingFact]) -> bool {
        if self.max_severity.is_none() && self.max_cvss.is_none() {
            return false;
        }
        if self.only_fixable && same.iter().all(|it| it.fixed_in.is_none()) {
            return false;
        }
        let severity = same.iter().map(|it| it.severity).max().unwrap();
        let too_severe = self.max_severity.is_some_and(|max| match max {
            "none" => severity != Severity::Unknown,
            max => severity > max.parse().unwrap(),
        });
        let score = |it: &&FindingFact| match (it.cvss, it.severity) {
            (Some(score), _) => score,
            (None, Severity::Critical) => 10.0,
            (None, Severity::High) => 8.9,
            (None, Severity::Medium) => 6.9,
            (None, Severity::Low) => 3.9,
            (None, _) => 0.0,
        };
        let too_high = self.max_cvss.is_some_and(|max| same.iter().any(|it| score(it) > max));
        let unknown = same.iter().any(|it| it.severity == Severity::Unknown);
        too_severe || too_high || (unknown && self.unknown == "block")
    }
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn in_time(from: Timestamp, grace: Option<i64>, at: Timestamp) -> bool {
    grace.is_some_and(|grace| from == Timestamp::MAX || at < from + days(grace))
}

fn is_artifact(facts: &Facts) -> bool {
    match &facts.form {
        Form::Artifact => true,
        Form::Index { children } => {
            // An index in an index that holds nothing is nothing.
            let empty =
                |it: &Facts| matches!(&it.form, Form::Index { children } if children.is_empty());
            children.iter().all(|it| is_artifact(&it.facts) || empty(&it.facts))
                && children.iter().any(|it| is_artifact(&it.facts))
        }
        _ => false,
    }
}

/// Whether anything in it runs.
fn runs(facts: &Facts) -> bool {
    match &facts.form {
        Form::Image { .. } | Form::Unreadable(_) => true,
        Form::Index { children } => children.iter().any(|child| runs(&child.facts)),
        Form::NotRunnable | Form::Artifact => false,
    }
}

fn lasts(flag: &str, facts: &Facts) -> Option<Timestamp> {
    let counts = |place: &str| place == "prod/api" || (flag == "a" && place.starts_with("dev/"));
    let set = facts.flags.iter().filter(|it| it.name.as_str() == flag);
    let set = set.filter(|it| counts(it.repository.as_str()));
    let end = |it: &policy::gate::FlagFact| {
        let declared = (flag == "b").then(|| it.set_at + days(5));
        it.expires_at.into_iter().chain(declared).min().unwrap_or(Timestamp::MAX)
    };
    set.map(end).max()
}

fn until(facts: &Facts, own: &impl Fn(&Facts) -> Option<Timestamp>) -> Option<Timestamp> {
    let below = match &facts.form {
        Form::Index { children } => {
            let runnable = children.iter().filter(|child| runs(&child.facts));
            runnable.map(|child| until(&child.facts, own)).min().flatten()
        }
        _ => None,
    };
    below.max(own(facts))
}

fn collect<'f>(top: &'f Facts, found: &mut Vec<(Option<oci::Platform>, &'f Facts)>) {
    let Form::Index { children } = &top.form else { return };
    for child in children {
        match &child.facts.form {
            Form::Index { .. } => collect(&child.facts, found),
            Form::Image { .. } | Form::Unreadable(_) => {
                found.push((child.platform.clone(), &child.facts));
            }
            Form::NotRunnable | Form::Artifact => {}
        }
    }
}

fn cleared(finding: &FindingFact, scan: &Scan, around: &[&Facts], at: Timestamp) -> bool {
    let called = |name: &str| {
        let names = std::iter::once(&finding.id).chain(&finding.aliases);
        names.into_iter().any(|it| it.as_str() == name)
    };
    let by_first = called("CVE-1")
        && at < day(4)
        && finding.purl.as_ref().is_some_and(|purl| purl.starts_with("pkg:deb/debian/p"));
    let by_second =
        called("CVE-2") && at < day(7) && around.iter().any(|facts| facts.digest == digest(1));
    let by_vex = scan.vex.iter().any(|vex| {
        vex.ids.iter().any(|id| called(id.as_str()))
            && match &vex.scope {
                VexScope::Image => true,
                VexScope::Packages(packages) => packages.contains(&finding.package),
            }
    });
    by_first || by_second || by_vex
}

/// All findings in the same package that share a name, or are linked by others that do.
fn same_as<'f>(finding: &'f FindingFact, all: &[&'f FindingFact]) -> Vec<&'f FindingFact> {
    let mut same = vec![finding];
    let names = |it: &FindingFact| -> Vec<String> {
        std::iter::once(&it.id).chain(&it.aliases).map(ToString::to_string).collect()
    };
    loop {
        let known: Vec<String> = same.iter().flat_map(|it| names(it)).collect();
        let is_new = |it: &&&FindingFact| {
            it.package == finding.package
                && !same.iter().any(|known| std::ptr::eq(*known, **it))
                && names(it).iter().any(|name| known.contains(name))
        };
        match all.iter().find(is_new) {
            Some(more) => same.push(more),
            None => return same,
        }
    }
}
