//! `/ui/admin/audit`: searching the audit trail.

use std::sync::Arc;

use askama::Template;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use document::printable;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::Value;

use super::Section;
use crate::audit::search::Found;
use crate::service::api::input::Asked;
use crate::service::api::trail::denial::{EVENTS, image};
use crate::service::api::trail::search::{self, MAX_PAGE};
use crate::web::Web;
use crate::web::address::{audit_export, audit_page, denial_page, image_page};
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::query::{Query, in_utc};
use crate::web::session::SignedIn;
use crate::web::shown::{csv_cell, to_the_second};

/// On a page.
const MOST: usize = 100;

/// In a file.
const MOST_EXPORTED: usize = 10_000;

/// How often the trail is asked for one file.
const QUESTIONS: usize = 20;

/// What was filled in. An empty field stands for nothing.
#[derive(Deserialize, Default, Clone)]
#[serde(default)]
pub(super) struct Asking {
    request_id: String,
    subject: String,
    event: String,
    operation: String,
    decision: String,
    repository: String,
    reference: String,
    rule: String,
    gate: String,
    token_id: String,
    address: String,
    q: String,
    since: String,
    until: String,
    cursor: String,
}

/// In which form records are taken away.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Csv,
    Jsonl,
}

/// Which form that is.
#[derive(Deserialize)]
pub(super) struct Export {
    format: Format,
}

/// A field of the form.
struct Field<'a> {
    name: &'static str,
    label: &'static str,
    value: &'a str,
    hint: &'static str,
    kind: &'static str,
}

#[derive(Template)]
#[template(path = "admin/audit.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    asking: &'a Asking,
    /// None where it could not be asked like this, and why.
    found: Result<search::Page, String>,
    next: Option<String>,
    is_first: bool,
}

impl Asking {
    fn fields(&self) -> [(&'static str, &str); 14] {
        [
            ("q", &self.q),
            ("subject", &self.subject),
            ("repository", &self.repository),
            ("reference", &self.reference),
            ("decision", &self.decision),
            ("event", &self.event),
            ("operation", &self.operation),
            ("rule", &self.rule),
            ("gate", &self.gate),
            ("address", &self.address),
            ("request_id", &self.request_id),
            ("token_id", &self.token_id),
            ("since", &self.since),
            ("until", &self.until),
        ]
    }

    /// Those that were filled in.
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let fields = self.fields().map(|(name, value)| (name, value.trim()));
        fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// As the API is asked.
    fn query(&self, limit: usize, cursor: Option<String>) -> search::Query {
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        search::Query {
            request_id: some(&self.request_id),
            subject: some(&self.subject),
            event: some(&self.event),
            operation: some(&self.operation),
            decision: some(&self.decision),
            repository: some(&self.repository),
            reference: some(&self.reference),
            rule: some(&self.rule),
            gate: some(&self.gate),
            token_id: some(&self.token_id),
            address: some(&self.address),
            q: some(&self.q),
            since: some(&self.since).map(in_utc),
            until: some(&self.until).map(in_utc),
            limit: Some(limit),
            cursor,
        }
    }
}

impl Page<'_> {
    fn text_fields(&self) -> Vec<Field<'_>> {
        let field = |name, label, value, hint| Field { name, label, value, hint, kind: "text" };
        let it = self.asking;
        vec![
            field("subject", "Who", &*it.subject, "user:alice"),
            field("repository", "Repository", &it.repository, "team/app or team/*"),
            field("reference", "Tag or digest", &it.reference, "v1 or sha256:…"),
            field("event", "Event", &it.event, "request, token.created, …"),
            field("operation", "Operation", &it.operation, "manifest_read"),
            field("rule", "Rule", &it.rule, ""),
            field("gate", "Release gate", &it.gate, ""),
            field("address", "Address", &it.address, "192.0.2.1"),
            field("request_id", "Request", &it.request_id, "00c0ffee00c0ffee-7"),
            field("token_id", "Token", &it.token_id, ""),
        ]
    }

    fn times(&self) -> [Field<'_>; 2] {
        let field =
            |name, label, value| Field { name, label, value, hint: "", kind: "datetime-local" };
        [
            field("since", "Not before (UTC)", self.asking.since.as_str()),
            field("until", "Before (UTC)", &self.asking.until),
        ]
    }

    /// Whether more than the usual fields are filled in, so that all have to be seen.
    fn is_detailed(&self) -> bool {
        self.asking.pairs().iter().any(|(name, _)| !matches!(*name, "q" | "decision"))
    }

    fn is_decided(&self, word: &str) -> bool {
        self.asking.decision == word
    }

    fn export(&self, format: &str) -> String {
        audit_export(&self.asking.pairs(), format)
    }

    fn rows<'b>(&self, found: &'b search::Page) -> Vec<Row<'b>> {
        found.records.iter().map(Row).collect()
    }

    fn read_to(&self, found: &search::Page) -> String {
        found.read_to.map(to_the_second).unwrap_or_default()
    }
}

/// A record in the table.
struct Row<'a>(&'a Found);

