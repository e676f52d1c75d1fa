//! The images in which scanners found something.

use std::collections::HashMap;

use oci::{Digest, RepositoryName};
use policy::Policy;

use crate::catalog::{Known, Sought};
use crate::service::api::{Api, Problem};
use crate::store::{FindingKey, FindingQuery};

/// How many findings are asked for at once.
const PIECE: u32 = 2000;

/// The most that are looked at.
const MOST: usize = 50_000;

/// Manifests with a finding, and the repositories that its reports were sent for.
pub(super) struct Having(HashMap<Digest, Vec<RepositoryName>>);

impl Having {
    /// The worst first, as many as are looked at.
    pub(super) async fn find(api: &Api, finding: &Sought) -> Result<Self, Problem> {
        let by = match finding {
            Sought::Vulnerability(name) => FindingKey::Vulnerability(name.clone()),
            Sought::Package(name) => FindingKey::Package(name.clone()),
        };
        let mut having: HashMap<Digest, Vec<RepositoryName>> = HashMap::new();
        let (mut after, mut count) = (None, 0);
        while count < MOST {
            let query = FindingQuery { by: by.clone(), after, limit: PIECE };
            let found =
                api.issue.state.ask(move |store| async move { store.find_findings(&query).await });
            let found = found.await?;
            count += found.len();
            after = found.last().map(|found| found.place.clone());
            let is_last = u32::try_from(found.len()).is_ok_and(|count| count < PIECE);
            for found in found {
                let repositories = having.entry(found.digest).or_default();
                if !repositories.contains(&found.repository) {
                    repositories.push(found.repository);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(Self(having))
    }

    /// Whether a report that counts in the repository tells of it, in the image or a part of it.
    pub(super) fn is_in(
        &self,
        known: &Known,
        policy: &Policy,
        (repository, digest): (&RepositoryName, &Digest),
    ) -> bool {
        known.parts(digest).any(|(part, told)| {
            let Some(sent_for) = self.0.get(part) else { return false };
            let reports = told.reports.iter();
            let mut telling = reports.filter(|report| sent_for.contains(&report.repository));
            telling.any(|report| report.counts(repository, policy))
        })
    }

    /// How many manifests have it, anywhere.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
