//! `portcullis exception`.

use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, read};
use super::failure::{Exit, Failure};
use super::image::{Common, expiry};
use super::moment::{moment, relative};
use super::table::table;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let an image through a gate for some hours. What the name stands for now is let through, with
    /// all its platforms; a tag that moves takes nothing with it.
    Add(Addition),
    /// Print who broke the glass; those in force first.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Take one back.
    Remove {
        /// Its name, such as `exc_…`.
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
pub(super) struct Addition {
    /// The gate.
    #[arg(long, value_name = "G")]
    gate: String,
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// Until when: a duration such as 4h, or a time such as 2027-01-31T00:00:00Z; at most 72 h.
    #[arg(long, value_name = "WHEN")]
    expires: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Deserialize)]
struct Exception {
    id: String,
    gate: String,
    image: String,
    digests: Vec<String>,
    by: String,
    at: Timestamp,
    expires_at: Timestamp,
    reason: String,
    state: String,
}

#[derive(Deserialize)]
struct Exceptions {
    exceptions: Vec<Exception>,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    client::block_on(async {
        match command {
            Command::Add(addition) => add(addition).await?,
            Command::List { common } => list(common).await?,
            Command::Remove { id, common } => {
                let gate = common.gate.signed_in().await?;
                let path = format!("/exceptions/{}", client::escaped(id));
                let answer = gate.call(Method::DELETE, &path, None).await?;
                common.output.print(&removed(&answer)?, &answer)?;
            }
        }
        Ok(Exit::Done)
    })
}

async fn add(addition: &Addition) -> Result<(), Failure> {
    let Addition { gate: name, image, expires, reason, common } = addition;
    let (field, until) = expiry(expires);
    let body = json!({ "gate": name, "image": image, "reason": reason, field: until });
    let gate = common.gate.signed_in().await?;
    let answer = gate.call(Method::POST, "/exceptions", Some(&body)).await?;
    common.output.print(&added(&answer, Timestamp::now())?, &answer)
}

/// What is printed of one that was made.
pub(in crate::cli) fn added(answer: &Value, now: Timestamp) -> Result<String, Failure> {
    let Exception { id, gate, image, digests, expires_at, .. } = read(answer.clone())?;
    let until = moment(expires_at, now);
    let digests: Vec<_> = digests.iter().map(|digest| format!("\n  {digest}")).collect();
    Ok(format!(
        "{id}: gate {gate} lets {image} through until {until}, as it is now:{}",
        digests.concat()
    ))
}

/// What is printed of one that was taken back.
pub(in crate::cli) fn removed(answer: &Value) -> Result<String, Failure> {
    let Exception { id, gate, image, .. } = read(answer.clone())?;
    Ok(format!("{id} is over: gate {gate} judges {image} again"))
}

async fn list(common: &Common) -> Result<(), Failure> {
    let gate = common.gate.signed_in().await?;
    let answer = gate.call(Method::GET, "/exceptions", None).await?;
    common.output.print(&listed(&answer, Timestamp::now())?, &answer)
}

/// What is printed of all of them.
pub(in crate::cli) fn listed(answer: &Value, now: Timestamp) -> Result<String, Failure> {
    let Exceptions { exceptions } = read(answer.clone())?;
    Ok(text(&exceptions, now))
}

fn text(exceptions: &[Exception], now: Timestamp) -> String {
    if exceptions.is_empty() {
        return "no exceptions".to_owned();
    }
    let row = |it: &Exception| {
        let state = match it.state.as_str() {
            "in force" => format!("until {}", moment(it.expires_at, now)),
            state => state.to_owned(),
        };
        let made = format!("{} {}", it.by, relative(it.at, now));
        [it.id.clone(), it.gate.clone(), it.image.clone(), made, state, it.reason.clone()]
    };
    let rows: Vec<_> = exceptions.iter().map(row).collect();
    table(["ID", "GATE", "IMAGE", "MADE BY", "STATE", "REASON"], &rows)
}
