//! `/api/v1/status`: whether all that the gate needs is there, in the words of people.
//!
//! The facts are those of `/readyz` and the metrics. What was not found out is said to be unknown, and
//! never to be good.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Api;
use super::problem::Problem;
use super::requester::Requester;
use crate::identity::peers::PeerState;
use crate::release::KnownHealth;
use crate::reloads::{Outcome, Which};
use crate::service::management::Readiness;

/// A registry that was not heard of for so long is asked.
const HEARD: SignedDuration = SignedDuration::from_secs(30);

/// From here on it is time to renew a certificate.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// A pass through the registry begins six hours after the last one, and may take long.
const PASS_IS_OLD: SignedDuration = SignedDuration::from_hours(2 * 24);

/// How one thing is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Good,
    /// It works, and somebody should look at it.
    Attention,
    Bad,
    /// It was not found out.
    Unknown,
    /// The gate is set up without it.
    Off,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    /// For programs.
    pub(crate) check: &'static str,
    pub(crate) state: Word,
    /// What was found.
    pub(crate) text: String,
    /// When that was found out, where it was not just now.
    pub(crate) checked_at: Option<Timestamp>,
    /// What to do, where there is something to do.
    pub(crate) remedy: Option<&'static str>,
}

/// How the gate is doing.
#[derive(Debug, Serialize)]
pub(crate) struct Standing {
    pub(crate) version: &'static str,
    pub(crate) started_at: Timestamp,
    pub(crate) now: Timestamp,
    /// Whether `/readyz` says so.
    pub(crate) ready: bool,
    /// Why not.
    pub(crate) not_ready: Option<String>,
    pub(crate) checks: Vec<Check>,
}

impl Check {
    fn new(check: &'static str, state: Word, text: impl Into<String>) -> Self {
        Self { check, state, text: text.into(), checked_at: None, remedy: None }
    }

    fn at(self, at: Option<Timestamp>) -> Self {
        Self { checked_at: at, ..self }
    }

    fn remedy(self, remedy: &'static str) -> Self {
        Self { remedy: Some(remedy), ..self }
    }
}

pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    who: Requester,
) -> Result<Json<Standing>, Problem> {
    who.administrator()?;
    let now = api.now();
    let not_ready = match api.status.readiness(&api.issue.state) {
        Readiness::Ready => None,
        Readiness::NotReady(why) => Some(why.into_owned()),
    };
    let mut checks = vec![
        registry(&api, now),
        state(&api, now),
        policy(&api),
        certificate(&api, now),
        audit(&api),
        inventory(&api, now).await,
        scanner(&api),
    ];
    checks.extend(shadow(&api));
    checks.extend(trust(&api, now));
    Ok(Json(Standing {
        version: env!("CARGO_PKG_VERSION"),
        started_at: api.status.started_at(),
        now,
        ready: not_ready.is_none(),
        not_ready,
        checks,
    }))
}

/// What was heard of it last. Nobody waits for it here: where that is long ago it is asked in the
/// background, and the next look tells.
fn registry(api: &Arc<Api>, now: Timestamp) -> Check {
    let contact = api.images.upstream.contact();
    let (answered, failing) = (contact.answered_at(), contact.failing());
    let heard = answered.max(failing.as_ref().map(|failed| failed.at));
    if heard.is_none_or(|at| now.duration_since(at).abs() > HEARD) {
        let api = Arc::clone(api);
        tokio::spawn(async move { api.images.upstream.probe().await });
    }
    let check = |state, text| Check::new("registry", state, text);
    match (failing, answered) {
        (Some(failed), _) => check(Word::Bad, failed.why.clone())
            .at(Some(failed.at))
            .remedy("Look whether the registry runs, and at `upstream` in the configuration."),
        (None, Some(at)) => check(Word::Good, "it answers".to_owned()).at(Some(at)),
        (None, None) => check(Word::Unknown, "nothing was asked of it since the start".to_owned())
            .remedy("It is being asked now: look again in a moment."),
    }
}

