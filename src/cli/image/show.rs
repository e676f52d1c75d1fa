//! `portcullis image show`.

use std::collections::BTreeMap;

use clap::Args;
use document::printable;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::{read, with_query};
use super::super::failure::{Exit, Failure};
use super::super::moment::{moment, relative};
use super::super::table::facts;
use super::Common;
use super::report::{counts, openvex};
use super::scan::Scan;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Image {
    repository: String,
    digest: String,
    kind: String,
    size: u64,
    first_seen: Option<Timestamp>,
    created: Option<Timestamp>,
    pushed_at: Option<Timestamp>,
    pushed_by: Option<String>,
    last_pulled_at: Option<Timestamp>,
    last_pulled_by: Option<String>,
    platforms: Vec<Platform>,
    tags: Vec<String>,
    flags: Vec<Flag>,
    reports: Vec<Report>,
    statements: Vec<Statements>,
    scans: Vec<Scan>,
    verdicts: Verdicts,
    history: Vec<Move>,
}

/// Where a tag pointed from some time on.
#[derive(Deserialize)]
struct Move {
    at: Timestamp,
    digest: Option<String>,
    by: Option<String>,
}

#[derive(Deserialize)]
struct Platform {
    platform: Option<String>,
    digest: String,
}

#[derive(Deserialize)]
struct Flag {
    flag: String,
    by: String,
    at: Timestamp,
    reason: Option<String>,
    link: Option<String>,
    ends_at: Option<Timestamp>,
    state: String,
}

#[derive(Deserialize)]
struct Report {
    digest: String,
    by: String,
    scanner: String,
    made_at: Timestamp,
    recognized: bool,
    findings: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Statements {
    by: String,
    author: String,
    statements: usize,
}

/// What the gates before an image say.
#[derive(Deserialize)]
pub(in crate::cli) struct Verdicts {
    pub(in crate::cli) held: bool,
    exempt: bool,
    open_by_tag: bool,
    gates: Vec<Verdict>,
}

/// What one gate says.
#[derive(Deserialize)]
struct Verdict {
    gate: String,
    on: Vec<String>,
    file: String,
    line: usize,
    verdict: String,
    reasons: Vec<Reason>,
    in_grace: Vec<Reason>,
    warnings: Vec<Reason>,
    cleared: Vec<Cleared>,
    glass_broken_until: Option<Timestamp>,
    is_artifact: bool,
}

#[derive(Deserialize)]
struct Reason {
    text: String,
    digest: Option<String>,
    platform: Option<String>,
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Cleared {
    vulnerability: String,
    package: String,
    by: String,
    reason: String,
    expires_at: Option<Timestamp>,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let path = with_query("/image", &[("ref", &arguments.image)]);
    let answer = gate.call(Method::GET, &path, None).await?;
    arguments.common.output.print(&printed(&answer, Timestamp::now())?, &answer)?;
    Ok(Exit::Done)
}

/// What is printed of an answer.
pub(in crate::cli) fn printed(answer: &Value, now: Timestamp) -> Result<String, Failure> {
    let image: Image = read(answer.clone())?;
    Ok(text(&image, now))
}

fn text(image: &Image, now: Timestamp) -> String {
    let mut parts = vec![facts(&[
        ("image", image.repository.clone()),
        ("digest", image.digest.clone()),
        ("kind", image.kind.clone()),
        ("size", if image.size == 0 { String::new() } else { size(image.size) }),
        ("created", image.created.map(|at| moment(at, now)).unwrap_or_default()),
        ("seen since", image.first_seen.map(|at| moment(at, now)).unwrap_or_default()),
        ("pushed", done(image.pushed_at, image.pushed_by.as_deref(), now)),
        ("last pulled", done(image.last_pulled_at, image.last_pulled_by.as_deref(), now)),
        ("tags", image.tags.join(", ")),
    ])];
    let mut add = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let lines: Vec<_> = lines.iter().map(|line| format!("  {line}")).collect();
            parts.push(format!("{title}\n{}", lines.join("\n")));
        }
    };
    if image.kind == "index" {
        let platform = |it: &Platform| {
            format!("{}  {}", printable(it.platform.as_deref().unwrap_or("unknown")), it.digest)
        };
        add("platforms", image.platforms.iter().map(platform).collect());
    }
    add("flags", image.flags.iter().map(|flag| flag_line(flag, now)).collect());
    add("reports", image.reports.iter().map(|report| report_line(report, image, now)).collect());
    let said = |it: &Statements| {
        let author = printable(&it.author);
        format!("{} of {author}, sent by {}", openvex(it.statements), it.by)
    };
    add("statements", image.statements.iter().map(said).collect());
    let scans = image.scans.iter().filter(|scan| scan.state != "never").map(|scan| {
        let platform = scan.platform.as_ref().map(|it| format!(" ({})", printable(it)));
        let why = scan.reason.as_ref().map(|it| format!(": {}", printable(it)));
        format!("{}{}{}", scan.state, platform.unwrap_or_default(), why.unwrap_or_default())
    });
    add("scans", scans.collect());
    let verdicts = &image.verdicts;
    add(&format!("gates: {}", verdicts.answer()), verdicts.lines(now));
    // Of a tag that never moved there is nothing to tell.
    if image.history.len() > 1 {
        add("history of the tag", image.history.iter().map(|moved| moved.line(now)).collect());
    }
    parts.join("\n\n")
}

