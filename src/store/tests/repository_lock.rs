use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::thread;

use oci::RepositoryName;
use tokio::time::{Instant, sleep};

use super::*;
use crate::authorize::Locks;

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn app() -> RepositoryName {
    RepositoryName::new("team/app").unwrap()
}

async fn replica(server: &Postgres) -> ReplicaLocks {
    open(&postgres(server)).await.unwrap().replica_locks().unwrap()
}

async fn take(replica: &ReplicaLocks, mode: Mode) -> Result<Arc<ReplicaLock>, LockError> {
    replica.take(&app(), mode, Instant::now() + LONG).await.map(Arc::new)
}

/// What comes within a moment.
async fn soon(replica: &ReplicaLocks, mode: Mode) -> Result<ReplicaLock, LockError> {
    replica.take(&app(), mode, Instant::now() + Duration::from_millis(200)).await
}

/// Ends all sessions that hold locks, as somebody who looks after the database may.
fn end_sessions(server: &Postgres) {
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = 'portcullis locks' AND datname = current_database()",
    );
}

#[tokio::test]
async fn a_state_of_one_process_has_no_locks_to_share() {
    let folder = tempfile::tempdir().unwrap();
    assert!(open(&sqlite(&folder)).await.unwrap().replica_locks().is_none());
}

#[tokio::test]
async fn one_is_alone_or_many_share_whichever_replica_they_are_at() {
    let server = Postgres::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let alone = take(&one, Mode::Alone).await.unwrap();
    for mode in [Mode::Alone, Mode::Shared] {
        for replica in [&one, &other] {
            assert!(matches!(soon(replica, mode).await, Err(LockError::Busy)), "{mode:?}");
        }
    }
    let elsewhere = RepositoryName::new("team/other").unwrap();
    other.take(&elsewhere, Mode::Alone, Instant::now() + LONG).await.unwrap();
    drop(alone);
    let shared =
        [take(&one, Mode::Shared).await.unwrap(), take(&other, Mode::Shared).await.unwrap()];
    assert!(matches!(soon(&other, Mode::Alone).await, Err(LockError::Busy)));
    drop(shared);
    take(&other, Mode::Alone).await.unwrap();
}

#[tokio::test]
async fn who_waits_gets_its_turn_and_who_gave_up_keeps_nobody_waiting() {
    let server = Postgres::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let held = take(&one, Mode::Alone).await.unwrap();
    {
        // Whoever waited goes away.
        let app = app();
        let mut gone = pin!(other.take(&app, Mode::Alone, Instant::now() + LONG));
        let started = poll_fn(|cx| Poll::Ready(gone.as_mut().poll(cx).is_pending())).await;
        assert!(started);
        sleep(Duration::from_millis(300)).await;
    }
    assert!(matches!(soon(&other, Mode::Alone).await, Err(LockError::Busy)));
    let waiting = tokio::spawn(async move { take(&other, Mode::Shared).await });
    // Where no runtime is.
    thread::spawn(move || drop(held)).join().unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lock_goes_with_its_session_and_whoever_held_it_finds_out() {
    let server = Postgres::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let held = take(&one, Mode::Alone).await.unwrap();
    held.confirm().await.unwrap();
    end_sessions(&server);
    // What answered a moment ago is not asked again.
    sleep(Duration::from_millis(1100)).await;
    let others = take(&other, Mode::Alone).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(held.confirm().await, Err(LockError::Lost)));
    }
    drop(held);
    assert!(matches!(soon(&one, Mode::Alone).await, Err(LockError::Busy)));
    sleep(Duration::from_millis(1100)).await;
    others.confirm().await.unwrap();
}

#[tokio::test]
async fn without_its_database_there_is_no_lock_and_with_it_there_is_again() {
    let server = Postgres::alone();
    let one = replica(&server).await;
    let idle: Vec<_> = sharing(&one, 4).await;
    drop(idle);
    let held = take(&one, Mode::Alone).await.unwrap();
    server.stop();
    assert!(matches!(take(&one, Mode::Shared).await, Err(LockError::Unavailable(_))));
    sleep(Duration::from_millis(1100)).await;
    assert!(matches!(held.confirm().await, Err(LockError::Lost)));
    server.start_again();
    // Of the old connections none is there any more.
    take(&one, Mode::Alone).await.unwrap();
}

/// So many that share, each with a session of its own.
async fn sharing(replica: &ReplicaLocks, count: usize) -> Vec<Arc<ReplicaLock>> {
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(take(replica, Mode::Shared).await.unwrap());
    }
    held
}

#[tokio::test]
async fn turns_are_counted_and_a_lost_count_is_no_standstill() {
    let server = Postgres::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let first = take(&one, Mode::Alone).await.unwrap().turn();
    assert_eq!(take(&other, Mode::Shared).await.unwrap().turn(), first + 1);
    assert_eq!(take(&one, Mode::Alone).await.unwrap().turn(), first + 2);
    // As after a crash of the server.
    server.psql("TRUNCATE repository_turns");
    let turn = take(&one, Mode::Alone).await.unwrap().turn();
    assert!(!(first..first + 10).contains(&turn), "{first} {turn}");
}

#[tokio::test]
async fn two_gates_know_when_nobody_wrote_at_either() {
    let server = Postgres::start();
    let (one, other) = (replica(&server).await, replica(&server).await);
    let (one, other) = (Locks::between(Some(one)), Locks::between(Some(other)));
    let before = one.alone(&app()).await.unwrap().turn();
    let after = one.alone(&app()).await.unwrap();
    assert!(after.is_next_after(before));
    let before = after.turn();
    drop(after);
    drop(other.share(&app()).await.unwrap());
    assert!(!one.alone(&app()).await.unwrap().is_next_after(before), "the other one wrote");
    let before = one.alone(&app()).await.unwrap().turn();
    drop(one.share(&app()).await.unwrap());
    assert!(!one.alone(&app()).await.unwrap().is_next_after(before), "this one wrote");
}

#[tokio::test]
async fn one_gate_asks_once_for_many_who_share_but_not_for_ever() {
    let server = Postgres::start();
    let (counter, locks) = (replica(&server).await, replica(&server).await);
    let locks = Locks::between(Some(locks));
    let before = take(&counter, Mode::Alone).await.unwrap().turn();
    let mut sharing = Vec::new();
    for _ in 0..20 {
        sharing.push(locks.share(&app()).await.unwrap());
    }
    for shared in &sharing {
        shared.confirm().await.unwrap();
    }
    assert!(matches!(soon(&counter, Mode::Alone).await, Err(LockError::Busy)));
    sleep(Duration::from_millis(1100)).await;
    // Somebody who waits to be alone is not waited for by those who came first alone.
    let waiting = {
        let counter = counter.clone();
        tokio::spawn(async move { take(&counter, Mode::Alone).await.unwrap().turn() })
    };
    sleep(Duration::from_millis(300)).await;
    let app = app();
    let mut late = pin!(locks.share(&app));
    assert!(poll_fn(|cx| Poll::Ready(late.as_mut().poll(cx).is_pending())).await);
    sleep(Duration::from_millis(300)).await;
    assert!(poll_fn(|cx| Poll::Ready(late.as_mut().poll(cx).is_pending())).await, "it queues");
    sharing.clear();
    assert_eq!(waiting.await.unwrap(), before + 2, "twenty are one");
    late.await.unwrap();
}
