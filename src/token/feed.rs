//! What a gate tells the gates that trust it: the list of all that it has revoked and that could
//! still matter to them, signed.
//!
//! The list is a JWT of a class of its own, `revocations+jwt`, so that it never passes for a token,
//! nor a token for it. It is whole each time: whoever holds the latest one needs no other. It says
//! its place in the order of lists (`seq`) and how long it may be relied on (`exp`), so that who is
//! given an old one, or none for a while, notices.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::family::TokenId;
use super::invalid::InvalidToken;
use super::ring::KeyRing;
use super::signed::{Expected, header, verify_signature};
use super::verify::LEEWAY;
use super::verifying::VerifyingKeys;
use crate::public_url::PublicUrl;
use crate::store::{Revoked, Sequence};

/// The longest list, in bytes. It has room for some 120 000 revoked tokens.
pub const MAX_LIST: usize = 4 << 20;

/// The `typ` of lists.
pub(super) const TYPE: &str = "revocations+jwt";

/// How long a list may be relied on, in seconds.
const LIFE: i64 = 600;

/// The longest time that a list of another gate may claim for itself, in seconds.
const LONGEST_LIFE: i64 = 3600;

/// How long an end that has passed is still told of, in seconds: clocks differ.
const AFTERWARDS: i64 = 600;

/// The claims of a list. One that is not known makes it invalid, because it might revoke something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationList {
    /// The gate that made it.
    iss: String,
    /// The number of the last change of its state that is in it.
    seq: i64,
    /// When it was made, in seconds since 1970.
    iat: i64,
    /// From when on it may not be relied on.
    exp: i64,
    /// Families and access tokens.
    ids: BTreeSet<TokenId>,
    /// Everything of these subjects that began at or before a time.
    #[serde(deserialize_with = "each_once")]
    subjects: BTreeMap<SubjectHash, i64>,
    /// Everything that began at or before this time; absent: none.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    before: Option<i64>,
}

/// Stands for a subject, as the names of people are nothing to publish: the SHA-256 of the issuer, a
/// line break and the subject, in base64url. (Who knows a name can still ask whether it is there.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct SubjectHash(String);

impl SubjectHash {
    fn new(issuer: &str, subject: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [issuer, "\n", subject] {
            context.update(part.as_bytes());
        }
        Self(URL_SAFE_NO_PAD.encode(context.finish()))
    }
}

impl<'de> Deserialize<'de> for SubjectHash {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        match URL_SAFE_NO_PAD.decode(&text) {
            Ok(bytes) if bytes.len() == digest::SHA256_OUTPUT_LEN => Ok(Self(text)),
            _ => Err(D::Error::custom("not the hash of a subject")),
        }
    }
}

/// A map in which no key comes twice: of two times for one subject, none is better than the other.
fn each_once<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<SubjectHash, i64>, D::Error> {
    struct EachOnce;
    impl<'de> Visitor<'de> for EachOnce {
        type Value = BTreeMap<SubjectHash, i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("subjects with times")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
            let mut subjects = BTreeMap::new();
            while let Some((subject, time)) = map.next_entry()? {
                if subjects.insert(subject, time).is_some() {
                    return Err(M::Error::custom("a subject comes twice"));
                }
            }
            Ok(subjects)
        }
    }
    input.deserialize_map(EachOnce)
}

/// A value where the claim is there: `null` must not read as none.
fn present<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(input).map(Some)
}

/// Why a text is no list of a gate that may be relied on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidList {
    /// It is no signed list, or signed with a key that is not known, or says something else.
    #[error("this is no list of revocations that can be trusted")]
    Form(#[from] InvalidToken),
    /// Another gate made it.
    #[error("the list of revocations is of another issuer")]
    Issuer,
    /// Its times contradict each other, or promise too much.
    #[error("the times in the list of revocations cannot be right")]
    Times,
    /// It was made later than now.
    #[error("the list of revocations is from the future; compare the clocks")]
    Early,
    /// It may not be relied on any more.
    #[error(
        "the list of revocations is too old; compare the clocks, and look whether it is cached"
    )]
    Stale,
}

