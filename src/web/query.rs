//! Reading what the address of a page asks for.

use axum::extract::FromRequestParts;
use http::request::Parts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde::de::DeserializeOwned;

use super::problem::Trouble;

/// The query of an address. One that cannot be read is answered with a page, in words that are not
/// those of the reader of queries.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let read = axum::extract::Query::try_from_uri(&parts.uri);
        read.map(|axum::extract::Query(asked)| Self(asked)).map_err(|_| {
            Trouble::wrong(
                "no page leads to this address: something behind its question mark is missing, \
                 stands there twice, or is not what belongs there",
            )
        })
    }
}

/// What a browser's field for a time says, which has no zone, in UTC. Anything else stays as it is.
pub(super) fn in_utc(text: String) -> String {
    match text.parse::<DateTime>() {
        // The name of a zone in brackets would be passed over (RFC 9557).
        Ok(time) if text.parse::<Timestamp>().is_err() && !text.contains('[') => {
            Offset::UTC.to_timestamp(time).map_or(text, |at| at.to_string())
        }
        _ => text,
    }
}
