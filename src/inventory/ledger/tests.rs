use std::sync::mpsc;

use jiff::Timestamp;
use oci::{Digest, Tag};
use tempfile::TempDir;

use super::*;
use crate::content::samples::blob;
use crate::state::sample::{absent, kept_in, runtime};
use crate::store::{Settings, StoreUrl, open};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn here() -> RepositoryName {
    RepositoryName::new("team/app").unwrap()
}

fn tag(name: &str, digest: &Digest) -> Lesson {
    let at = Timestamp::from_second(1_800_000_000).unwrap();
    Lesson::Tag { tag: Tag::new(name).unwrap(), digest: digest.clone(), at }
}

fn ledger(state: &Arc<State>) -> Arc<Ledger> {
    let clock = Arc::new(Clock::start());
    Ledger::new(Arc::clone(state), clock, Arc::new(Metrics::new()), DAY)
}

/// Two gates with the same state.
async fn two() -> ([Arc<State>; 2], TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = StoreUrl::Sqlite(folder.path().join("state/portcullis.db"));
    let store = open(&Settings { url, max_staleness: DAY }).await.unwrap();
    let start = || State::start(Arc::clone(&store), runtime(), Arc::new(Clock::start()), DAY);
    ([start().await.unwrap(), start().await.unwrap()], folder)
}

/// Follows, and tells what was taken in.
fn follow(ledger: &Arc<Ledger>) -> (mpsc::Receiver<Lesson>, watch::Sender<bool>) {
    let (told, hears) = mpsc::channel();
    let told = Mutex::new(told);
    let (stop, stopped) = watch::channel(false);
    let take_in = move |_: &RepositoryName, lesson: &Lesson| {
        // A test that is over hears nothing.
        let _ = told.lock().unwrap().send(lesson.clone());
    };
    tokio::spawn(Arc::clone(ledger).run(take_in, stopped));
    (hears, stop)
}

async fn hear(hears: &mpsc::Receiver<Lesson>) -> Lesson {
    loop {
        match hears.try_recv() {
            Ok(lesson) => return lesson,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

#[tokio::test]
async fn what_is_settled_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = kept_in(&folder, Arc::new(Clock::start()));
    let before = ledger(&state);
    let (_hears, _stop) = follow(&before);
    let lessons = [tag("v1", &blob("1")), tag("v2", &blob("2"))];
    for lesson in &lessons {
        before.learned(&here(), lesson);
        before.settle().await;
    }
    // What is held in memory is not read again, once it is known under which numbers it is kept;
    // whoever comes later reads all of it.
    while before.look_up(&here(), true).await != Some(Vec::new()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let other = RepositoryName::new("team/other").unwrap();
    assert_eq!(before.look_up(&other, false).await, Some(Vec::new()));
    let after = ledger(&state);
    assert_eq!(after.look_up(&here(), false).await, Some(lessons.to_vec()));
}

#[tokio::test]
async fn what_is_noted_is_written_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let state = kept_in(&folder, Arc::new(Clock::start()));
    let before = ledger(&state);
    let (stop, stopped) = watch::channel(false);
    before.learned(&here(), &tag("v1", &blob("1")));
    stop.send_replace(true);
    Arc::clone(&before).run(|_, _| {}, stopped).await;
    let expected = vec![tag("v1", &blob("1"))];
    assert_eq!(ledger(&state).look_up(&here(), false).await, Some(expected));
}

#[tokio::test]
async fn a_replica_takes_over_what_another_learned_and_not_what_it_told_itself() {
    let ([one, other], _folder) = two().await;
    let (writer, reader) = (ledger(&one), ledger(&other));
    let (own, _stop_writer) = follow(&writer);
    let (hears, _stop) = follow(&reader);
    writer.learned(&here(), &tag("v1", &blob("1")));
    writer.settle().await;
    // Nobody waits for the news: who asks about what is held in memory is told at once.
    let news = Some(vec![tag("v1", &blob("1"))]);
    assert_eq!(reader.look_up(&here(), true).await, news);
    other.look().await.unwrap();
    assert_eq!(hear(&hears).await, tag("v1", &blob("1")));

    one.look().await.unwrap();
    reader.learned(&here(), &tag("v2", &blob("2")));
    reader.settle().await;
    one.look().await.unwrap();
    assert_eq!(hear(&own).await, tag("v2", &blob("2")), "and not the first one");
}

#[tokio::test]
async fn while_the_state_is_away_what_is_learned_waits() {
    let ledger = ledger(&absent());
    ledger.learned(&here(), &tag("v1", &blob("1")));
    let (stop, stopped) = watch::channel(false);
    stop.send_replace(true);
    Arc::clone(&ledger).run(|_, _| {}, stopped).await;
    assert_eq!(ledger.queue().len(), 1);
    ledger.learned(&here(), &tag("v2", &blob("2")));
    // The write before failed: nobody waits for the next one.
    ledger.settle().await;
    assert_eq!(ledger.look_up(&here(), false).await, None);
    let (mut waiting, told) = ledger.queue().take();
    waiting.sort_by_key(|(_, lesson)| format!("{lesson:?}"));
    let waiting: Vec<_> = waiting.into_iter().map(|(_, lesson)| lesson).collect();
    assert_eq!(waiting, [tag("v1", &blob("1")), tag("v2", &blob("2"))]);
    assert_eq!(told, 2);
}

#[tokio::test]
async fn those_who_recall_at_once_read_the_same() {
    let ([one, _], _folder) = two().await;
    let ledger = ledger(&one);
    let (_hears, _stop) = follow(&ledger);
    let lessons: Vec<_> = (0..50).map(|n| tag(&format!("v{n:02}"), &blob("1"))).collect();
    lessons.iter().for_each(|lesson| ledger.learned(&here(), lesson));
    ledger.settle().await;
    let asks = (0..20).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.look_up(&here(), false).await })
    });
    for ask in asks.collect::<Vec<_>>() {
        let mut found = ask.await.unwrap().unwrap();
        found.sort_by_key(|lesson| format!("{lesson:?}"));
        assert_eq!(found, lessons);
    }
}

#[tokio::test]
async fn who_waits_for_a_slow_state_in_vain_goes_on_without_it() {
    let ([one, _], _folder) = two().await;
    let ledger = ledger(&one);
    // As many look-ups as there may be, and none of them ends.
    let turns = u32::try_from(ledger.recalls.turns.available_permits()).unwrap();
    let busy = ledger.recalls.turns.acquire_many(turns).await.unwrap();
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let (here, other) = (here(), RepositoryName::new("team/other").unwrap());
    let both = tokio::join!(ledger.look_up(&here, true), ledger.look_up(&other, false));
    assert_eq!(both, (None, None));
    assert_eq!(began.elapsed().as_secs(), 5);
    tokio::time::resume();
    drop(busy);
    assert_eq!(ledger.look_up(&other, false).await, Some(Vec::new()));
}
