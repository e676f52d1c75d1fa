//! One operation under way.

use std::time::Duration;

use tokio::time::timeout;

use super::super::engine::{Access, Engine, Session, Value, cause};
use super::super::{Sequence, StoreError, failed};
use super::row::Row;

/// How long one statement may take. A server that is cut off says nothing, for ever.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many rows of parameters go with one statement.
const AT_A_TIME: [usize; 4] = [64, 16, 4, 1];

/// A transaction that knows what it is for. Dropped without a commit, nothing of it happened.
pub(super) struct Work {
    session: Box<dyn Session>,
    announcement: Option<&'static str>,
    what: &'static str,
}

impl Work {
    pub(super) async fn begin(
        engine: &dyn Engine,
        access: Access,
        what: &'static str,
    ) -> Result<Self, StoreError> {
        let session = within(what, engine.begin(access)).await?;
        Ok(Self { session, announcement: engine.announcement(), what })
    }

    pub(super) async fn rows(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, StoreError> {
        let rows = within(self.what, self.session.rows(sql, values)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    pub(super) async fn row(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    /// Runs a statement with as many rows of parameters in the place of `{rows}` as there are, some
    /// at a time: the way to the database costs more than the work there. Only a few numbers of rows
    /// are used, as each is a statement that is prepared and kept.
    pub(super) async fn with_rows<const N: usize>(
        &mut self,
        sql: &'static str,
        rows: &[[Value<'_>; N]],
    ) -> Result<Vec<Row>, StoreError> {
        let (mut found, mut left) = (Vec::new(), rows);
        while !left.is_empty() {
            let count = AT_A_TIME.into_iter().find(|count| *count <= left.len()).unwrap_or(1);
            let (now, later) = left.split_at(count);
            let sql = sql.replace("{rows}", &parameters(count, N));
            let asked = within(self.what, self.session.built_rows(sql, now.as_flattened()));
            found.extend(asked.await?.into_iter().map(Row));
            left = later;
        }
        Ok(found)
    }

    pub(super) async fn execute(
        &mut self,
        sql: &'static str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        within(self.what, self.session.execute(sql, values)).await
    }

    /// The number of the change that this is. As writers take turns, numbers are committed in order.
    pub(super) async fn number(&mut self) -> Result<Sequence, StoreError> {
        let sql = "UPDATE state SET sequence = sequence + 1 RETURNING sequence";
        let sequence = sequence(self.row(sql, &[]).await?)?;
        self.announce().await?;
        Ok(sequence)
    }

    /// Tells other processes of a change when it is committed.
    pub(super) async fn announce(&mut self) -> Result<(), StoreError> {
        if let Some(announcement) = self.announcement {
            self.execute(announcement, &[]).await?;
        }
        Ok(())
    }

    /// The number of the last change.
    pub(super) async fn last_number(&mut self) -> Result<Sequence, StoreError> {
        sequence(self.row("SELECT sequence FROM state", &[]).await?)
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        within(self.what, self.session.commit()).await
    }
}

/// Such as `($1, $2), ($3, $4)`.
fn parameters(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let row: Vec<_> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", row.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

fn sequence(row: Option<Row>) -> Result<Sequence, StoreError> {
    let missing = || StoreError::Damaged("there is no row in the table `state`".to_owned());
    Ok(Sequence(row.ok_or_else(missing)?.int("sequence")?))
}

async fn within<T>(
    what: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| failed(what, cause(error))),
        Err(late) => Err(failed(what, late)),
    }
}
