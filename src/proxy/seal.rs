//! Small values that travel through a client's hands and that only the gate can read or make.
//!
//! A sealed value is AES-256-GCM-SIV (RFC 8452) under the gate's key: a random nonce, the
//! ciphertext, the tag, in base64url without padding, so only characters that RFC 3986 §2.3 calls
//! unreserved. Every replica that has the key opens it; nothing is kept. SIV, because a gate seals
//! for years under one key and a repeated random nonce must not be a disaster.

mod cursor;

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use oci::RepositoryName;
use serde::{Deserialize, Serialize};

pub(crate) use cursor::{ListPosition, ListReading};

/// The longest session id or cursor that the gate accepts back.
const MAX_SESSION: usize = 4096;

/// How long an upload may take.
pub(crate) const UPLOAD_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// How far the clocks of two replicas may be apart.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The key that seals and opens.
pub struct Seal(RandomizedNonceKey);

/// What a sealed value is for. One that was sealed for something else does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Where an upload is at the upstream.
    Upload,
    /// Where a list goes on at the upstream.
    Cursor,
    /// Where a list of images of the API goes on.
    Images,
    /// Where a search of the audit trail goes on.
    Audit,
    /// What a browser keeps while somebody signs in at an identity provider.
    SignIn,
}

impl Purpose {
    fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Upload => b"portcullis upload 1",
            Self::Cursor => b"portcullis cursor 1",
            Self::Images => b"portcullis images 1",
            Self::Audit => b"portcullis audit 1",
            Self::SignIn => b"portcullis sign-in 1",
        }
    }
}

/// An upload: where it is, whose it is, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedUpload {
    /// The upstream's target: an absolute path with its query.
    pub location: String,
    /// Who began it, as the audit trail writes it.
    pub subject: String,
    /// Into which repository.
    pub repository: RepositoryName,
    /// When it was begun, to the second.
    pub started: Timestamp,
}

/// The upstream's location is so long that no path could carry it sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an upload's location of {length} bytes is too long: sealed, it must fit into {MAX_SESSION} \
     characters of a path"
)]
pub struct LocationTooLong {
    /// Of the location.
    length: usize,
}

/// As it is written under the seal: short names, as the value becomes a path.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    #[serde(rename = "l")]
    location: Cow<'a, str>,
    #[serde(rename = "s")]
    subject: Cow<'a, str>,
    #[serde(rename = "r")]
    repository: Cow<'a, str>,
    #[serde(rename = "t")]
    started: i64,
}

