//! The configuration's `federation[].sign_in`.

use std::fmt;
use std::path::PathBuf;

use document::Mistake;

/// How people sign in to the pages at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// What the gate is called there.
    pub client_id: ClientId,
    /// Holds the secret that the provider gave to the gate; without one, the gate is a public
    /// client, which PKCE alone protects. It is read at each sign-in, so that it may be replaced at
    /// any time.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<Scope>,
    /// What people call the provider.
    pub title: Title,
}

/// A provider at which people can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Our name for it.
    pub name: &'a str,
    /// What people call it.
    pub title: &'a Title,
}

/// The name of a client: 1 to 256 characters of printable ASCII (RFC 6749, appendix A.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientId(String);

/// One scope: printable ASCII without blanks, `"` and `\` (RFC 6749, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

/// What stands on a button: 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Title(String);

impl ClientId {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        if text.trim() != text || text.is_empty() || text.len() > 256 || !text.bytes().all(fits) {
            return Err(Mistake::new("not the id of a client")
                .help("write it as the provider gave it out when the gate was registered there"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As the provider writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scope {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if text.is_empty() || text.len() > 256 || !text.bytes().all(fits) {
            return Err(Mistake::new("not a scope")
                .help("write each on its own, such as `scopes: [profile, groups]`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is asked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Title {
    /// Reads one.
    ///
    /// # Errors
    /// It cannot stand on a button.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let is_long = text.chars().count() > 64;
        if text.trim() != text || text.is_empty() || is_long || text.contains(char::is_control) {
            return Err(Mistake::new("not a title")
                .help("write 1 to 64 characters by which people know the provider"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