/// Why there is no list.
#[derive(Debug, thiserror::Error)]
pub enum UnsignedList {
    /// Nobody would read it.
    #[error("more is revoked than fits into a list of {MAX_LIST} bytes")]
    TooLong,
    /// The key does not sign.
    #[error("the list of revocations could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

impl RevocationList {
    /// The list of a gate at `now`: `revoked` is everything that its state says, up to `sequence`,
    /// and that concerns others; `gone` are families for others that end although nobody revoked
    /// them, because their subject is not there any more.
    #[must_use]
    pub fn new(
        issuer: &PublicUrl,
        revoked: impl IntoIterator<Item = Revoked>,
        gone: impl IntoIterator<Item = TokenId>,
        sequence: Sequence,
        now: Timestamp,
    ) -> Self {
        let iat = now.as_second();
        let mut list = Self {
            iss: issuer.as_str().to_owned(),
            seq: sequence.0,
            iat,
            exp: iat.saturating_add(LIFE),
            ids: gone.into_iter().collect(),
            subjects: BTreeMap::new(),
            before: None,
        };
        for revoked in revoked {
            match revoked {
                Revoked::Id { id, until } => {
                    if until.as_second().saturating_add(AFTERWARDS) > iat {
                        list.ids.insert(id);
                    }
                }
                Revoked::Subject(subject, at) => {
                    let hash = SubjectHash::new(issuer.as_str(), &subject.to_string());
                    let time = list.subjects.entry(hash).or_insert(i64::MIN);
                    *time = at.as_second().max(*time);
                }
                Revoked::Everything(at) => list.before = list.before.max(Some(at.as_second())),
            }
        }
        list
    }

    /// Signs it.
    ///
    /// # Errors
    /// It is longer than [`MAX_LIST`], so that nobody would read it.
    pub fn sign(&self, keys: &KeyRing) -> Result<String, UnsignedList> {
        let text = keys.sign(TYPE, self).map_err(UnsignedList::Sign)?.expose().to_owned();
        if text.len() > MAX_LIST { Err(UnsignedList::TooLong) } else { Ok(text) }
    }

    /// Reads the list of a gate: its length, its header, its signature, and only then what it says.
    ///
    /// # Errors
    /// Says which check failed.
    pub fn verify(
        text: &str,
        keys: &VerifyingKeys,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Self, InvalidList> {
        let list: Self = verify_signature(text, keys, Expected::Revocations)?;
        if list.iss != issuer {
            return Err(InvalidList::Issuer);
        }
        let life = list.exp.checked_sub(list.iat);
        if list.seq < 0 || !life.is_some_and(|life| (1..=LONGEST_LIFE).contains(&life)) {
            return Err(InvalidList::Times);
        }
        if list.iat > now.as_second().saturating_add(LEEWAY) {
            return Err(InvalidList::Early);
        }
        if !list.holds(now) {
            return Err(InvalidList::Stale);
        }
        Ok(list)
    }

    /// The name of the key that a list says to be signed with. Anyone may have written it.
    #[must_use]
    pub fn claimed_key(text: &str) -> Option<String> {
        header(text, Expected::Revocations).ok().map(|header| header.kid)
    }

    /// Whether it may still be relied on.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now.as_second() < self.exp
    }

    /// Its place in the order of lists.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        Sequence(self.seq)
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub fn made_at(&self) -> i64 {
        self.iat
    }

    /// Until when it may be relied on, in seconds since 1970.
    #[must_use]
    pub fn ends_at(&self) -> i64 {
        self.exp
    }

    /// Whether something that began at `auth_time`, is of `subject` in the words of the gate that
    /// made the list, and has one of these names, was revoked.
    pub fn revokes<'a>(
        &self,
        subject: &str,
        auth_time: Timestamp,
        names: impl IntoIterator<Item = &'a TokenId>,
    ) -> bool {
        let began = auth_time.as_second();
        let subject_is = || {
            !self.subjects.is_empty()
                && self
                    .subjects
                    .get(&SubjectHash::new(&self.iss, subject))
                    .is_some_and(|&time| began <= time)
        };
        self.before.is_some_and(|before| began <= before)
            || names.into_iter().any(|name| self.ids.contains(name))
            || subject_is()
    }
}

#[cfg(test)]
mod tests;
