//! `portcullis token list`.

use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{Gate, GateArguments, read, with_query};
use super::super::failure::Failure;
use super::super::moment::{moment, relative};
use super::super::output::OutputArgument;
use super::super::table::table;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Whose; others' are for administrators.
    #[arg(long = "for", value_name = "SUBJECT")]
    subject: Option<String>,
    /// Everybody's, for administrators.
    #[arg(long, conflicts_with = "subject")]
    everyone: bool,
    /// Those too that have ended.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    output: OutputArgument,
}

/// One token, as it is listed.
#[derive(Debug, Deserialize)]
struct Token {
    id: String,
    kind: String,
    subject: String,
    groups: Option<Vec<String>>,
    images: Option<Vec<String>>,
    actions: Option<Vec<String>>,
    audience: Option<String>,
    comment: String,
    made_at: Timestamp,
    made_by: String,
    last_used_at: Option<Timestamp>,
    last_used_from: Option<String>,
    ends_at: Timestamp,
    state: String,
}

#[derive(Deserialize)]
struct Page {
    tokens: Vec<Value>,
    cursor: Option<String>,
}

pub(super) async fn run(arguments: &Arguments, now: Timestamp) -> Result<(), Failure> {
    let gate = arguments.gate.signed_in().await?;
    let tokens = tokens(&gate, arguments).await?;
    let shown: Vec<Token> = tokens.iter().cloned().map(read).collect::<Result<_, _>>()?;
    arguments.output.print(&text(&shown, now), &json!({ "tokens": tokens }))
}

/// All pages of them.
async fn tokens(gate: &Gate, arguments: &Arguments) -> Result<Vec<Value>, Failure> {
    let mut tokens = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut query = Vec::new();
        if let Some(subject) = &arguments.subject {
            query.push(("for", subject.as_str()));
        } else if arguments.everyone || gate.is_local() {
            query.push(("all-subjects", "true"));
        }
        if arguments.all {
            query.push(("all", "true"));
        }
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let page: Page = gate.ask(Method::GET, &with_query("/tokens", &query), None).await?;
        // A page without anything on it would go on for ever.
        let ended = page.tokens.is_empty();
        tokens.extend(page.tokens);
        match page.cursor {
            Some(next) if !ended => cursor = Some(next),
            _ => return Ok(tokens),
        }
    }
}

fn text(tokens: &[Token], now: Timestamp) -> String {
    if tokens.is_empty() {
        return "no tokens".to_owned();
    }
    let rows: Vec<_> = tokens.iter().map(|token| row(token, now)).collect();
    table(["ID", "FOR", "KIND", "MADE", "LAST USED", "ENDS", "LIMITS", "COMMENT"], &rows)
}

fn row(token: &Token, now: Timestamp) -> [String; 8] {
    let made = relative(token.made_at, now);
    let made = match &token.made_by {
        by if *by == token.subject => made,
        by => format!("{made} by {by}"),
    };
    let used = match (token.last_used_at, &token.last_used_from) {
        (None, _) => "never used".to_owned(),
        (Some(at), None) => relative(at, now),
        (Some(at), Some(from)) => format!("{} from {from}", relative(at, now)),
    };
    let ends = match token.state.as_str() {
        "active" => moment(token.ends_at, now),
        "idle" => "ended: not used".to_owned(),
        state => state.to_owned(),
    };
    [
        token.id.clone(),
        token.subject.clone(),
        token.kind.clone(),
        made,
        used,
        ends,
        limits(token),
        token.comment.clone(),
    ]
}

/// What it does not reach of what its subject does.
fn limits(token: &Token) -> String {
    let list = |name: &str, values: &Option<Vec<String>>| {
        let values = values.as_ref()?;
        let values = if values.is_empty() { "none".to_owned() } else { values.join(",") };
        Some(format!("{name}={values}"))
    };
    let limits: Vec<String> = [
        list("groups", &token.groups),
        list("images", &token.images),
        list("actions", &token.actions),
        token.audience.as_ref().map(|audience| format!("at={audience}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if limits.is_empty() { "-".to_owned() } else { limits.join(" ") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn token(changes: &Value) -> Token {
        let mut token = json!({
            "id": "Vu3yJqZ0bQ7mX1nY2kLw4A", "kind": "rotating", "subject": "user:alice",
            "groups": null, "images": null, "actions": null, "audience": null, "comment": "",
            "made_at": "2026-01-01T03:04:05Z", "made_by": "user:alice", "last_used_at": null,
            "last_used_from": null, "ends_at": "2026-04-01T03:04:05Z", "state": "active",
        });
        let changes = changes.as_object().unwrap().clone();
        token.as_object_mut().unwrap().extend(changes);
        read(token).unwrap()
    }

    #[test]
    fn tokens_are_listed_in_columns() {
        let now = "2026-01-02T03:04:05Z".parse().unwrap();
        let tokens = [
            token(&json!({"last_used_at": "2026-01-02T03:00:00Z", "last_used_from": "192.0.2.7"})),
            token(&json!({
                "subject": "service:ci/build", "kind": "access", "groups": [], "actions": ["pull"],
                "images": ["team/backend/**", "base/*"], "audience": "gate-b.example:5443",
                "comment": "nightly\u{1b}[2J\nforged", "made_by": "local:0",
            })),
            token(
                &json!({"kind": "login", "state": "idle", "last_used_at": "2025-11-02T03:00:00Z"}),
            ),
            token(&json!({"state": "revoked"})),
        ];
        assert_snapshot!(text(&tokens, now), @r"
        ID                      FOR               KIND      MADE                     LAST USED                     ENDS                               LIMITS                                                                         COMMENT
        Vu3yJqZ0bQ7mX1nY2kLw4A  user:alice        rotating  24 hours ago             4 minutes ago from 192.0.2.7  2026-04-01 03:04 UTC (in 89 days)  -
        Vu3yJqZ0bQ7mX1nY2kLw4A  service:ci/build  access    24 hours ago by local:0  never used                    2026-04-01 03:04 UTC (in 89 days)  groups=none images=team/backend/**,base/* actions=pull at=gate-b.example:5443  nightly\u{1b}[2J\nforged
        Vu3yJqZ0bQ7mX1nY2kLw4A  user:alice        login     24 hours ago             61 days ago                   ended: not used                    -
        Vu3yJqZ0bQ7mX1nY2kLw4A  user:alice        rotating  24 hours ago             never used                    revoked                            -
        ");
        assert_eq!(text(&[], now), "no tokens");
    }
}
