//! Revoking, and telling what was revoked.

use jiff::Timestamp;

use super::super::engine::Value;
use super::super::{Changes, Revocation, Revoked, Sequence, StoreError};
use super::inventory;
use super::release;
use super::row::{Row, damaged};
use super::services;
use super::work::Work;
use crate::token::{Family, TokenId};

/// What is revoked now: the families that are named by the rest of the statement. Those whose end
/// has come need no revocation, once no upload goes on with one of their tokens (a day); and those that
/// were not used for long may yet turn out to have been.
macro_rules! end {
    ($which:literal) => {
        concat!(
            "UPDATE families SET revoked_at = $1, revoked_in = $2 \
            WHERE revoked_at IS NULL AND ends_at + 86400000 > $1 AND ",
            $which
        )
    };
}

/// Also finds what descends from something that is no family: a token that a password got.
const END_LINE: &str = concat!(
    "WITH RECURSIVE line (line_id) AS (SELECT id FROM families WHERE id = $3 OR parent = $3 \
    UNION SELECT id FROM families JOIN line ON parent = line_id) ",
    end!("id IN (SELECT line_id FROM line)")
);

/// Access tokens tell the time of signing in in whole seconds, so whole seconds are compared.
const END_SUBJECT: &str = end!("subject = $3 AND auth_time / 1000 <= $4 / 1000");

const END_EVERYTHING: &str = end!("auth_time / 1000 <= $3 / 1000");

pub(super) async fn revoke(
    work: &mut Work,
    what: &Revocation,
    now: Timestamp,
) -> Result<u64, StoreError> {
    match what {
        Revocation::Id { id, until } => {
            let family = "SELECT id FROM families WHERE id = $1";
            if work.row(family, &[id.as_str().into()]).await?.is_none() {
                keep(work, "id", id.as_str(), *until).await?;
            }
            end_line(work, id, now).await
        }
        Revocation::Subject(subject, began) => {
            let subject = subject.to_string();
            keep(work, "subject", &subject, *began).await?;
            end(work, END_SUBJECT, now, &[subject.into(), (*began).into()]).await
        }
        Revocation::Everything(began) => {
            keep(work, "everything", "", *began).await?;
            end(work, END_EVERYTHING, now, &[(*began).into()]).await
        }
    }
}

/// Ends the family of this name and all that descend from it.
pub(super) async fn end_line(
    work: &mut Work,
    id: &TokenId,
    now: Timestamp,
) -> Result<u64, StoreError> {
    end(work, END_LINE, now, &[id.as_str().into()]).await
}

/// Tells how many of the families held that a statement ended.
async fn end(
    work: &mut Work,
    sql: &'static str,
    now: Timestamp,
    which: &[Value<'_>],
) -> Result<u64, StoreError> {
    let number = work.number().await?;
    work.execute(sql, &[&[now.into(), number.0.into()], which].concat()).await?;
    let sql = "SELECT COUNT(*) AS held FROM families WHERE revoked_in = $1 AND holds_until > $2";
    let row = work.row(sql, &[number.0.into(), now.into()]).await?;
    let held = row.map_or(Ok(0), |row| row.int("held"))?;
    u64::try_from(held).map_err(|error| damaged("held", &error))
}

/// Keeps a revocation of something that is no family, unless one that reaches as far is kept.
async fn keep(
    work: &mut Work,
    kind: &'static str,
    name: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let number = work.number().await?;
    let sql = "INSERT INTO revocations (kind, name, at, sequence) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (kind, name) DO UPDATE SET at = excluded.at, sequence = excluded.sequence \
        WHERE revocations.at < excluded.at";
    let values = [kind.into(), name.into(), at.into(), number.0.into()];
    work.execute(sql, &values).await?;
    Ok(())
}

/// Whether what was revoked so far covers a family that is not kept yet.
pub(super) async fn cover(work: &mut Work, family: &Family) -> Result<bool, StoreError> {
    let sql = "SELECT name FROM revocations WHERE (kind = 'id' AND name IN ($1, $2)) \
        OR (kind = 'subject' AND name = $3 AND $4 / 1000 <= at / 1000) \
        OR (kind = 'everything' AND $4 / 1000 <= at / 1000) \
        UNION ALL SELECT id FROM families WHERE id = $2 AND revoked_at IS NOT NULL LIMIT 1";
    let values = [
        family.id.as_str().into(),
        family.parent.as_ref().map(TokenId::as_str).into(),
        family.grant.subject.to_string().into(),
        family.grant.auth_time.into(),
    ];
    Ok(work.row(sql, &values).await?.is_some())
}

pub(super) async fn changes(work: &mut Work, since: Sequence) -> Result<Changes, StoreError> {
    let sequence = work.last_number().await?;
    let since = if since > sequence { Sequence::default() } else { since };
    let sql = "SELECT sequence, kind, name, at FROM revocations WHERE sequence > $1 \
        UNION ALL SELECT revoked_in, 'id', id, ends_at FROM families WHERE revoked_in > $1 \
        ORDER BY 1, 2, 3";
    let rows = work.rows(sql, &[since.0.into()]).await?;
    let revoked = rows.iter().map(revoked).collect::<Result<_, _>>()?;
    let services = match services::changed(work, since).await? {
        true => Some(services::list(work).await?),
        false => None,
    };
    let last_lesson = inventory::last(work).await?;
    let last_release = release::last(work).await?;
    Ok(Changes { sequence, last_lesson, last_release, revoked, services })
}

fn revoked(row: &Row) -> Result<Revoked, StoreError> {
    let at = row.time("at")?;
    match row.text("kind")?.as_str() {
        "id" => Ok(Revoked::Id { id: row.read("name")?, until: at }),
        "subject" => Ok(Revoked::Subject(row.read("name")?, at)),
        "everything" => Ok(Revoked::Everything(at)),
        other => Err(damaged("kind", &format!("`{other}` is not known"))),
    }
}

/// Access tokens that have expired need no revocation. What is revoked of a subject, or of all, is
/// one row each; how long the tokens live that it is for is not known here.
pub(super) async fn purge(work: &mut Work, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM revocations WHERE kind = 'id' AND at <= $1";
    work.execute(sql, &[before.into()]).await
}
