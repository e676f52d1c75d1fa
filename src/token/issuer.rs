//! The name under which the gate makes and takes tokens.

/// Who makes the tokens and for whom, both taken from the configured public URL and never from a
/// header of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    public_url: String,
    service: String,
}

/// Why a public URL cannot be the gate's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Another scheme, or none.
    #[error("`{0}` must start with `https://` (or `http://`)")]
    Scheme(String),
    /// Nothing behind the scheme.
    #[error("`{0}` names no host")]
    NoHost(String),
    /// A path, query, fragment, user or a character that does not belong in a host.
    #[error(
        "`{0}` must be a scheme, a host and perhaps a port, such as `https://gate.example:5443`"
    )]
    NotAnOrigin(String),
}

impl Issuer {
    /// Takes the gate's public URL: scheme, host and perhaps a port. A single `/` at its end is
    /// dropped.
    ///
    /// # Errors
    /// Says what is wrong with the URL. What passes can stand between quotes in a header.
    pub fn new(public_url: &str) -> Result<Self, InvalidUrl> {
        let owned = || public_url.to_owned();
        let url = public_url.strip_suffix('/').unwrap_or(public_url);
        let host = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or_else(|| InvalidUrl::Scheme(owned()))?;
        if host.is_empty() {
            return Err(InvalidUrl::NoHost(owned()));
        }
        let belongs = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if !host.chars().all(belongs) {
            return Err(InvalidUrl::NotAnOrigin(owned()));
        }
        Ok(Self { public_url: url.to_owned(), service: host.to_owned() })
    }

    /// The `iss` of our tokens; no slash at its end.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The `aud` of our tokens and the `service` of our challenges: host and port, as in the URL.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Where tokens are made, the `realm` of our challenges.
    #[must_use]
    pub fn realm(&self) -> String {
        format!("{}/token", self.public_url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_the_host_with_its_port() {
        let issuer = Issuer::new("https://gate.example:5443/").unwrap();
        assert_eq!(issuer.public_url(), "https://gate.example:5443");
        assert_eq!(issuer.service(), "gate.example:5443");
        assert_eq!(issuer.realm(), "https://gate.example:5443/token");
        assert_eq!(Issuer::new("https://[::1]:5443").unwrap().service(), "[::1]:5443");
    }

    #[test]
    fn what_could_leave_its_quotes_is_refused() {
        for url in [
            "",
            "gate.example",
            "ftp://gate.example",
            "https://",
            "https:///",
            "https://gate\"",
            "https://gate\r\nX: y",
            "https://gate/path",
            "https://user@gate",
            "https://gate?x",
            "https://gäte",
        ] {
            assert!(Issuer::new(url).is_err(), "{url:?}");
        }
    }
}
