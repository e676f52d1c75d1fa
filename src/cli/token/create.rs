//! `portcullis token create` and `refresh`: what shows the values of tokens.

use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::client::{GateArguments, Refreshed, read};
use super::super::failure::Failure;
use super::super::moment::moment;
use super::super::output::OutputArgument;
use super::super::secret_input::SecretSource;
use super::super::table::facts;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// For whom, such as `service:ci/build`; without it, for yourself.
    #[arg(long = "for", value_name = "SUBJECT")]
    subject: Option<String>,
    /// A group that it carries; may be repeated. Without it, all that the subject has.
    #[arg(long = "group", value_name = "G")]
    groups: Vec<String>,
    /// Images that it reaches, such as `team/backend/**`; may be repeated. Without it, all.
    #[arg(long, value_name = "PATTERN")]
    images: Vec<String>,
    /// What it may do, such as `pull,push`. Without it, everything.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    actions: Vec<String>,
    /// How long it lives, such as `8h`; of a refreshable one, each of its access tokens.
    #[arg(long, value_name = "D")]
    expires: String,
    /// Make a refresh token as well.
    #[arg(long)]
    refreshable: bool,
    /// The gate that it is for, as host and port, if it is not this one.
    #[arg(long, value_name = "GATE")]
    audience: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "T")]
    comment: Option<String>,
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    output: OutputArgument,
}

/// What the gate tells of a token that it made, beyond its values.
#[derive(Debug, Default, Deserialize)]
struct Made {
    subject: String,
    groups: Option<Vec<String>>,
    images: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    audience: Option<String>,
    ends_at: Option<Timestamp>,
}

pub(super) async fn run(arguments: &Arguments, now: Timestamp) -> Result<(), Failure> {
    let gate = arguments.gate.signed_in().await?;
    let answer = gate.call(Method::POST, "/tokens", Some(&order(arguments))).await?;
    let made: Made = read(answer.clone())?;
    show(&read(answer)?, &made, &arguments.output, now)
}

pub(super) async fn refresh(
    value: &SecretSource,
    gate: &GateArguments,
    output: &OutputArgument,
    now: Timestamp,
) -> Result<(), Failure> {
    let gate = gate.anyone().await?;
    let body = json!({ "refresh_token": value.read("--value")?.expose() });
    let tokens: Refreshed = gate.ask(Method::POST, "/refresh", Some(&body)).await?;
    show(&tokens, &Made::default(), output, now)
}

/// The request: only what was said, so that the gate's own defaults hold for the rest.
fn order(arguments: &Arguments) -> Value {
    let mut order = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            order.insert(name.to_owned(), value);
        }
    };
    let list = |values: &[String]| (!values.is_empty()).then(|| json!(values));
    let text = |value: &Option<String>| value.as_ref().map(|value| json!(value));
    put("for", text(&arguments.subject));
    put("groups", list(&arguments.groups));
    put("images", list(&arguments.images));
    put("actions", list(&arguments.actions));
    put("expires", Some(json!(arguments.expires)));
    put("refreshable", arguments.refreshable.then_some(Value::Bool(true)));
    put("audience", text(&arguments.audience));
    put("comment", text(&arguments.comment));
    Value::Object(order)
}

fn show(
    tokens: &Refreshed,
    made: &Made,
    output: &OutputArgument,
    now: Timestamp,
) -> Result<(), Failure> {
    output.print(&text(tokens, made, now), tokens)
}

