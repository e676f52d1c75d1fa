//! `portcullis policy diff --live`.

use http::Method;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::{Gate, GateArguments, block_on, read, with_query};
use super::super::failure::{Exit, Failure};
use super::super::moment::relative;
use super::super::output::OutputArgument;
use super::super::table::table;
use document::Mistake;

/// A request that the two policies decide differently, as the gate reports it.
#[derive(Debug, Deserialize)]
struct Entry {
    subject: String,
    operation: String,
    repository: Option<String>,
    reference: Option<String>,
    decision: String,
    shadow: String,
    shadow_rule: Option<String>,
    shadow_reason: Option<String>,
    count: u64,
    last_seen: Timestamp,
}

/// A page of the report; of the first one, everything counts.
#[derive(Debug, Deserialize)]
struct Page {
    policy_sha256: Option<String>,
    shadow_sha256: Option<String>,
    since: Timestamp,
    requests: u64,
    different: u64,
    more: u64,
    entries: Vec<Value>,
    cursor: Option<String>,
}

/// Prints what the shadow policy of a running gate decided differently.
///
/// # Errors
/// The gate cannot be asked, or compares nothing.
pub(super) fn run(gate: &GateArguments, output: &OutputArgument) -> Result<Exit, Failure> {
    let report = block_on(async { report(&gate.signed_in().await?).await })?;
    let entries: Vec<Entry> = report.entries.iter().cloned().map(read).collect::<Result<_, _>>()?;
    let json = json!({
        "policy_sha256": report.policy_sha256,
        "shadow_sha256": report.shadow_sha256,
        "since": report.since,
        "requests": report.requests,
        "different": report.different,
        "more": report.more,
        "entries": report.entries,
    });
    output.print(&text(&report, &entries, Timestamp::now()), &json)?;
    Ok(if report.different == 0 { Exit::Done } else { Exit::Denied })
}

/// All pages of it.
async fn report(gate: &Gate) -> Result<Page, Failure> {
    if let Gate::InProcess(_) = gate {
        let mistake = Mistake::new("the gate does not run, and keeps no report while it does not");
        let help = "start it, and let some requests come";
        return Err(Failure::new(Exit::Impossible, &mistake.help(help)));
    }
    let mut report = page(gate, None).await?;
    if report.shadow_sha256.is_none() {
        let mistake = Mistake::new("the gate could not use its shadow policy yet");
        let help = "its log says why; `portcullis check` does as well";
        return Err(Failure::new(Exit::Impossible, &mistake.help(help)));
    }
    while let Some(cursor) = report.cursor.take() {
        let next = page(gate, Some(&cursor)).await?;
        // A page without anything on it would go on for ever.
        report.cursor = next.cursor.filter(|_| !next.entries.is_empty());
        report.entries.extend(next.entries);
    }
    Ok(report)
}

async fn page(gate: &Gate, cursor: Option<&str>) -> Result<Page, Failure> {
    let mut query = vec![("limit", "1000")];
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    gate.ask(Method::GET, &with_query("/policy/shadow", &query), None).await
}

fn text(report: &Page, entries: &[Entry], now: Timestamp) -> String {
    let since = relative(report.since, now);
    let Page { requests, different, more, .. } = report;
    let summary = match different {
        0 => return format!("no difference in {requests} requests, begun {since}"),
        _ => format!("{different} of {requests} requests differ, begun {since}"),
    };
    let rows: Vec<_> = entries.iter().map(|entry| row(entry, now)).collect();
    let heads = ["SUBJECT", "OPERATION", "IMAGE", "NOW", "SHADOW", "COUNT", "LAST SEEN", "WHY"];
    let rest = match more {
        0 => String::new(),
        _ => format!("\n… and {more} more requests, for which there was no room"),
    };
    format!("{}{rest}\n\n{summary}", table(heads, &rows))
}

fn row(entry: &Entry, now: Timestamp) -> [String; 8] {
    let image = match (&entry.repository, &entry.reference) {
        (None, _) => String::new(),
        (Some(repository), None) => repository.clone(),
        (Some(repository), Some(digest)) if digest.contains(':') => {
            format!("{repository}@{digest}")
        }
        (Some(repository), Some(tag)) => format!("{repository}:{tag}"),
    };
    let why = match (&entry.shadow_rule, &entry.shadow_reason) {
        (_, Some(reason)) => reason.clone(),
        (Some(rule), None) => format!("rule `{rule}`"),
        (None, None) => String::new(),
    };
    [
        entry.subject.clone(),
        entry.operation.clone(),
        image,
        entry.decision.clone(),
        entry.shadow.clone(),
        entry.count.to_string(),
        relative(entry.last_seen, now),
        why,
    ]
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn page(entries: &Value, more: u64) -> Page {
        read(json!({
            "policy_sha256": "a", "shadow_sha256": "b", "since": "2026-01-02T03:00:00Z",
            "requests": 9, "different": entries.as_array().unwrap().len() as u64 + more,
            "more": more, "entries": entries, "cursor": null,
        }))
        .unwrap()
    }

    fn shown(entries: &Value, more: u64) -> String {
        let page = page(entries, more);
        let entries: Vec<Entry> = page.entries.iter().cloned().map(|v| read(v).unwrap()).collect();
        text(&page, &entries, "2026-01-02T04:00:00Z".parse().unwrap())
    }

    #[test]
    fn each_difference_is_a_row_with_its_reason() {
        let seen = "2026-01-02T03:58:00Z";
        let entries = json!([
            {"subject": "user:alice", "operation": "manifest_read", "repository": "team/app",
             "reference": "v1", "decision": "allow", "shadow": "deny", "shadow_rule": "no-v1",
             "shadow_reason": "rule `no-v1` denies it", "count": 2, "first_seen": seen,
             "last_seen": seen},
            {"subject": "anonymous", "operation": "blob_read", "repository": "team/app",
             "reference": "sha256:00", "decision": "deny", "shadow": "allow", "shadow_rule": "all",
             "shadow_reason": null, "count": 1, "first_seen": seen, "last_seen": seen},
            {"subject": "user:bob", "operation": "catalog", "repository": null,
             "reference": null, "decision": "allow", "shadow": "undecided", "shadow_rule": null,
             "shadow_reason": null, "count": 1, "first_seen": seen, "last_seen": seen},
        ]);
        assert_snapshot!(shown(&entries, 4), @"
        SUBJECT     OPERATION      IMAGE               NOW    SHADOW     COUNT  LAST SEEN      WHY
        user:alice  manifest_read  team/app:v1         allow  deny       2      2 minutes ago  rule `no-v1` denies it
        anonymous   blob_read      team/app@sha256:00  deny   allow      1      2 minutes ago  rule `all`
        user:bob    catalog                            allow  undecided  1      2 minutes ago
        … and 4 more requests, for which there was no room

        7 of 9 requests differ, begun 60 minutes ago
        ");
        assert_snapshot!(shown(&json!([]), 0), @"no difference in 9 requests, begun 60 minutes ago");
    }
}
