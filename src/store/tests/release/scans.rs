//! The queue of scans.

use super::*;
use crate::release::{Cause, Progress, Scan};
use crate::store::{ScanCounts, ScanEnd, ScanPlace};

fn api() -> RepositoryName {
    repository("prod/api")
}

async fn request(store: &Arc<dyn Store>, digest: &Digest, cause: Cause, now: i64) -> Scan {
    store.request_scan(&api(), digest, cause, at(now)).await.unwrap()
}

/// Takes a scan for 100 seconds.
async fn take(store: &Arc<dyn Store>, holder: &str, now: i64) -> Option<Scan> {
    store.take_scan(holder, at(now), at(now + 100)).await.unwrap()
}

async fn taken(store: &Arc<dyn Store>, holder: &str, now: i64) -> Option<Digest> {
    take(store, holder, now).await.map(|scan| scan.digest)
}

async fn end(store: &Arc<dyn Store>, holder: &str, digest: &Digest, end: ScanEnd) -> bool {
    store.end_scan(holder, &api(), digest, &end).await.unwrap()
}

async fn progress(store: &Arc<dyn Store>, digest: &Digest) -> Progress {
    kept(store, digest).await.scans.remove(0).progress
}

fn retry(time: i64, next: i64, reason: &str) -> ScanEnd {
    ScanEnd::Retry { at: at(time), next_at: at(next), reason: reason.to_owned() }
}

fn failed(time: i64, reason: &str) -> ScanEnd {
    ScanEnd::Failed { at: at(time), reason: reason.to_owned() }
}

#[tokio::test]
async fn a_scan_is_held_on_to_and_let_go_by_whoever_has_it() {
    each(async |store| {
        let one = digest("one");
        request(&store, &one, Cause::Push, 1).await;
        let hold = async |holder: &str, until| {
            store.hold_scan(holder, &api(), &one, at(until)).await.unwrap()
        };
        assert!(!hold("a", 50).await);
        assert_eq!(taken(&store, "a", 2).await, Some(one.clone()));
        assert!(!hold("b", 500).await);
        assert_eq!(taken(&store, "b", 101).await, None);
        assert!(hold("a", 200).await);
        assert_eq!(taken(&store, "b", 150).await, None);
        assert!(hold("a", 150).await);
        assert_eq!(taken(&store, "b", 150).await, Some(one.clone()));
        assert!(!hold("a", 300).await);
        // What has ended is nobody's.
        assert!(end(&store, "b", &one, ScanEnd::Done { at: at(160) }).await);
        assert!(!hold("b", 300).await);
    })
    .await;
}

#[tokio::test]
async fn a_scan_goes_its_way_and_each_step_is_told() {
    each(async |store| {
        let one = digest("one");
        let (scan, changed) = changed_by(&store, request(&store, &one, Cause::Push, 1)).await;
        let asked = Scan {
            repository: api(),
            digest: one.clone(),
            cause: Cause::Push,
            requested_at: at(1),
            attempts: 0,
            progress: Progress::Waiting { next_at: at(1), failing: None },
        };
        assert_eq!((&scan, changed), (&asked, [one.clone()].into()));
        // Asking again changes nothing.
        let (scan, changed) = changed_by(&store, request(&store, &one, Cause::Age, 2)).await;
        assert_eq!((&scan, changed), (&asked, [].into()));

        let (scan, changed) = changed_by(&store, take(&store, "a", 3)).await;
        let running = Progress::Running { until: at(103), failing: None };
        let scan = scan.unwrap();
        assert_eq!((&scan.progress, scan.attempts), (&running, 1));
        assert_eq!(changed, [one.clone()].into());
        for cause in [Cause::Push, Cause::Demand] {
            assert_eq!(request(&store, &one, cause, 4).await, scan);
        }
        assert!(end(&store, "a", &one, retry(5, 50, "it is away")).await);
        assert!(!end(&store, "a", &one, retry(6, 50, "twice")).await);
        let failing = Some((at(5), "it is away".to_owned()));
        assert_eq!(progress(&store, &one).await, Progress::Waiting { next_at: at(50), failing });
        assert_eq!(taken(&store, "a", 49).await, None);
        assert_eq!(take(&store, "a", 50).await.unwrap().attempts, 2);
        assert!(end(&store, "a", &one, failed(60, "still\0")).await);
        let reason = "still\u{fffd}".to_owned();
        assert_eq!(progress(&store, &one).await, Progress::Failed { since: at(5), reason });
        assert_eq!(taken(&store, "a", 1000).await, None);

        // It begins anew, and knows nothing of what was before.
        let again = request(&store, &one, Cause::Age, 70).await;
        assert_eq!((again.attempts, again.requested_at), (0, at(70)));
        let waiting = Progress::Waiting { next_at: at(70), failing: None };
        assert_eq!((again.cause, again.progress), (Cause::Age, waiting));
        take(&store, "a", 70).await.unwrap();
        assert!(end(&store, "a", &one, ScanEnd::Done { at: at(80) }).await);
        assert_eq!(progress(&store, &one).await, Progress::Done(at(80)));
    })
    .await;
}

