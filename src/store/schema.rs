//! The tables, and how older ones become those of today.

use super::engine::Session;

/// What leads from each version of the tables to the next. Never change one that was released.
const STEPS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
];

/// The first version that keeps the last good policy.
pub(super) const WITH_POLICY: i64 = 2;

/// How a database is told of the tables.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Why there are no tables that can be used.
#[derive(Debug)]
pub(super) enum Unusable {
    Newer { found: i64, known: i64 },
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Unusable {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// The version that this program works with.
fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Brings the tables to today's version, within a transaction that has the state to itself.
pub(super) async fn migrate(session: &mut dyn Session, dialect: Dialect) -> Result<(), Unusable> {
    let table = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT";
    session.script(dialect.of(table)).await?;
    let found = version(session).await?;
    let done = usize::try_from(found).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        session.script(dialect.of(step)).await?;
    }
    if found < known() {
        session.execute("DELETE FROM schema_version", &[]).await?;
        let note = "INSERT INTO schema_version (version) VALUES ($1)";
        session.execute(note, &[known().into()]).await?;
    }
    Ok(())
}

/// The version of the tables that are there; 0 before the first.
pub(super) async fn version(session: &mut dyn Session) -> Result<i64, Unusable> {
    let rows = session.rows("SELECT version FROM schema_version", &[]).await?;
    let found = rows.first().map(|row| row.int("version")).transpose()?.flatten().unwrap_or(0);
    if found > known() {
        return Err(Unusable::Newer { found, known: known() });
    }
    Ok(found)
}

impl Dialect {
    /// The tables are written for SQLite. PostgreSQL's integers of 64 bits, bytes and texts that are
    /// compared as bytes have other names, and its tables are always strict.
    fn of(self, sql: &str) -> String {
        match self {
            Self::Sqlite => sql.to_owned(),
            Self::Postgres => sql
                .replace("INTEGER", "BIGINT")
                .replace("BLOB", "BYTEA")
                .replace("TEXT", "TEXT COLLATE \"C\"")
                .replace(" STRICT", ""),
        }
    }
}
