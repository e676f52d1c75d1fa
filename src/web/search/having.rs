//! The images in which scanners found something.

use policy::Policy;

use crate::catalog::{Hit, Known, Sought};
use crate::service::api::{Api, Problem};
use crate::store::FindingKey;

/// The reports that tell of a finding, by number, from the least.
pub(super) struct Having(Vec<i64>);

impl Having {
    pub(super) async fn find(api: &Api, finding: &Sought) -> Result<Self, Problem> {
        let by = match finding {
            Sought::Vulnerability(name) => FindingKey::Vulnerability(name.clone()),
            Sought::Package(name) => FindingKey::package(name),
        };
        let found = api.issue.state.ask(move |store| async move { store.reports_with(&by).await });
        Ok(Self(found.await?))
    }

    /// Whether a report that counts in the repository tells of it, in the image or a part of it.
    pub(super) fn is_in(&self, known: &Known, policy: &Policy, hit: &Hit<'_>) -> bool {
        known.parts_of(hit.digest, hit.told).any(|(_, told)| {
            let mut telling = told.reports.iter().filter(|it| self.0.binary_search(&it.id).is_ok());
            telling.any(|report| report.counts(hit.repository, policy))
        })
    }
}