#[tokio::test]
async fn demands_come_first_then_whoever_has_waited_longest() {
    each(async |store| {
        let [old, young, asked, hastened] = ["old", "young", "asked", "hastened"].map(digest);
        request(&store, &hastened, Cause::Push, 1).await;
        take(&store, "a", 1).await.unwrap();
        assert!(end(&store, "a", &hastened, retry(2, 500, "away")).await);
        request(&store, &young, Cause::Push, 20).await;
        request(&store, &old, Cause::Age, 10).await;
        request(&store, &asked, Cause::Demand, 30).await;
        let scan = request(&store, &hastened, Cause::Demand, 40).await;
        let failing = Some((at(2), "away".to_owned()));
        assert_eq!(scan.progress, Progress::Waiting { next_at: at(40), failing });
        assert_eq!((scan.attempts, scan.cause), (1, Cause::Demand));
        let counts = store.scan_counts().await.unwrap();
        assert_eq!(counts, ScanCounts { waiting: 4, running: 0, failed: 0 });
        for expected in [&hastened, &asked, &old, &young] {
            assert_eq!(taken(&store, "a", 40).await.as_ref(), Some(expected));
        }
        assert_eq!(taken(&store, "a", 40).await, None);
        assert!(end(&store, "a", &old, failed(41, "no")).await);
        assert!(end(&store, "a", &asked, ScanEnd::Done { at: at(41) }).await);
        let counts = store.scan_counts().await.unwrap();
        assert_eq!(counts, ScanCounts { waiting: 0, running: 2, failed: 1 });
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_scan_is_taken_by_one_of_those_who_race_for_it() {
    each(async |store| {
        for number in 0..20 {
            request(&store, &digest(&number.to_string()), Cause::Push, 0).await;
        }
        let racers = ["a", "b", "c", "d"].map(|holder| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut all = Vec::new();
                while let Some(digest) = taken(&store, holder, 1).await {
                    all.push(digest);
                }
                all
            })
        });
        let mut all = Vec::new();
        for racer in racers {
            all.extend(racer.await.unwrap());
        }
        assert_eq!(all.len(), 20);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 20);
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_a_lease_does_not_end_the_scan_of_the_next() {
    each(async |store| {
        let one = digest("one");
        request(&store, &one, Cause::Push, 0).await;
        take(&store, "slow", 0).await.unwrap();
        assert_eq!(taken(&store, "next", 99).await, None);
        assert_eq!(take(&store, "next", 100).await.unwrap().attempts, 2);
        assert!(!end(&store, "slow", &one, failed(101, "late")).await);
        let running = Progress::Running { until: at(200), failing: None };
        assert_eq!(progress(&store, &one).await, running);
        assert!(end(&store, "next", &one, ScanEnd::Done { at: at(102) }).await);
        assert!(!end(&store, "next", &one, failed(103, "twice")).await);
        assert_eq!(progress(&store, &one).await, Progress::Done(at(102)));
    })
    .await;
}

#[tokio::test]
async fn the_queue_outlives_the_process_that_made_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start();
    for settings in [sqlite(&folder), postgres(&server)] {
        let store = open(&settings).await.unwrap();
        let (waits, runs) = (digest("waits"), digest("runs"));
        request(&store, &runs, Cause::Push, 1).await;
        request(&store, &waits, Cause::Push, 2).await;
        assert_eq!(taken(&store, "before", 3).await.as_ref(), Some(&runs));
        drop(store);
        let store = open(&settings).await.unwrap();
        assert_eq!(taken(&store, "after", 4).await, Some(waits));
        assert_eq!(taken(&store, "after", 4).await, None);
        assert_eq!(taken(&store, "after", 103).await, Some(runs));
    }
}

#[tokio::test]
async fn a_purge_forgets_scans_that_were_done_and_those_of_images_that_are_gone() {
    each(async |store| {
        let (there, gone, done) = (image("1", &[]), digest("gone"), digest("done"));
        learn(&store, "prod/api", &there, 0).await;
        for digest in [&there.digest, &gone, &done] {
            request(&store, digest, Cause::Push, 1).await;
            take(&store, "a", 1).await.unwrap();
            let how = match digest == &done {
                true => ScanEnd::Done { at: at(10) },
                false => failed(10, "no"),
            };
            assert!(end(&store, "a", digest, how).await);
        }
        request(&store, &digest("waits"), Cause::Push, 1).await;
        assert_eq!(store.purge(at(9)).await.unwrap(), 0);
        let (purged, changed) = changed_by(&store, store.purge(at(10))).await;
        assert_eq!((purged.unwrap(), changed), (2, [gone.clone(), done.clone()].into()));
        let counts = store.scan_counts().await.unwrap();
        assert_eq!(counts, ScanCounts { waiting: 1, running: 0, failed: 1 });
        assert_eq!(kept(&store, &gone).await.scans, []);
        assert_eq!(kept(&store, &there.digest).await.scans.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_queue_is_listed_in_its_order_and_what_was_given_up_the_latest_first() {
    each(async |store| {
        let [one, two, three, four] = ["one", "two", "three", "four"].map(digest);
        for (digest, time) in [(&one, 1), (&two, 2), (&three, 3)] {
            request(&store, digest, Cause::Push, time).await;
        }
        request(&store, &four, Cause::Demand, 4).await;
        let listed = async |place, limit| -> Vec<Digest> {
            let scans = store.scans_in(place, limit).await.unwrap();
            scans.into_iter().map(|scan| scan.digest).collect()
        };
        let ahead = listed(ScanPlace::Ahead, 9).await;
        assert_eq!(ahead, [four.clone(), one.clone(), two.clone(), three.clone()]);
        assert_eq!(listed(ScanPlace::Ahead, 2).await.len(), 2);
        assert!(listed(ScanPlace::GivenUp, 9).await.is_empty());
        for (time, gone) in [(10, &four), (11, &one)] {
            assert_eq!(taken(&store, "a", time).await.as_ref(), Some(gone));
            end(&store, "a", gone, failed(time, "gone")).await;
        }
        assert_eq!(taken(&store, "a", 12).await, Some(two.clone()));
        end(&store, "a", &two, ScanEnd::Done { at: at(12) }).await;
        assert_eq!(listed(ScanPlace::GivenUp, 9).await, [one, four]);
        assert_eq!(listed(ScanPlace::Ahead, 9).await, [three]);
    })
    .await;
}
