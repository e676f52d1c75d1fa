//! An image in a list.

use std::collections::BTreeSet;
use std::sync::Arc;

use oci::{Digest, Reference, RepositoryName, Tag};
use policy::Policy;
use reports::Severity;

use super::address::image_page;
use super::image::bar;
use super::shown::{short, size};
use super::verdict::Verdict;
use crate::catalog::Known;
use crate::release::{self, KeptReport, Tally, counts, tally};
use crate::service::api::gate::verdict::recalled_verdicts;
use crate::service::api::image::flags::in_force;
use crate::service::api::image::named::Named;
use crate::service::api::image::parts::Part;
use crate::service::api::{Api, Problem};

/// The word for images in which reports found nothing, as addresses have it.
pub(super) const CLEAN: &str = "none";

/// The word for images of which no report counts.
pub(super) const UNREPORTED: &str = "no report";

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
    pub(super) findings: Findings,
    /// The label for which it was found, where its name does not say why.
    pub(super) label: Option<String>,
}

/// What reports say of an image.
pub(super) enum Findings {
    /// What it is made of cannot be told, and so no report of it.
    Unknown,
    /// No report counts.
    Unreported,
    /// The worst first.
    Found(Vec<(Severity, usize)>),
}

/// Whether nothing was found in an image: a report has to say so of each part that scanners look into.
/// Told is of each whether its reports found anything; none where no report counts.
pub(super) fn is_nothing_found(parts: impl IntoIterator<Item = Option<bool>>) -> bool {
    let mut parts = parts.into_iter().peekable();
    parts.peek().is_some() && parts.all(|found| found == Some(false))
}

impl Findings {
    /// Of all parts together; none where no report of that part counts.
    fn of(parts: &[Option<Tally>]) -> Self {
        let mut sum = Tally::default();
        for (severity, count) in parts.iter().flatten().flatten() {
            *sum.entry(*severity).or_default() += count;
        }
        let is_found = |part: &Option<Tally>| part.as_ref().map(|tally| !tally.is_empty());
        match sum.is_empty() && !is_nothing_found(parts.iter().map(is_found)) {
            true => Self::Unreported,
            false => Self::Found(sum.into_iter().rev().collect()),
        }
    }

    /// What was found; none where nobody looked.
    pub(super) fn found(&self) -> Option<&[(Severity, usize)]> {
        match self {
            Self::Found(found) => Some(found),
            Self::Unknown | Self::Unreported => None,
        }
    }
}

/// Makes the rows of one list.
pub(super) struct Summaries<'a> {
    api: &'a Api,
    policy: &'a Arc<Policy>,
    /// Whose lessons of others were taken in for this list: once is enough.
    recalled: BTreeSet<RepositoryName>,
}

impl<'a> Summaries<'a> {
    pub(super) fn new(api: &'a Api, policy: &'a Arc<Policy>) -> Self {
        Self { api, policy, recalled: BTreeSet::new() }
    }

    /// That of a tag. What cannot be told, since the registry does not answer, is left out, so that
    /// a list is there all the same.
    pub(super) async fn of(
        &mut self,
        (repository, tag, digest): (&RepositoryName, &Tag, &Digest),
    ) -> Result<Summary, Problem> {
        let Self { api, policy, .. } = *self;
        if !self.recalled.contains(repository) {
            api.images.inventory.recall(repository, api.now()).await;
            self.recalled.insert(repository.clone());
        }
        let named = Named {
            repository: repository.clone(),
            reference: Reference::Tag(tag.clone()),
            digest: digest.clone(),
        };
        let (parts, verdicts) = match api.parts(&named).await {
            Ok(parts) => (Some(parts), recalled_verdicts(api, policy, &named, None).await.ok()),
            Err(_) => (None, None),
        };
        let images = parts.as_ref().map(|parts| parts.images.as_slice()).unwrap_or_default();
        let known = api.images.release.known(digest).await?;
        let flags = in_force(&known.kept.flags, policy, repository, api.now());
        let mut tallies = Vec::with_capacity(images.len());
        for part in images {
            let known = api.images.release.known(&part.digest).await?;
            tallies.push(tally_here(&known, repository, policy));
        }
        Ok(Summary {
            repository: repository.to_string(),
            tag: tag.to_string(),
            page: image_page(&named.text()),
            digest: short(digest),
            platforms: images.iter().filter_map(Part::platform_text).collect(),
            size: match images {
                [] => String::new(),
                images => size(images.iter().fold(0, |sum, part| sum.saturating_add(part.size))),
            },
            flags: flags.into_iter().map(str::to_owned).collect(),
            verdict: verdicts.as_ref().map_or(Verdict::Unknown, Verdict::of),
            findings: match parts {
                Some(_) => Findings::of(&tallies),
                None => Findings::Unknown,
            },
            label: None,
        })
    }
}

impl Summary {
    /// No gate keeps anybody from what is in it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.verdict, Verdict::Passed | Verdict::NoGate)
    }

    /// With what the image says that it runs on, where no index says it. What a gate holds is not
    /// looked into.
    pub(super) fn described(mut self, known: &Known, digest: &Digest) -> Self {
        if self.platforms.is_empty() && self.is_open() {
            let platform = known.told(digest).and_then(|told| told.platform.as_deref());
            self.platforms.extend(platform.map(str::to_owned));
        }
        self
    }

    /// As a bar, with what it says in words.
    pub(super) fn bar(&self) -> Vec<(Severity, f64, f64)> {
        self.findings.found().map(bar).unwrap_or_default()
    }

    pub(super) fn findings_text(&self) -> String {
        match &self.findings {
            Findings::Unknown => "not known: the registry does not answer".to_owned(),
            Findings::Unreported => "no report".to_owned(),
            Findings::Found(found) if found.is_empty() => "nothing found".to_owned(),
            Findings::Found(found) => {
                let words: Vec<_> =
                    found.iter().map(|(severity, count)| format!("{count} {severity}")).collect();
                words.join(", ")
            }
        }
    }
}

/// What the reports that count in this repository found, each finding once; none if there is none.
fn tally_here(
    known: &release::Known,
    repository: &RepositoryName,
    policy: &Policy,
) -> Option<Tally> {
    let reports = known.kept.reports.iter().zip(&known.tallies);
    // A scanner that recognized nothing says nothing by finding nothing.
    let says = |report: &KeptReport| report.recognized || !report.findings.is_empty();
    let counting: Vec<_> =
        reports.filter(|(report, _)| says(report) && counts(report, repository, policy)).collect();
    match counting.as_slice() {
        [] => None,
        [(_, tally)] => Some((*tally).clone()),
        several => Some(tally(several.iter().map(|(report, _)| *report))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_found_where_each_part_has_a_report_that_says_so() {
        let nothing = || Some(Tally::default());
        let high = || Some(Tally::from([(Severity::High, 2)]));
        for (parts, expected) in [
            (vec![], None),
            (vec![None], None),
            (vec![nothing()], Some(vec![])),
            (vec![nothing(), None], None),
            (vec![nothing(), nothing()], Some(vec![])),
            (vec![high(), None], Some(vec![(Severity::High, 2)])),
            (vec![high(), high(), nothing()], Some(vec![(Severity::High, 4)])),
        ] {
            let findings = Findings::of(&parts);
            assert_eq!(findings.found(), expected.as_deref(), "{parts:?}");
        }
    }
}
