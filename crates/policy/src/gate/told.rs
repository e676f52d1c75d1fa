//! Gates in words: for explanations and comparisons.

use super::compiled::Gate;
use super::require::{OnGap, OnUnknown, Require, Vulnerabilities};
use crate::lower::written;

impl Gate {
    /// What it asks for, a line each, in the words of policy files: `max_age: 180d`.
    #[must_use]
    pub fn requirements(&self) -> Vec<String> {
        self.require.lines()
    }

    /// Everything that it says but for its name, a line each: to be shown and compared. What is said
    /// in another order is the same.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![listed("images", self.images.iter().map(ToString::to_string))];
        let mut add = |key: &str, texts: Vec<String>| {
            if !texts.is_empty() {
                lines.push(listed(key, texts.into_iter()));
            }
        };
        add("subjects", self.told.subjects.clone());
        add("except subjects", self.told.except_subjects.clone());
        add("except images", self.except_images.iter().map(ToString::to_string).collect());
        add("on", self.on.iter().map(|on| on.as_str().to_owned()).collect());
        lines.extend(self.requirements());
        let grace = &self.grace;
        let graces = [
            ("new_finding", grace.new_finding),
            ("report_too_old", grace.report_too_old),
            ("scan_failed", grace.scan_failed),
            ("flag_expired", grace.flag_expired),
        ];
        let graces = graces.into_iter().filter_map(|(key, grace)| Some((key, grace?)));
        lines.extend(graces.map(|(key, grace)| format!("grace {key}: {}", written(grace))));
        if !self.is_enforced {
            lines.push("mode: audit".to_owned());
        }
        lines
    }
}

/// "flags: qa-passed, tested"
fn listed(key: &str, texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    format!("{key}: {}", texts.join(", "))
}

impl Require {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |key: &str, texts: Vec<String>| {
            if !texts.is_empty() {
                lines.push(listed(key, texts.into_iter()));
            }
        };
        add("flags", self.flags.iter().map(ToString::to_string).collect());
        add("signed_by", self.signed_by.iter().map(ToString::to_string).collect());
        let label = |(name, wanted): &(Box<str>, _)| format!("{name} = {wanted}");
        add("labels", self.labels.iter().map(label).collect());
        add("max_age", self.max_age.map(written).into_iter().collect());
        add("max_size", self.max_size.map(|size| format!("{size} bytes")).into_iter().collect());
        add("media_types", self.media_types.iter().map(ToString::to_string).collect());
        add("base_images", self.base_images.iter().map(ToString::to_string).collect());
        add("platforms", self.platforms.iter().map(ToString::to_string).collect());
        lines.extend(self.vulnerabilities.iter().flat_map(Vulnerabilities::lines));
        lines
    }
}

impl Vulnerabilities {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec!["vulnerabilities: scanned".to_owned()];
        lines.extend(self.max_severity.map(|max| format!("max_severity: {max}")));
        lines.extend(self.max_cvss.map(|max| format!("max_cvss: {max}")));
        lines.extend(self.only_fixable.then(|| "only_fixable: true".to_owned()));
        lines.extend(self.max_report_age.map(|max| format!("max_report_age: {}", written(max))));
        let unknown = OnUnknown::WORDS.iter().find(|(_, it)| *it == self.unknown_severity);
        let has_bound = self.max_severity.is_some() || self.max_cvss.is_some();
        lines.extend(
            unknown.filter(|_| has_bound).map(|(word, _)| format!("unknown_severity: {word}")),
        );
        let gaps = [
            ("unscanned", self.unscanned),
            ("scan_pending", self.scan_pending),
            ("scan_failed", self.scan_failed),
            ("scan_incomplete", self.scan_incomplete),
        ];
        for (key, gap) in gaps.into_iter().filter(|(_, gap)| *gap != OnGap::Block) {
            let word = OnGap::WORDS.iter().find(|(_, it)| *it == gap);
            lines.extend(word.map(|(word, _)| format!("{key}: {word}")));
        }
        lines
    }
}