fn text(tokens: &Refreshed, made: &Made, now: Timestamp) -> String {
    let list = |values: &Option<Vec<String>>| match values {
        None => String::new(),
        Some(values) if values.is_empty() => "none".to_owned(),
        Some(values) => values.join(", "),
    };
    let refresh_token = tokens.refresh_token.as_ref();
    let ends = made.ends_at.filter(|_| refresh_token.is_some());
    let facts = facts(&[
        ("id", tokens.id.clone()),
        ("for", made.subject.clone()),
        ("groups", list(&made.groups)),
        ("images", list(&made.images)),
        ("actions", list(&made.actions)),
        ("at", made.audience.clone().unwrap_or_default()),
        ("expires", moment(tokens.expires_at, now)),
        ("refreshable until", ends.map(|ends| moment(ends, now)).unwrap_or_default()),
        ("access token", tokens.access_token.expose().to_owned()),
        ("refresh token", refresh_token.map(|t| t.expose().to_owned()).unwrap_or_default()),
    ]);
    let note = match refresh_token {
        None => "The token is shown this once.",
        Some(_) => {
            "The tokens are shown this once. Each refresh gives another refresh token: keep the new \
             one."
        }
    };
    format!("{facts}\n{note}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use insta::assert_snapshot;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn ordered(line: &str) -> String {
        order(&Line::parse_from(line.split(' ')).arguments).to_string()
    }

    #[test]
    fn only_what_was_said_is_ordered() {
        assert_snapshot!(ordered("create --expires 8h"), @r#"{"expires":"8h"}"#);
        let line = "create --for service:ci/build --group ci --group qa --images team/a/** \
                    --images team/b --actions pull,push --expires 8h --refreshable \
                    --audience gate-b.example:5443 --comment build";
        assert_snapshot!(ordered(line), @r#"{"actions":["pull","push"],"audience":"gate-b.example:5443","comment":"build","expires":"8h","for":"service:ci/build","groups":["ci","qa"],"images":["team/a/**","team/b"],"refreshable":true}"#);
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn shown(answer: &Value) -> String {
        let made = read(answer.clone()).unwrap();
        text(&read(answer.clone()).unwrap(), &made, at("2026-01-02T03:04:05Z"))
    }

    #[test]
    fn what_was_made_is_shown_with_its_limits() {
        let mut answer = json!({
            "id": "Vu3yJqZ0bQ7mX1nY2kLw4A", "kind": "rotating", "subject": "service:ci/build",
            "groups": ["ci"], "images": ["team/backend/**", "base/*"], "actions": ["pull", "push"],
            "audience": "gate-b.example:5443", "comment": "build", "made_by": "user:alice",
            "made_at": "2026-01-02T03:04:05Z", "access_token": "eyJ.x.y",
            "refresh_token": "pcr_z", "expires_at": "2026-01-02T11:04:05Z",
            "ends_at": "2026-04-02T03:04:05Z",
        });
        assert_snapshot!(shown(&answer), @"
        id                 Vu3yJqZ0bQ7mX1nY2kLw4A
        for                service:ci/build
        groups             ci
        images             team/backend/**, base/*
        actions            pull, push
        at                 gate-b.example:5443
        expires            2026-01-02 11:04 UTC (in 8 hours)
        refreshable until  2026-04-02 03:04 UTC (in 90 days)
        access token       eyJ.x.y
        refresh token      pcr_z
        The tokens are shown this once. Each refresh gives another refresh token: keep the new one.
        ");
        let plain = json!({
            "groups": [], "images": null, "actions": null, "audience": null, "refresh_token": null,
            "ends_at": "2026-01-02T11:04:05Z",
        });
        let plain = plain.as_object().unwrap().clone();
        answer.as_object_mut().unwrap().extend(plain);
        assert_snapshot!(shown(&answer), @"
        id            Vu3yJqZ0bQ7mX1nY2kLw4A
        for           service:ci/build
        groups        none
        expires       2026-01-02 11:04 UTC (in 8 hours)
        access token  eyJ.x.y
        The token is shown this once.
        ");
        let tokens: Refreshed = read(answer).unwrap();
        let json = serde_json::to_string(&tokens).unwrap();
        assert_snapshot!(json, @r#"{"id":"Vu3yJqZ0bQ7mX1nY2kLw4A","access_token":"eyJ.x.y","refresh_token":null,"expires_at":"2026-01-02T11:04:05Z"}"#);
    }

    #[test]
    fn a_refresh_shows_the_new_values() {
        let tokens = Refreshed {
            id: "Vu3yJqZ0bQ7mX1nY2kLw4A".to_owned(),
            ..read(json!({
                "id": "", "access_token": "eyJ.x.y", "refresh_token": "pcr_z",
                "expires_at": "2026-01-02T04:04:05Z",
            }))
            .unwrap()
        };
        let text = text(&tokens, &Made::default(), at("2026-01-02T03:04:05Z"));
        assert_snapshot!(text, @"
        id             Vu3yJqZ0bQ7mX1nY2kLw4A
        expires        2026-01-02 04:04 UTC (in 60 minutes)
        access token   eyJ.x.y
        refresh token  pcr_z
        The tokens are shown this once. Each refresh gives another refresh token: keep the new one.
        ");
    }
}
