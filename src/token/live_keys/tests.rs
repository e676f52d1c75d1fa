use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::token::{KeyAlgorithm, KeyFolder};

const START: i64 = 1_800_000_000;

const HOUR: Duration = Duration::from_secs(3600);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// A folder with one key, made at the start.
fn folder() -> (tempfile::TempDir, Keys) {
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFolder::open(folder.path(), at(0)).unwrap().keys(HOUR, || at(0)).unwrap();
    (folder, keys)
}

fn rotate(folder: &Path) -> String {
    let path = KeyFolder::rotate(folder, KeyAlgorithm::Ed25519, at(60)).unwrap();
    let listed = KeyFolder::list(folder, HOUR, at(60)).unwrap();
    listed.into_iter().find(|key| key.path == path).unwrap().kid
}

fn kids(ring: &KeyRing) -> Vec<&str> {
    ring.verifying().kids().collect()
}

#[test]
fn a_new_key_signs_and_the_old_one_still_checks() {
    let (folder, keys) = folder();
    let old = Arc::clone(&keys.current());
    keys.poll();
    assert!(Arc::ptr_eq(&old, &keys.current()), "nothing has changed");
    let new = rotate(folder.path());
    keys.poll();
    assert_eq!(keys.current().kid(), new);
    assert!(keys.current().verifying().get(old.kid()).is_some());
}

#[test]
fn a_key_that_is_taken_out_checks_no_more() {
    let (folder, keys) = folder();
    let old = keys.current().kid().to_owned();
    let new = rotate(folder.path());
    fs::remove_file(&KeyFolder::list(folder.path(), HOUR, at(60)).unwrap()[0].path).unwrap();
    keys.poll();
    assert_eq!(kids(&keys.current()), [new.as_str()]);
    assert!(keys.current().verifying().get(&old).is_none());
}

#[test]
fn a_key_retires_while_the_gate_runs() {
    static NOW: AtomicI64 = AtomicI64::new(60);
    let (folder, _) = folder();
    let new = rotate(folder.path());
    let clock = || at(NOW.load(Ordering::Relaxed));
    let keys = KeyFolder::open(folder.path(), clock()).unwrap().keys(HOUR, clock).unwrap();
    assert_eq!(kids(&keys.current()).len(), 2);
    NOW.store(60 + 3599, Ordering::Relaxed);
    keys.poll();
    assert_eq!(kids(&keys.current()).len(), 2);
    NOW.store(60 + 3600, Ordering::Relaxed);
    keys.poll();
    assert_eq!(kids(&keys.current()), [new.as_str()]);
}

#[test]
fn what_is_wrong_leaves_the_last_good_keys() {
    let (folder, keys) = folder();
    let good = Arc::clone(&keys.current());
    let path = KeyFolder::list(folder.path(), HOUR, at(0)).unwrap()[0].path.clone();
    let same = |keys: &Keys| Arc::ptr_eq(&good, &keys.current());
    fs::write(folder.path().join("signing-half.pem"), "-----BEGIN PRIV").unwrap();
    keys.poll();
    assert!(same(&keys));
    fs::remove_file(folder.path().join("signing-half.pem")).unwrap();
    fs::remove_file(&path).unwrap();
    keys.poll();
    assert!(same(&keys), "an empty folder");
    fs::rename(folder.path(), folder.path().with_extension("gone")).unwrap();
    keys.poll();
    assert!(same(&keys), "no folder");
    fs::rename(folder.path().with_extension("gone"), folder.path()).unwrap();
    let new = rotate(folder.path());
    keys.poll();
    assert_eq!(kids(&keys.current()), [new.as_str()]);
}

#[tokio::test]
async fn a_key_that_is_missed_is_looked_for_at_once() {
    let (folder, keys) = folder();
    let used = Arc::clone(&keys.current());
    let new = rotate(folder.path());
    let found = keys.other_than(&used).await.unwrap();
    assert_eq!(found.kid(), new);
    // Who had missed it as well, but came later, is served without another look.
    assert!(keys.other_than(&used).await.is_some());
    assert!(keys.other_than(&found).await.is_none());
}

#[tokio::test]
async fn it_looks_once_a_second_whoever_asks() {
    let (folder, keys) = folder();
    let used = Arc::clone(&keys.current());
    assert!(keys.other_than(&used).await.is_none());
    *keys.looked.lock().await = Some(Instant::now() + HOUR);
    rotate(folder.path());
    assert!(keys.other_than(&used).await.is_none(), "it looked a moment ago");
    *keys.looked.lock().await = Some(Instant::now().checked_sub(INTERVAL).unwrap());
    assert!(keys.other_than(&used).await.is_some());
}

#[tokio::test]
async fn who_comes_while_another_looks_gets_what_they_find() {
    let (folder, keys) = folder();
    let used = Arc::clone(&keys.current());
    rotate(folder.path());
    let (one, two, three) =
        tokio::join!(keys.other_than(&used), keys.other_than(&used), keys.other_than(&used));
    assert!(one.is_some() && two.is_some() && three.is_some());
}
