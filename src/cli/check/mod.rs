//! `portcullis check`.

mod policies;
mod scanner;
mod state;
mod upstream;

use std::path::Path;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use crate::certificate;
use crate::config::Config;
use crate::identity::users::{Source, User};
use crate::policy_folder;
use crate::token::{KeyFolder, KeyState};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    output: OutputArgument,
}

/// One thing that was looked at: what is good about it, or what is wrong.
struct Finding {
    what: &'static str,
    result: Result<String, Failure>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let findings = findings(&arguments.config.config);
    let json = json!({ "checks": findings.iter().map(Finding::json).collect::<Vec<_>>() });
    let text: Vec<String> = findings.iter().map(Finding::text).collect();
    arguments.output.print(&text.join("\n"), &json)?;
    Ok(worst(&findings))
}

/// Wrong input outweighs an upstream that is away: it is what the caller can mend.
fn worst(findings: &[Finding]) -> Exit {
    let exits = findings.iter().filter_map(|finding| finding.result.as_ref().err());
    let exits: Vec<Exit> = exits.map(|failure| failure.exit).collect();
    match exits.iter().min() {
        Some(exit) => *exit,
        None => Exit::Done,
    }
}

fn findings(path: &Path) -> Vec<Finding> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(error) => return vec![Finding { what: "configuration", result: Err(error.into()) }],
    };
    let mut findings = vec![
        Finding { what: "configuration", result: Ok(path.display().to_string()) },
        Finding { what: "certificate", result: certificate(&config, Timestamp::now()) },
        Finding { what: "signing keys", result: keys(&config, Timestamp::now()) },
        Finding { what: "policies", result: policies::check(&config) },
    ];
    if let Some(folder) = &config.shadow_policies {
        findings.push(Finding { what: "shadow policy", result: policies::read(folder) });
    }
    findings.extend([
        Finding { what: "users", result: users(&config) },
        Finding { what: "state", result: state::check(&config.state) },
        Finding { what: "upstream", result: upstream::check(&config.upstream) },
    ]);
    if let Some(settings) = &config.scanner {
        findings.push(Finding { what: "scanner", result: scanner::check(&settings.adapter) });
        // Its mistakes are told once.
        if policy_folder::load(&config.policies).is_ok() {
            findings.push(Finding { what: "scans", result: scanner::rights(&config.policies) });
        }
    }
    findings
}

/// That the pair fits was seen when the configuration was read; what is left is its end.
fn certificate(config: &Config, now: Timestamp) -> Result<String, Failure> {
    let Some(tls) = &config.tls else {
        return Ok("none: no listener has TLS on".to_owned());
    };
    let path = tls.certificate.display();
    let chain = certificate::read_chain(&tls.certificate)?;
    let end = certificate::not_after(&tls.certificate, &chain)?;
    let left = end.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Err(certificate::Error::Ended { path: tls.certificate.clone(), end }.into());
    }
    Ok(format!("{path}, until {} ({} days)", end.strftime("%Y-%m-%d"), left.as_hours() / 24))
}

/// What the first start makes is not missing yet.
fn keys(config: &Config, now: Timestamp) -> Result<String, Failure> {
    let folder = &config.signing_keys;
    let path = folder.display();
    if !folder.exists() {
        return Ok(format!("{path}, made at the first start"));
    }
    let keys = KeyFolder::check(folder, config.tokens.verify_for(), now)?;
    let verifying = keys.iter().filter(|key| matches!(key.state, KeyState::Verifying(_))).count();
    let old = if verifying == 0 { String::new() } else { format!(" and {verifying} older") };
    match keys.last() {
        None => Ok(format!("{path}, made at the first start")),
        Some(key) => Ok(format!("{path}, {} ({}){old}", key.kid, key.algorithm)),
    }
}

fn users(config: &Config) -> Result<String, Failure> {
    let files = config.user_files();
    let texts = files.read()?;
    let users = files.parse(&texts)?;
    let in_file = |path: &Path, source| {
        let enabled = |user: &User| user.source == source && !user.disabled;
        let count = users.iter().filter(|(_, user)| enabled(user)).count();
        format!("{}, {count} enabled", path.display())
    };
    let mut told = Vec::new();
    if texts.users.is_some() {
        told.push(in_file(&files.users, Source::Users));
    }
    if let Some(path) = &files.htpasswd {
        told.push(in_file(path, Source::Htpasswd));
    }
    if !users.in_both().is_empty() {
        told.push(format!(
            "in both, so that the users file counts: {}",
            users.in_both().join(", ")
        ));
    }
    Ok(told.join("; "))
}

impl Finding {
    fn text(&self) -> String {
        match &self.result {
            Ok(good) => format!("ok     {:13}  {good}", self.what),
            Err(failure) => format!("error  {}\n{}", self.what, indented(failure.text(false))),
        }
    }

    fn json(&self) -> Value {
        let (ok, message) = match &self.result {
            Ok(good) => (true, good.as_str()),
            Err(failure) => (false, failure.text(false)),
        };
        json!({ "what": self.what, "ok": ok, "message": message })
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(|line| format!("       {line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
