//! The lock of a repository between the replicas that share a PostgreSQL.
//!
//! It is an advisory lock of a session, so it goes with the session: also if the gate is killed, its
//! machine is lost, or the database starts anew. That nobody is ever locked out by something that is
//! gone has a price: a lock may be lost while it is held. Who holds one asks
//! ([`ReplicaLock::confirm`]) right before it relies on it.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use oci::RepositoryName;
use sqlx::pool::{PoolConnection, PoolConnectionMetadata};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::engine::cause;

/// Repositories that one replica holds or waits for at once.
const CONNECTIONS: u32 = 16;

/// How long to wait for a connection, and for an answer that waits for nobody else.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a session that has answered is taken to be there still.
const TRUST: Duration = Duration::from_secs(1);

/// Sessions hold locks and no transactions, so nothing of them need be durable, and they may be idle
/// for as long as the registry takes. Of a machine that is gone the server learns in 25 seconds.
/// `idle_session_timeout` is of version 14.
const BOUNDS: &str = "SET statement_timeout = '60s'; SET synchronous_commit = off; \
    SET default_transaction_isolation = 'read committed'; \
    SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
    SET application_name = 'portcullis locks'; \
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'";

/// How many have had each lock. It is worth nothing after a crash, so it is not written to the log.
pub(super) const TABLE: &str = "CREATE UNLOGGED TABLE IF NOT EXISTS repository_turns \
    (repository BIGINT PRIMARY KEY, turn BIGINT NOT NULL)";

/// Waits for a lock, for so long, and counts: in one round trip. A count begins anywhere, so that one
/// that was lost in a crash is not taken for one that stood still.
macro_rules! take {
    ($function:literal) => {
        concat!(
            "WITH bound AS MATERIALIZED (SELECT set_config('lock_timeout', $2, false)), \
             taken AS MATERIALIZED (SELECT ",
            $function,
            "($1) FROM bound) \
             INSERT INTO repository_turns AS known (repository, turn) \
             SELECT $1, CAST(trunc(random() * 4611686018427387904) AS BIGINT) FROM taken \
             ON CONFLICT (repository) DO UPDATE SET turn = known.turn + 1 RETURNING turn"
        )
    };
}

/// What the server says when a wait is over (PostgreSQL, "Error Codes": `lock_not_available`).
const WAIT_IS_OVER: &str = "55P03";

/// Who else may hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Others that share it.
    Shared,
    /// Nobody.
    Alone,
}

impl Mode {
    const fn take(self) -> &'static str {
        match self {
            Self::Shared => take!("pg_advisory_lock_shared"),
            Self::Alone => take!("pg_advisory_lock"),
        }
    }

    const fn give(self) -> &'static str {
        match self {
            Self::Shared => "SELECT pg_advisory_unlock_shared($1)",
            Self::Alone => "SELECT pg_advisory_unlock($1)",
        }
    }
}

/// Why a repository's lock is not held.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Others hold it for too long.
    #[error("others are changing this repository; try again in a moment")]
    Busy,
    /// It cannot be known who holds it.
    #[error("the state, by which replicas take turns, does not answer; try again in a moment")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was held, and its session has ended.
    #[error("the turn at this repository was lost before anything was done; try again in a moment")]
    Lost,
}

fn unavailable(error: sqlx::Error) -> LockError {
    LockError::Unavailable(cause(error))
}

/// The locks that all replicas on one database share. They have connections of their own, as a lock
/// is held for as long as the registry takes to answer.
#[derive(Debug, Clone)]
pub struct ReplicaLocks {
    pool: PgPool,
    runtime: Handle,
}

impl ReplicaLocks {
    /// Opens no connection yet. All that it does runs in the runtime in which this is called:
    /// workers come and go, and what one of them waits for must not be lost with it.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            // It would cost every lock a round trip.
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move { connection.execute(BOUNDS).await.map(|_| ()) })
            })
            .before_acquire(|connection, seen| Box::pin(answers_after(connection, seen)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(options.disable_statement_logging());
        Self { pool, runtime: Handle::current() }
    }

    /// Waits for a repository's lock until `until`. It is given back when it is dropped, also if
    /// nobody waits for it any more when it comes.
    ///
    /// # Errors
    /// Others hold it until then, or the database does not answer.
    pub async fn take(
        &self,
        repository: &RepositoryName,
        mode: Mode,
        until: Instant,
    ) -> Result<ReplicaLock, LockError> {
        let (this, repository) = (self.clone(), repository.clone());
        let taking =
            self.runtime.spawn(async move { this.take_here(repository, mode, until).await });
        taking.await.unwrap_or_else(|ended| Err(LockError::Unavailable(ended.into())))
    }

    async fn take_here(
        self,
        repository: RepositoryName,
        mode: Mode,
        until: Instant,
    ) -> Result<ReplicaLock, LockError> {
        let mut session = Session(Some(self.pool.acquire().await.map_err(unavailable)?));
        let left = until.saturating_duration_since(Instant::now());
        let key = key(&repository);
        let asked = async {
            // 0 would be for ever.
            let bound = format!("{}ms", left.as_millis().max(1));
            let question = sqlx::query_scalar::<_, i64>(mode.take()).bind(key).bind(bound);
            question.fetch_one(session.connection()?).await
        };
        match timeout(left + PATIENCE, asked).await {
            Ok(Ok(turn)) => Ok(ReplicaLock {
                session: Mutex::new(Some(Answered { session, at: Instant::now() })),
                repository,
                mode,
                turn,
                taken: Instant::now(),
                runtime: self.runtime,
            }),
            Ok(Err(error)) if is_wait_over(&error) => {
                session.give_back();
                Err(LockError::Busy)
            }
            Ok(Err(error)) => Err(unavailable(error)),
            Err(late) => Err(LockError::Unavailable(late.into())),
        }
    }
}

