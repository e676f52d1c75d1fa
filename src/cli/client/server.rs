//! Which gate is meant.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use document::Mistake;
use serde::{Deserialize, Serialize};

use crate::public_url::PublicUrl;

/// The address of a gate: `https://gate.example:5443`, without a port that goes without saying.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::cli) struct Server(String);

/// The text is no address of a gate that a secret may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum InvalidServer {
    #[error("not the address of a gate; write it like `https://gate.example:5443`")]
    Form,
    #[error("over plain http a secret could be read on its way; write https")]
    Plain,
}

impl Server {
    /// Reads what docker and others call a registry: `HOST:PORT`, or a URL with a path.
    ///
    /// # Errors
    /// There is no host in it.
    pub(in crate::cli) fn of_registry(text: &str) -> Result<Self, InvalidServer> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{authority}").parse()
    }

    /// The whole address.
    pub(in crate::cli) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether what is sent there is encrypted.
    pub(super) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// Host and perhaps a port, as images of the gate are named.
    pub(in crate::cli) fn authority(&self) -> &str {
        self.0.split_once("://").map_or(&self.0, |(_, authority)| authority)
    }
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let with_scheme;
        let text = if text.contains("://") {
            text
        } else {
            with_scheme = format!("https://{text}");
            &with_scheme
        };
        let url = PublicUrl::new(text).map_err(|_: Mistake| InvalidServer::Form)?;
        if !url.is_https() && !is_loopback(url.authority().host()) {
            return Err(InvalidServer::Plain);
        }
        let default = if url.is_https() { ":443" } else { ":80" };
        let text = url.as_str();
        Ok(Self(text.strip_suffix(default).unwrap_or(text).to_owned()))
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl TryFrom<String> for Server {
    type Error = InvalidServer;

    fn try_from(text: String) -> Result<Self, InvalidServer> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.0
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_an_address_is_the_same_gate() {
        for text in [
            "https://gate.example:5443",
            "https://Gate.Example:5443/",
            "gate.example:5443",
            "GATE.example:5443",
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.as_str(), "https://gate.example:5443", "{text}");
            assert_eq!(server.authority(), "gate.example:5443");
        }
        for text in ["gate.example", "https://gate.example:443", "gate.example:443/"] {
            assert_eq!(text.parse::<Server>().unwrap().as_str(), "https://gate.example");
        }
    }

    #[test]
    fn registries_are_named_with_and_without_scheme_and_path() {
        for text in [
            "gate.example:5443",
            "https://gate.example:5443",
            "https://gate.example:5443/v2/",
            "gate.example:5443/v1/?x#y",
        ] {
            let server = Server::of_registry(text).unwrap();
            assert_eq!(server.as_str(), "https://gate.example:5443", "{text}");
        }
        assert_eq!(Server::of_registry("[::1]:5443").unwrap().authority(), "[::1]:5443");
        for text in ["", "https://", "/v2/", "a b", "u:p@gate.example", "oci://gate"] {
            assert!(Server::of_registry(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_travel_in_the_clear_on_this_machine_alone() {
        for text in ["http://localhost:5443", "http://127.0.0.2:1", "http://[::1]"] {
            assert!(text.parse::<Server>().is_ok(), "{text}");
        }
        for text in ["http://gate.example:5443", "http://192.0.2.1", "http://localhost.example"] {
            assert_eq!(text.parse::<Server>(), Err(InvalidServer::Plain), "{text}");
        }
    }
}