/// When something was done, and by whom if that is told.
fn done(at: Option<Timestamp>, by: Option<&str>, now: Timestamp) -> String {
    let by = by.map(|by| format!(" by {}", printable(by))).unwrap_or_default();
    at.map(|at| format!("{}{by}", moment(at, now))).unwrap_or_default()
}

impl Move {
    fn line(&self, now: Timestamp) -> String {
        let Self { at, digest, by } = self;
        let digest = digest.as_deref().unwrap_or("gone");
        let by = by.as_ref().map(|by| format!("pushed by {}", printable(by)));
        format!("{}  {digest}  {}", moment(*at, now), by.as_deref().unwrap_or("seen"))
    }
}

fn flag_line(flag: &Flag, now: Timestamp) -> String {
    let mut line = format!("{} by {}, {}", flag.flag, flag.by, relative(flag.at, now));
    match (flag.state.as_str(), flag.ends_at) {
        ("in force", Some(ends)) => line += &format!(", until {}", moment(ends, now)),
        ("in force", None) => {}
        (state, _) => line += &format!(", {state}"),
    }
    for more in [&flag.reason, &flag.link].into_iter().flatten() {
        line += &format!(": {}", printable(more));
    }
    line
}

fn report_line(report: &Report, image: &Image, now: Timestamp) -> String {
    let of = image.platforms.iter().find(|it| it.digest == report.digest);
    let of = of.and_then(|it| it.platform.as_ref()).map(|it| format!(" ({})", printable(it)));
    let found = match report.recognized {
        true => counts(&report.findings),
        false => "nothing recognized".to_owned(),
    };
    let (scanner, age) = (printable(&report.scanner), relative(report.made_at, now));
    format!("{scanner}{}, {age}, by {}: {found}", of.unwrap_or_default(), report.by)
}

impl Verdicts {
    /// What a pull would get, and why, if that is not what the gates say.
    pub(in crate::cli) fn answer(&self) -> &'static str {
        match self {
            Self { gates, .. } if gates.is_empty() => "no gate stands before it",
            Self { exempt: true, .. } => {
                "passes: gates hold nothing back from whoever may inspect or delete it"
            }
            Self { open_by_tag: true, .. } => {
                "passes by its digest: a tag leads to it that no gate which holds it stands before"
            }
            Self { held: true, .. } => "held",
            _ => "passes",
        }
    }

    /// What each gate says, and below it why.
    pub(in crate::cli) fn lines(&self, now: Timestamp) -> Vec<String> {
        self.gates.iter().flat_map(|verdict| verdict.lines(now)).collect()
    }
}

impl Verdict {
    fn lines(&self, now: Timestamp) -> Vec<String> {
        let Self { gate, file, line, verdict, on, .. } = self;
        let is_for_pulls = on.iter().any(|on| on == "pull");
        let when = if is_for_pulls { "" } else { ", at pushes alone" };
        let mut lines = vec![format!("{gate}: {verdict} ({file}:{line}{when})")];
        if self.is_artifact {
            lines.push("  an artifact: those are exempt".to_owned());
        }
        if let Some(until) = self.glass_broken_until {
            lines.push(format!("  the glass is broken until {}", moment(until, now)));
        }
        let kinds =
            [("", &self.reasons), ("in grace: ", &self.in_grace), ("warning: ", &self.warnings)];
        for (kind, reasons) in kinds {
            lines.extend(reasons.iter().map(|reason| format!("  {kind}{}", reason.line(now))));
        }
        for cleared in &self.cleared {
            let until = cleared.expires_at.map(|at| format!(", until {}", moment(at, now)));
            lines.push(format!(
                "  cleared: {} in {} by {}: {}{}",
                printable(&cleared.vulnerability),
                printable(&cleared.package),
                printable(&cleared.by),
                printable(&cleared.reason),
                until.unwrap_or_default()
            ));
        }
        lines
    }
}

impl Reason {
    fn line(&self, now: Timestamp) -> String {
        let of = self.platform.as_ref().or(self.digest.as_ref());
        let of = of.map(|of| format!(" ({})", printable(of))).unwrap_or_default();
        let until = self.until.map(|at| format!(", held from {} on", moment(at, now)));
        format!("{}{of}{}", printable(&self.text), until.unwrap_or_default())
    }
}

/// "12.3 MiB"
fn size(bytes: u64) -> String {
    let (power, unit) = match bytes.checked_ilog2().unwrap_or_default() / 10 {
        0 => return format!("{bytes} bytes"),
        1 => (10, "KiB"),
        2 => (20, "MiB"),
        3 => (30, "GiB"),
        _ => (40, "TiB"),
    };
    let tenths = ((u128::from(bytes) * 10) + (1 << (power - 1))) >> power;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        for (bytes, text) in
            [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (12_897_485, "12.3 MiB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