impl Seal {
    /// With the gate's key for sealed values, which must be used for nothing else.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the algorithm takes every key of 32 bytes")]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("32 bytes are a key"))
    }

    /// Seals `plaintext`; two calls give two texts.
    #[must_use]
    #[expect(clippy::expect_used, reason = "fails only above 2^36 bytes or without random numbers")]
    pub fn seal(&self, purpose: Purpose, plaintext: &[u8]) -> String {
        let mut sealed = plaintext.to_vec();
        let nonce = self
            .0
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut sealed)
            .expect("small values can be sealed");
        sealed.splice(..0, *nonce.as_ref());
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what [`Self::seal`] gave for the same purpose; nothing for any other text.
    #[must_use]
    pub fn open(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_LEN>()?;
        let plaintext = self
            .0
            .open_in_place(Nonce::from(&*nonce), Aad::from(purpose.as_bytes()), sealed)
            .ok()?;
        Some(plaintext.to_vec())
    }

    /// The session id of an upload: the last segment of the location that a client sees.
    ///
    /// # Errors
    /// The upstream's location is too long.
    pub fn seal_upload(&self, upload: &SealedUpload) -> Result<String, LocationTooLong> {
        let written = Written {
            location: upload.location.as_str().into(),
            subject: upload.subject.as_str().into(),
            repository: upload.repository.as_str().into(),
            started: upload.started.as_second(),
        };
        let too_long = || LocationTooLong { length: upload.location.len() };
        let plaintext = serde_json::to_vec(&written).map_err(|_| too_long())?;
        let sealed = self.seal(Purpose::Upload, &plaintext);
        if sealed.len() > MAX_SESSION { Err(too_long()) } else { Ok(sealed) }
    }

    /// The upload behind a session id; nothing if it is not `subject`'s, not into `repository`,
    /// older than 24 hours, or none at all. To the client all of these are the same: not found.
    #[must_use]
    pub fn open_upload(
        &self,
        session: &str,
        repository: &RepositoryName,
        subject: &str,
        now: Timestamp,
    ) -> Option<SealedUpload> {
        let plaintext = self.open(Purpose::Upload, session)?;
        let written: Written<'_> = serde_json::from_slice(&plaintext).ok()?;
        let started = Timestamp::from_second(written.started).ok()?;
        let age = now.duration_since(started);
        let theirs = written.subject == subject && written.repository == repository.as_str();
        if !theirs || age > UPLOAD_LIFE || age < -CLOCK_SKEW {
            return None;
        }
        Some(SealedUpload {
            location: written.location.into_owned(),
            subject: written.subject.into_owned(),
            repository: repository.clone(),
            started,
        })
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal([secret])")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn seal() -> Seal {
        Seal::new(&[7; 32])
    }

    fn name(text: &str) -> RepositoryName {
        RepositoryName::new(text).unwrap()
    }

    fn upload() -> SealedUpload {
        SealedUpload {
            location: "/v2/team/app/blobs/uploads/0d2c?_state=abc%3D".to_owned(),
            subject: "user:alice".to_owned(),
            repository: name("team/app"),
            started: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    fn open(sealed: &str, repository: &str, subject: &str, after: SignedDuration) -> bool {
        let now = upload().started + after;
        seal().open_upload(sealed, &name(repository), subject, now).is_some()
    }

    #[test]
    fn an_upload_opens_for_whoever_began_it() {
        let sealed = seal().seal_upload(&upload()).unwrap();
        let now = upload().started + SignedDuration::from_hours(2);
        let opened = seal().open_upload(&sealed, &name("team/app"), "user:alice", now);
        assert_eq!(opened, Some(upload()));
    }

    #[test]
    fn nobody_else_nowhere_else_and_not_after_a_day() {
        let sealed = seal().seal_upload(&upload()).unwrap();
        let minute = SignedDuration::from_mins(1);
        assert!(open(&sealed, "team/app", "user:alice", minute));
        assert!(!open(&sealed, "team/app", "user:bob", minute));
        assert!(!open(&sealed, "team/app", "service:alice", minute));
        assert!(!open(&sealed, "team/other", "user:alice", minute));
        assert!(open(&sealed, "team/app", "user:alice", UPLOAD_LIFE));
        assert!(!open(&sealed, "team/app", "user:alice", UPLOAD_LIFE + minute));
        assert!(open(&sealed, "team/app", "user:alice", -minute), "a clock may lag");
        assert!(!open(&sealed, "team/app", "user:alice", SignedDuration::from_mins(-6)));
    }

    #[test]
    fn another_gates_upload_does_not_open() {
        let sealed = Seal::new(&[8; 32]).seal_upload(&upload()).unwrap();
        assert!(!open(&sealed, "team/app", "user:alice", SignedDuration::ZERO));
    }

    #[test]
    fn a_cursor_is_no_upload() {
        let plaintext = br#"{"l":"/","s":"user:alice","r":"team/app","t":1767323045}"#;
        let cursor = seal().seal(Purpose::Cursor, plaintext);
        assert!(!open(&cursor, "team/app", "user:alice", SignedDuration::ZERO));
        let upload = seal().seal(Purpose::Upload, plaintext);
        assert!(
            open(&upload, "team/app", "user:alice", SignedDuration::ZERO),
            "the same text does"
        );
    }

    #[test]
    fn a_session_id_fits_where_it_is_accepted_or_is_not_made() {
        let long = |length| SealedUpload { location: "/".repeat(length), ..upload() };
        let sealed = seal().seal_upload(&long(2900)).unwrap();
        assert!(sealed.len() <= MAX_SESSION);
        assert_eq!(seal().seal_upload(&long(3100)), Err(LocationTooLong { length: 3100 }));
    }

    #[test]
    fn the_same_value_never_looks_the_same() {
        let texts: HashSet<_> = (0..100).map(|_| seal().seal(Purpose::Cursor, b"x")).collect();
        assert_eq!(texts.len(), 100);
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", seal()), "Seal([secret])");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_and_is_made_of_unreserved_characters(
            plaintext in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let sealed = seal().seal(Purpose::Cursor, &plaintext);
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            prop_assert!(sealed.bytes().all(unreserved));
            prop_assert_eq!(seal().open(Purpose::Cursor, &sealed), Some(plaintext));
            prop_assert_eq!(seal().open(Purpose::Upload, &sealed), None);
        }

        #[test]
        fn no_flipped_bit_opens(
            plaintext in prop::collection::vec(any::<u8>(), 0..100),
            place in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let sealed = seal().seal(Purpose::Upload, &plaintext);
            let mut bytes = URL_SAFE_NO_PAD.decode(sealed).unwrap();
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert_eq!(seal().open(Purpose::Upload, &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn no_part_of_it_opens(
            plaintext in prop::collection::vec(any::<u8>(), 0..100),
            keep in any::<prop::sample::Index>(),
        ) {
            let sealed = seal().seal(Purpose::Upload, &plaintext);
            let part = &sealed[..keep.index(sealed.len())];
            prop_assert_eq!(seal().open(Purpose::Upload, part), None);
        }

        #[test]
        fn no_other_text_opens(text in ".{0,200}") {
            prop_assert_eq!(seal().open(Purpose::Upload, &text), None);
        }
    }
}
