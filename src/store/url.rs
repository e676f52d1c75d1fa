//! Where the state is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use crate::secret::Secret;

/// Where the state is: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/DATABASE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A file, in a folder that is this gate's alone.
    Sqlite(PathBuf),
    /// A database, which replicas may share.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database, with the password in it. Only host, port and database are
/// ever shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: Secret,
    shown: String,
}

/// The text says not where the state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// It begins with neither of the two words.
    #[error("neither `sqlite:` nor `postgres://`")]
    Scheme,
    /// No file is named.
    #[error("not the path of a file")]
    Path,
    /// It is no address of a PostgreSQL database.
    #[error("not the address of a PostgreSQL database")]
    Postgres,
}

impl StoreUrl {
    /// With a path that is relative to `folder`, unless it is absolute.
    #[must_use]
    pub fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::Sqlite(path) => Self::Sqlite(folder.join(path)),
            Self::Postgres(url) => Self::Postgres(url),
        }
    }
}

impl PostgresUrl {
    pub(super) fn expose(&self) -> &str {
        self.url.expose()
    }
}

impl FromStr for StoreUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_file = Path::new(path).file_name().is_some() && !path.ends_with('/');
            return match is_file && !path.starts_with(':') && !path.contains(['?', '#']) {
                true => Ok(Self::Sqlite(path.into())),
                false => Err(InvalidUrl::Path),
            };
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(InvalidUrl::Scheme);
        }
        let options: PgConnectOptions = text.parse().map_err(|_| InvalidUrl::Postgres)?;
        let database = options.get_database().unwrap_or(options.get_username());
        let host = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => options.get_host().to_owned(),
        };
        let shown = format!("postgres://{host}:{}/{database}", options.get_port());
        Ok(Self::Postgres(PostgresUrl { url: Secret::new(text.to_owned()), shown }))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_database_is_named_and_nothing_else() {
        for (text, shown) in [
            ("sqlite:state/gate.db", "sqlite:/gate/state/gate.db"),
            ("sqlite:/var/lib/gate.db", "sqlite:/var/lib/gate.db"),
            ("sqlite:///var/lib/gate.db", "sqlite:/var/lib/gate.db"),
            ("postgres://gate:secret@db.example:5433/gate", "postgres://db.example:5433/gate"),
            ("postgresql://gate@db.example", "postgres://db.example:5432/gate"),
        ] {
            let url = text.parse::<StoreUrl>().unwrap().relative_to(Path::new("/gate"));
            assert_eq!(url.to_string(), shown);
        }
        for (text, why) in [
            ("", InvalidUrl::Scheme),
            ("state/gate.db", InvalidUrl::Scheme),
            ("mysql://db.example/gate", InvalidUrl::Scheme),
            ("sqlite:", InvalidUrl::Path),
            ("sqlite::memory:", InvalidUrl::Path),
            ("sqlite:state/", InvalidUrl::Path),
            ("sqlite:gate.db?mode=ro", InvalidUrl::Path),
            ("postgres://gate@db.example:x/gate", InvalidUrl::Postgres),
        ] {
            assert_eq!(text.parse::<StoreUrl>(), Err(why), "{text}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let url: StoreUrl = "postgres://gate:CANARY@db.example/gate".parse().unwrap();
        assert!(!format!("{url} {url:?} {url:#?}").contains("CANARY"));
    }
}