fn state(api: &Api, now: Timestamp) -> Check {
    let state = &api.issue.state;
    let (staleness, most) = (state.staleness(), state.max_staleness());
    let looked = now.checked_sub(staleness).ok();
    let seconds = staleness.as_secs();
    let shared = if state.replica_locks().is_some() { "PostgreSQL" } else { "SQLite" };
    let check = |state, text| Check::new("state", state, text).at(looked);
    const REMEDY: &str =
        "Look whether the database runs and can be reached; the log says why it does not answer.";
    match (state.is_fresh(), state.answers()) {
        (true, true) => check(Word::Good, format!("{shared} answers")),
        (true, false) => check(
            Word::Attention,
            format!(
                "{shared} has not answered for {seconds} s; what is known holds for {} s in all",
                most.as_secs()
            ),
        )
        .remedy(REMEDY),
        (false, _) => {
            let text = format!("{shared} has not answered for {seconds} s: no token is accepted");
            check(Word::Bad, text).remedy(REMEDY)
        }
    }
}

fn policy(api: &Api) -> Check {
    let policy = api.policies.current();
    let latest = api.status.reloads.latest(Which::Policy);
    let rules = counted(policy.policy.rule_count(), "rule");
    let check = |state, text| Check::new("policy", state, text).at(Some(policy.loaded_at));
    let is_refused = latest.is_some_and(|latest| latest.result == Outcome::Refused);
    if is_refused || api.policies.is_stale() {
        let text = format!("what the folder holds is not in force; {rules} of before are");
        return check(Word::Bad, text)
            .remedy("Mend the files: the history of reloads tells what is wrong and where.");
    }
    match policy.warnings.remarks.len() + policy.warnings.more {
        0 => check(Word::Good, format!("{rules} in {}", counted(policy.file_count, "file"))),
        count => check(Word::Attention, format!("{rules}, with {}", counted(count, "warning")))
            .remedy("Look at the warnings: something is probably not meant as it is written."),
    }
}

/// `1 rule`, `2 rules`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn shadow(api: &Api) -> Option<Check> {
    let shadow = api.shadow.as_ref()?;
    let latest = api.status.reloads.latest(Which::Shadow);
    let is_refused = latest.is_some_and(|latest| latest.result == Outcome::Refused);
    let check = |state, text: &str| Check::new("shadow policy", state, text);
    const REMEDY: &str =
        "Mend its files: the history of reloads tells what is wrong. It denies nobody anything.";
    Some(match shadow.policy() {
        None => check(Word::Attention, "its folder cannot be used").remedy(REMEDY),
        Some(policy) if is_refused => {
            check(Word::Attention, "an older one than that of its folder is in use")
                .at(Some(policy.loaded_at))
                .remedy(REMEDY)
        }
        Some(policy) => {
            check(Word::Good, "it decides beside the one in force").at(Some(policy.loaded_at))
        }
    })
}

fn certificate(api: &Api, now: Timestamp) -> Check {
    let check = |state, text| Check::new("certificate", state, text);
    let Some(ends) = api.metrics.certificate_expires_at() else {
        return check(Word::Off, "the gate does not terminate TLS itself".to_owned());
    };
    const REMEDY: &str =
        "Put a new one into the place of its files: it is taken up within a second.";
    let left = ends.duration_since(now);
    if left <= SignedDuration::ZERO {
        return check(Word::Bad, format!("it ended at {ends:.0}")).remedy(REMEDY);
    }
    let text = format!("it holds until {ends:.0}, {}", days(left));
    match left < EXPIRES_SOON {
        true => check(Word::Attention, text).remedy(REMEDY),
        false => check(Word::Good, text),
    }
}

fn days(left: SignedDuration) -> String {
    match left.as_hours() / 24 {
        0 => format!("{} hours more", left.as_hours()),
        days => format!("{days} days more"),
    }
}

