//! The state in SQLite.
//!
//! One connection writes and a few read, so writers queue in the gate and not at the file. With a
//! write-ahead log readers do not wait for them, and with `synchronous=FULL` what is committed is on
//! the disk.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::future::pending;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteQueryResult,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use super::engine::{Access, Affected, Engine, Session};
use super::lock::Lock;
use super::repository_lock::ReplicaLocks;
use super::schema::{self, Dialect, Unusable};
use super::{OpenError, folder};

/// How long to wait for a connection, and for another process that has the file to itself: a
/// backup, or somebody with a tool.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connections that read at the same time.
const READERS: u32 = 4;

pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    _lock: Lock,
}

/// Opens the file, made where there is none, for this process alone.
pub(super) async fn open(file: &Path) -> Result<Sqlite, OpenError> {
    make_folder(folder(file))?;
    let lock = Lock::take(folder(file))?;
    make_file(file).map_err(|source| OpenError::File { path: file.to_owned(), source })?;
    let unusable = |error| OpenError::unusable(file.display(), error);
    let pool = || SqlitePoolOptions::new().acquire_timeout(PATIENCE).max_lifetime(None);
    let writer = pool()
        .max_connections(1)
        .idle_timeout(None)
        // SQLite ends a transaction by itself where the disk is full, and sqlx then takes it for one
        // that goes on, for ever. Such a connection is given up.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(
            options(file).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full),
        )
        .await
        .map_err(|error| unusable(error.into()))?;
    let readers = pool()
        .max_connections(READERS)
        .connect_with(options(file).read_only(true))
        .await
        .map_err(|error| unusable(error.into()))?;
    let engine = Sqlite { writer, readers, _lock: lock };
    engine.migrate().await.map_err(unusable)?;
    Ok(engine)
}

/// Looks into a file that is there, next to a gate that runs on it, knowing the version of its
/// tables.
pub(super) async fn look<T>(
    file: &Path,
    view: impl AsyncFnOnce(&mut dyn Session, i64) -> Result<T, sqlx::Error>,
) -> Result<T, OpenError> {
    let unusable = |error| OpenError::unusable(file.display(), error);
    let look = async {
        let connection = options(file).read_only(true);
        let pool = SqlitePoolOptions::new().acquire_timeout(PATIENCE).connect_with(connection);
        let pool = pool.await?;
        let mut session = pool.begin().await?;
        let version = schema::version(&mut session).await?;
        let seen = view(&mut session, version).await?;
        drop(session);
        pool.close().await;
        Ok(seen)
    };
    look.await.map_err(unusable)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        .disable_statement_logging()
}

impl Sqlite {
    async fn migrate(&self) -> Result<(), Unusable> {
        let mut session = self.begin(Access::Write).await?;
        schema::migrate(&mut *session, Dialect::Sqlite).await?;
        Ok(session.commit().await?)
    }
}

#[async_trait]
impl Engine for Sqlite {
    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, sqlx::Error> {
        Ok(match access {
            Access::Read => Box::new(self.readers.begin().await?),
            Access::Write => Box::new(self.writer.begin_with("BEGIN IMMEDIATE").await?),
        })
    }

    fn announcement(&self) -> Option<&'static str> {
        None
    }

    fn replica_locks(&self) -> Option<ReplicaLocks> {
        None
    }

    /// No other process writes while this one has the lock.
    async fn changed(&self) -> Result<(), sqlx::Error> {
        pending().await
    }
}

impl Affected for SqliteQueryResult {
    fn rows(&self) -> u64 {
        self.rows_affected()
    }
}

fn make_folder(folder: &Path) -> Result<(), OpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| OpenError::Folder { path: folder.to_owned(), source })
}

/// Only the owner may read or write the state. The files that SQLite adds get the same mode.
fn make_file(file: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(file) {
        Ok(made) => {
            made.sync_all()?;
            File::open(folder(file))?.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            for path in [file.to_owned(), beside(file, "-wal"), beside(file, "-shm")] {
                match fs::set_permissions(&path, Permissions::from_mode(0o600)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    done => done?,
                }
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
