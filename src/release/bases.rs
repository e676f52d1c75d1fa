//! What images are built on: tagged images whose layers are the first of theirs.

use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use policy::gate::BaseImages;

use super::contents::{Asking, Content, Contents};
use super::facts::Unknown;
use crate::inventory::{Sight, Sought, View};

/// How many images that share their first layer are held against an image, in each repository.
const MAX_SHARING: usize = 1000;

/// Where is looked, one after the other, until something is found.
const PLACES: [Place; 3] = [Place::Memory, Place::State, Place::Registry];

#[derive(Debug, Clone, Copy)]
enum Place {
    Memory,
    State,
    Registry,
}

/// One of these tagged images, if the image of that digest and these layers is built on any of them.
///
/// # Errors
/// It could not be told.
pub(super) async fn base_of(
    contents: &Contents,
    asking: Asking<'_>,
    bases: &[BaseImages],
    (image, layers): (&Digest, &[Digest]),
    now: Timestamp,
) -> Result<Option<(RepositoryName, Tag)>, Unknown> {
    let Some(first) = layers.first() else { return Ok(None) };
    for place in PLACES {
        for bases in bases {
            let there = Asking { repository: bases.repository(), ..asking };
            match place {
                Place::Memory => {}
                Place::State => there.inventory.recall(there.repository, now).await,
                Place::Registry => look(there, bases, image, now).await?,
            }
            for sharing in there.inventory.holders(there.repository, first).iter().take(MAX_SHARING)
            {
                if is_beginning(contents, there, sharing, layers).await?
                    && let Some(tag) = tagged(there, bases, sharing, now)?
                {
                    return Ok(Some((there.repository.clone(), tag)));
                }
            }
        }
    }
    Ok(None)
}

/// Has the inventory look at every tag of theirs. It looks for the image itself, and ends early only
/// where that is one of them.
async fn look(
    there: Asking<'_>,
    bases: &BaseImages,
    image: &Digest,
    now: Timestamp,
) -> Result<(), Unknown> {
    let sought = Sought {
        upstream: there.upstream,
        repository: there.repository,
        digest: image,
        looks_at_it: false,
        budget: there.budget,
        now,
    };
    let sight = |tag: &Tag| if bases.include(tag) { Sight::Open } else { Sight::Closed };
    let view = View { sight: &sight, includes_untagged: false };
    there.inventory.resolve(sought, view).await?;
    Ok(())
}

/// Whether the layers of that image are the first of these.
async fn is_beginning(
    contents: &Contents,
    there: Asking<'_>,
    digest: &Digest,
    layers: &[Digest],
) -> Result<bool, Unknown> {
    let content = contents.manifest(there, digest).await?;
    Ok(match content.as_deref() {
        Some(Content::Image { layers: own, .. }) => !own.is_empty() && layers.starts_with(own),
        _ => false,
    })
}

/// A tag of theirs that leads to the image.
fn tagged(
    there: Asking<'_>,
    bases: &BaseImages,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Tag>, Unknown> {
    let is_base = |tag: &Tag| bases.include(tag);
    let found = there.inventory.tag_leading_to(there.repository, digest, is_base, now);
    found.map_err(|exhausted| Unknown::Base(exhausted.into()))
}
