//! `portcullis service`.

use clap::{Args, Subcommand};
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{self, Gate, GateArguments, read};
use super::failure::{Exit, Failure};
use super::moment::moment;
use super::output::OutputArgument;
use super::table::table;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a service: a name that tokens are made for, such as `ci/build`, which is not a person's.
    Add {
        #[command(flatten)]
        one: One,
    },
    /// Refuse a service, and all tokens that it has, without forgetting about it.
    Disable {
        #[command(flatten)]
        one: One,
    },
    /// Accept a disabled service again.
    Enable {
        #[command(flatten)]
        one: One,
    },
    /// Print all services.
    List {
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// Its name, without `service:`.
    name: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    output: OutputArgument,
}

/// One service, as it is listed.
#[derive(Debug, Deserialize)]
struct Service {
    name: String,
    disabled: bool,
    made_at: Timestamp,
}

#[derive(Deserialize)]
struct Services {
    services: Vec<Service>,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    client::block_on(async {
        match command {
            Command::Add { one } => {
                let body = json!({ "name": one.name });
                one.send(Method::POST, &body, "added").await?;
            }
            Command::Disable { one } => one.set_disabled(true, "disabled").await?,
            Command::Enable { one } => one.set_disabled(false, "enabled").await?,
            Command::List { common } => {
                let gate = common.gate.signed_in().await?;
                let answer = gate.call(Method::GET, "/services", None).await?;
                let services: Services = read(answer.clone())?;
                common.output.print(&text(&services.services, Timestamp::now()), &answer)?;
            }
        }
        Ok(Exit::Done)
    })
}

impl One {
    async fn set_disabled(&self, disabled: bool, what: &str) -> Result<(), Failure> {
        let body = json!({ "name": self.name, "disabled": disabled });
        self.send(Method::PATCH, &body, what).await
    }

    async fn send(&self, method: Method, body: &Value, what: &str) -> Result<(), Failure> {
        let gate: Gate = self.common.gate.signed_in().await?;
        gate.call(method, "/services", Some(body)).await?;
        let text = format!("service {} {what}", self.name);
        self.common.output.print(&text, &json!({ "name": self.name }))
    }
}

fn text(services: &[Service], now: Timestamp) -> String {
    if services.is_empty() {
        return "no services".to_owned();
    }
    let row = |service: &Service| {
        let state = if service.disabled { "disabled" } else { "enabled" };
        [service.name.clone(), state.to_owned(), moment(service.made_at, now)]
    };
    table(["NAME", "STATE", "ADDED"], &services.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn services_are_listed_in_columns() {
        let services: Services = read(json!({ "services": [
            {"name": "ci/build", "disabled": false, "made_at": "2026-01-02T03:04:05Z"},
            {"name": "mirror", "disabled": true, "made_at": "2025-11-02T03:04:05Z"},
        ]}))
        .unwrap();
        let now = "2026-01-02T08:04:05Z".parse().unwrap();
        assert_snapshot!(text(&services.services, now), @"
        NAME      STATE     ADDED
        ci/build  enabled   2026-01-02 03:04 UTC (5 hours ago)
        mirror    disabled  2025-11-02 03:04 UTC (61 days ago)
        ");
        assert_eq!(text(&[], now), "no services");
    }
}
