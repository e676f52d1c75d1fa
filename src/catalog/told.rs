//! What is told of one digest, as briefly as looking through a hundred thousand of them asks for.

use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::gate::FlagFact;
use policy::{Caller, FlagName, Policy};
use reports::Severity;

use crate::release::{Brief, BriefReport, Flag, may_report};

/// It.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// The manifests of an index; of an image, none.
    pub(super) children: Box<[Digest]>,
    /// An engine may run it, and a scanner look into it.
    pub(crate) is_image: bool,
    pub(crate) flags: Box<[FlagFact]>,
    pub(crate) reports: Box<[Reported]>,
    /// When the gate learned of it.
    pub(crate) first_seen: Option<Timestamp>,
    /// What an image runs on, as it says itself.
    pub(crate) platform: Option<Box<str>>,
    /// In lower case, each as `key=value` between ends of lines; none where it was not looked into.
    pub(crate) labels: Option<Box<str>>,
}

/// A report, by what it says at its worst.
#[derive(Debug, Clone)]
pub(crate) struct Reported {
    /// By which number the state knows it.
    pub(crate) id: i64,
    /// The repository that it was sent for.
    pub(crate) repository: RepositoryName,
    /// None: it found nothing.
    pub(crate) worst: Option<Severity>,
    /// False: that it found nothing says nothing.
    pub(crate) recognized: bool,
    /// With the groups of then. Seldom looked at, so it is not in the way.
    uploader: Box<Caller>,
}

impl Reported {
    /// Whether it counts in that repository, as [`brief_counts`](crate::release::brief_counts) says.
    pub(crate) fn counts(&self, repository: &RepositoryName, policy: &Policy) -> bool {
        self.repository == *repository || may_report(&self.uploader, repository, policy)
    }
}

impl Told {
    pub(crate) fn is_index(&self) -> bool {
        !self.children.is_empty()
    }

    /// Takes in what is said of it now. `same` is the name that others hold already: names that are
    /// one in memory are told to be the same without being read.
    pub(super) fn hear(&mut self, brief: Brief, same: impl Fn(RepositoryName) -> RepositoryName) {
        let Brief { flags, reports, first_seen, description } = brief;
        self.flags = flags.into_iter().filter_map(|flag| fact(flag, &same)).collect();
        self.reports = reports.into_iter().map(|report| reported(report, &same)).collect();
        self.first_seen = first_seen;
        let platform = description.as_ref().and_then(|it| it.platform.as_deref());
        self.platform = platform.map(Box::from);
        self.labels = description.map(|description| {
            let lines = description.labels.iter();
            let lines = lines.map(|(key, value)| format!("\n{key}={value}").to_lowercase());
            (lines.collect::<String>() + "\n").into()
        });
    }
}

/// None where no policy can declare a flag of that name, so that it is in force nowhere.
fn fact(flag: Flag, same: impl Fn(RepositoryName) -> RepositoryName) -> Option<FlagFact> {
    let Flag { repository, name, at, expires_at, .. } = flag;
    let name = FlagName::new(&name).ok()?;
    Some(FlagFact { name, repository: same(repository), set_at: at, expires_at })
}

fn reported(report: BriefReport, same: impl Fn(RepositoryName) -> RepositoryName) -> Reported {
    let BriefReport { id, repository, uploader, uploader_groups, recognized, counts, .. } = report;
    Reported {
        id,
        repository: same(repository),
        worst: counts.last_key_value().map(|(severity, _)| *severity),
        recognized,
        uploader: Box::new(Caller::new(uploader, uploader_groups)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Description;

    #[test]
    fn labels_are_lines_in_lower_case() {
        let labels = [("Org", "ACME"), ("team", "a=b")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let description = Description { labels, ..Description::default() };
        let mut told = Told::default();
        let brief = Brief { description: Some(description), ..Brief::default() };
        told.hear(brief, |name| name);
        assert_eq!(told.labels.as_deref(), Some("\norg=acme\nteam=a=b\n"));
        told.hear(Brief::default(), |name| name);
        assert_eq!(told.labels, None);
    }
}
