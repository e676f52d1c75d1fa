//! `/api/v1/image/report`: what a scanner found in an image, and what its makers say of that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use oci::RepositoryName;
use policy::{Action, Policy};
use reports::{Limits, Refused, Report, vex};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::Api;
use super::super::input::Asked;
use super::super::problem::Problem;
use super::super::requester::Requester;
use super::flags::Which;
use super::identity;
use super::named::{Named, Need, Shown, parse};
use super::text::shown_subject;
use crate::audit::Record;
use crate::release::{KeptFinding, KeptReport, KeptStatements, Known, counts};

/// For a report to arrive: they are long.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);

/// How many are read at once. Each may take some hundred megabytes.
static READING: Semaphore = Semaphore::const_new(2);

/// A report as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownReport {
    pub(crate) repository: Option<String>,
    pub(crate) digest: String,
    pub(crate) by: String,
    pub(crate) format: &'static str,
    pub(crate) scanner: String,
    pub(crate) version: Option<String>,
    pub(crate) database: Option<Timestamp>,
    pub(crate) made_at: Timestamp,
    pub(crate) received_at: Timestamp,
    pub(crate) recognized: bool,
    pub(crate) findings: BTreeMap<String, usize>,
}

/// What makers say, as it is shown.
#[derive(Serialize)]
pub(crate) struct ShownStatements {
    pub(crate) digest: String,
    pub(crate) by: String,
    pub(crate) at: Timestamp,
    pub(crate) id: String,
    pub(crate) author: String,
    pub(crate) statements: usize,
}

/// What was kept.
#[derive(Serialize)]
pub(crate) struct Kept {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) report: Option<ShownReport>,
    pub(crate) statements: Option<ShownStatements>,
}

/// What is known of an image from reports.
#[derive(Serialize)]
pub(crate) struct Reports {
    #[serde(flatten)]
    pub(crate) image: Shown,
    pub(crate) reports: Vec<ShownReport>,
    pub(crate) statements: Vec<ShownStatements>,
}

/// A document that was read.
enum Document {
    Report(Box<Report>),
    Statements(vex::Document),
}

impl ShownReport {
    fn of(report: &KeptReport, here: &RepositoryName) -> Self {
        let mut findings: BTreeMap<String, usize> = BTreeMap::new();
        for kept in &report.findings {
            *findings.entry(kept.finding.severity.to_string()).or_default() += 1;
        }
        Self {
            repository: (report.repository == *here).then(|| here.to_string()),
            digest: report.digest.to_string(),
            by: shown_subject(&report.uploader),
            format: report.format.as_str(),
            scanner: report.scanner.name.clone(),
            version: report.scanner.version.clone(),
            database: report.scanner.database,
            made_at: report.made_at,
            received_at: report.received_at,
            recognized: report.recognized,
            findings,
        }
    }
}

impl ShownStatements {
    fn of(kept: &KeptStatements) -> Self {
        Self {
            digest: kept.digest.to_string(),
            by: shown_subject(&kept.by),
            at: kept.at,
            id: kept.document.id.clone(),
            author: kept.document.author.clone(),
            statements: kept.document.statements.len(),
        }
    }
}

/// Those that count in this repository.
pub(super) fn shown(known: &Known, policy: &Policy, here: &RepositoryName) -> Vec<ShownReport> {
    let reports = known.kept.reports.iter().filter(|report| counts(report, here, policy));
    reports.map(|report| ShownReport::of(report, here)).collect()
}

/// Likewise.
pub(super) fn shown_statements(known: &Known, here: &RepositoryName) -> Vec<ShownStatements> {
    let said = known.kept.statements.iter().filter(|said| said.repository == *here);
    said.map(ShownStatements::of).collect()
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
) -> Result<Json<Reports>, Problem> {
    let policy = api.policy();
    let image = Named::find(&api, &who, &policy, ("ref", &which.r#ref), Need::Know).await?;
    let (mut reports, mut statements) = (Vec::new(), Vec::new());
    for part in &api.parts(&image).await?.images {
        let known = api.images.release.known(&part.digest).await?;
        reports.extend(shown(&known, &policy, &image.repository));
        statements.extend(shown_statements(&known, &image.repository));
    }
    Ok(Json(Reports { image: image.shown(), reports, statements }))
}

pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    who: Requester,
    Asked(which): Asked<Which>,
    request: Request,
) -> Result<Json<Kept>, Problem> {
    let policy = api.policy();
    // Who may send nothing at all need not send it.
    let (repository, reference) = parse("ref", &which.r#ref)?;
    let place = (&repository, &reference);
    if let Err(refused) = who.needs(&api, &policy, place, Need::Do(Action::Report)).await
        && who.needs(&api, &policy, place, Need::Do(Action::BreakGlass)).await.is_err()
    {
        return Err(refused);
    }
    let sent = take(&api, &who, &which.r#ref, request).await;
    if let Err(problem) = &sent
        && let Some(reason) = problem.of_the_content()
    {
        let record = Record {
            repository: Some(repository.to_string()),
            reference: Some(reference.to_string()),
            reason: Some(reason.to_owned()),
            ..who.record("report.refused")
        };
        api.audit.flush(record).await?;
    }
    sent.map(Json)
}

/// Reads what was sent and keeps it.
async fn take(api: &Api, who: &Requester, named: &str, request: Request) -> Result<Kept, Problem> {
    let policy = api.policy();
    let Ok(_turn) = READING.acquire().await else { return Err(Problem::internal()) };
    let bytes = body(request).await?;
    let read = tokio::task::spawn_blocking(move || read(&bytes)).await;
    let document = read.map_err(|_| Problem::internal())?.map_err(|error| {
        let status = match error {
            Refused::TooLong(_) | Refused::TooMany(_) => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, error.to_string())
    })?;
    // What clears findings lets images through as breaking the glass does.
    let action = match &document {
        Document::Report(_) => Action::Report,
        Document::Statements(_) => Action::BreakGlass,
    };
    let image = Named::find(api, who, &policy, ("ref", named), Need::Do(action)).await?;
    match document {
        Document::Report(report) => keep(api, who, &image, *report).await,
        Document::Statements(said) => keep_statements(api, who, &image, said).await,
    }
}

async fn body(mut request: Request) -> Result<Bytes, Problem> {
    let most = Limits::default().bytes;
    DefaultBodyLimit::max(most).apply(&mut request);
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| {
        Problem::new(StatusCode::REQUEST_TIMEOUT, "the report did not arrive in time")
    })?;
    body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let text = format!("a report has at most {} MiB; gzip makes it shorter", most >> 20);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        }
        _ => Problem::wrong("the report did not come whole"),
    })
}

