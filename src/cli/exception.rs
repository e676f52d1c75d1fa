//! `portcullis exception`.

use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

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
                let Exception { gate, image, .. } = read(answer.clone())?;
                let text = format!("{id} is over: gate {gate} judges {image} again");
                common.output.print(&text, &answer)?;
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
    let Exception { id, digests, expires_at, .. } = read(answer.clone())?;
    let until = moment(expires_at, Timestamp::now());
    let digests = digests.join("\n");
    let text = format!("{id}: gate {name} lets {image} through, until {until}\n{digests}");
    common.output.print(&text, &answer)
}

async fn list(common: &Common) -> Result<(), Failure> {
    let gate = common.gate.signed_in().await?;
    let answer = gate.call(Method::GET, "/exceptions", None).await?;
    let Exceptions { exceptions } = read(answer.clone())?;
    common.output.print(&text(&exceptions, Timestamp::now()), &answer)
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
