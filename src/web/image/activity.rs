//! What was done with an image, as far as the API tells it to whoever reads.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::service::api::image::show::Image;

/// Something that was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Timestamp,
    pub(super) what: String,
    /// Of which of several platforms.
    pub(super) platform: Option<String>,
    /// Where they may be named.
    pub(super) who: Option<String>,
}

/// All of it, the latest first.
pub(super) fn activity(image: &Image, now: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |at: Option<Timestamp>, what: String, of: Option<&str>, who: Option<&str>| {
        if let Some(at) = at.filter(|at| *at <= now) {
            let platform = of.and_then(|digest| platform(image, digest));
            events.push(Event { at, what, platform, who: who.map(str::to_owned) });
        }
    };
    let handling = &image.handling;
    add(image.first_seen, "seen by the gate for the first time".to_owned(), None, None);
    add(handling.pushed_at, "pushed".to_owned(), None, handling.pushed_by.as_deref());
    let (first, last) = (handling.first_pulled_at, handling.last_pulled_at);
    // Of one pull the last one tells all.
    add(first.filter(|_| first != last), "pulled for the first time".to_owned(), None, None);
    add(last, "pulled last".to_owned(), None, handling.last_pulled_by.as_deref());
    for flag in &image.flags {
        add(Some(flag.at), format!("flag {} set", flag.flag), None, Some(&flag.by));
        add(flag.ends_at, format!("flag {} ended", flag.flag), None, None);
    }
    for removed in &image.removed_flags {
        add(Some(removed.at), format!("flag {} taken away", removed.flag), None, Some(&removed.by));
    }
    for report in &image.reports {
        let what = format!("report of {} received", report.scanner);
        add(Some(report.received_at), what, Some(&report.digest), Some(&report.by));
    }
    for said in &image.statements {
        let what = format!("statements of {} about vulnerabilities received", said.author);
        add(Some(said.at), what, Some(&said.digest), Some(&said.by));
    }
    for scan in &image.scans {
        let of = Some(scan.digest.as_str());
        add(scan.requested_at, "scan asked for".to_owned(), of, None);
        add(scan.done_at, "scanned".to_owned(), of, None);
        add(scan.failing_since, "scan failed".to_owned(), of, None);
    }
    events.sort_by_key(|event| Reverse(event.at));
    events
}

/// As its index says; nothing where it is all of the image.
fn platform(image: &Image, digest: &str) -> Option<String> {
    if image.platforms.len() < 2 {
        return None;
    }
    image.platforms.iter().find(|it| it.digest == digest)?.platform.clone()
}
