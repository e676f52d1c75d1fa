//! States for tests: one that is kept in a folder, and one that never answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use oci::{Digest, RepositoryName, Tag};
use policy::Subject;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::State;
use crate::clock::Clock;
use crate::inventory::{Facts, Lesson};
use crate::release::{
    Brief, Cause, Description, Exception, ExceptionId, Flag, Kept, KeptReport, KeptStatements, Scan,
};
use crate::store::{
    Activity, Changes, CrawlProgress, Extent, FamilyQuery, FindingKey, FindingQuery, Found,
    GroupPull, Handled, KeptPolicy, Learned, Lessons, ManifestPlace, Move, News, OfRepository,
    Pull, Pushed, Released, Releases, RemovedFlag, ReplicaLocks, Revocation, Rotation, ScanCounts,
    ScanEnd, ScanPlace, Sequence, Service, Settings, Store, StoreError, StoreUrl, Tagged,
    Undescribed, open,
};
use crate::token::{Family, LastUse, TokenHash, TokenId};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
});

/// A runtime that outlives every test.
pub(crate) fn runtime() -> tokio::runtime::Handle {
    RUNTIME.handle().clone()
}

/// A state that is kept in a new folder, for as long as that is there.
pub(crate) fn kept(clock: Arc<Clock>) -> (Arc<State>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (kept_in(&folder, clock), folder)
}

/// A state that is kept in this folder. Only one at a time can be.
pub(crate) fn kept_in(folder: &TempDir, clock: Arc<Clock>) -> Arc<State> {
    kept_at(StoreUrl::Sqlite(folder.path().join("state/portcullis.db")), clock)
}

/// A state that is kept there.
pub(crate) fn kept_at(url: StoreUrl, clock: Arc<Clock>) -> Arc<State> {
    let settings = Settings { url, max_staleness: Duration::from_secs(300) };
    // Tests that run in a runtime of their own may not wait in it.
    let opened = thread::spawn(move || {
        RUNTIME.block_on(async {
            let store = open(&settings).await.unwrap();
            State::start(store, runtime(), clock, settings.max_staleness).await.unwrap()
        })
    });
    opened.join().unwrap()
}

/// What is known where nothing was ever written, and nothing can be.
pub(crate) fn absent() -> Arc<State> {
    absent_for(Duration::ZERO, Duration::from_secs(3600))
}

/// The same, so long after the last look that succeeded.
pub(crate) fn absent_for(since: Duration, max_staleness: Duration) -> Arc<State> {
    with(Absent { looks: None }, since, max_staleness)
}

/// A state in which nothing changes and no use is ever written to its end; counts who looks.
pub(crate) fn that_writes_for_ever() -> (Arc<State>, Arc<AtomicU64>) {
    let looks = Arc::new(AtomicU64::new(0));
    let store = Absent { looks: Some(Arc::clone(&looks)) };
    (with(store, Duration::ZERO, Duration::from_secs(3600)), looks)
}

fn with(store: Absent, since: Duration, max_staleness: Duration) -> Arc<State> {
    Arc::new(State {
        store: Arc::new(store),
        runtime: runtime(),
        clock: Arc::new(Clock::start()),
        known: arc_swap::ArcSwap::default(),
        looking: tokio::sync::Mutex::default(),
        started: Instant::now().checked_sub(since).unwrap(),
        looked: AtomicU64::new(0),
        answers: true.into(),
        max_staleness,
        uses: super::Uses::default(),
        pulls: super::Pulls::default(),
        pushes: super::Pushes::default(),
        last_lesson: tokio::sync::watch::Sender::default(),
        last_release: tokio::sync::watch::Sender::default(),
    })
}

struct Absent {
    looks: Option<Arc<AtomicU64>>,
}

fn no_answer<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed { what: "it is absent", source: "there is no state here".into() })
}

