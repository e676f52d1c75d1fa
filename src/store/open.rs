//! Opening the state.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Session, cause};
use super::schema::{self, Unusable};
use super::sql::{Sql, policy};
use super::url::StoreUrl;
use super::{KeptPolicy, Store, postgres, sqlite};

/// Where the state is, and how long the gate goes on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it is.
    pub url: StoreUrl,
    /// How old what is known of revocations may be, while the state does not answer.
    pub max_staleness: Duration,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made.
    #[error("cannot make the state folder {}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in it cannot be opened or made.
    #[error("cannot open {}, where the state is kept", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error(
        "the state folder {} is in use by {}; stop that one, or give this gate a folder of its own \
        with `state.url` (several gates can share a PostgreSQL database)",
        folder.display(), process(*by)
    )]
    InUse {
        /// Which folder.
        folder: PathBuf,
        /// The process that has it, where it is known.
        by: Option<u32>,
    },
    /// A newer version of the program wrote it.
    #[error(
        "a newer version of portcullis wrote the state {place} (tables {found}, this version knows \
        {known}); run that version, or restore a backup from before"
    )]
    Newer {
        /// Where it is.
        place: String,
        /// The version of its tables.
        found: i64,
        /// The version that this program knows.
        known: i64,
    },
    /// The database cannot be reached, or does not do what it must.
    #[error("the state {place} cannot be used")]
    Database {
        /// Where it is.
        place: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn process(by: Option<u32>) -> String {
    by.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl OpenError {
    pub(super) fn unusable(place: impl fmt::Display, why: Unusable) -> Self {
        let place = place.to_string();
        match why {
            Unusable::Newer { found, known } => Self::Newer { place, found, known },
            Unusable::Database(source) => Self::Database { place, source: cause(source) },
        }
    }
}

/// Opens the state, made where there is none, and brings it to the version of this program. A file
/// is locked against other processes as long as the store lives.
///
/// # Errors
/// It cannot be used.
pub async fn open(settings: &Settings) -> Result<Arc<dyn Store>, OpenError> {
    let (store, place) = match &settings.url {
        StoreUrl::Sqlite(file) => (Sql::new(sqlite::open(file).await?), file.display().to_string()),
        StoreUrl::Postgres(url) => (Sql::new(postgres::open(url).await?), url.to_string()),
    };
    let rekeyed = store.rekey().await;
    rekeyed.map_err(|source| OpenError::Database { place, source: source.into() })?;
    Ok(Arc::new(store))
}

/// What [`check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// A state that this program can open.
    Usable,
    /// None yet: the first start makes it.
    Missing,
}

/// Looks whether the state can be opened, without changing anything, also while a gate runs on it.
///
/// # Errors
/// It cannot be used.
pub async fn check(settings: &Settings) -> Result<Checked, OpenError> {
    let seen = look(&settings.url, async |_, _| Ok(())).await?;
    Ok(if seen.is_some() { Checked::Usable } else { Checked::Missing })
}

/// The last good policy of a state, without changing anything, also while a gate runs on it.
///
/// # Errors
/// The state, or what it keeps of the policy, cannot be used.
pub async fn kept_policy(settings: &Settings) -> Result<Option<KeptPolicy>, OpenError> {
    let kept = async |session: &mut dyn Session, version| match version {
        ..schema::WITH_POLICY => Ok(None),
        _ => policy::look(session).await,
    };
    Ok(look(&settings.url, kept).await?.flatten())
}

/// Looks into a state, if there is one.
async fn look<T>(
    url: &StoreUrl,
    view: impl AsyncFnOnce(&mut dyn Session, i64) -> Result<T, sqlx::Error>,
) -> Result<Option<T>, OpenError> {
    match url {
        StoreUrl::Sqlite(file) => match file.try_exists() {
            Ok(true) => sqlite::look(file, view).await.map(Some),
            Ok(false) => Ok(None),
            Err(source) => Err(OpenError::File { path: file.clone(), source }),
        },
        StoreUrl::Postgres(url) => postgres::look(url, view).await,
    }
}

/// The folder that a file is in.
pub(super) fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
