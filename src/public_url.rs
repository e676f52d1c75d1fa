//! The address that clients see.

use std::fmt;

use document::Mistake;
use http::Uri;
use http::uri::Authority;

use crate::authority;

/// An origin such as `https://gate.example:5443`, from which realm, issuer and links are built. It
/// is taken from the configuration and never from a header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    authority: Authority,
}

impl PublicUrl {
    /// Reads an origin: scheme, host and perhaps a port; nothing behind them but one slash.
    ///
    /// # Errors
    /// The text is anything else. What passes can stand between quotes in a header.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let wrong = || {
            Mistake::new("not the address of a gate")
                .help("write scheme, host and port alone, such as `https://gate.example:5443`")
        };
        let written = text.to_ascii_lowercase();
        let origin = written.strip_suffix('/').unwrap_or(&written);
        let uri: Uri = origin.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let is_origin = origin == format!("{scheme}://{authority}");
        if !is_origin || !authority::is_plain(authority) || !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        Ok(Self { authority: authority.clone(), origin: origin.to_owned() })
    }

    /// The whole origin, without a slash at its end: the `iss` of our tokens.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Host and port as written.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The same as a name: the `service` of our challenges, the `aud` of our tokens.
    #[must_use]
    pub fn service(&self) -> &str {
        self.authority.as_str()
    }

    /// Where tokens are made, the `realm` of our challenges.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("{}/token", self.origin)
    }

    /// Whether clients come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_perhaps_a_port() {
        let url = PublicUrl::new("https://Gate.example:5443/").unwrap();
        assert_eq!(url.as_str(), "https://gate.example:5443");
        assert_eq!(url.service(), "gate.example:5443");
        assert_eq!(url.realm(), "https://gate.example:5443/token");
        assert!(url.is_https());
        assert_eq!(PublicUrl::new("http://[::1]:80").unwrap().service(), "[::1]:80");
    }

    #[test]
    fn anything_more_and_what_could_leave_its_quotes_is_refused() {
        for text in [
            "",
            "gate.example",
            "gate.example:5443",
            "https://",
            "https://gate.example/v2",
            "https://gate.example//",
            "https://gate.example?x",
            "https://gate.example/#x",
            "https://gate.example#x",
            "https://user@gate.example",
            "ftp://gate.example",
            "https://gate.example:x",
            "https://ga te",
            "https:///",
            "https://gate\"",
            "https://gate\r\nX: y",
            "https://gäte",
        ] {
            assert!(PublicUrl::new(text).is_err(), "{text}");
        }
    }
}
