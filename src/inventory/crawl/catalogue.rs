//! Which repositories there are.

use oci::RepositoryName;

use super::super::list::names_page;
use super::{Crawl, Halt};
use crate::upstream::Error;

/// How many names are asked for at once. Registries give fewer where they want to.
const FIRST_PAGE: &str = "/v2/_catalog?n=1000";

/// So many pages, as a list that leads back to its beginning would never end.
const MAX_PAGES: usize = 10_000;

impl Crawl {
    /// Notes the repositories that the upstream tells of. One that has no catalogue tells none: then
    /// only those are crawled that were asked for through the gate.
    pub(super) async fn list(&mut self) -> Result<(), Halt> {
        let mut target = Some(FIRST_PAGE.to_owned());
        for _ in 0..MAX_PAGES {
            let Some(at) = target.take() else { break };
            let ask = async |upstream: &_| names_page(upstream, &at, "repositories").await;
            let page = match self.ask(ask).await? {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error @ (Error::Wrong(_) | Error::Refused(_))) => {
                    tracing::debug!(%error, "the upstream's catalogue cannot be read");
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let names: Vec<_> =
                page.names.iter().filter_map(|name| RepositoryName::new(name).ok()).collect();
            self.state
                .ask(move |store| async move { store.add_repositories(&names).await })
                .await?;
            target = page.next;
        }
        Ok(())
    }
}