fn audit(api: &Api) -> Check {
    let (waiting, lost) = (api.audit.queue_length(), api.audit.lost());
    let check = |state, text| Check::new("audit trail", state, text);
    const REMEDY: &str =
        "Look at the disk of `audit.file`: how full it is, and who may write there.";
    let text = format!("waiting to be written: {waiting}; lost since the start: {lost}");
    match (api.audit.is_failing(), lost) {
        (true, _) => check(Word::Bad, format!("it cannot be written: {text}")).remedy(REMEDY),
        (false, 0) => check(Word::Good, text),
        (false, _) => check(Word::Attention, text).remedy(REMEDY),
    }
}

async fn inventory(api: &Api, now: Timestamp) -> Check {
    let extent = api.metrics.inventory_counted();
    let known = match extent.manifests {
        0 => "not counted yet".to_owned(),
        _ => format!(
            "repositories {}, tags {}, manifests {}",
            extent.repositories, extent.tags, extent.manifests
        ),
    };
    let check = |state, text| Check::new("inventory", state, text);
    if !api.images.inventory.settings().crawl {
        return check(Word::Off, format!("`inventory.crawl` is off; known: {known}"));
    }
    let progress = api.issue.state.ask(|store| async move { store.crawl_progress().await }).await;
    let Ok(progress) = progress else {
        return check(Word::Unknown, "the state does not say how far it got".to_owned());
    };
    const REMEDY: &str = "Look at the log for what the registry answers; search and forecasts know \
                          only what was seen.";
    match progress.passed_at {
        None if progress.listed_at.is_some() => {
            check(Word::Unknown, format!("the first pass goes on; known: {known}"))
                .at(progress.listed_at)
        }
        None => check(Word::Unknown, format!("no pass came to its end yet; known: {known}")),
        Some(at) if now.duration_since(at) > PASS_IS_OLD => {
            check(Word::Attention, format!("the last pass ended long ago; known: {known}"))
                .at(Some(at))
                .remedy(REMEDY)
        }
        Some(at) => check(Word::Good, format!("all was looked at; known: {known}")).at(Some(at)),
    }
}

fn scanner(api: &Api) -> Check {
    let check = |state, text| Check::new("scanner", state, text);
    let Some(health) = &api.status.scanner else {
        return check(Word::Off, "no scanner is configured".to_owned());
    };
    let (host, KnownHealth { reported_at, failed, away_since }) = (health.host(), health.known());
    match (away_since, failed, reported_at) {
        (Some(since), Some((at, why)), _) => {
            check(Word::Bad, format!("{host} has failed since {since:.0}: {why}"))
                .at(Some(at))
                .remedy("Look whether it runs; scans that wait are tried again by themselves.")
        }
        (_, _, Some(at)) => check(Word::Good, format!("{host} reports")).at(Some(at)),
        (_, Some((at, why)), None) => {
            check(Word::Attention, format!("{host}: no scan succeeded yet; the last one: {why}"))
                .at(Some(at))
                .remedy("Look at the scans that failed.")
        }
        (_, None, None) => {
            check(Word::Unknown, format!("{host} has scanned nothing since the start"))
        }
    }
}

fn trust(api: &Api, now: Timestamp) -> Option<Check> {
    let gates = api.peers.states(now);
    if gates.is_empty() {
        return None;
    }
    let check = |state, text| Check::new("trusted gates", state, text);
    let names = |is_one: fn(&PeerState) -> bool| {
        let found: Vec<_> =
            gates.iter().filter(|gate| is_one(gate)).map(|gate| gate.name.as_str()).collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    Some(if let Some(names) = names(|gate| gate.refused.is_some()) {
        check(Word::Bad, format!("the tokens of {names} are refused"))
            .remedy("Look at them under Trust: their keys or revocations are not to be had.")
    } else if let Some(names) = names(PeerState::is_silent) {
        check(Word::Attention, format!("{names}: no answer; the tokens are still accepted"))
            .remedy("Look under Trust why, and until when they are.")
    } else {
        let all = names(|_| true).unwrap_or_default();
        check(Word::Good, format!("the tokens of {all} are accepted"))
    })
}
