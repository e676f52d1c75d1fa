//! What is there, and what holds it: asked of the upstream where it is not known already.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use oci::{Digest, Kind, ManifestType, Operation, Read, RepositoryName};

use super::graph::MAX_DEPTH;
use super::many::{AT_ONCE, many};
use super::upstream::{Budget, failed, fetch, send};
use super::{Inventory, lock};
use crate::upstream::{Error, Upstream};

/// Whether `digest` is one of these manifests, or a child of one at any depth.
pub(crate) async fn any_holds(
    inventory: &Inventory,
    upstream: &Arc<Upstream>,
    repository: &RepositoryName,
    manifests: Vec<Digest>,
    digest: &Digest,
    budget: &Arc<Budget>,
) -> Result<bool, Error> {
    let look = |at: Digest| {
        let (inventory, upstream, budget) =
            (inventory.clone(), Arc::clone(upstream), Arc::clone(budget));
        let (repository, digest) = (repository.clone(), digest.clone());
        async move {
            match inventory.holds(&repository, &at, &digest) {
                Some(holds) => Ok(holds),
                None => holds(&inventory, &upstream, &repository, at, &digest, &budget).await,
            }
        }
    };
    many(manifests, AT_ONCE, look, Ok).await
}

impl Inventory {
    /// The same of one manifest, if all that it holds is known: no manifest ever changes.
    fn holds(&self, repository: &RepositoryName, at: &Digest, digest: &Digest) -> Option<bool> {
        let graph = self.0.room.graph(repository)?;
        lock(&graph).holds(at, digest)
    }
}

async fn holds(
    inventory: &Inventory,
    upstream: &Upstream,
    repository: &RepositoryName,
    at: Digest,
    digest: &Digest,
    budget: &Budget,
) -> Result<bool, Error> {
    let mut ahead = vec![(at, 0)];
    while let Some((at, depth)) = ahead.pop() {
        if at == *digest {
            return Ok(true);
        }
        budget.spend()?;
        let Some(manifest) = fetch(upstream, repository, &at).await? else { continue };
        inventory.saw_manifest(repository, &at, &manifest);
        if depth == MAX_DEPTH && manifest.kind() == Kind::Index {
            return Err(Error::Wrong("indexes are nested too deep".to_owned()));
        }
        for child in &manifest.children {
            if child.digest == *digest {
                return Ok(true);
            }
            if is_index_type(&child.media_type) {
                ahead.push((child.digest.clone(), depth + 1));
            }
        }
    }
    Ok(false)
}

fn is_index_type(media_type: &str) -> bool {
    [ManifestType::OciIndex, ManifestType::DockerList]
        .iter()
        .any(|index| index.as_str() == media_type)
}

/// Whether there is such a blob. One that is stored elsewhere, whereto the upstream redirects, is
/// there.
pub(crate) async fn blob_is_there(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, Error> {
    let (repository, digest) = (repository.clone(), digest.clone());
    let operation = Operation::ReadBlob { read: Read::Head, repository, digest };
    let target = operation.canonical_target();
    let answer = send(upstream, Method::HEAD, &target, HeaderMap::new()).await?;
    let is_there = match answer.head.status() {
        status if status.is_success() || status.is_redirection() => Ok(true),
        StatusCode::NOT_FOUND => Ok(false),
        status => Err(failed(&answer, format!("it answered {status} when asked for a blob"))),
    };
    answer.discard().await;
    is_there
}