#[async_trait]
impl Store for Absent {
    async fn add_family(&self, _: &Family, _: Option<TokenHash>) -> Result<(), StoreError> {
        no_answer()
    }
    async fn family(&self, _: &TokenId) -> Result<Option<Family>, StoreError> {
        no_answer()
    }
    async fn family_of(&self, _: TokenHash) -> Result<Option<Family>, StoreError> {
        no_answer()
    }
    async fn families(&self, _: &FamilyQuery) -> Result<Vec<Family>, StoreError> {
        no_answer()
    }
    async fn rotate(
        &self,
        _: TokenHash,
        _: TokenHash,
        _: Timestamp,
    ) -> Result<Rotation, StoreError> {
        no_answer()
    }
    async fn used(&self, _: &[(TokenId, LastUse)]) -> Result<(), StoreError> {
        match self.looks {
            Some(_) => std::future::pending().await,
            None => no_answer(),
        }
    }
    async fn revoke(&self, _: &Revocation, _: Timestamp) -> Result<u64, StoreError> {
        no_answer()
    }
    async fn changes(&self, _: Sequence) -> Result<Changes, StoreError> {
        let looks = self.looks.as_ref().map_or_else(no_answer, Ok)?;
        looks.fetch_add(1, Ordering::Relaxed);
        Ok(Changes::default())
    }
    async fn add_service(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        no_answer()
    }
    async fn set_service_disabled(&self, _: &str, _: bool) -> Result<bool, StoreError> {
        no_answer()
    }
    async fn services(&self) -> Result<Vec<Service>, StoreError> {
        no_answer()
    }
    async fn peer_sequence(&self, _: &str) -> Result<Option<Sequence>, StoreError> {
        no_answer()
    }
    async fn set_peer_sequence(&self, _: &str, _: Sequence) -> Result<(), StoreError> {
        no_answer()
    }
    async fn latest_time(&self) -> Result<Option<Timestamp>, StoreError> {
        no_answer()
    }
    async fn set_latest_time(&self, _: Timestamp) -> Result<(), StoreError> {
        no_answer()
    }
    async fn keep_policy(&self, _: &KeptPolicy) -> Result<(), StoreError> {
        no_answer()
    }
    async fn kept_policy(&self) -> Result<Option<KeptPolicy>, StoreError> {
        no_answer()
    }
    async fn purge(&self, _: Timestamp) -> Result<u64, StoreError> {
        no_answer()
    }
    fn replica_locks(&self) -> Option<ReplicaLocks> {
        None
    }
    async fn changed(&self) -> Result<(), StoreError> {
        no_answer()
    }
}

