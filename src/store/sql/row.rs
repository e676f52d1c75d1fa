//! What the columns hold, and what it means.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci::Digest;
use policy::Bounds;

use super::super::engine::{self, Value};
use super::super::{Sequence, StoreError};
use crate::token::{Family, FamilyKind, Grant, Kind, LastUse, TokenId, written_bounds};

/// A row. A value that does not belong into its column is damage.
pub(super) struct Row(pub(super) Box<dyn engine::Row>);

impl Row {
    pub(super) fn int(&self, column: &str) -> Result<i64, StoreError> {
        present(column, self.maybe_int(column)?)
    }

    pub(super) fn maybe_int(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.0.int(column).map_err(|error| damaged(column, &error))
    }

    pub(super) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        present(column, self.maybe_time(column)?)
    }

    pub(super) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let time = self.maybe_int(column)?.map(Timestamp::from_millisecond).transpose();
        time.map_err(|error| damaged(column, &error))
    }

    pub(super) fn text(&self, column: &str) -> Result<String, StoreError> {
        present(column, self.maybe_text(column)?)
    }

    pub(super) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.0.text(column).map_err(|error| damaged(column, &error))
    }

    pub(super) fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        present(column, self.0.bytes(column).map_err(|error| damaged(column, &error))?)
    }

    /// A digest from the bytes of its hash.
    pub(super) fn digest(&self, column: &str) -> Result<Digest, StoreError> {
        let bytes = self.bytes(column)?;
        match bytes.as_slice().try_into() {
            Ok(hash) => Ok(Digest::Sha256(hash)),
            Err(_) => match bytes.as_slice().try_into() {
                Ok(hash) => Ok(Digest::Sha512(Box::new(hash))),
                Err(_) => Err(damaged(column, &"it is neither 32 nor 64 bytes long")),
            },
        }
    }

    /// What a text stands for.
    pub(super) fn read<T: FromStr<Err: std::fmt::Display>>(
        &self,
        column: &str,
    ) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error| damaged(column, &error))
    }

    pub(super) fn maybe_read<T: FromStr<Err: std::fmt::Display>>(
        &self,
        column: &str,
    ) -> Result<Option<T>, StoreError> {
        let text = self.maybe_text(column)?;
        text.map(|text| text.parse().map_err(|error| damaged(column, &error))).transpose()
    }

    fn maybe_duration(&self, column: &str) -> Result<Option<Duration>, StoreError> {
        let millis = self.maybe_int(column)?.map(u64::try_from).transpose();
        Ok(millis.map_err(|error| damaged(column, &error))?.map(Duration::from_millis))
    }

    fn maybe_list(&self, column: &str) -> Result<Option<Vec<String>>, StoreError> {
        let list = self.maybe_text(column)?.map(|text| serde_json::from_str(&text)).transpose();
        list.map_err(|error| damaged(column, &error))
    }

    /// The word of a fixed set that a text is.
    pub(super) fn word<T: Copy>(
        &self,
        column: &str,
        all: &[T],
        written: impl Fn(T) -> &'static str,
    ) -> Result<T, StoreError> {
        let word = self.text(column)?;
        let found = all.iter().copied().find(|value| written(*value) == word);
        found.ok_or_else(|| damaged(column, &format!("`{word}` is not known")))
    }

    /// The family that a whole row of the table is.
    pub(super) fn family(&self) -> Result<Family, StoreError> {
        let bounds = self.maybe_text("bounds")?.map(|text| read_bounds(&text)).transpose();
        let bounds = bounds.map_err(|error| damaged("bounds", &error))?.flatten();
        let last_use = match self.maybe_time("last_used_at")? {
            Some(at) => Some(LastUse { at, from: self.read("last_used_from")? }),
            None => None,
        };
        Ok(Family {
            id: self.read("id")?,
            kind: self.word(
                "kind",
                &[FamilyKind::Access, FamilyKind::Rotating, FamilyKind::Login, FamilyKind::Session],
                FamilyKind::as_str,
            )?,
            grant: Grant {
                subject: self.read("subject")?,
                kind: self.word(
                    "subject_kind",
                    &[Kind::User, Kind::Service, Kind::Federated, Kind::Peer, Kind::Anonymous],
                    Kind::as_str,
                )?,
                via: self.maybe_text("via")?,
                asserted: present("asserted", self.maybe_list("asserted")?)?,
                groups: self.maybe_list("carried")?,
                bounds,
                auth_time: self.time("auth_time")?,
            },
            audience: self.maybe_text("audience")?,
            access_ttl: present("access_ttl", self.maybe_duration("access_ttl")?)?,
            made_at: self.time("made_at")?,
            made_by: self.text("made_by")?,
            comment: self.text("comment")?,
            parent: self.maybe_read::<TokenId>("parent")?,
            ends_at: self.time("ends_at")?,
            idle: self.maybe_duration("idle")?,
            last_use,
            revoked_at: self.maybe_time("revoked_at")?,
        })
    }
}

/// The values of a whole row of the table, in the order of its columns.
pub(super) fn values<'a>(
    family: &'a Family,
    revoked: Option<(Timestamp, Sequence)>,
) -> Result<[Value<'a>; 22], StoreError> {
    let grant = &family.grant;
    let written = |error: serde_json::Error| StoreError::Damaged(error.to_string());
    let list = |list: &Vec<String>| serde_json::to_string(list).map_err(written);
    let bounds = match &grant.bounds {
        None => None,
        some => Some(
            written_bounds::serialize(some, serde_json::value::Serializer)
                .map_err(written)?
                .to_string(),
        ),
    };
    let last_use = family.last_use;
    Ok([
        family.id.as_str().into(),
        family.kind.as_str().into(),
        grant.subject.to_string().into(),
        grant.kind.as_str().into(),
        grant.via.as_deref().into(),
        list(&grant.asserted)?.into(),
        grant.groups.as_ref().map(list).transpose()?.into(),
        bounds.into(),
        grant.auth_time.into(),
        family.audience.as_deref().into(),
        millis(family.access_ttl).into(),
        family.made_at.into(),
        family.made_by.as_str().into(),
        family.comment.as_str().into(),
        family.parent.as_ref().map(TokenId::as_str).into(),
        family.ends_at.into(),
        Value::Int(family.idle.map(millis)),
        last_use.map(|last| last.at).into(),
        last_use.map(|last| last.from.to_string()).into(),
        holds_until(family).into(),
        revoked.map(|(at, _)| at).into(),
        Value::Int(revoked.map(|(_, sequence)| sequence.0)),
    ])
}

/// The earlier of its end and the end for want of use, in milliseconds, as [`Family::holds`] has it.
fn holds_until(family: &Family) -> i64 {
    let used = family.last_use.map_or(family.made_at, |last| last.at.max(family.made_at));
    let idle = family.idle.map_or(LONGEST, millis);
    family.ends_at.as_millisecond().min(used.as_millisecond() + idle)
}

/// Some 30,000 years: longer than anything, and no sum of it and a time overflows.
const LONGEST: i64 = 1_000_000_000_000_000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).map_or(LONGEST, |millis| millis.min(LONGEST))
}

fn read_bounds(text: &str) -> Result<Option<Arc<Bounds>>, serde_json::Error> {
    written_bounds::deserialize(&mut serde_json::Deserializer::from_str(text))
}

fn present<T>(column: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| damaged(column, &"there is nothing"))
}

pub(super) fn damaged(column: &str, why: &dyn std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("`{column}`: {why}"))
}
