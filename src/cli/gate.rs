//! `portcullis gate`.

use std::io::{self, IsTerminal as _};

use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Gate, read, with_query};
use super::failure::{Exit, Failure};
use super::image::{Common, Verdicts};
use super::moment::moment;
use super::output;
use super::table::table;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the gates of the policy in force.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Print what the gates before an image say to it. The exit code is 1 if it is held.
    Show(ShowArguments),
    /// Print what will be held, and why, if nothing is done. The exit code is 1 if anything is.
    Forecast(ForecastArguments),
}

#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// Only the gates before this caller: `user:NAME`, `service:NAME`, `peer:GATE/NAME` or `anyone`.
    #[arg(long = "as", value_name = "SUBJECT")]
    subject: Option<String>,
    /// A group that the caller is in; may be repeated.
    #[arg(long = "group", value_name = "G", requires = "subject")]
    groups: Vec<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ForecastArguments {
    /// How far ahead.
    #[arg(long, value_name = "D", default_value = "7d")]
    within: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Gates {
    gates: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    gate: String,
    mode: String,
    says: Vec<String>,
    file: String,
    line: usize,
}

#[derive(Deserialize)]
struct Shown {
    repository: String,
    digest: String,
    #[serde(flatten)]
    verdicts: Verdicts,
}

#[derive(Deserialize)]
struct Page {
    until: Timestamp,
    images: usize,
    entries: Vec<Value>,
    cursor: Option<String>,
}

/// All pages together.
#[derive(Deserialize)]
struct All {
    until: Timestamp,
    images: usize,
    entries: Vec<Foreseen>,
}

#[derive(Deserialize)]
struct Foreseen {
    repository: String,
    tag: String,
    gate: Option<String>,
    mode: Option<String>,
    held_at: Option<Timestamp>,
    is_held_now: bool,
    why: String,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    client::block_on(async {
        match command {
            Command::List { common } => list(common).await,
            Command::Show(arguments) => show(arguments).await,
            Command::Forecast(arguments) => forecast(arguments).await,
        }
    })
}

async fn list(common: &Common) -> Result<Exit, Failure> {
    let gate = common.gate.signed_in().await?;
    let answer = gate.call(Method::GET, "/gates", None).await?;
    common.output.print(&listed(&answer)?, &answer)?;
    Ok(Exit::Done)
}

/// What is printed of the gates of the policy.
pub(in crate::cli) fn listed(answer: &Value) -> Result<String, Failure> {
    let Gates { gates } = read(answer.clone())?;
    Ok(gates_text(&gates))
}

fn gates_text(gates: &[Listed]) -> String {
    if gates.is_empty() {
        return "no gates".to_owned();
    }
    let one = |gate: &Listed| {
        let Listed { gate: name, mode, says, file, line } = gate;
        let says: Vec<_> = says.iter().map(|line| format!("  {line}")).collect();
        format!("{name} ({mode}, {file}:{line})\n{}", says.join("\n"))
    };
    gates.iter().map(one).collect::<Vec<_>>().join("\n\n")
}

async fn show(arguments: &ShowArguments) -> Result<Exit, Failure> {
    let groups = arguments.groups.join(",");
    let mut query = vec![("ref", arguments.image.as_str())];
    query.extend(arguments.subject.as_deref().map(|subject| ("subject", subject)));
    if !groups.is_empty() {
        query.push(("groups", &groups));
    }
    let gate = arguments.common.gate.signed_in().await?;
    let answer = gate.call(Method::GET, &with_query("/image/gates", &query), None).await?;
    let (text, held) = verdicts(&answer, Timestamp::now())?;
    arguments.common.output.print(&text, &answer)?;
    Ok(if held { Exit::Denied } else { Exit::Done })
}

/// What is printed of what gates say to an image, and whether a pull is held.
pub(in crate::cli) fn verdicts(answer: &Value, now: Timestamp) -> Result<(String, bool), Failure> {
    let Shown { repository, digest, verdicts } = read(answer.clone())?;
    let lines: Vec<_> = verdicts.lines(now).iter().map(|line| format!("\n  {line}")).collect();
    let text = format!("{repository}@{digest}: {}{}", verdicts.answer(), lines.concat());
    Ok((text, verdicts.held))
}

async fn forecast(arguments: &ForecastArguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let (images, until, entries) = all(&gate, &arguments.within).await?;
    let json = json!({ "until": until, "images": images, "entries": entries });
    arguments.common.output.print(&forecasted(&json, Timestamp::now())?, &json)?;
    Ok(if entries.is_empty() { Exit::Done } else { Exit::Denied })
}

/// What is printed of all parts of a forecast.
pub(in crate::cli) fn forecasted(all: &Value, now: Timestamp) -> Result<String, Failure> {
    let All { until, images, entries } = read(all.clone())?;
    Ok(foreseen_text(&entries, images, until, now))
}

/// All pages, with a word for whoever watches.
async fn all(gate: &Gate, within: &str) -> Result<(usize, Timestamp, Vec<Value>), Failure> {
    let (mut images, mut entries, mut cursor) = (0, Vec::new(), None::<String>);
    loop {
        let mut query = vec![("within", within)];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let path = with_query("/gates/forecast", &query);
        let page: Page = gate.ask(Method::GET, &path, None).await?;
        images += page.images;
        entries.extend(page.entries);
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok((images, page.until, entries));
        }
        if io::stderr().is_terminal() {
            output::aside(&format!("{images} images looked at …"));
        }
    }
}

fn foreseen_text(entries: &[Foreseen], images: usize, until: Timestamp, now: Timestamp) -> String {
    let summary = format!("{images} tags behind gates, until {}", moment(until, now));
    if entries.is_empty() {
        return format!("nothing will be held: {summary}");
    }
    let rows: Vec<_> = entries.iter().map(|entry| row(entry, now)).collect();
    format!("{}\n\n{summary}", table(["IMAGE", "GATE", "HELD", "WHY"], &rows))
}

fn row(entry: &Foreseen, now: Timestamp) -> [String; 4] {
    let gate = match (&entry.gate, entry.mode.as_deref()) {
        (Some(gate), Some("audit")) => format!("{gate} (audit)"),
        (Some(gate), _) => gate.clone(),
        (None, _) => String::new(),
    };
    let when = match entry.held_at {
        None => "unknown".to_owned(),
        Some(_) if entry.is_held_now => "now".to_owned(),
        Some(at) => moment(at, now),
    };
    [format!("{}:{}", entry.repository, entry.tag), gate, when, entry.why.clone()]
}
