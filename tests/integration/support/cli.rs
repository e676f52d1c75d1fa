//! The gate's own command line, as somebody runs it who is not on its machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::api::text;
use super::gate::{Gate, portcullis};
use super::process::{Said, program};

/// Somebody with a token, and the gate's address.
pub(crate) struct Cli {
    folder: TempDir,
    with: Vec<String>,
}

impl Cli {
    /// The token is one that this user makes for an hour.
    pub(crate) fn of(gate: &Gate, user: &str) -> Self {
        let made = gate.basic(user).post("/api/v1/tokens", &json!({"expires": "1h"}));
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        fs::write(&token, text(&made.expect(201).json(), "access_token")).unwrap();
        let (server, ca) = (format!("https://{}", gate.name()), gate.ca());
        let (token, ca) = (token.display().to_string(), ca.display().to_string());
        let with = ["--server", &server, "--ca", &ca, "--token", &token];
        let with = with.map(str::to_owned).to_vec();
        Self { folder, with }
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(portcullis().args(arguments).args(&self.with))
    }

    /// What it prints for programs.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--output", "json"]].concat()).ok();
        serde_json::from_str(&said.out).expect(&said.out)
    }

    /// On a terminal, which shows everything that it prints.
    pub(crate) fn on_a_terminal(&self, arguments: &[&str]) -> Said {
        let mut line = vec![env!("CARGO_BIN_EXE_portcullis")];
        line.extend(arguments);
        line.extend(self.with.iter().map(String::as_str));
        // None of these words holds anything that a shell would take for its own.
        let mut command = Command::new(program("script", "bsdutils"));
        command.args(["--quiet", "--return", "--command", &line.join(" "), "/dev/null"]);
        Said::of(command.env("NO_COLOR", "1"))
    }

    /// A file to hand in.
    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}
