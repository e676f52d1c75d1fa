//! `portcullis image scan`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use document::printable;
use http::Method;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::super::client::{read, with_query};
use super::super::failure::{Exit, Failure};
use super::super::output;
use super::super::table::table;
use super::Common;

/// Between two questions for how far it is.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// Wait until it is done, or was given up.
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Scans {
    repository: String,
    digest: String,
    scans: Vec<Scan>,
}

#[derive(Deserialize)]
pub(super) struct Scan {
    pub(super) digest: String,
    pub(super) platform: Option<String>,
    pub(super) state: String,
    pub(super) reason: Option<String>,
}

impl Scan {
    fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "done" | "failed" | "never")
    }
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let path = with_query("/image/scan", &[("ref", &arguments.image)]);
    let mut answer = gate.call(Method::POST, &path, None).await?;
    let mut scans: Scans = read(answer.clone())?;
    // The tag may move meanwhile.
    let pinned = format!("{}@{}", scans.repository, scans.digest);
    let path = with_query("/image/scan", &[("ref", &pinned)]);
    let mut told = String::new();
    while arguments.wait && !scans.scans.iter().all(Scan::is_over) {
        let now = progress(&scans.scans);
        if now != told && io::stderr().is_terminal() {
            output::aside(&now);
            told = now;
        }
        sleep(PAUSE).await;
        answer = gate.call(Method::GET, &path, None).await?;
        scans = read(answer.clone())?;
    }
    arguments.common.output.print(&printed(&answer)?, &answer)?;
    let failed = arguments.wait && scans.scans.iter().any(|scan| scan.state == "failed");
    Ok(if failed { Exit::Denied } else { Exit::Done })
}

/// How far they are, and why one is tried again: that may go on for a day.
fn progress(scans: &[Scan]) -> String {
    let over = scans.iter().filter(|scan| scan.is_over()).count();
    let running = scans.iter().filter(|scan| scan.state == "running").count();
    let line = format!("{over} of {} scanned, {running} under way …", scans.len());
    let mut failing = scans.iter().filter(|scan| !scan.is_over());
    match failing.find_map(|scan| scan.reason.as_ref()) {
        None => line,
        Some(reason) => format!("{line} the last try failed: {}", printable(reason)),
    }
}

/// What is printed of how far scans are.
pub(in crate::cli) fn printed(answer: &Value) -> Result<String, Failure> {
    let Scans { scans, .. } = read(answer.clone())?;
    Ok(text(&scans))
}

fn text(scans: &[Scan]) -> String {
    let row = |scan: &Scan| {
        let platform = scan.platform.clone().unwrap_or_else(|| "-".to_owned());
        let reason = scan.reason.clone().unwrap_or_default();
        [scan.digest.clone(), platform, scan.state.clone(), reason]
    };
    let rows: Vec<_> = scans.iter().map(row).collect();
    table(["DIGEST", "PLATFORM", "SCAN", "REASON"], &rows)
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn whoever_waits_is_told_why_it_takes_so_long() {
        let scan = |state: &str, reason: Option<&str>| Scan {
            digest: "sha256:1".to_owned(),
            platform: None,
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
        };
        let (given_up, waiting) = (scan("failed", Some("gone")), scan("waiting", None));
        assert_snapshot!(
            progress(&[given_up, waiting, scan("running", None)]),
            @"1 of 3 scanned, 1 under way …"
        );
        assert_snapshot!(
            progress(&[scan("done", None), scan("waiting", Some("it answered 503\r\n"))]),
            @r"1 of 2 scanned, 0 under way … the last try failed: it answered 503\r\n"
        );
    }
}
