//! The address that clients see.

use std::fmt;

use document::Mistake;
use http::Uri;

use super::authority;

/// An origin such as `https://gate.example:5443`, from which realm, issuer and links are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    scheme: usize,
}

impl PublicUrl {
    /// Reads an origin: scheme, host and perhaps a port; nothing behind them but one slash.
    pub(super) fn new(text: &str) -> Result<Self, Mistake> {
        let wrong = || {
            Mistake::new("not the address of a gate")
                .help("write scheme, host and port alone, such as `https://gate.example:5443`")
        };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let origin = format!("{scheme}://{authority}");
        let is_origin = text == origin || text.strip_suffix('/') == Some(&origin);
        if !is_origin || !authority::is_plain(authority) || !matches!(scheme, "http" | "https") {
            return Err(wrong());
        }
        Ok(Self { origin: origin.to_ascii_lowercase(), scheme: scheme.len() })
    }

    /// The whole origin, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Host and port as written: the `service` of challenges, the audience of tokens.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.origin.get(self.scheme + "://".len()..).unwrap_or_default()
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
        assert_eq!(url.authority(), "gate.example:5443");
        assert!(url.is_https());
        assert_eq!(PublicUrl::new("http://[::1]:80").unwrap().authority(), "[::1]:80");
    }

    #[test]
    fn anything_more_is_refused() {
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
        ] {
            assert!(PublicUrl::new(text).is_err(), "{text}");
        }
    }
}
