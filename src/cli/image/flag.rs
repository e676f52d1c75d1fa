//! `portcullis image flag` and `unflag`.

use clap::Args;
use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{read, with_query};
use super::super::failure::{Exit, Failure};
use super::super::moment::moment;
use super::Common;

#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// The flag, as the policy declares it.
    flag: String,
    /// Why, in one line.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Where to read on, such as the run of a CI job.
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// Until when it holds: a time such as 2027-01-31T00:00:00Z, or a duration such as 30d. [default:
    /// as the policy declares]
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RemovalArguments {
    /// REPOSITORY:TAG or REPOSITORY@DIGEST.
    image: String,
    /// The flag.
    flag: String,
    #[command(flatten)]
    common: Common,
}

/// What was done, as the gate tells it.
#[derive(Deserialize)]
struct Done {
    repository: String,
    digest: String,
    flag: Flag,
}

#[derive(Deserialize)]
struct Flag {
    flag: String,
    ends_at: Option<Timestamp>,
}

/// A point in time in a request: a duration is told from a time by its length and letters.
pub(in crate::cli) fn expiry(text: &str) -> (&'static str, &str) {
    if text.contains(['-', ':']) { ("expires_at", text) } else { ("expires_in", text) }
}

pub(super) async fn set(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut body = json!({ "flag": arguments.flag });
    let mut add = |name: &str, value: Option<&str>| {
        if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
            body.insert(name.to_owned(), Value::from(value));
        }
    };
    add("reason", arguments.reason.as_deref());
    add("link", arguments.link.as_deref());
    if let Some((name, value)) = arguments.expires.as_deref().map(expiry) {
        add(name, Some(value));
    }
    let gate = arguments.common.gate.signed_in().await?;
    let path = with_query("/image/flags", &[("ref", &arguments.image)]);
    let answer = gate.call(Method::PUT, &path, Some(&body)).await?;
    arguments.common.output.print(&flagged(&answer, Timestamp::now())?, &answer)?;
    Ok(Exit::Done)
}

/// What is printed of a flag that was set.
pub(in crate::cli) fn flagged(answer: &Value, now: Timestamp) -> Result<String, Failure> {
    let Done { repository, digest, flag } = read(answer.clone())?;
    let until = flag.ends_at.map(|ends| format!(", until {}", moment(ends, now)));
    let until = until.unwrap_or_default();
    Ok(format!("{repository}@{digest} is flagged {}{until}", flag.flag))
}

pub(super) async fn remove(arguments: &RemovalArguments) -> Result<Exit, Failure> {
    let gate = arguments.common.gate.signed_in().await?;
    let query = [("ref", arguments.image.as_str()), ("flag", arguments.flag.as_str())];
    let answer = gate.call(Method::DELETE, &with_query("/image/flags", &query), None).await?;
    arguments.common.output.print(&unflagged(&answer)?, &answer)?;
    Ok(Exit::Done)
}

/// What is printed of one that was taken away.
pub(in crate::cli) fn unflagged(answer: &Value) -> Result<String, Failure> {
    let Done { repository, digest, flag } = read(answer.clone())?;
    Ok(format!("{repository}@{digest} is not flagged {} any more", flag.flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_a_duration() {
        for (text, name) in
            [("2027-01-31T00:00:00Z", "expires_at"), ("4h", "expires_in"), ("30d", "expires_in")]
        {
            assert_eq!(expiry(text), (name, text));
        }
    }
}
