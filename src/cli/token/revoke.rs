//! `portcullis token revoke`.

use clap::Args;
use document::Mistake;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::GateArguments;
use super::super::failure::Failure;
use super::super::output::OutputArgument;
use super::super::secret_input::SecretSource;
use crate::token::TokenId;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    what: What,
    /// Only what began at or before this time, such as `2026-01-02T03:04:05Z`; without it, until
    /// now.
    #[arg(long, value_name = "T", conflicts_with_all = ["id", "value"])]
    before: Option<Timestamp>,
    #[command(flatten)]
    gate: GateArguments,
    #[command(flatten)]
    output: OutputArgument,
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The id of a token, as `portcullis token list` shows it.
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: Option<TokenId>,
    /// A file with the token itself, or `-` for the standard input. Whoever has it may revoke it.
    #[arg(long, value_name = "FILE|-")]
    value: Option<SecretSource>,
    /// Everything of a subject; others' is for administrators.
    #[arg(long = "for", value_name = "SUBJECT")]
    subject: Option<String>,
    /// Everything of everyone, for administrators.
    #[arg(long)]
    everything: bool,
}

#[derive(Deserialize)]
struct Revoked {
    revoked: u64,
}

pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let what = &arguments.what;
    if let Some(id) = &what.id {
        let gate = arguments.gate.signed_in().await?;
        gate.call(Method::DELETE, &format!("/tokens/{id}"), None).await?;
        return arguments.output.print(&format!("revoked {id}"), &json!({ "revoked": 1 }));
    }
    let (gate, body) = if let Some(value) = &what.value {
        if value.is_stdin() && arguments.gate.takes_stdin() {
            let mistake = Mistake::new("the standard input cannot be both tokens");
            return Err(Failure::input(&mistake.help("put one of them in a file")));
        }
        let value = value.read("--value")?;
        (arguments.gate.anyone().await?, json!({ "value": value.expose() }))
    } else {
        (arguments.gate.signed_in().await?, order(what, arguments.before))
    };
    let answer = gate.ask::<Revoked>(Method::POST, "/tokens/revoke", Some(&body)).await?;
    let text = text(what, answer.revoked);
    arguments.output.print(&text, &json!({ "revoked": answer.revoked }))
}

fn order(what: &What, before: Option<Timestamp>) -> Value {
    let mut order = match &what.subject {
        Some(subject) => json!({ "subject": subject }),
        None => json!({ "everything": true }),
    };
    if let (Some(before), Some(order)) = (before, order.as_object_mut()) {
        order.insert("before".to_owned(), json!(before));
    }
    order
}

/// Access tokens without a family of their own are not counted by anybody.
fn text(what: &What, revoked: u64) -> String {
    match revoked {
        0 if what.value.is_some() => {
            "nothing to revoke: the token holds no more, or another gate made it".to_owned()
        }
        0 => "revoked; nothing that is listed was among it".to_owned(),
        1 => "revoked 1 token, and what came from it".to_owned(),
        several => format!("revoked {several} tokens, and what came from them"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use insta::assert_snapshot;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn line(line: &str) -> Result<Line, clap::Error> {
        Line::try_parse_from(line.split(' '))
    }

    #[test]
    fn exactly_one_thing_is_revoked() {
        for good in [
            "revoke Vu3yJqZ0bQ7mX1nY2kLw4A",
            "revoke -Vu3yJqZ0bQ7mX1nY2kLw4",
            "revoke --value -",
            "revoke --for user:alice",
            "revoke --for user:alice --before 2026-01-02T03:04:05Z",
            "revoke --everything",
        ] {
            assert!(line(good).is_ok(), "{good}: {:?}", line(good));
        }
        for bad in [
            "revoke",
            "revoke ../users",
            "revoke Vu3yJqZ0bQ7mX1nY2kLw4A --for user:alice",
            "revoke --for user:alice --everything",
            "revoke --value - --before 2026-01-02T03:04:05Z",
            "revoke --everything --before yesterday",
        ] {
            assert!(line(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_order_says_until_when() {
        let ordered = |text: &str| {
            let arguments = line(text).unwrap().arguments;
            order(&arguments.what, arguments.before).to_string()
        };
        assert_snapshot!(ordered("revoke --for user:alice"), @r#"{"subject":"user:alice"}"#);
        assert_snapshot!(ordered("revoke --everything --before 2026-01-02T03:04:05Z"), @r#"{"before":"2026-01-02T03:04:05Z","everything":true}"#);
    }

    #[test]
    fn what_was_revoked_is_counted() {
        let told = |text: &str, revoked| super::text(&line(text).unwrap().arguments.what, revoked);
        let of_alice = |revoked| told("revoke --for user:alice", revoked);
        assert_snapshot!([0, 1, 2].map(of_alice).join("\n"), @"
        revoked; nothing that is listed was among it
        revoked 1 token, and what came from it
        revoked 2 tokens, and what came from them
        ");
        assert_snapshot!(told("revoke --value -", 0), @"nothing to revoke: the token holds no more, or another gate made it");
    }
}
