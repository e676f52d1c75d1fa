//! Exchanging refresh tokens.

use jiff::Timestamp;

use super::super::{OVERLAP, Rotation, StoreError};
use super::families::add_token;
use super::revocations;
use super::row::damaged;
use super::work::Work;
use crate::token::{Family, FamilyKind, TokenHash, TokenId};

/// A refresh token that stands in a later place than the one that was shown.
struct Later {
    hash: Vec<u8>,
    used_at: Option<Timestamp>,
}

pub(super) async fn rotate(
    work: &mut Work,
    TokenHash(token): TokenHash,
    TokenHash(successor): TokenHash,
    now: Timestamp,
) -> Result<Rotation, StoreError> {
    let Some((family, place)) = shown(work, &token).await? else { return Ok(Rotation::Gone) };
    if family.kind != FamilyKind::Rotating {
        return Ok(Rotation::Gone);
    }
    let mut later = later(work, &family.id, place).await?.into_iter();
    let (next, after_next) = (later.next(), later.next());
    let superseded_at = next.as_ref().and_then(|next| next.used_at);
    let is_older = after_next.is_some_and(|token| token.used_at.is_some());
    if let Some(at) = superseded_at
        && (is_older || now >= at.saturating_add(OVERLAP).unwrap_or(at))
    {
        let held = family.holds(now).is_ok();
        revocations::end_line(work, &family.id, now).await?;
        return Ok(Rotation::Reused { now: held });
    }
    if family.holds(now).is_err() {
        return Ok(Rotation::Gone);
    }
    match next {
        None => {
            let sql = "UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1";
            work.execute(sql, &[token.as_slice().into(), now.into()]).await?;
            add_token(work, &successor, &family.id, place + 1).await?;
        }
        Some(next) if next.hash == successor => {}
        Some(_) if superseded_at.is_some() => return Ok(Rotation::Gone),
        Some(_) => {
            let sql = "UPDATE refresh_tokens SET hash = $3 WHERE family = $1 AND place = $2";
            let place = place + 1;
            let values = [family.id.as_str().into(), place.into(), successor.as_slice().into()];
            work.execute(sql, &values).await?;
        }
    }
    Ok(Rotation::Rotated)
}

/// The family of a token, and its place there.
async fn shown(work: &mut Work, token: &[u8]) -> Result<Option<(Family, i64)>, StoreError> {
    let sql = "SELECT families.*, place FROM refresh_tokens JOIN families ON id = family \
        WHERE hash = $1";
    let row = work.row(sql, &[token.into()]).await?;
    row.map(|row| Ok((row.family()?, row.int("place")?))).transpose()
}

/// The tokens in the next two places.
async fn later(work: &mut Work, family: &TokenId, place: i64) -> Result<Vec<Later>, StoreError> {
    let sql = "SELECT hash, place, used_at FROM refresh_tokens \
        WHERE family = $1 AND place > $2 ORDER BY place LIMIT 2";
    let rows = work.rows(sql, &[family.as_str().into(), place.into()]).await?;
    let mut later = Vec::new();
    for (row, expected) in rows.iter().zip(place + 1..) {
        if row.int("place")? != expected {
            return Err(damaged("place", &"a refresh token is missing"));
        }
        later.push(Later { hash: row.bytes("hash")?, used_at: row.maybe_time("used_at")? });
    }
    Ok(later)
}
