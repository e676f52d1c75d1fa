//! `portcullis image report`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use bytes::Bytes;
use clap::Args;
use document::{Mistake, printable};
use serde::Deserialize;
use serde_json::Value;

use super::super::client::{read, with_query};
use super::super::failure::{Exit, Failure};
use super::Common;

/// More than the gate takes, so that it says so itself.
const MOST: u64 = 65 << 20;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// The report as the scanner wrote it, also compressed by gzip; `-` for the standard input.
    file: PathBuf,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Kept {
    repository: String,
    report: Option<Report>,
    statements: Option<Statements>,
}

#[derive(Deserialize)]
struct Report {
    digest: String,
    scanner: String,
    recognized: bool,
    findings: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct Statements {
    digest: String,
    author: String,
    statements: usize,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let bytes = contents(&arguments.file).map_err(|error| {
        let name = arguments.file.display();
        Failure::input(&Mistake::new(format!("cannot read the report {name}: {error}")))
    })?;
    let gate = arguments.common.gate.signed_in().await?;
    let path = with_query("/image/report", &[("ref", &arguments.image)]);
    let answer = gate.hand_in(&path, bytes).await?;
    arguments.common.output.print(&printed(&answer)?, &answer)?;
    Ok(Exit::Done)
}

/// What is printed of what was kept.
pub(in crate::cli) fn printed(answer: &Value) -> Result<String, Failure> {
    let kept: Kept = read(answer.clone())?;
    Ok(text(&kept))
}

fn contents(file: &Path) -> io::Result<Bytes> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        io::stdin().take(MOST).read_to_end(&mut bytes)?;
    } else {
        fs::File::open(file)?.take(MOST).read_to_end(&mut bytes)?;
    }
    Ok(bytes.into())
}

fn text(kept: &Kept) -> String {
    let repository = &kept.repository;
    let mut lines = Vec::new();
    if let Some(Report { digest, scanner, recognized, findings }) = &kept.report {
        lines.push(format!("report of {} kept for {repository}@{digest}", printable(scanner)));
        lines.push(match recognized {
            true => counts(findings),
            false => {
                "the scanner recognized nothing in the image, so this says nothing of it".to_owned()
            }
        });
    }
    if let Some(Statements { digest, author, statements }) = &kept.statements {
        lines.push(format!(
            "{} of {} kept for {repository}@{digest}",
            openvex(*statements),
            printable(author)
        ));
    }
    lines.join("\n")
}

/// "2 OpenVEX statements"
pub(super) fn openvex(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} OpenVEX statement{plural}")
}

/// "1 critical, 3 low", the worst first.
pub(super) fn counts(findings: &BTreeMap<String, usize>) -> String {
    let order = ["critical", "high", "medium", "low", "negligible", "unknown"];
    let found = order.iter().filter_map(|name| Some((name, findings.get(*name)?)));
    let told: Vec<_> =
        found.filter(|(_, count)| **count > 0).map(|(name, n)| format!("{n} {name}")).collect();
    if told.is_empty() { "no findings".to_owned() } else { told.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_counted_with_the_worst_first() {
        let of = |list: &[(&str, usize)]| {
            counts(&list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
        };
        assert_eq!(of(&[("low", 0)]), "no findings");
        assert_eq!(of(&[("low", 3), ("critical", 1)]), "1 critical, 3 low");
    }
}
