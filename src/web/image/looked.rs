//! How far scanners have looked into an image, and what is on its way.

use jiff::Timestamp;
use oci::RepositoryName;
use policy::Policy;

use super::super::address::image_page;
use super::super::shown::Moment;
use super::findings::KnownPart;
use crate::release::{Progress, Scan, counts};

/// What is known of one platform, or of an image that is the only one.
pub(super) struct Looked {
    pub(super) platform: Option<String>,
    pub(super) page: String,
    pub(super) state: State,
    /// What becomes of the scan that was asked for, if there is something to say.
    pub(super) scan: Option<String>,
    /// A scan is on its way, so that nobody has to ask for one.
    pub(super) is_scanned_soon: bool,
}

/// What the reports say that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There are none.
    Unreported,
    /// No scanner recognized anything that it can judge.
    Unrecognized,
    Reported,
}

impl Looked {
    /// Into each part of an image.
    pub(super) fn into_parts(
        parts: &[KnownPart],
        here: &RepositoryName,
        policy: &Policy,
        now: Timestamp,
    ) -> Vec<Self> {
        let looked = |part: &KnownPart| {
            let kept = &part.known.kept;
            let mut counting = kept.reports.iter().filter(|report| counts(report, here, policy));
            let state = match counting.clone().next() {
                None => State::Unreported,
                Some(_) if counting.any(|report| report.recognized) => State::Reported,
                Some(_) => State::Unrecognized,
            };
            let scan = kept.scans.iter().find(|scan| scan.repository == *here);
            let is_under_way = |scan: &Scan| {
                matches!(scan.progress, Progress::Waiting { .. } | Progress::Running { .. })
            };
            Self {
                platform: part.platform.clone(),
                page: image_page(&format!("{here}@{}", part.digest)),
                state,
                scan: scan.and_then(|scan| told(scan, state, now)),
                is_scanned_soon: scan.is_some_and(is_under_way),
            }
        };
        parts.iter().map(looked).collect()
    }

    pub(super) fn is_reported(&self) -> bool {
        self.state == State::Reported
    }

    /// Whether there is more to say than that a report counts.
    pub(super) fn is_told(&self) -> bool {
        !self.is_reported() || self.scan.is_some()
    }

    /// What is missing.
    pub(super) fn lack(&self) -> Option<&'static str> {
        match self.state {
            State::Unreported => Some("no report"),
            State::Unrecognized => Some("nothing recognized"),
            State::Reported => None,
        }
    }

    /// Whether somebody would have to ask for a scan.
    pub(super) fn needs_scan(&self) -> bool {
        !self.is_reported() && !self.is_scanned_soon
    }
}

fn told(scan: &Scan, state: State, now: Timestamp) -> Option<String> {
    let asked = Moment::of(scan.requested_at);
    let failing = |failing: &Option<(Timestamp, String)>| {
        let (since, reason) = failing.as_ref()?;
        Some(format!("it fails since {} UTC: {reason}", Moment::of(*since)))
    };
    Some(match &scan.progress {
        Progress::Waiting { next_at, failing: before } => match failing(before) {
            None => format!("a scan waits for its turn since {asked} UTC"),
            Some(failing) if *next_at > now => {
                let next = Moment::of(*next_at);
                format!("a scan waits to be tried again at {next} UTC; {failing}")
            }
            Some(failing) => format!("a scan waits to be tried again; {failing}"),
        },
        Progress::Running { failing: before, .. } => {
            let failing = failing(before).map(|it| format!("; {it}")).unwrap_or_default();
            format!("a scan is running, asked for at {asked} UTC{failing}")
        }
        Progress::Failed { since, reason } => {
            let (since, attempts) = (Moment::of(*since), scan.attempts);
            let tries = if attempts == 1 { "try" } else { "tries" };
            format!(
                "the scan was given up after {attempts} {tries}; it failed since {since} UTC: {reason}"
            )
        }
        Progress::Done(at) if state == State::Unreported => {
            format!("a scan was done at {} UTC, but no report of it counts here", Moment::of(*at))
        }
        Progress::Done(_) => return None,
    })
}
