//! What is attached to an image: signatures, SBOMs, attestations and whatever else names it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use oci::{Digest, Reference, Tag};
use policy::Policy;
use serde::Deserialize;

use super::super::address::image_page;
use super::super::shown::{short, size};
use crate::authorize::Effort;
use crate::inventory::{each_referrer, fetch_tagged, head_tag};
use crate::service::api::image::named::Named;
use crate::service::api::{Api, Problem, Requester};

/// The most that are shown.
const MOST: usize = 100;

/// The annotation in which a bundle repeats what it attests.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";

/// What cosign attests when it signs.
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// The tags where cosign keeps things for clients that know no referrers.
const TAGGED: [(&str, Kind); 3] =
    [("sig", Kind::Signature), ("att", Kind::Attestation), ("sbom", Kind::Sbom)];

/// All of it, as far as whoever reads may read it.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) artifacts: Vec<Artifact>,
    /// There are more.
    pub(super) goes_on: bool,
    /// The names of the trusted keys that signed the image.
    pub(super) signers: Vec<String>,
    /// The registry did not tell all of it.
    pub(super) is_partial: bool,
}

/// Something that names the image.
pub(super) struct Artifact {
    pub(super) kind: Kind,
    /// As it says itself.
    pub(super) media_type: String,
    pub(super) page: String,
    pub(super) name: String,
    pub(super) size: String,
    /// As it says itself.
    pub(super) created: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Signature,
    Sbom,
    Attestation,
    Other,
}

impl Kind {
    /// By what it calls itself, and by what it says that it attests.
    fn of(media_type: &str, predicate: &str) -> Self {
        let is_one = |marks: &[&str]| marks.iter().any(|mark| media_type.contains(mark));
        if predicate == SIGNED
            || is_one(&["cosign.artifact.sig", "simplesigning", "notary.signature"])
        {
            return Self::Signature;
        }
        let marks = ["spdx", "cyclonedx", "syft"];
        if is_one(&marks) || marks.iter().any(|mark| predicate.to_lowercase().contains(mark)) {
            return Self::Sbom;
        }
        match !predicate.is_empty() || is_one(&["in-toto", "sigstore.bundle", "dsse"]) {
            true => Self::Attestation,
            false => Self::Other,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Sbom => "SBOM",
            Self::Attestation => "attestation",
            Self::Other => "artifact",
        }
    }
}

/// A descriptor in a list of referrers (spec, "Listing Referrers").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    #[serde(default)]
    media_type: String,
    artifact_type: Option<String>,
    #[serde(default)]
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
}

/// The index that clients keep where the registry has no list (spec, "Referrers Tag Schema").
#[derive(Deserialize)]
struct Fallback {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

impl Attached {
    /// Of an image that whoever reads may look into. What cannot be told is left out, and that is
    /// said.
    pub(super) async fn of(
        api: &Api,
        who: &Requester,
        policy: &Arc<Policy>,
        image: &Named,
    ) -> Result<Self, Problem> {
        let mut attached = Self::default();
        match listed(api, image).await {
            Ok(descriptors) => {
                for descriptor in descriptors {
                    attached.add(who, (api, policy), image, descriptor).await?;
                }
            }
            Err(_) => attached.is_partial = true,
        }
        for (suffix, kind) in TAGGED {
            attached.tagged(who, (api, policy), image, (suffix, kind)).await?;
        }
        attached.artifacts.sort_by_key(|artifact| artifact.kind);
        let budget = api.budget();
        let asking = api.asking(&image.repository, &budget);
        match api.images.release.signers(asking, &image.digest, api.now()).await {
            Ok(signers) => attached.signers = signers.into_iter().map(String::from).collect(),
            Err(_) => attached.is_partial = true,
        }
        Ok(attached)
    }