/// What it is, its content says.
fn read(bytes: &[u8]) -> Result<Document, Refused> {
    match reports::read(bytes, Limits::default()) {
        Ok(report) => Ok(Document::Report(Box::new(report))),
        Err(Refused::Unsupported { found, .. }) if found.contains("VEX") => {
            vex::read(bytes, Limits::default()).map(Document::Statements)
        }
        Err(refused) => Err(refused),
    }
}

async fn keep(api: &Api, who: &Requester, image: &Named, report: Report) -> Result<Kept, Problem> {
    let now = api.now();
    let parts = api.parts(image).await?;
    api.images.inventory.recall(&image.repository, now).await;
    let holders = api.images.inventory.indexes(&image.repository, &image.digest);
    let part = identity::about(&report.about, image, &parts.images, &holders)?;
    let groups = who.maker().credential().map(|known| known.principal.caller.groups.clone());
    let finding = |finding| KeptFinding { finding, first_seen: now };
    let kept = KeptReport {
        repository: image.repository.clone(),
        digest: part.digest.clone(),
        uploader: who.subject(),
        uploader_groups: groups.unwrap_or_default(),
        format: report.format,
        scanner: report.scanner,
        made_at: report.created.unwrap_or(now).min(now),
        received_at: now,
        recognized: report.recognized,
        findings: report.findings.into_iter().map(finding).collect(),
    };
    let kept = Arc::new(kept);
    let stored = Arc::clone(&kept);
    let is_kept = api.change(|store| async move { store.keep_report(&stored).await });
    if !is_kept.await? {
        return Err(later(api, &kept).await?);
    }
    let shown = ShownReport::of(&kept, &image.repository);
    let reason = format!("{} ({} findings)", kept.scanner.name, kept.findings.len());
    let record = Record { reason: Some(reason), ..image.record(who.record("report.stored")) };
    let record = Record { digest: Some(kept.digest.to_string()), ..record };
    api.audit.flush(record).await?;
    Ok(Kept { image: image.shown(), report: Some(shown), statements: None })
}

/// Refuses a report, as a later one is kept in its place.
async fn later(api: &Api, refused: &KeptReport) -> Result<Problem, Problem> {
    let known = api.images.release.known(&refused.digest).await?;
    let same = known.kept.reports.iter().find(|report| {
        report.repository == refused.repository
            && report.uploader == refused.uploader
            && report.scanner.name == refused.scanner.name
    });
    // By now it may be gone.
    let made_at = same.map(|kept| format!(", which was made at {}", kept.made_at));
    let text = format!(
        "a later report of {} by {} is kept{}; this one was made at {}: scan the image again and \
         send that report",
        refused.scanner.name,
        shown_subject(&refused.uploader),
        made_at.unwrap_or_default(),
        refused.made_at
    );
    Ok(Problem::new(StatusCode::CONFLICT, text))
}

/// Kept for each image that the name stands for: that is what a gate looks at.
async fn keep_statements(
    api: &Api,
    who: &Requester,
    image: &Named,
    document: vex::Document,
) -> Result<Kept, Problem> {
    let parts = api.parts(image).await?;
    let Some(_) = parts.images.first() else {
        let text = format!("{} is no image with vulnerabilities to speak of", image.text());
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, text));
    };
    let reason = format!("OpenVEX {} by {}", document.id, document.author);
    let record = Record { reason: Some(reason), ..image.record(who.record("report.stored")) };
    api.audit.flush(record).await?;
    let mut shown = None;
    for part in parts.images {
        let kept = KeptStatements {
            repository: image.repository.clone(),
            digest: part.digest,
            by: who.subject(),
            at: api.now(),
            document: document.clone(),
        };
        shown = Some(ShownStatements::of(&kept));
        api.change(|store| async move { store.keep_statements(&kept).await }).await?;
    }
    Ok(Kept { image: image.shown(), report: None, statements: shown })
}
