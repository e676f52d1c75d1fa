//! Looking for the signatures of an image at the upstream.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use oci::{Digest, RepositoryName, Tag};

use super::rejected::Rejected;
use super::stored::{candidate, entries, layers};
use super::trusted::TrustedKeys;
use super::{MAX_CONTENT, MAX_LAYERS};
use crate::body::BodyError;
use crate::inventory::{Budget, each_referrer, fetch_blob, fetch_bytes, fetch_tagged};
use crate::log::Causes;
use crate::upstream::{Error, Upstream};

/// What was found at an image.
#[derive(Debug, Default)]
pub struct Found {
    /// The names of the trusted keys that signed it.
    pub signers: BTreeSet<Box<str>>,
    /// Why other things that stood where signatures do are none.
    pub passed_over: Vec<Rejected>,
}

/// The names of the trusted keys that signed the image with this digest, in order.
///
/// A signature of an index says nothing here of its children: whoever asks for a child asks for the
/// index as well.
///
/// # Errors
/// The upstream did not answer, or not as it should, or the budget is spent: who signed is not
/// known then. That there is no signature is no error.
pub async fn signers(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
    keys: &TrustedKeys,
    budget: &Budget,
) -> Result<Vec<Box<str>>, Error> {
    let found = signatures(upstream, repository, digest, keys, budget).await?;
    for why in &found.passed_over {
        let why = Causes(why).to_string();
        tracing::debug!(%repository, %digest, why, "something is no signature by a trusted key");
    }
    Ok(found.signers.into_iter().collect())
}

/// The same, with the reason for each thing that is no such signature.
///
/// # Errors
/// As above.
pub async fn signatures(
    upstream: &Upstream,
    repository: &RepositoryName,
    digest: &Digest,
    keys: &TrustedKeys,
    budget: &Budget,
) -> Result<Found, Error> {
    let mut search = Search { upstream, repository, digest, keys, budget, found: Found::default() };
    if !keys.is_empty() {
        search.under_signature_tag().await?;
        search.among_referrers().await?;
    }
    Ok(search.found)
}

struct Search<'a> {
    upstream: &'a Upstream,
    repository: &'a RepositoryName,
    digest: &'a Digest,
    keys: &'a TrustedKeys,
    budget: &'a Budget,
    found: Found,
}

impl Search<'_> {
    /// At `sha256-HEX.sig`: one manifest for all signatures. The tag is for cosign to write, and an
    /// image with a longer digest has none.
    async fn under_signature_tag(&mut self) -> Result<(), Error> {
        let Ok(tag) = Tag::new(&format!("{}.sig", self.digest).replace(':', "-")) else {
            return Ok(());
        };
        self.budget.spend()?;
        let Some((manifest, _)) = fetch_tagged(self.upstream, self.repository, &tag).await? else {
            return Ok(());
        };
        let mut left = MAX_LAYERS;
        self.look_into(&manifest, &mut left).await
    }

    /// In what names the image as its subject: one manifest for each signature.
    async fn among_referrers(&mut self) -> Result<(), Error> {
        if self.is_complete() {
            return Ok(());
        }
        let (candidates, is_all) = self.candidates().await?;
        let mut left = MAX_LAYERS;
        for candidate in candidates {
            if self.is_complete() {
                return Ok(());
            }
            self.budget.spend()?;
            match fetch_bytes(self.upstream, self.repository, &candidate).await? {
                Some((manifest, _)) => self.look_into(&manifest, &mut left).await?,
                None => self.found.passed_over.push(Rejected::Gone),
            }
        }
        if !is_all {
            self.found.passed_over.push(Rejected::TooMany);
        }
        Ok(())
    }

    /// Manifests that may be signatures, and whether that is all of them: from the upstream's list
    /// or, where it keeps none, from the index that clients keep instead (spec, "Referrers Tag
    /// Schema").
    async fn candidates(&mut self) -> Result<(Vec<Digest>, bool), Error> {
        let (mut candidates, mut is_all) = (Vec::new(), true);
        let mut take = |entry: &[u8]| match candidate(entry) {
            Some(_) if candidates.len() == MAX_LAYERS => {
                is_all = false;
                ControlFlow::Break(())
            }
            candidate => {
                candidates.extend(candidate);
                ControlFlow::Continue(())
            }
        };
        let listed =
            each_referrer(self.upstream, self.repository, self.digest, self.budget, |entry| {
                Ok(take(entry))
            });
        if !listed.await?
            && let Ok(tag) = Tag::new(&self.digest.to_string().replace(':', "-"))
        {
            self.budget.spend()?;
            let index = fetch_tagged(self.upstream, self.repository, &tag).await?;
            match index.as_ref().map(|(index, _)| entries(index)) {
                None => {}
                Some(Ok(entries)) => {
                    // Broken off only to say that there are more.
                    let _ = entries.into_iter().try_for_each(take);
                }
                Some(Err(why)) => self.found.passed_over.push(why),
            }
        }
        Ok((candidates, is_all))
    }

    /// Looks at each layer of a manifest, as far as there are `left` to look at.
    async fn look_into(&mut self, manifest: &[u8], left: &mut usize) -> Result<(), Error> {
        let layers = match layers(manifest) {
            Ok(layers) => layers,
            Err(why) => {
                self.found.passed_over.push(why);
                return Ok(());
            }
        };
        for layer in layers {
            if self.is_complete() {
                return Ok(());
            }
            let Some(fewer) = left.checked_sub(1) else {
                self.found.passed_over.push(Rejected::TooMany);
                return Ok(());
            };
            *left = fewer;
            let signer = match layer {
                Ok(layer) => match self.content(&layer.digest).await? {
                    Ok(content) => layer.signer(self.keys, self.digest, &content),
                    Err(why) => Err(why),
                },
                Err(why) => Err(why),
            };
            match signer {
                Ok(signer) => drop(self.found.signers.insert(signer.into())),
                Err(why) => self.found.passed_over.push(why),
            }
        }
        Ok(())
    }

    /// The content of a layer. That it is gone or too large is said of this layer; all else that
    /// fails may pass, and then there may be a signature.
    async fn content(&self, digest: &Digest) -> Result<Result<bytes::Bytes, Rejected>, Error> {
        self.budget.spend()?;
        match fetch_blob(self.upstream, self.repository, digest, MAX_CONTENT).await {
            Ok(content) => Ok(content.ok_or(Rejected::Gone)),
            Err(Error::Body(BodyError::TooLarge(_))) => Ok(Err(Rejected::TooLarge)),
            Err(error) => Err(error),
        }
    }

    /// Whether every trusted key is known to have signed, so that no more can be learned.
    fn is_complete(&self) -> bool {
        self.found.signers.len() == self.keys.len()
    }
}
