//! Where a list goes on, sealed.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{CLOCK_SKEW, MAX_SESSION, Purpose, Seal};

/// How long a list may be read on from where it was left.
const CURSOR_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// What is sealed is filled up to a multiple of so many bytes: a place at the upstream may have a
/// hidden name in it, and the length of that is hidden too.
const FILLED_TO: usize = 256;

/// A place in a list of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListPosition {
    /// A page, as the upstream named it: a target below its root.
    pub(crate) at: String,
    /// The last name of that page that was dealt with, if some were.
    pub(crate) after: Option<String>,
    /// The client began after this name, on whatever page.
    pub(crate) floor: Option<String>,
}

/// For whom and for what a position is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListReading<'a> {
    /// The request but for the size of the page and the cursor.
    pub(crate) list: &'a str,
    /// Who reads it, as the audit trail writes it.
    pub(crate) subject: &'a str,
    /// When.
    pub(crate) now: Timestamp,
}

/// The upstream's place is so long that no query could carry it sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the upstream's place in a list takes {0} bytes, which are too many for a link")]
pub(crate) struct PositionTooLong(usize);

/// As it is written under the seal.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    #[serde(rename = "l", borrow)]
    list: Cow<'a, str>,
    #[serde(rename = "s", borrow)]
    subject: Cow<'a, str>,
    #[serde(rename = "t")]
    made: i64,
    #[serde(rename = "u", borrow)]
    at: Cow<'a, str>,
    #[serde(rename = "a", borrow)]
    after: Option<Cow<'a, str>>,
    #[serde(rename = "f", borrow)]
    floor: Option<Cow<'a, str>>,
}

impl Seal {
    /// The cursor of a link: only the gates with this key can read it, and only `reading` can be
    /// gone on with by it.
    ///
    /// # Errors
    /// The place is too long.
    pub(crate) fn seal_cursor(
        &self,
        position: &ListPosition,
        reading: ListReading<'_>,
    ) -> Result<String, PositionTooLong> {
        let written = Written {
            list: reading.list.into(),
            subject: reading.subject.into(),
            made: reading.now.as_second(),
            at: position.at.as_str().into(),
            after: position.after.as_deref().map(Cow::from),
            floor: position.floor.as_deref().map(Cow::from),
        };
        let too_long = || PositionTooLong(position.at.len());
        let mut plaintext = serde_json::to_vec(&written).map_err(|_| too_long())?;
        plaintext.resize(plaintext.len().next_multiple_of(FILLED_TO), b' ');
        let sealed = self.seal(Purpose::Cursor, &plaintext);
        if sealed.len() > MAX_SESSION { Err(too_long()) } else { Ok(sealed) }
    }

    /// The place behind a cursor; nothing if it was not made for this list and this reader, or more
    /// than 24 hours ago, or is none at all.
    pub(crate) fn open_cursor(
        &self,
        cursor: &str,
        reading: ListReading<'_>,
    ) -> Option<ListPosition> {
        let plaintext = self.open(Purpose::Cursor, cursor)?;
        let written: Written<'_> = serde_json::from_slice(&plaintext).ok()?;
        let age = reading.now.duration_since(Timestamp::from_second(written.made).ok()?);
        let is_theirs = written.list == reading.list && written.subject == reading.subject;
        if !is_theirs || age > CURSOR_LIFE || age < -CLOCK_SKEW {
            return None;
        }
        Some(ListPosition {
            at: written.at.into_owned(),
            after: written.after.map(Cow::into_owned),
            floor: written.floor.map(Cow::into_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIST: &str = "/v2/team/app/tags/list?last=v1";

    fn seal() -> Seal {
        Seal::new(&[7; 32])
    }

    fn reading(minutes: i64) -> ListReading<'static> {
        let made: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let now = made + SignedDuration::from_mins(minutes);
        ListReading { list: LIST, subject: "user:alice", now }
    }

    fn position() -> ListPosition {
        ListPosition {
            at: "/v2/team/app/tags/list?n=1000&last=hidden".to_owned(),
            after: Some("v1".to_owned()),
            floor: None,
        }
    }

    #[test]
    fn a_cursor_opens_for_its_reader_and_its_list_for_a_day() {
        let cursor = seal().seal_cursor(&position(), reading(0)).unwrap();
        let open = |reading| seal().open_cursor(&cursor, reading);
        for minutes in [-4, 0, 24 * 60] {
            assert_eq!(open(reading(minutes)), Some(position()));
        }
        for minutes in [-6, 24 * 60 + 1] {
            assert_eq!(open(reading(minutes)), None);
        }
        for list in ["/v2/team/app/tags/list", "/v2/team/app2/tags/list?last=v1", "/v2/_catalog"] {
            assert_eq!(open(ListReading { list, ..reading(0) }), None);
        }
        for subject in ["user:bob", "service:alice", "anonymous"] {
            assert_eq!(open(ListReading { subject, ..reading(0) }), None);
        }
    }

    #[test]
    fn another_gates_cursor_and_an_upload_do_not_open() {
        let cursor = Seal::new(&[8; 32]).seal_cursor(&position(), reading(0)).unwrap();
        assert_eq!(seal().open_cursor(&cursor, reading(0)), None);
        let cursor = seal().seal_cursor(&position(), reading(0)).unwrap();
        let plaintext = seal().open(Purpose::Cursor, &cursor).unwrap();
        let upload = seal().seal(Purpose::Upload, &plaintext);
        assert_eq!(seal().open_cursor(&upload, reading(0)), None);
    }

    #[test]
    fn a_place_that_fits_no_link_is_not_sealed() {
        let long = |length| ListPosition { at: "/".repeat(length), ..position() };
        assert!(seal().seal_cursor(&long(2600), reading(0)).unwrap().len() <= MAX_SESSION);
        assert_eq!(seal().seal_cursor(&long(3100), reading(0)), Err(PositionTooLong(3100)));
    }

    proptest! {
        #[test]
        fn its_length_tells_nothing_of_the_names_in_it(one in "[a-z]{1,40}", other in "[a-z]{1,40}") {
            let length = |name: String| {
                let position = ListPosition { after: Some(name), ..position() };
                seal().seal_cursor(&position, reading(0)).unwrap().len()
            };
            prop_assert_eq!(length(one), length(other));
        }

        #[test]
        fn what_was_sealed_opens(at in ".{0,80}", after: Option<String>, floor: Option<String>) {
            let position = ListPosition { at, after, floor };
            if let Ok(cursor) = seal().seal_cursor(&position, reading(0)) {
                prop_assert_eq!(seal().open_cursor(&cursor, reading(0)), Some(position));
            }
        }

        #[test]
        fn no_other_text_opens(text in ".{0,200}") {
            prop_assert_eq!(seal().open_cursor(&text, reading(0)), None);
        }
    }
}
