//! An image in a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use oci::{Digest, Reference, RepositoryName, Tag};
use policy::Policy;
use reports::Severity;

use super::address::image_page;
use super::image::bar;
use super::shown::{short, size};
use super::verdict::Verdict;
use crate::release::{KeptFinding, counts};
use crate::service::api::gate::verdict::verdicts;
use crate::service::api::image::flags::{self, ShownFlag};
use crate::service::api::image::named::Named;
use crate::service::api::image::parts::Part;
use crate::service::api::{Api, Problem};

/// What a row says.
pub(super) struct Summary {
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) page: String,
    pub(super) digest: String,
    pub(super) platforms: Vec<String>,
    pub(super) size: String,
    pub(super) flags: Vec<String>,
    pub(super) verdict: Verdict,
    /// The worst first; none where no report counts.
    pub(super) findings: Option<Vec<(Severity, usize)>>,
}

impl Summary {
    /// Of a tag. What cannot be told, since the registry does not answer, is left out, so that a
    /// list is there all the same.
    pub(super) async fn of(
        api: &Api,
        policy: &Arc<Policy>,
        (repository, tag, digest): (&RepositoryName, &Tag, &Digest),
    ) -> Result<Self, Problem> {
        let named = Named {
            repository: repository.clone(),
            reference: Reference::Tag(tag.clone()),
            digest: digest.clone(),
        };
        let (parts, verdicts) = match api.parts(&named).await {
            Ok(parts) => (Some(parts), verdicts(api, policy, &named, None).await.ok()),
            Err(_) => (None, None),
        };
        let images = parts.as_ref().map(|parts| parts.images.as_slice()).unwrap_or_default();
        // What several reports tell of is one finding, and as bad as the worst of them says.
        let mut worst: BTreeMap<_, Severity> = BTreeMap::new();
        let mut is_reported = false;
        let known = api.images.release.known(digest).await?;
        let flags = flags::shown(&known.kept.flags, policy, repository, api.now());
        let mut parts_known = Vec::with_capacity(images.len());
        for part in images {
            parts_known.push(api.images.release.known(&part.digest).await?);
        }
        for (place, known) in parts_known.iter().enumerate() {
            let reports = known.kept.reports.iter();
            for report in reports.filter(|report| counts(report, repository, policy)) {
                is_reported = true;
                for KeptFinding { finding, .. } in &report.findings {
                    let package = (&finding.package.name, &finding.package.version);
                    let severity = worst.entry((place, finding.id.as_str(), package));
                    let severity = severity.or_insert(finding.severity);
                    *severity = finding.severity.max(*severity);
                }
            }
        }
        let mut found: BTreeMap<Severity, usize> = BTreeMap::new();
        for severity in worst.into_values() {
            *found.entry(severity).or_default() += 1;
        }
        Ok(Self {
            repository: repository.to_string(),
            tag: tag.to_string(),
            page: image_page(&named.text()),
            digest: short(digest),
            platforms: images.iter().filter_map(Part::platform_text).collect(),
            size: match images {
                [] => String::new(),
                images => size(images.iter().fold(0, |sum, part| sum.saturating_add(part.size))),
            },
            flags: flags.iter().filter(|flag| flag.is_in_force()).map(ShownFlag::name).collect(),
            verdict: verdicts.as_ref().map_or(Verdict::Unknown, Verdict::of),
            findings: is_reported.then(|| found.into_iter().rev().collect()),
        })
    }

    /// As a bar, with what it says in words.
    pub(super) fn bar(&self) -> Vec<(Severity, f64, f64)> {
        self.findings.as_deref().map(bar).unwrap_or_default()
    }

    pub(super) fn findings_text(&self) -> String {
        match self.findings.as_deref() {
            None => "no report".to_owned(),
            Some([]) => "nothing found".to_owned(),
            Some(found) => {
                let words: Vec<_> =
                    found.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
                words.join(", ")
            }
        }
    }
}
