//! `portcullis keys`.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use super::output::OutputArgument;
use crate::config::Config;
use crate::token::{KeyAlgorithm, KeyFolder, KeyState, ListedKey};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print the keys that sign tokens, and those that still check them.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Make a key that signs from now on. The old ones check what they signed until it has expired.
    Rotate {
        /// `ed25519` or `es256`; without it, as the key that signs now.
        #[arg(long, value_name = "NAME")]
        algorithm: Option<KeyAlgorithm>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    output: OutputArgument,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    let now = Timestamp::now();
    match command {
        Command::List { common } => {
            let keys = listed(&Config::load(&common.config.config)?, now)?;
            common.output.print(&list(&keys), &list_json(&keys))?;
        }
        Command::Rotate { algorithm, common } => {
            let config = Config::load(&common.config.config)?;
            let algorithm = match algorithm {
                Some(algorithm) => *algorithm,
                None => as_before(&listed(&config, now)?),
            };
            let made = KeyFolder::rotate(&config.signing_keys, algorithm, now)?;
            let keys = listed(&config, now)?;
            let key = keys.iter().find(|key| key.path == made);
            let (kid, algorithm) = key.map_or(("", ""), |key| (&key.kid, key.algorithm));
            let file = made.display();
            common.output.print(
                &format!(
                    "key {kid} ({algorithm}) signs from now on\n\
                     file: {file}\n\
                     gates that serve take it up within a second"
                ),
                &json!({ "kid": kid, "algorithm": algorithm, "file": file.to_string() }),
            )?;
        }
    }
    Ok(Exit::Done)
}

fn listed(config: &Config, now: Timestamp) -> Result<Vec<ListedKey>, Failure> {
    Ok(KeyFolder::list(&config.signing_keys, config.tokens.verify_for(), now)?)
}

/// Whoever checks tokens elsewhere may know no other algorithm than the one in use.
fn as_before(keys: &[ListedKey]) -> KeyAlgorithm {
    match keys.last() {
        Some(key) if key.algorithm == "ES256" => KeyAlgorithm::Es256,
        _ => KeyAlgorithm::Ed25519,
    }
}

fn list(keys: &[ListedKey]) -> String {
    let names: Vec<_> = keys.iter().map(|key| file_name(&key.path)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0);
    let lines: Vec<String> = keys
        .iter()
        .zip(&names)
        .map(|(key, name)| {
            let made = key.made.map_or_else(|| "-".to_owned(), |made| made.to_string());
            let ListedKey { kid, algorithm, .. } = key;
            format!("{kid}  {algorithm}  {name:width$}  {made:20}  {}", state(key.state))
        })
        .collect();
    if lines.is_empty() { "no keys".to_owned() } else { lines.join("\n") }
}

fn state(state: KeyState) -> String {
    match state {
        KeyState::Signing => "signing".to_owned(),
        KeyState::Verifying(Some(until)) => format!("verifying until {until}"),
        KeyState::Verifying(None) => "verifying while its file is there".to_owned(),
        KeyState::Retired => "retired, its file may be removed".to_owned(),
    }
}

fn list_json(keys: &[ListedKey]) -> Value {
    keys.iter()
        .map(|key| {
            let (state, until) = match key.state {
                KeyState::Signing => ("signing", None),
                KeyState::Verifying(until) => ("verifying", until),
                KeyState::Retired => ("retired", None),
            };
            json!({
                "kid": key.kid,
                "algorithm": key.algorithm,
                "file": key.path.display().to_string(),
                "made_at": key.made,
                "state": state,
                "until": until,
            })
        })
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn key(name: &str, algorithm: &'static str, made: Option<&str>, state: KeyState) -> ListedKey {
        ListedKey {
            kid: format!("kid-of-{}", &name[..1]),
            algorithm,
            path: format!("keys/{name}").into(),
            made: made.map(|made| made.parse().unwrap()),
            state,
        }
    }

    fn keys() -> Vec<ListedKey> {
        let until = "2026-05-03T03:04:35Z".parse().unwrap();
        vec![
            key("mine.pem", "ES256", None, KeyState::Verifying(None)),
            key("a.pem", "EdDSA", Some("2025-01-02T03:04:05Z"), KeyState::Retired),
            key("b.pem", "EdDSA", Some("2026-01-02T03:04:05Z"), KeyState::Verifying(Some(until))),
            key("c.pem", "EdDSA", Some("2026-02-02T03:04:05Z"), KeyState::Signing),
        ]
    }

    #[test]
    fn keys_are_listed_in_columns() {
        assert_snapshot!(list(&keys()), @"
        kid-of-m  ES256  mine.pem  -                     verifying while its file is there
        kid-of-a  EdDSA  a.pem     2025-01-02T03:04:05Z  retired, its file may be removed
        kid-of-b  EdDSA  b.pem     2026-01-02T03:04:05Z  verifying until 2026-05-03T03:04:35Z
        kid-of-c  EdDSA  c.pem     2026-02-02T03:04:05Z  signing
        ");
        assert_snapshot!(list_json(&keys()[2..3]), @r#"[{"algorithm":"EdDSA","file":"keys/b.pem","kid":"kid-of-b","made_at":"2026-01-02T03:04:05Z","state":"verifying","until":"2026-05-03T03:04:35Z"}]"#);
        assert_eq!(list(&[]), "no keys");
    }

    #[test]
    fn a_new_key_is_of_the_algorithm_in_use() {
        let of = |algorithm| [key("a.pem", algorithm, None, KeyState::Signing)];
        assert_eq!(as_before(&of("ES256")), KeyAlgorithm::Es256);
        assert_eq!(as_before(&of("EdDSA")), KeyAlgorithm::Ed25519);
        assert_eq!(as_before(&[]), KeyAlgorithm::Ed25519);
    }
}
