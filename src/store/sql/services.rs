//! Services.

use jiff::Timestamp;

use super::super::{Sequence, Service, StoreError};
use super::work::Work;

pub(super) async fn add(work: &mut Work, name: &str, now: Timestamp) -> Result<bool, StoreError> {
    if is_there(work, name).await? {
        return Ok(false);
    }
    let number = work.number().await?;
    let sql = "INSERT INTO services (name, disabled, made_at, sequence) VALUES ($1, 0, $2, $3)";
    work.execute(sql, &[name.into(), now.into(), number.0.into()]).await?;
    Ok(true)
}

pub(super) async fn set_disabled(
    work: &mut Work,
    name: &str,
    disabled: bool,
) -> Result<bool, StoreError> {
    if !is_there(work, name).await? {
        return Ok(false);
    }
    let number = work.number().await?;
    let sql = "UPDATE services SET disabled = $2, sequence = $3 WHERE name = $1";
    let values = [name.into(), i64::from(disabled).into(), number.0.into()];
    work.execute(sql, &values).await?;
    Ok(true)
}

async fn is_there(work: &mut Work, name: &str) -> Result<bool, StoreError> {
    let row = work.row("SELECT name FROM services WHERE name = $1", &[name.into()]).await?;
    Ok(row.is_some())
}

/// The services by name.
pub(super) async fn list(work: &mut Work) -> Result<Vec<Service>, StoreError> {
    let sql = "SELECT name, disabled, made_at FROM services ORDER BY name";
    let rows = work.rows(sql, &[]).await?;
    let service = |row: &super::row::Row| {
        Ok(Service {
            name: row.text("name")?,
            disabled: row.int("disabled")? != 0,
            made_at: row.time("made_at")?,
        })
    };
    rows.iter().map(service).collect()
}

/// Whether anything about them changed after `since`.
pub(super) async fn changed(work: &mut Work, since: Sequence) -> Result<bool, StoreError> {
    let sql = "SELECT name FROM services WHERE sequence > $1 LIMIT 1";
    Ok(work.row(sql, &[since.0.into()]).await?.is_some())
}
