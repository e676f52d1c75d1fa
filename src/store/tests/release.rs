//! What is said of images.

mod briefs;
mod changes;
mod packages;
mod pulled;
mod reports;
mod sayings;
mod scans;

use std::collections::BTreeSet;

use oci::{Digest, RepositoryName};

use super::*;
use crate::content::samples::{Sample, blob, image};
use crate::inventory::{Facts, Lesson};
use crate::release::{Exception, ExceptionId, Flag, Kept};

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).unwrap()
}

/// The digest of an image that nothing is known of.
fn digest(name: &str) -> Digest {
    blob(name)
}

fn service(name: &str) -> Subject {
    Subject::Service(name.to_owned())
}

fn flag(repository: &str, digest: &Digest, name: &str) -> Flag {
    Flag {
        repository: self::repository(repository),
        digest: digest.clone(),
        name: name.to_owned(),
        by: service("ci/build"),
        from: Some("2001:db8::7".parse().unwrap()),
        at: at(1),
        reason: Some("all tests passed".to_owned()),
        link: Some("https://ci.example/runs/311".to_owned()),
        expires_at: Some(at(1000)),
    }
}

fn exception(number: u8, made: i64, digests: &[Digest]) -> Exception {
    Exception {
        id: ExceptionId::of_random([number; 16]),
        gate: "production".to_owned(),
        repository: repository("prod/api"),
        image: "prod/api:v1.4.2".to_owned(),
        digests: digests.to_vec(),
        by: alice(),
        at: at(made),
        expires_at: at(made + 100),
        reason: "incident 311".to_owned(),
        removed: None,
    }
}

async fn kept(store: &Arc<dyn Store>, digest: &Digest) -> Kept {
    store.kept_of(digest).await.unwrap()
}

/// The number of the last change.
async fn last(store: &Arc<dyn Store>) -> Sequence {
    store.changes(Sequence(0)).await.unwrap().last_release
}

/// The digests that changed after a number, in no order.
async fn changed_since(store: &Arc<dyn Store>, since: Sequence) -> BTreeSet<Digest> {
    let released = store.released_since(since, 1000).await.unwrap();
    assert!(!released.goes_on && !released.is_all);
    assert_eq!(released.sequence, last(store).await);
    released.digests.into_iter().collect()
}

/// What something changed.
async fn changed_by<T>(
    store: &Arc<dyn Store>,
    change: impl Future<Output = T>,
) -> (T, BTreeSet<Digest>) {
    let before = last(store).await;
    let done = change.await;
    (done, changed_since(store, before).await)
}

/// The gate learns of a manifest.
async fn learn(store: &Arc<dyn Store>, name: &str, sample: &Sample, now: i64) {
    let facts = Arc::new(Facts::from(&sample.manifest));
    let lesson = Lesson::Manifest { digest: sample.digest.clone(), facts };
    store.learn(&[(repository(name), lesson)], at(now)).await.unwrap();
}
