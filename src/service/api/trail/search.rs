//! `/api/v1/audit`: searching the audit trail.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use crate::audit::search::{self, Filter, Found, Question};
use crate::audit::{Decision, Reader};

/// On a page, unless the client says how many.
const PAGE: usize = 100;
pub(crate) const MAX_PAGE: usize = 1000;

/// How much of the trail is read for one page, in bytes.
const MOST: u64 = 64 << 20;

/// The longest text to look for, in bytes. No field but the reason is longer.
const MAX_TEXT: usize = 512;

/// What is looked for. Everything that is named has to hold.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    pub(crate) request_id: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) decision: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) gate: Option<String>,
    pub(crate) token_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) q: Option<String>,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) limit: Option<usize>,
    pub(crate) cursor: Option<String>,
}

/// A page. It may be empty, and yet not the last.
#[derive(Serialize)]
pub(crate) struct Page {
    /// The newest first, each as it stands in the file.
    pub(crate) records: Vec<Found>,
    pub(crate) cursor: Option<String>,
    /// Lines that are no records.
    pub(crate) skipped: u64,
    /// Back to when the trail was read.
    pub(crate) read_to: Option<Timestamp>,
    /// What happened before the question is in the files.
    pub(crate) is_current: bool,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(query): Asked<Query>,
) -> Result<Json<Page>, Problem> {
    who.administrator()?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::wrong(format!("`limit` has to be 1 to {MAX_PAGE}")));
    }
    let filter = query.filter()?;
    let after = api.open_place(query.cursor.as_deref(), &filter)?;
    let is_first = after.is_none();
    let question = Question { filter: filter.clone(), after, limit, most: MOST };
    let found = api.audit.search(Reader::Administrator, question).await?;
    if is_first {
        api.searched(&who, &filter);
    }
    let search::Page { records, next, skipped, read_to, is_current } = found;
    let cursor = next.and_then(|place| api.seal_place(place, &filter));
    Ok(Json(Page { records, cursor, skipped, read_to, is_current }))
}

impl Query {
    fn filter(&self) -> Result<Filter, Problem> {
        let fields = [
            ("request_id", &self.request_id),
            ("subject", &self.subject),
            ("event", &self.event),
            ("operation", &self.operation),
            ("rule", &self.rule),
            ("gate", &self.gate),
            ("token_id", &self.token_id),
        ];
        let texts = [
            ("repository", &self.repository),
            ("reference", &self.reference),
            ("address", &self.address),
            ("q", &self.q),
        ];
        for (name, value) in fields.iter().chain(&texts) {
            if value.as_ref().is_some_and(|value| value.len() > MAX_TEXT) {
                return Err(Problem::wrong(format!("`{name}` has at most {MAX_TEXT} bytes")));
            }
        }
        let decision = match self.decision.as_deref() {
            None => None,
            Some("allow") => Some(Decision::Allow),
            Some("deny") => Some(Decision::Deny),
            Some(_) => return Err(Problem::wrong("`decision` has to be `allow` or `deny`")),
        };
        let named = fields.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        let words = self.q.as_deref().unwrap_or_default().split_whitespace();
        Ok(Filter {
            events: &[],
            fields: named.collect(),
            decision,
            repository: self.repository.clone(),
            reference: self.reference.clone(),
            address: self.address.as_deref().map(address).transpose()?,
            words: words.map(str::to_owned).collect(),
            since: self.since.as_deref().map(|it| moment("since", it)).transpose()?,
            until: self.until.as_deref().map(|it| moment("until", it)).transpose()?,
        })
    }
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.parse().map_err(|_| Problem::wrong("`address` has to be an IP address"))
}

fn moment(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| {
        Problem::wrong(format!("`{name}` has to be a time such as `2026-01-02T03:04:05Z`"))
    })
}
