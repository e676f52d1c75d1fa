//! `portcullis image list` and `search`.

use std::collections::BTreeMap;

use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{Gate, read, with_query};
use super::super::failure::{Exit, Failure};
use super::super::moment::relative;
use super::super::output;
use super::super::table::table;
use super::Common;
use super::report::counts;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Only of these repositories.
    repositories: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SearchArguments {
    /// Words that are all in the name: `REPOSITORY:TAG`.
    words: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Filter {
    /// Only this tag.
    #[arg(long)]
    tag: Option<String>,
    /// Only what has this flag in force.
    #[arg(long)]
    flag: Option<String>,
    /// Only what has findings of this severity or a worse one.
    #[arg(long)]
    severity: Option<String>,
    /// Only what has this vulnerability, by any of its names.
    #[arg(long)]
    cve: Option<String>,
    /// Only what has a finding in this package.
    #[arg(long)]
    package: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
}

#[derive(Deserialize)]
struct Page {
    images: Vec<Value>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Images {
    images: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    repository: String,
    tag: Option<String>,
    digest: String,
    flags: Vec<String>,
    findings: Option<BTreeMap<String, usize>>,
    reported_at: Option<Timestamp>,
    finding: Option<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    severity: String,
    package: String,
    version: String,
    fixed_in: Option<String>,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let mut found = Found::default();
    if arguments.repositories.is_empty() {
        found = pages(&gate, &arguments.filter, &[]).await?;
    }
    for repository in &arguments.repositories {
        let more = pages(&gate, &arguments.filter, &[("repository", repository)]).await?;
        found.images.extend(more.images);
        found.goes_on |= more.goes_on;
    }
    print(found, &arguments.common)
}

pub(super) async fn search(arguments: &SearchArguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let words = arguments.words.join(" ");
    print(pages(&gate, &arguments.filter, &[("q", &words)]).await?, &arguments.common)
}

/// What was found, up to the limit.
#[derive(Default)]
struct Found {
    images: Vec<Value>,
    /// There may be more.
    goes_on: bool,
}

/// All pages, up to the limit.
async fn pages(gate: &Gate, filter: &Filter, more: &[(&str, &str)]) -> Result<Found, Failure> {
    let (mut images, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    loop {
        let left = filter.limit.saturating_sub(images.len()).clamp(1, 1000).to_string();
        let mut query = more.to_vec();
        query.push(("limit", &left));
        let filters = [
            ("tag", &filter.tag),
            ("flag", &filter.flag),
            ("severity", &filter.severity),
            ("cve", &filter.cve),
            ("package", &filter.package),
            ("cursor", &cursor),
        ];
        query.extend(filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
        let page: Page = gate.ask(Method::GET, &with_query("/images", &query), None).await?;
        images.extend(page.images);
        cursor = page.cursor;
        if cursor.is_none() || images.len() >= filter.limit {
            let goes_on = cursor.is_some() || images.len() > filter.limit;
            images.truncate(filter.limit);
            return Ok(Found { images, goes_on });
        }
    }
}

fn print(Found { images, goes_on }: Found, common: &Common) -> Result<Exit, Failure> {
    let answer = json!({ "images": images });
    common.output.print(&printed(&answer, Timestamp::now())?, &answer)?;
    if goes_on {
        output::aside("these are not all; `--limit` tells of more");
    }
    Ok(Exit::Done)
}

/// What is printed of images.
pub(in crate::cli) fn printed(answer: &Value, now: Timestamp) -> Result<String, Failure> {
    let Images { images } = read(answer.clone())?;
    Ok(text(&images, now))
}

fn text(images: &[Image], now: Timestamp) -> String {
    if images.is_empty() {
        return "no images".to_owned();
    }
    let rows: Vec<_> = images.iter().map(|image| row(image, now)).collect();
    table(["IMAGE", "DIGEST", "FLAGS", "REPORTED", "FINDINGS"], &rows)
}

fn row(image: &Image, now: Timestamp) -> [String; 5] {
    let name = match &image.tag {
        Some(tag) => format!("{}:{tag}", image.repository),
        None => image.repository.clone(),
    };
    let findings = match (&image.finding, &image.findings) {
        (Some(finding), _) => {
            let Finding { id, severity, package, version, fixed_in } = finding;
            let fixed = fixed_in.as_ref().map(|fixed| format!(", fixed in {fixed}"));
            format!("{id} ({severity}) in {package} {version}{}", fixed.unwrap_or_default())
        }
        (None, Some(findings)) => counts(findings),
        (None, None) => "-".to_owned(),
    };
    let reported = image.reported_at.map_or_else(|| "none".to_owned(), |at| relative(at, now));
    let flags = if image.flags.is_empty() { "-".to_owned() } else { image.flags.join(",") };
    [name, image.digest.clone(), flags, reported, findings]
}
