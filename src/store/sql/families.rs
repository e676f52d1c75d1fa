//! Families: keeping, finding, forgetting.

use jiff::Timestamp;

use super::super::engine::Value;
use super::super::{FamilyOrder, FamilyQuery, StoreError};
use super::revocations;
use super::row::{Row, values};
use super::work::Work;
use crate::token::{Family, LastUse, TokenHash, TokenId};

const ADD: &str = "INSERT INTO families (id, kind, subject, subject_kind, via, asserted, carried, \
    bounds, auth_time, audience, access_ttl, made_at, made_by, comment, parent, ends_at, idle, \
    last_used_at, last_used_from, holds_until, revoked_at, revoked_in) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
    $20, $21, $22)";

const LATEST_FIRST: &str = "SELECT * FROM families \
    WHERE ($1 IS NULL OR subject = $1) \
    AND ($2 IS NULL OR (revoked_at IS NULL AND holds_until > $2)) \
    AND ($3 = 0 OR audience IS NOT NULL) \
    AND ($4 IS NULL OR (made_at, id) < ($4, $5)) \
    ORDER BY made_at DESC, id DESC LIMIT $6";

const ENDING_FIRST: &str = "SELECT * FROM families \
    WHERE ($1 IS NULL OR subject = $1) \
    AND ($2 IS NULL OR (revoked_at IS NULL AND holds_until > $2)) \
    AND ($3 = 0 OR audience IS NOT NULL) \
    AND ($4 IS NULL OR (ends_at, id) > ($4, $5)) \
    ORDER BY ends_at, id LIMIT $6";

/// What the credential was revoked by, with which a family was made, may be committed only now,
/// between the look at it and this. Its descendant would escape, so it is revoked from the start.
pub(super) async fn add(
    work: &mut Work,
    family: &Family,
    token: Option<TokenHash>,
) -> Result<(), StoreError> {
    let revoked_at = match family.revoked_at {
        None if revocations::cover(work, family).await? => Some(family.made_at),
        revoked_at => revoked_at,
    };
    let revoked = match revoked_at {
        Some(at) => Some((at, work.number().await?)),
        None => None,
    };
    work.execute(ADD, &values(family, revoked)?).await?;
    if let Some(TokenHash(hash)) = token {
        add_token(work, &hash, &family.id, 0).await?;
    }
    Ok(())
}

/// Keeps the refresh token of a place in a family.
pub(super) async fn add_token(
    work: &mut Work,
    hash: &[u8],
    family: &TokenId,
    place: i64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO refresh_tokens (hash, family, place) VALUES ($1, $2, $3)";
    work.execute(sql, &[hash.into(), family.as_str().into(), place.into()]).await?;
    Ok(())
}

pub(super) async fn named(work: &mut Work, id: &TokenId) -> Result<Option<Family>, StoreError> {
    let row = work.row("SELECT * FROM families WHERE id = $1", &[id.as_str().into()]).await?;
    row.map(|row| row.family()).transpose()
}

pub(super) async fn of_token(
    work: &mut Work,
    TokenHash(hash): TokenHash,
) -> Result<Option<Family>, StoreError> {
    let sql = "SELECT families.* FROM refresh_tokens JOIN families ON id = family WHERE hash = $1";
    let row = work.row(sql, &[hash.as_slice().into()]).await?;
    row.map(|row| row.family()).transpose()
}

pub(super) async fn list(work: &mut Work, query: &FamilyQuery) -> Result<Vec<Family>, StoreError> {
    let sql = match query.order {
        FamilyOrder::Made => LATEST_FIRST,
        FamilyOrder::Ends => ENDING_FIRST,
    };
    let values: [Value<'_>; 6] = [
        query.subject.as_ref().map(ToString::to_string).into(),
        query.holding_at.into(),
        i64::from(query.for_others).into(),
        query.after.as_ref().map(|(time, _)| *time).into(),
        query.after.as_ref().map(|(_, id)| id.as_str()).into(),
        i64::from(query.limit).into(),
    ];
    work.rows(sql, &values).await?.iter().map(Row::family).collect()
}

pub(super) async fn used(work: &mut Work, id: &TokenId, last: LastUse) -> Result<(), StoreError> {
    let sql = "UPDATE families SET last_used_at = $2, last_used_from = $3, \
        holds_until = CASE WHEN idle IS NULL OR $2 < made_at THEN holds_until \
            WHEN $2 + idle < ends_at THEN $2 + idle ELSE ends_at END \
        WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
    work.execute(sql, &[id.as_str().into(), last.at.into(), last.from.to_string().into()]).await?;
    Ok(())
}

/// Refresh tokens go with their family. A revoked family is also a revocation, and stays until its
/// access tokens would have ended; one that others descend from stays as long as any of them, so
/// that revoking what it comes from reaches them.
pub(super) async fn purge(work: &mut Work, before: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM families WHERE holds_until <= $1 \
        AND (revoked_at IS NULL OR ends_at <= $1) \
        AND NOT EXISTS (SELECT 1 FROM families AS child WHERE child.parent = families.id)";
    let mut gone = 0;
    loop {
        match work.execute(sql, &[before.into()]).await? {
            0 => return Ok(gone),
            more => gone += more,
        }
    }
}
