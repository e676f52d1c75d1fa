//! `/ui/admin/scanning`: the scanner, its queue, and which images lack a report.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use oci::{Digest, RepositoryName};
use policy::{Action, Caller};

use super::Section;
use crate::release::{KnownHealth, Progress, SCANNER, Scan, scanner};
use crate::service::api::gate::survey::Counted;
use crate::service::api::{Api, Problem};
use crate::store::{ScanCounts, ScanPlace};
use crate::web::Web;
use crate::web::address::{image_page, policy_line};
use crate::web::frame::{Frame, Place, rendered};
use crate::web::problem::Trouble;
use crate::web::session::SignedIn;
use crate::web::shown::{Moment, short, span};

/// How many of each list are shown.
const MOST: u32 = 20;

/// The scanner as it is configured, and what came of asking it.
struct Scanner {
    host: String,
    rescan_after: String,
    known: KnownHealth,
    rights: Vec<Right>,
}

/// Whether a rule lets the scanner do what it has to.
struct Right {
    action: &'static str,
    /// The first of the rules, with its place.
    rule: Option<(String, String)>,
}

/// A scan in the queue, or one that was given up.
struct Row {
    image: String,
    page: String,
    cause: &'static str,
    attempts: u32,
    state: String,
}

/// A report that is among the oldest.
struct Old {
    image: String,
    page: String,
    made_at: Timestamp,
    /// None where no scanner scans again.
    again_at: Option<Timestamp>,
}

#[derive(Template)]
#[template(path = "admin/scanning.html")]
struct Page<'a> {
    frame: Frame<'a>,
    section: Section,
    scanner: Option<Scanner>,
    service: &'static str,
    counts: ScanCounts,
    ahead: Vec<Row>,
    given_up: Vec<Row>,
    old: Vec<Old>,
    /// None while it is counted for the first time.
    counted: Option<Arc<Counted>>,
}

impl Page<'_> {
    fn moment(&self, at: &Timestamp) -> Moment {
        Moment::of(*at)
    }

    fn image(&self, image: &str) -> String {
        image_page(image)
    }

    /// Each list of scans under its heading, with what stands there if it is empty.
    fn lists(&self) -> [(&'static str, &[Row], &'static str); 2] {
        [
            ("Next", &self.ahead, "Nothing waits."),
            ("Given up lately", &self.given_up, "None was given up."),
        ]
    }
}

impl Row {
    fn of(scan: Scan) -> Self {
        let (image, page) = names(&scan.repository, &scan.digest);
        let why = |failing: Option<(Timestamp, String)>| match failing {
            Some((since, why)) => format!("; has failed since {since:.0}: {why}"),
            None => String::new(),
        };
        let state = match scan.progress {
            Progress::Waiting { next_at, failing } => {
                format!("waits, not before {next_at:.0}{}", why(failing))
            }
            Progress::Running { failing, .. } => format!("runs{}", why(failing)),
            Progress::Done(at) => format!("done at {at:.0}"),
            Progress::Failed { since, reason } => {
                format!("given up, having failed since {since:.0}: {reason}")
            }
        };
        Self { image, page, cause: scan.cause.as_str(), attempts: scan.attempts, state }
    }
}

fn names(repository: &RepositoryName, digest: &Digest) -> (String, String) {
    let page = image_page(&format!("{repository}@{digest}"));
    (format!("{repository}@{}", short(digest)), page)
}

fn of_scanner(api: &Api) -> Option<Scanner> {
    let health = api.status.scanner.as_ref()?;
    let (policy, caller) = (api.policy(), Caller::new(scanner(), Vec::new()));
    let right = |(action, name)| {
        let rules = policy.rules_allowing(&caller, action);
        let rule =
            rules.first().map(|rule| (rule.name.to_owned(), policy_line(rule.file, rule.line)));
        Right { action: name, rule }
    };
    let rescan_after = health.rescan_after().try_into().map(span).unwrap_or_default();
    Some(Scanner {
        host: health.host().to_owned(),
        rescan_after,
        known: health.known(),
        rights: [(Action::Pull, "pull"), (Action::Inspect, "inspect")].map(right).into(),
    })
}

/// The oldest reports of the gate's own scanner.
async fn old(api: &Api) -> Result<Vec<Old>, Problem> {
    let (state, now) = (&api.issue.state, api.now());
    let asked =
        state.ask(move |store| async move { store.old_reports(&scanner(), now, MOST).await });
    let rescan_after = api.status.scanner.as_ref().map(|health| health.rescan_after());
    let mut old = Vec::new();
    for (repository, digest) in asked.await? {
        let known = api.images.release.known(&digest).await?;
        let own = known
            .kept
            .reports
            .iter()
            .filter(|report| report.repository == repository && report.uploader == scanner());
        let Some(made_at) = own.map(|report| report.made_at).max() else { continue };
        let (image, page) = names(&repository, &digest);
        let again_at = rescan_after.and_then(|after| made_at.checked_add(after).ok());
        old.push(Old { image, page, made_at, again_at });
    }
    Ok(old)
}

pub(super) async fn show(
    State(web): State<Arc<Web>>,
    signed_in: SignedIn,
) -> Result<Response, Trouble> {
    signed_in.who.administrator()?;
    let api = &web.api;
    let asked = api.issue.state.ask(|store| async move {
        let counts = store.scan_counts().await?;
        let ahead = store.scans_in(ScanPlace::Ahead, MOST).await?;
        let given_up = store.scans_in(ScanPlace::GivenUp, MOST).await?;
        Ok((counts, ahead, given_up))
    });
    let (counts, ahead, given_up) = asked.await.map_err(Problem::from)?;
    let rows = |scans: Vec<Scan>| scans.into_iter().map(Row::of).collect();
    Ok(rendered(&Page {
        frame: Frame::around(&signed_in, Place::Admin, "Scanning"),
        section: Section::Scanning,
        scanner: of_scanner(api),
        service: SCANNER,
        counts,
        ahead: rows(ahead),
        given_up: rows(given_up),
        old: old(api).await?,
        counted: web.survey.look(api).await,
    }))
}
