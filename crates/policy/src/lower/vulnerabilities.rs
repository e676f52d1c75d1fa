//! What a gate lets pass of what scanners find.

use document::{Mistake, Node, Section, did_you_mean};
use reports::Severity;

use super::Lowering;
use super::amounts::{duration, score};
use super::gate::word;
use crate::gate::{MaxSeverity, OnGap, OnUnknown, Vulnerabilities};

impl Lowering<'_> {
    pub(super) fn vulnerabilities(&mut self, node: &Node) -> Option<Vulnerabilities> {
        let mut section = node.section("`vulnerabilities`", self.problems)?;
        let severity = section.read("max_severity", self.problems, max_severity);
        let cvss = section.read("max_cvss", self.problems, score);
        let fixable = section.read("only_fixable", self.problems, |text| {
            word(text, &[("true", true), ("false", false)], "setting")
        });
        let unknown = section.read("unknown_severity", self.problems, |text| {
            word(text, &OnUnknown::WORDS, "setting")
        });
        let mut gap = |key: &'static str| {
            let read = |text: &str| word(text, &OnGap::WORDS, "setting");
            let gap = section.read(key, self.problems, read);
            gap.map(|gap| gap.value).unwrap_or_default()
        };
        let (unscanned, scan_pending) = (gap("unscanned"), gap("scan_pending"));
        let (scan_failed, scan_incomplete) = (gap("scan_failed"), gap("scan_incomplete"));
        let age = section.read("max_report_age", self.problems, duration);
        self.pointless_settings(&section, severity.is_some() || cvss.is_some(), node);
        section.finish(self.problems);
        Some(Vulnerabilities {
            max_severity: severity.map(|it| it.value),
            max_cvss: cvss.map(|it| it.value),
            only_fixable: fixable.is_some_and(|it| it.value),
            unknown_severity: unknown.map(|it| it.value).unwrap_or_default(),
            unscanned,
            scan_pending,
            scan_failed,
            scan_incomplete,
            max_report_age: age.map(|it| it.value),
        })
    }

    /// Settings about findings, where the gate does not look at these.
    fn pointless_settings(&mut self, section: &Section<'_>, has_bound: bool, node: &Node) {
        let lacks_bound = section.lacks("max_severity") && section.lacks("max_cvss");
        for key in ["only_fixable", "unknown_severity"] {
            if !has_bound && lacks_bound && !section.lacks(key) {
                let mistake = Mistake::new(format!("`{key}` has no effect"))
                    .label("without a bound, findings are not looked at")
                    .help("add `max_severity` or `max_cvss`");
                self.problems.warn(node.place, mistake);
            }
        }
    }
}

fn max_severity(text: &str) -> Result<MaxSeverity, Mistake> {
    if text == "unknown" {
        return Err(Mistake::new("`unknown` is no bound")
            .help("`none` lets no finding pass; for those that nobody has judged there is `unknown_severity`"));
    }
    if text == "none" {
        return Ok(MaxSeverity::None);
    }
    text.parse().map(MaxSeverity::Of).map_err(|_| {
        let known = Severity::ALL.into_iter().skip(1).map(Severity::as_str);
        let meant = did_you_mean(text, known.chain(["none"]));
        Mistake::new(format!("unknown severity `{text}`")).help(meant.unwrap_or_else(|| {
            "severities are `negligible`, `low`, `medium`, `high` and `critical`; `none` lets nothing pass".to_owned()
        }))
    })
}