    async fn add(
        &mut self,
        who: &Requester,
        (api, policy): (&Api, &Arc<Policy>),
        image: &Named,
        descriptor: Descriptor,
    ) -> Result<(), Problem> {
        if self.goes_on {
            return Ok(());
        }
        let Ok(digest) = Digest::new(&descriptor.digest) else { return Ok(()) };
        let place = (&image.repository, &Reference::Digest(digest.clone()));
        if !who.reads(api, policy, place, Effort::Whole).await? {
            return Ok(());
        }
        if self.artifacts.len() == MOST {
            self.goes_on = true;
            return Ok(());
        }
        let mut annotations = descriptor.annotations.unwrap_or_default();
        let media_type = descriptor.artifact_type.filter(|it| !it.is_empty());
        let media_type = media_type.unwrap_or(descriptor.media_type);
        let predicate = annotations.remove(PREDICATE).unwrap_or_default();
        self.artifacts.push(Artifact {
            kind: Kind::of(&media_type, &predicate),
            media_type: if predicate.is_empty() { media_type } else { predicate },
            page: image_page(&format!("{}@{digest}", image.repository)),
            name: short(&digest),
            size: size(descriptor.size),
            created: annotations.remove("org.opencontainers.image.created").unwrap_or_default(),
        });
        Ok(())
    }

    /// What cosign wrote at a tag of its own.
    async fn tagged(
        &mut self,
        who: &Requester,
        (api, policy): (&Api, &Arc<Policy>),
        image: &Named,
        (suffix, kind): (&str, Kind),
    ) -> Result<(), Problem> {
        let name = format!("{}.{suffix}", image.digest).replace(':', "-");
        let Ok(tag) = Tag::new(&name) else { return Ok(()) };
        let reference = Reference::Tag(tag.clone());
        if !who.reads(api, policy, (&image.repository, &reference), Effort::Whole).await? {
            return Ok(());
        }
        match head_tag(&api.images.upstream, &image.repository, &tag).await {
            Ok(Some(digest)) => self.artifacts.push(Artifact {
                kind,
                media_type: String::new(),
                page: image_page(&format!("{}:{tag}", image.repository)),
                name: short(&digest),
                size: String::new(),
                created: String::new(),
            }),
            Ok(None) => {}
            Err(_) => self.is_partial = true,
        }
        Ok(())
    }
}

/// What names the image as its subject: by the registry's list, or by the index that clients keep.
async fn listed(api: &Api, image: &Named) -> Result<Vec<Descriptor>, crate::upstream::Error> {
    let (upstream, repository, digest) = (&api.images.upstream, &image.repository, &image.digest);
    let budget = api.budget();
    let mut descriptors = Vec::new();
    let is_listed = each_referrer(upstream, repository, digest, &budget, |entry| {
        // What is no descriptor names nothing.
        descriptors.extend(serde_json::from_slice::<Descriptor>(entry).ok());
        // Some may not be shown; they count as well, so that nobody is kept waiting.
        Ok(match descriptors.len() > 2 * MOST {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    });
    if !is_listed.await?
        && let Ok(tag) = Tag::new(&digest.to_string().replace(':', "-"))
        && let Some((index, _)) = fetch_tagged(upstream, repository, &tag).await?
    {
        let index = serde_json::from_slice::<Fallback>(&index);
        descriptors = index.map(|index| index.manifests).unwrap_or_default();
        descriptors.truncate(2 * MOST + 1);
    }
    Ok(descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artifacts_are_told_apart_by_what_they_call_themselves() {
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        for (media_type, predicate, kind) in [
            ("application/vnd.dev.cosign.artifact.sig.v1+json", "", Kind::Signature),
            ("application/vnd.cncf.notary.signature", "", Kind::Signature),
            (bundle, SIGNED, Kind::Signature),
            (bundle, "https://slsa.dev/provenance/v1", Kind::Attestation),
            (bundle, "", Kind::Attestation),
            (bundle, "https://spdx.dev/Document", Kind::Sbom),
            (bundle, "https://cyclonedx.org/bom", Kind::Sbom),
            ("application/spdx+json", "", Kind::Sbom),
            ("application/vnd.cyclonedx+json", "", Kind::Sbom),
            ("application/vnd.in-toto+json", "", Kind::Attestation),
            ("application/vnd.example.notes", "", Kind::Other),
            ("", "", Kind::Other),
        ] {
            assert_eq!(Kind::of(media_type, predicate), kind, "{media_type} {predicate}");
        }
    }
}
