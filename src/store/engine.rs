//! What the operations need of a database: transactions, statements with numbered parameters, rows.
//!
//! Both databases read the same SQL, so each operation is written once. This is the small part of
//! sqlx that it takes, without its type parameters.

use std::borrow::Cow;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::{
    Arguments, AssertSqlSafe, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments,
    Transaction, Type,
};

use super::Sequence;
use super::repository_lock::ReplicaLocks;

/// One of the two databases.
#[async_trait]
pub(super) trait Engine: Send + Sync + 'static {
    /// Begins a transaction. A writer has the state to itself until it ends, so that it may look
    /// first and then write, and changes are committed in the order of their numbers; a reader
    /// sees the state as it was at one moment.
    async fn begin(&self, access: Access) -> Result<Box<dyn Session>, sqlx::Error>;

    /// The statement that tells other processes of a change, when it is committed.
    fn announcement(&self) -> Option<&'static str>;

    /// The locks that other processes on the same database go by, if there may be any.
    fn replica_locks(&self) -> Option<ReplicaLocks>;

    /// Waits until another process may have changed something.
    async fn changed(&self) -> Result<(), sqlx::Error>;
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// A transaction. Without a commit nothing of it happened.
#[async_trait]
pub(super) trait Session: Send {
    /// Runs a statement and gives its rows.
    async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Box<dyn Row>>, sqlx::Error>;

    /// The same with a statement that was put together.
    async fn built_rows(
        &mut self,
        sql: String,
        values: &[Value<'_>],
    ) -> Result<Vec<Box<dyn Row>>, sqlx::Error>;

    /// Runs a statement and tells how many rows it changed.
    async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error>;

    /// Runs several statements without parameters.
    async fn script(&mut self, sql: String) -> Result<(), sqlx::Error>;

    /// Makes what was done last.
    async fn commit(self: Box<Self>) -> Result<(), sqlx::Error>;
}

/// What a parameter stands for.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Int(Option<i64>),
    Text(Option<Cow<'a, str>>),
    Bytes(&'a [u8]),
}

/// What came back, by the name of the column.
pub(super) trait Row: Send {
    fn int(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error>;
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        value.as_millisecond().into()
    }
}

impl From<Option<Timestamp>> for Value<'_> {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::as_millisecond))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(value: Option<&'a str>) -> Self {
        Self::Text(value.map(Into::into))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Some(value.into()))
    }
}

impl From<Option<String>> for Value<'_> {
    fn from(value: Option<String>) -> Self {
        Self::Text(value.map(Into::into))
    }
}

impl From<Sequence> for Value<'_> {
    fn from(value: Sequence) -> Self {
        value.0.into()
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Bytes(value)
    }
}

/// What an error tells, without the words that sqlx puts around another's.
pub(super) fn cause(error: sqlx::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match error {
        sqlx::Error::Database(error) => error.into_error(),
        sqlx::Error::Configuration(error)
        | sqlx::Error::Tls(error)
        | sqlx::Error::Decode(error) => error,
        sqlx::Error::Io(error) => error.into(),
        other => other.into(),
    }
}

/// How many rows a statement changed; sqlx has no trait for it.
pub(super) trait Affected {
    fn rows(&self) -> u64;
}

fn arguments<DB>(values: &[Value<'_>]) -> Result<DB::Arguments, sqlx::Error>
where
    DB: Database,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
{
    let mut arguments = DB::Arguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(*value),
            Value::Text(value) => arguments.add(value.as_deref().map(str::to_owned)),
            Value::Bytes(value) => arguments.add(value.to_vec()),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

#[async_trait]
impl<DB> Session for Transaction<'static, DB>
where
    DB: Database,
    DB::Row: Row + 'static,
    DB::QueryResult: Affected,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'q> Option<i64>: Encode<'q, DB> + Type<DB>,
    for<'q> Option<String>: Encode<'q, DB> + Type<DB>,
    for<'q> Vec<u8>: Encode<'q, DB> + Type<DB>,
{
    async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Box<dyn Row>>, sqlx::Error> {
        let query = sqlx::query_with(sql, arguments::<DB>(values)?);
        let rows = query.fetch_all(&mut **self).await?;
        Ok(rows.into_iter().map(|row| Box::new(row) as Box<dyn Row>).collect())
    }

    async fn built_rows(
        &mut self,
        sql: String,
        values: &[Value<'_>],
    ) -> Result<Vec<Box<dyn Row>>, sqlx::Error> {
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments::<DB>(values)?);
        let rows = query.fetch_all(&mut **self).await?;
        Ok(rows.into_iter().map(|row| Box::new(row) as Box<dyn Row>).collect())
    }

    async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, sqlx::Error> {
        let query = sqlx::query_with(sql, arguments::<DB>(values)?);
        Ok(query.execute(&mut **self).await?.rows())
    }

    async fn script(&mut self, sql: String) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut **self).await?;
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<(), sqlx::Error> {
        (*self).commit().await
    }
}

impl<R> Row for R
where
    R: sqlx::Row,
    for<'i> &'i str: ColumnIndex<R>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<Vec<u8>>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn int(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
        self.try_get(column)
    }

    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
        self.try_get(column)
    }
}
