//! The admin API, as commands use it: over the network, or on the gate's own machine.

mod answer;
mod arguments;
mod fresh;
mod https;
mod in_process;
mod kept;
mod local;
mod logins;
mod rotating;
mod server;
mod sign_in;
mod socket;

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use bytes::Bytes;
use document::Mistake;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(super) use arguments::GateArguments;
pub(super) use fresh::{fresh_token, refresh_now};
pub(super) use https::{Credential, Https};
pub(super) use in_process::InProcess;
pub(super) use kept::Kept;
pub(super) use logins::{Login, LoginsFile};
pub(super) use rotating::Refreshed;
pub(super) use server::Server;
pub(super) use sign_in::{adopt, sign_in, sign_out};
pub(super) use socket::Socket;

use super::failure::{Exit, Failure};
use super::output;

/// What goes with a request.
#[derive(Debug)]
pub(super) struct Payload {
    /// Its media type.
    kind: &'static str,
    bytes: Bytes,
}

const JSON: &str = "application/json";

/// A gate that can be asked.
#[derive(Debug)]
pub(super) enum Gate {
    /// At an address.
    Https(Https),
    /// On this machine, while it serves.
    Socket(Socket),
    /// On this machine, while it does not serve: its state alone.
    InProcess(InProcess),
}

impl Gate {
    /// One request of the admin API; `path` is what follows `/api/v1`.
    ///
    /// # Errors
    /// The gate refused, or could not be asked.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| Payload { kind: JSON, bytes: body.to_string().into() });
        self.exchange(method, path, body).await
    }

    /// The same with a document of whatever kind, as it is.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub(super) async fn hand_in(&self, path: &str, bytes: Bytes) -> Result<Value, Failure> {
        let payload = Payload { kind: "application/octet-stream", bytes };
        self.exchange(Method::PUT, path, Some(payload)).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Payload>,
    ) -> Result<Value, Failure> {
        let path = format!("/api/v1{path}");
        match self {
            Self::Https(gate) => {
                let answer = while_waiting(gate.name(), gate.send(method, &path, body)).await?;
                answer.result(gate.name(), &gate.unsigned())
            }
            Self::Socket(gate) => {
                let name = gate.name();
                let answer = while_waiting(&name, gate.send(method, &path, body)).await?;
                answer.result(&name, "")
            }
            Self::InProcess(gate) => {
                let answer = gate.send(method, &path, body).await?;
                answer.result("the gate", "")
            }
        }
    }

    /// The same, where the answer has a known form.
    ///
    /// # Errors
    /// As [`Self::call`], or the answer has another form.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        let answer = self.call(method, path, body).await?;
        read(answer)
    }

    /// Whether whoever asks is an administrator because they are on the gate's own machine, and is
    /// no subject of it.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Socket(_) | Self::InProcess(_))
    }
}

/// Understands what a gate answered.
///
/// # Errors
/// It answered something else.
pub(super) fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Failure> {
    serde_json::from_value(answer).map_err(|_| {
        let mistake = Mistake::new("the gate answers something unexpected");
        Failure::new(Exit::Impossible, &mistake.help("is it a gate of another version?"))
    })
}

/// A path with its query.
pub(super) fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut whole = path.to_owned();
    for (at, (name, value)) in pairs.iter().enumerate() {
        whole.push(if at == 0 { '?' } else { '&' });
        whole.push_str(name);
        whole.push('=');
        whole += &escaped(value);
    }
    whole
}

/// A value in its place in a path or a query.
pub(super) fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for byte in value.bytes() {
        // RFC 3986, section 2.3: what needs no escape anywhere.
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// Runs what a command does over the network.
///
/// # Errors
/// Those of the command; or the system has no means for it.
pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::impossible(&error))?;
    runtime.block_on(command)
}

/// Says whom it waits for, if that takes long and somebody is watching.
async fn while_waiting<T>(whom: &str, answer: impl Future<Output = T>) -> T {
    tokio::pin!(answer);
    tokio::select! {
        answer = &mut answer => return answer,
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
    if io::stderr().is_terminal() {
        output::aside(&format!("waiting for {whom} …"));
    }
    answer.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_leaves_its_place_in_a_query() {
        assert_eq!(with_query("/tokens", &[]), "/tokens");
        assert_eq!(
            with_query("/tokens", &[("for", "service:a b&c=d/$+@é%"), ("all", "true")]),
            "/tokens?for=service%3Aa%20b%26c%3Dd%2F%24%2B%40%C3%A9%25&all=true"
        );
    }
}
