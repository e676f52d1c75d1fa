//! The state in PostgreSQL, for several replicas.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions, PgQueryResult};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::engine::{Access, Affected, Engine, Session};
use super::open::OpenError;
use super::repository_lock::{ReplicaLocks, TABLE};
use super::schema::{self, Dialect, Unusable};
use super::url::PostgresUrl;

/// How long to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections of one replica, one of which listens.
const CONNECTIONS: u32 = 10;

/// The server ends what takes longer: a replica that hangs or is cut off in the middle must not keep
/// the others from writing.
const BOUNDS: &str = "SET statement_timeout = '10s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '10s'; SET application_name = 'portcullis'";

/// Writers, and replicas that start together, take turns by a lock that ends with the transaction.
/// Its number says `portcull` in ASCII.
const WRITE: &str = "BEGIN; SELECT pg_advisory_xact_lock(8101820098873224300)";

const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const CHANNEL: &str = "portcullis";

pub(super) struct Postgres {
    pool: PgPool,
    listener: Mutex<Option<PgListener>>,
    locks: ReplicaLocks,
}

pub(super) async fn open(url: &PostgresUrl) -> Result<Postgres, OpenError> {
    let unusable = |error| OpenError::unusable(url, error);
    let pool = connect(url).await.map_err(|error| unusable(error.into()))?;
    let locks = ReplicaLocks::new(options(url).map_err(|error| unusable(error.into()))?);
    let engine = Postgres { pool, listener: Mutex::default(), locks };
    engine.migrate().await.map_err(unusable)?;
    Ok(engine)
}

/// Looks into a database, knowing the version of its tables. None: it has none yet.
pub(super) async fn look<T>(
    url: &PostgresUrl,
    view: impl AsyncFnOnce(&mut dyn Session, i64) -> Result<T, sqlx::Error>,
) -> Result<Option<T>, OpenError> {
    let look = async {
        let pool = connect(url).await?;
        let mut session = pool.begin_with(READ).await?;
        let there = "SELECT CAST(to_regclass('schema_version') AS TEXT) AS found";
        let rows = session.rows(there, &[]).await?;
        let found = rows.first().map(|row| row.text("found")).transpose()?.flatten();
        let seen = match found {
            Some(_) => {
                let version = schema::version(&mut session).await?;
                Some(view(&mut session, version).await?)
            }
            None => None,
        };
        drop(session);
        pool.close().await;
        Ok(seen)
    };
    look.await.map_err(|error| OpenError::unusable(url, error))
}

async fn connect(url: &PostgresUrl) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .after_connect(|connection, _| {
            Box::pin(async move { connection.execute(BOUNDS).await.map(|_| ()) })
        })
        // A connection whose server is gone would be waited for, and its place in the pool with it.
        .after_release(|connection, _| {
            Box::pin(async move {
                match timeout(PATIENCE, connection.ping()).await {
                    Ok(alive) => alive.map(|()| true),
                    Err(late) => Err(sqlx::Error::Io(late.into())),
                }
            })
        })
        .connect_with(options(url)?.disable_statement_logging())
        .await
}

fn options(url: &PostgresUrl) -> Result<PgConnectOptions, sqlx::Error> {
    url.expose().parse()
}

impl Postgres {
    async fn migrate(&self) -> Result<(), Unusable> {
        let mut session = self.begin(Access::Write).await?;
        schema::migrate(&mut *session, Dialect::Postgres).await?;
        session.script(TABLE.to_owned()).await?;
        Ok(session.commit().await?)
    }
}

#[async_trait]
impl Engine for Postgres {
    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, sqlx::Error> {
        let statement = match access {
            Access::Read => READ,
            Access::Write => WRITE,
        };
        Ok(Box::new(self.pool.begin_with(statement).await?))
    }

    fn announcement(&self) -> Option<&'static str> {
        Some("SELECT pg_notify('portcullis', '')")
    }

    fn replica_locks(&self) -> Option<ReplicaLocks> {
        Some(self.locks.clone())
    }

    /// A connection that was lost may have missed something, so its loss counts as a change, and so
    /// does the first time.
    async fn changed(&self) -> Result<(), sqlx::Error> {
        let mut place = self.listener.lock().await;
        let Some(listener) = &mut *place else {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            *place = Some(listener);
            return Ok(());
        };
        let heard = listener.try_recv().await;
        if heard.is_err() {
            *place = None;
        }
        heard.map(|_| ())
    }
}

impl Affected for PgQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }
}
