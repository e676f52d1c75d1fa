//! `/api/v1/denial`: what was decided about one request, for whoever sent it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use oci::Reference;
use policy::Policy;
use serde::{Deserialize, Serialize};

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use crate::audit::Reader;
use crate::audit::search::{Filter, Found, Question};
use crate::proxy::RequestIds;

/// How much of the trail is read for one answer, in bytes. Lines without the id cost little.
const MOST: u64 = 512 << 20;

/// Which events tell of a request whose sender was known.
pub(crate) const EVENTS: &[&str] = &["request", "intent", "api.denied"];

/// Which request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    pub(crate) id: String,
    pub(crate) cursor: Option<String>,
}

/// What is known of it.
#[derive(Serialize)]
pub(crate) struct Answer {
    /// None where it is not in what was read.
    pub(crate) request: Option<Decided>,
    /// Where to go on looking; none where there is nothing left, or it was found.
    pub(crate) cursor: Option<String>,
}

/// A request, and what was decided.
#[derive(Serialize)]
pub(crate) struct Decided {
    pub(crate) request_id: String,
    pub(crate) event: String,
    pub(crate) time: Timestamp,
    pub(crate) subject: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) reference: Option<String>,
    pub(crate) digest: Option<String>,
    /// `REPOSITORY:TAG` or `REPOSITORY@DIGEST`, where it was about a manifest.
    pub(crate) image: Option<String>,
    /// None where it has not ended.
    pub(crate) decision: Option<String>,
    pub(crate) rule: Option<Rule>,
    pub(crate) gate: Option<String>,
    /// Of a denial: why, in the words that the client was told.
    pub(crate) reason: Option<String>,
    pub(crate) status: Option<u64>,
}

/// The rule that decided.
#[derive(Serialize)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Where it stands in the policy that is in force now; none where it is not there any more.
    pub(crate) file: Option<String>,
    /// From 1.
    pub(crate) line: Option<usize>,
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(query): Asked<Query>,
) -> Result<Json<Answer>, Problem> {
    if !RequestIds::is_one(&query.id) {
        return Err(Problem::wrong(
            "`id` has to be the id of a request, such as `00c0ffee00c0ffee-7`",
        ));
    }
    let is_administrator = who.maker().is_administrator();
    let mut fields = vec![("request_id", query.id.clone())];
    if !is_administrator {
        // Somebody else's is passed over as if it were not there, and so takes as long.
        fields.push(("subject", who.to_string()));
    }
    let filter = Filter { fields, events: EVENTS, ..Filter::default() };
    let after = api.open_place(query.cursor.as_deref(), &filter)?;
    if is_administrator && after.is_none() {
        api.searched(&who, &filter);
    }
    let is_told = |found: &Found| EVENTS.iter().any(|it| found.text("event") == Some(it));
    let is_theirs = |it: &Found| is_administrator || it.text("subject") == Some(&who.to_string());
    let latest = api.audit.denied(&query.id).filter(is_told).filter(is_theirs);
    if let Some(found) = latest {
        let request = Some(Decided::of(&found, &api.policy()));
        return Ok(Json(Answer { request, cursor: None }));
    }
    let reader = if is_administrator { Reader::Administrator } else { Reader::Anybody };
    let question = Question { filter: filter.clone(), after, limit: 1, most: MOST };
    let found = api.audit.search(reader, question).await?;
    if let Some(found) = found.records.first() {
        let request = Some(Decided::of(found, &api.policy()));
        return Ok(Json(Answer { request, cursor: None }));
    }
    let cursor = found.next.and_then(|place| api.seal_place(place, &filter));
    if cursor.is_none() {
        let text = "there is no such request in what this gate keeps of its audit trail, or it is \
                    somebody else's";
        return Err(Problem::new(StatusCode::NOT_FOUND, text));
    }
    Ok(Json(Answer { request: None, cursor }))
}

impl Decided {
    fn of(found: &Found, policy: &Policy) -> Self {
        let text = |name: &str| found.text(name).map(str::to_owned);
        let decision = text("decision").filter(|_| found.text("event") != Some("intent"));
        // Why something was let through is more than its sender was told.
        let reason = text("reason").filter(|_| decision.as_deref() == Some("deny"));
        let gate = text("gate").filter(|_| decision.as_deref() == Some("deny"));
        let rule = text("rule").map(|name| {
            let rule = policy.rules().find(|rule| rule.name == name);
            let (file, line) = rule.map(|rule| (rule.file.to_owned(), rule.line)).unzip();
            Rule { name, file, line }
        });
        // Of what was denied by its name, the sender knows the digest only if they named it. What a
        // gate holds they may look at.
        let is_known = decision.as_deref() != Some("deny")
            || gate.is_some()
            || found.text("reference").is_none_or(|it| found.text("digest") == Some(it));
        Self {
            request_id: text("request_id").unwrap_or_default(),
            event: text("event").unwrap_or_default(),
            time: found.time(),
            subject: text("subject"),
            address: text("address"),
            user_agent: text("user_agent"),
            operation: text("operation"),
            repository: text("repository"),
            reference: text("reference"),
            digest: text("digest").filter(|_| is_known),
            image: image(found),
            decision,
            rule,
            gate,
            reason,
            status: found.number("status"),
        }
    }
}

/// What it was about, as it is written. What names a blob names no image.
pub(crate) fn image(found: &Found) -> Option<String> {
    let repository = found.text("repository")?;
    let is_about_image = match found.text("operation") {
        Some(operation) => operation.starts_with("manifest_"),
        None => found.text("event") != Some("request"),
    };
    let named =
        found.text("reference").and_then(|it| it.split(',').next()).or(found.text("digest"));
    match named.filter(|_| is_about_image)?.parse().ok()? {
        Reference::Tag(tag) => Some(format!("{repository}:{tag}")),
        Reference::Digest(digest) => Some(format!("{repository}@{digest}")),
    }
}