impl Row<'_> {
    fn text(&self, name: &str) -> String {
        self.0.text(name).map(|text| printable(text).into_owned()).unwrap_or_default()
    }

    fn when(&self) -> String {
        to_the_second(self.0.time())
    }

    fn what(&self) -> String {
        let event = self.text("event");
        if event == "request" { self.text("operation") } else { event }
    }

    fn subject_page(&self) -> Option<String> {
        Some(audit_page(&[("subject", self.0.text("subject")?)]))
    }

    fn image(&self) -> Option<(String, String)> {
        image(self.0).map(|image| (image_page(&image), image))
    }

    fn repository_page(&self) -> Option<String> {
        Some(audit_page(&[("repository", self.0.text("repository")?)]))
    }

    /// What was decided, or where nothing was, all that is written of it.
    fn request_page(&self) -> Option<String> {
        let id = self.0.text("request_id")?;
        let is_decided = EVENTS.iter().any(|it| self.0.text("event") == Some(it));
        Some(if is_decided { denial_page(id, None) } else { audit_page(&[("request_id", id)]) })
    }

    fn decision_class(&self) -> &'static str {
        match self.0.text("decision") {
            Some("allow") => "passed",
            Some("deny") => "held",
            _ => "",
        }
    }

    /// Why, in short: the reason, or by what.
    fn why(&self) -> String {
        let named = |kind: &str| self.0.text(kind).map(|name| format!("{kind} {name}"));
        let why = self.0.text("reason").map(str::to_owned);
        let why = why.or_else(|| named("gate")).or_else(|| named("rule"));
        let status = || self.0.number("status").map(|status| format!("answered {status}"));
        why.or_else(status).map_or("all fields".to_owned(), |why| printable(&why).into_owned())
    }

    fn fields(&self) -> Vec<(String, String)> {
        let shown = |(name, value): &(String, Value)| {
            (printable(name).into_owned(), printable(&plain(value)).into_owned())
        };
        self.0.fields().iter().map(shown).collect()
    }
}

/// A value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let cursor = Some(asking.cursor.clone()).filter(|cursor| !cursor.is_empty());
    let is_first = cursor.is_none();
    let query = Asked(asking.query(MOST, cursor));
    let listed = search::list(State(Arc::clone(&web.api)), signed_in.who.clone(), query).await;
    let (status, found) = match listed {
        Ok(Json(found)) => (StatusCode::OK, Ok(found)),
        Err(problem) => {
            let mistake = Trouble::mistake(problem)?;
            (mistake.status, Err(mistake.text))
        }
    };
    let more = |cursor: &String| {
        let pairs = asking.pairs().into_iter().chain([("cursor", cursor.as_str())]);
        audit_page(&pairs.collect::<Vec<_>>())
    };
    let page = rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Audit trail"),
        section: Section::Audit,
        next: found.as_ref().ok().and_then(|found| found.cursor.as_ref()).map(more),
        asking: &asking,
        found,
        is_first,
    });
    Ok((status, page).into_response())
}

/// The records as a file: the newest, as many as fit.
pub(super) async fn export(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
    Query(export): Query<Export>,
    Query(asking): Query<Asking>,
) -> Result<Response, Trouble> {
    let (ending, kind, mut text) = match export.format {
        Format::Csv => ("csv", "text/csv; charset=utf-8; header=present", head()),
        Format::Jsonl => ("jsonl", "application/jsonl", String::new()),
    };
    let (mut count, mut cursor) = (0, None);
    for _ in 0..QUESTIONS {
        let query = Asked(asking.query(MAX_PAGE, cursor));
        let listed = search::list(State(Arc::clone(&web.api)), signed_in.who.clone(), query).await;
        let Json(page) = listed?;
        for record in &page.records {
            match export.format {
                Format::Csv => text.push_str(&row(record)),
                Format::Jsonl => text.extend([record.written(), "\n"]),
            }
        }
        count += page.records.len();
        cursor = page.cursor;
        if cursor.is_none() || count >= MOST_EXPORTED {
            break;
        }
    }
    // Whoever opens the file next year has to see that it is not all.
    let part = if cursor.is_some() { "-newest-part" } else { "" };
    let named = format!("attachment; filename=\"audit{part}.{ending}\"");
    Ok(([(CONTENT_TYPE, kind.to_owned()), (CONTENT_DISPOSITION, named)], text).into_response())
}

const COLUMNS: [&str; 21] = [
    "time",
    "event",
    "request_id",
    "subject",
    "kind",
    "groups",
    "token_id",
    "address",
    "user_agent",
    "operation",
    "repository",
    "reference",
    "digest",
    "decision",
    "rule",
    "gate",
    "reason",
    "status",
    "bytes_in",
    "bytes_out",
    "duration_ms",
];

fn head() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

/// RFC 4180.
fn row(record: &Found) -> String {
    let cells = COLUMNS.map(|column| {
        let value = record.fields().iter().find(|(name, _)| name == column);
        csv_cell(&printable(&value.map(|(_, value)| plain(value)).unwrap_or_default()))
    });
    format!("{}\r\n", cells.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        for (text, utc) in [
            ("2026-01-02T03:04", "2026-01-02T03:04:00Z"),
            ("2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05+01:00"),
            ("yesterday", "yesterday"),
        ] {
            assert_eq!(in_utc(text.to_owned()), utc);
        }
    }
}