#[async_trait]
impl Lessons for Absent {
    async fn learn(
        &self,
        _: &[(RepositoryName, Lesson)],
        _: Timestamp,
    ) -> Result<Learned, StoreError> {
        no_answer()
    }
    async fn lessons_of(&self, _: &RepositoryName) -> Result<OfRepository, StoreError> {
        no_answer()
    }
    async fn lessons_since(&self, _: Sequence, _: u32) -> Result<News, StoreError> {
        no_answer()
    }
    async fn forget_lessons(&self, _: Timestamp) -> Result<u64, StoreError> {
        no_answer()
    }
    async fn extent(&self) -> Result<Extent, StoreError> {
        no_answer()
    }
    async fn tags_after(
        &self,
        _: Option<&(RepositoryName, String)>,
        _: u32,
    ) -> Result<Vec<Tagged>, StoreError> {
        no_answer()
    }
    async fn manifests_after(
        &self,
        _: Option<&ManifestPlace>,
        _: u32,
    ) -> Result<Vec<(ManifestPlace, Facts)>, StoreError> {
        no_answer()
    }
    async fn tags_of(
        &self,
        _: &RepositoryName,
        _: &Digest,
        _: u32,
    ) -> Result<Vec<Tag>, StoreError> {
        no_answer()
    }
    async fn tags_on(
        &self,
        _: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Vec<Tag>>, StoreError> {
        no_answer()
    }
    async fn add_repositories(&self, _: &[RepositoryName]) -> Result<(), StoreError> {
        no_answer()
    }
    async fn next_to_crawl(&self, _: Timestamp) -> Result<Option<RepositoryName>, StoreError> {
        no_answer()
    }
    async fn crawled(&self, _: &RepositoryName, _: Timestamp) -> Result<(), StoreError> {
        no_answer()
    }
    async fn crawl_progress(&self) -> Result<CrawlProgress, StoreError> {
        no_answer()
    }
    async fn set_crawl_progress(&self, _: CrawlProgress) -> Result<(), StoreError> {
        no_answer()
    }
    async fn lease(
        &self,
        _: &str,
        _: &str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        no_answer()
    }
}

#[async_trait]
impl Activity for Absent {
    async fn note_pulls(&self, _: &[Pull], _: &[GroupPull]) -> Result<(), StoreError> {
        no_answer()
    }
    async fn note_pushes(&self, _: &[Pushed]) -> Result<(), StoreError> {
        no_answer()
    }
    async fn handled(
        &self,
        _: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Handled>, StoreError> {
        no_answer()
    }
    async fn pulled_by(
        &self,
        _: &str,
        _: &[(RepositoryName, Digest)],
    ) -> Result<HashMap<(RepositoryName, Digest), Timestamp>, StoreError> {
        no_answer()
    }
    async fn pulling_groups(&self, _: u32) -> Result<Vec<String>, StoreError> {
        no_answer()
    }
    async fn history_of(&self, _: &RepositoryName, _: &Tag) -> Result<Vec<Move>, StoreError> {
        no_answer()
    }
    async fn note_removed_flag(
        &self,
        _: &RepositoryName,
        _: &Digest,
        _: &RemovedFlag,
    ) -> Result<(), StoreError> {
        no_answer()
    }
    async fn removed_flags(
        &self,
        _: &RepositoryName,
        _: &Digest,
    ) -> Result<Vec<RemovedFlag>, StoreError> {
        no_answer()
    }
}

#[async_trait]
impl Releases for Absent {
    async fn kept_of(&self, _: &Digest) -> Result<Kept, StoreError> {
        no_answer()
    }
    async fn describe(&self, _: &[(Digest, Description)]) -> Result<(), StoreError> {
        no_answer()
    }
    async fn undescribed(&self, _: u32) -> Result<Vec<Undescribed>, StoreError> {
        no_answer()
    }
    async fn briefs_of(&self, _: &[Digest]) -> Result<HashMap<Digest, Brief>, StoreError> {
        no_answer()
    }
    async fn released_since(&self, _: Sequence, _: u32) -> Result<Released, StoreError> {
        no_answer()
    }
    async fn set_flag(&self, _: &Flag) -> Result<(), StoreError> {
        no_answer()
    }
    async fn remove_flag(
        &self,
        _: &RepositoryName,
        _: &Digest,
        _: &str,
    ) -> Result<Option<Flag>, StoreError> {
        no_answer()
    }
    async fn keep_report(&self, _: &KeptReport) -> Result<bool, StoreError> {
        no_answer()
    }
    async fn keep_statements(&self, _: &KeptStatements) -> Result<(), StoreError> {
        no_answer()
    }
    async fn find_findings(&self, _: &FindingQuery) -> Result<Vec<Found>, StoreError> {
        no_answer()
    }
    async fn reports_with(&self, _: &FindingKey) -> Result<Vec<i64>, StoreError> {
        no_answer()
    }
    async fn find_pulled_findings(
        &self,
        _: &FindingKey,
        _: &str,
        _: u32,
    ) -> Result<Vec<Found>, StoreError> {
        no_answer()
    }
    async fn add_exception(&self, _: &Exception) -> Result<(), StoreError> {
        no_answer()
    }
    async fn remove_exception(
        &self,
        _: &ExceptionId,
        _: Timestamp,
        _: &Subject,
    ) -> Result<Option<Exception>, StoreError> {
        no_answer()
    }
    async fn exceptions(&self, _: Option<Timestamp>) -> Result<Vec<Exception>, StoreError> {
        no_answer()
    }
    async fn note_seen(&self, _: &Digest, _: Timestamp) -> Result<(), StoreError> {
        no_answer()
    }
    async fn note_passed(&self, _: &[(String, Digest, Timestamp)]) -> Result<(), StoreError> {
        no_answer()
    }
    async fn passed_gate(&self, _: &str, _: u32) -> Result<Vec<Digest>, StoreError> {
        no_answer()
    }
    async fn request_scan(
        &self,
        _: &RepositoryName,
        _: &Digest,
        _: Cause,
        _: Timestamp,
    ) -> Result<Scan, StoreError> {
        no_answer()
    }
    async fn take_scan(
        &self,
        _: &str,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<Scan>, StoreError> {
        no_answer()
    }
    async fn hold_scan(
        &self,
        _: &str,
        _: &RepositoryName,
        _: &Digest,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        no_answer()
    }
    async fn end_scan(
        &self,
        _: &str,
        _: &RepositoryName,
        _: &Digest,
        _: &ScanEnd,
    ) -> Result<bool, StoreError> {
        no_answer()
    }
    async fn scan_counts(&self) -> Result<ScanCounts, StoreError> {
        no_answer()
    }
    async fn scans_in(&self, _: ScanPlace, _: u32) -> Result<Vec<Scan>, StoreError> {
        no_answer()
    }
    async fn old_reports(
        &self,
        _: &Subject,
        _: Timestamp,
        _: u32,
    ) -> Result<Vec<(RepositoryName, Digest)>, StoreError> {
        no_answer()
    }
}