fn is_wait_over(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| code == WAIT_IS_OVER)
}

/// Where the lock of a repository is, the same for every replica.
fn key(repository: &RepositoryName) -> i64 {
    let hash = digest(&SHA256, format!("repository {repository}").as_bytes());
    hash.as_ref().first_chunk().map_or(0, |first| i64::from_be_bytes(*first))
}

async fn answers_after(
    connection: &mut PgConnection,
    seen: PoolConnectionMetadata,
) -> Result<bool, sqlx::Error> {
    if seen.idle_for < TRUST { Ok(true) } else { answers(connection).await }
}

/// A server that is gone would be waited for without an end.
async fn answers(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(PATIENCE, connection.ping()).await {
        Ok(alive) => alive.map(|()| true),
        Err(late) => Err(sqlx::Error::Io(late.into())),
    }
}

/// A connection that may hold a lock: dropped, it ends, and with it whatever it holds.
#[derive(Debug)]
struct Session(Option<PoolConnection<Postgres>>);

impl Session {
    fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.0.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// To be used again, as it holds nothing.
    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(connection.detach());
        }
    }
}

#[derive(Debug)]
struct Answered {
    session: Session,
    at: Instant,
}

impl Answered {
    fn is_trusted(&self) -> bool {
        self.at.elapsed() < TRUST
    }
}

/// A repository's lock; dropped, it is given back.
#[derive(Debug)]
pub struct ReplicaLock {
    /// None: it was lost.
    session: Mutex<Option<Answered>>,
    repository: RepositoryName,
    mode: Mode,
    turn: i64,
    taken: Instant,
    runtime: Handle,
}

impl ReplicaLock {
    /// Counts who has had the lock: the next one has the next number.
    #[must_use]
    pub fn turn(&self) -> i64 {
        self.turn
    }

    /// Whether it is of this repository and was taken a moment ago. An older one is not to be shared
    /// any further, or whoever waits to be alone might wait for ever.
    #[must_use]
    pub fn may_be_joined(&self, repository: &RepositoryName) -> bool {
        self.repository == *repository && self.taken.elapsed() < TRUST
    }

    /// Asks whether it is held still, unless that was found a moment ago.
    ///
    /// # Errors
    /// It is not, or that cannot be known, which is the same.
    pub async fn confirm(self: &Arc<Self>) -> Result<(), LockError> {
        if let Ok(place) = self.session.try_lock()
            && place.as_ref().is_some_and(Answered::is_trusted)
        {
            return Ok(());
        }
        let this = Arc::clone(self);
        let asking = self.runtime.spawn(async move { this.confirm_here().await });
        asking.await.unwrap_or(Err(LockError::Lost))
    }

    async fn confirm_here(&self) -> Result<(), LockError> {
        let mut place = self.session.lock().await;
        // Taken out meanwhile: if this is not finished, the session ends, and it is known to.
        let mut answered = place.take().ok_or(LockError::Lost)?;
        if !answered.is_trusted() {
            let alive = match answered.session.connection() {
                Ok(connection) => answers(connection).await.is_ok(),
                Err(_) => false,
            };
            if !alive {
                return Err(LockError::Lost);
            }
            answered.at = Instant::now();
        }
        *place = Some(answered);
        Ok(())
    }
}

impl Drop for ReplicaLock {
    fn drop(&mut self) {
        if let Some(Answered { session, .. }) = self.session.get_mut().take() {
            let (repository, mode) = (self.repository.clone(), self.mode);
            self.runtime.spawn(async move { give_back(session, &repository, mode).await });
        }
    }
}

/// What was lost while it was held is told, as it cannot be mended: another replica may have had
/// the lock at the same time.
async fn give_back(mut session: Session, repository: &RepositoryName, mode: Mode) {
    let given = async {
        let question = sqlx::query_scalar::<_, bool>(mode.give()).bind(key(repository));
        question.fetch_one(session.connection()?).await
    };
    let reason = match timeout(PATIENCE, given).await {
        Ok(Ok(true)) => return session.give_back(),
        Ok(Ok(false)) => "it was not held".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    tracing::error!(
        %repository,
        reason,
        "the lock between replicas was lost while it was held; another replica may have changed \
         the repository at the same time: compare the audit trails"
    );
}
