//! Whether the scanner answers as an adapter does, and can do what is needed.

use std::path::Path;

use document::Mistake;
use policy::{Action, Caller};

use super::super::failure::{Exit, Failure};
use crate::log::Causes;
use crate::policy_folder;
use crate::release::{SCANNER, scanner};
use crate::scanner::{Adapter, Settings};

pub(super) fn check(settings: &Settings) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::impossible(&error))?;
    let adapter = Adapter::new(settings).map_err(|error| Failure::impossible(&error))?;
    let metadata = runtime.block_on(adapter.metadata()).map_err(|error| {
        let help = "start the scanner's adapter, or mend `scanner` in the configuration";
        Failure::new(Exit::Impossible, &Mistake::new(Causes(&error).to_string()).help(help))
    })?;
    let version = metadata.version.map(|version| format!(" {version}")).unwrap_or_default();
    let report = metadata.report.media_type();
    Ok(format!("{} answers: {}{version}, reports as {report}", settings.url, metadata.name))
}

/// Whether the policy lets it pull what gates hold back, without which nothing is scanned.
pub(super) fn rights(folder: &Path) -> Result<String, Failure> {
    let policy = policy_folder::load(folder)?.policy;
    let caller = Caller::new(scanner(), Vec::new());
    let mut told = Vec::new();
    for action in [Action::Pull, Action::Inspect] {
        let rules = policy.rules_allowing(&caller, action);
        let Some(rule) = rules.first() else { return Err(shut_out(action)) };
        let more = rules.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        told.push(format!("{action} by rule `{}`{more}", rule.name));
    }
    Ok(format!("service:{SCANNER}: {}", told.join(", ")))
}

fn shut_out(action: Action) -> Failure {
    let text = format!("no rule lets service:{SCANNER} {action} anything, so nothing is scanned");
    let rule = format!(
        "{{name: scans, subjects: [\"service:{SCANNER}\"], images: [\"**\"], allow: [pull, inspect]}}"
    );
    Failure::new(
        Exit::Input,
        &Mistake::new(text).help(format!("add a rule to the policy: `{rule}`")),
    )
}
