//! `/api/v1/audit` and `/api/v1/denial`: what the audit trail says.

pub(crate) mod denial;
pub(crate) mod search;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Api;
use super::problem::Problem;
use crate::audit::search::{Filter, Place};
use crate::audit::{Record, Unread};
use crate::log::Causes;
use crate::proxy::seal::Purpose;
use crate::service::api::Requester;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/audit", get(search::list)).route("/denial", get(denial::show))
}

/// Where a search goes on, and which one.
#[derive(Serialize, Deserialize)]
struct Cursor {
    place: Place,
    /// What was looked for, in short: who goes on looks for the same, as that was recorded.
    of: String,
}

impl Api {
    fn seal_place(&self, place: Place, filter: &Filter) -> Option<String> {
        let written = serde_json::to_vec(&Cursor { place, of: in_short(filter) }).ok()?;
        Some(self.images.seal.seal(Purpose::Audit, &written))
    }

    fn open_place(&self, text: Option<&str>, filter: &Filter) -> Result<Option<Place>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let opened = self.images.seal.open(Purpose::Audit, text);
        let read = opened.and_then(|written| serde_json::from_slice::<Cursor>(&written).ok());
        let cursor = read.filter(|cursor| cursor.of == in_short(filter));
        cursor.map(|cursor| Some(cursor.place)).ok_or_else(|| {
            Problem::wrong(
                "`cursor` has to be the one that came with the last page of the same search",
            )
        })
    }

    /// Has it recorded that somebody looked at what others did.
    fn searched(&self, who: &Requester, filter: &Filter) {
        let reason = Some(filter.to_string());
        self.audit.queue(Record { reason, ..who.record("audit.searched") });
    }
}

fn in_short(filter: &Filter) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, filter.to_string().as_bytes()))
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Self {
        tracing::warn!(error = %Causes(&unread), "the audit trail was not searched");
        let detail = match unread {
            Unread::Busy => unread.to_string(),
            Unread::File { .. } => "the audit trail cannot be read; the log says why".to_owned(),
        };
        Self::soon(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}
