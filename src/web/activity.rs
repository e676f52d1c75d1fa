//! What the registry is asked about the images of a list, many at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::Digest;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::service::api::Api;
use crate::service::api::image::named::Named;

/// How many images the registry is asked about at the same time, where they are not known yet.
const AT_ONCE: usize = 16;

/// For how long. What is not known then is missing from the page, and there at the next look.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an image says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Made {
    /// Of all platforms together; none where nothing of it runs.
    pub(super) bytes: Option<u64>,
    /// As the configuration says.
    pub(super) created: Option<Timestamp>,
}

/// That of many images. After this it is remembered, with their manifests.
pub(super) async fn made(
    api: &Arc<Api>,
    images: impl Iterator<Item = Named>,
) -> HashMap<Digest, Made> {
    let ask = |api: Arc<Api>, image: Named| async move {
        let made = match api.parts(&image).await {
            Ok(parts) => Made {
                bytes: match parts.images.as_slice() {
                    [] => None,
                    images => {
                        Some(images.iter().fold(0, |sum, part| part.size.saturating_add(sum)))
                    }
                },
                created: api.created(&image.repository, &parts.images).await,
            },
            Err(_) => Made::default(),
        };
        (image.digest, made)
    };
    all(api, images, ask).await.into_iter().collect()
}

/// Has the manifests of many images remembered, so that rows can be made one after the other.
pub(super) async fn look_up(api: &Arc<Api>, images: impl Iterator<Item = Named>) {
    // What cannot be had is missing where it is asked for again.
    all(api, images, |api, image| async move { drop(api.parts(&image).await) }).await;
}

/// The answers that there are in time.
async fn all<T, F>(
    api: &Arc<Api>,
    images: impl Iterator<Item = Named>,
    ask: impl Fn(Arc<Api>, Named) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for image in images {
        let (asked, turns) = (ask(Arc::clone(api), image), Arc::clone(&turns));
        tasks.spawn(async move {
            let _turn = turns.acquire().await;
            asked.await
        });
    }
    let mut answers = Vec::with_capacity(tasks.len());
    // What is late is given up with the set.
    let _ = timeout(PATIENCE, async {
        while let Some(ended) = tasks.join_next().await {
            answers.extend(ended);
        }
    })
    .await;
    answers
}
