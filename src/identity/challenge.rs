//! What a client needs to log in.

use std::fmt;

use http::HeaderValue;
use oci::RepositoryName;

use crate::public_url::PublicUrl;

/// A `WWW-Authenticate` value (RFC 6750, section 3; the Docker token specification). It is built
/// from the configuration and from validated names, never from a header of the request.
#[derive(Debug, Clone, Copy)]
pub struct Challenge<'a> {
    /// Where to go, and what to name there.
    pub issuer: &'a PublicUrl,
    /// What to ask for; nothing for `/v2/`.
    pub scope: Option<&'a Scope>,
    /// What is wrong with the token that came; nothing where none came.
    pub complaint: Option<Complaint>,
}

/// The one scope of a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// To read.
    Pull(RepositoryName),
    /// To write. With `pull`, as some clients never ask for more than the first challenge named.
    Push(RepositoryName),
    /// To remove. With `pull`, as clients look at what they remove.
    Delete(RepositoryName),
    /// To list the catalogue.
    Catalog,
}

/// What is wrong with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// It is expired, revoked, or not ours.
    InvalidToken,
    /// Another token would help. docker and podman then hide the text of the answer, so not for a
    /// denial.
    InsufficientScope,
}

impl Challenge<'_> {
    /// The header's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        // An issuer, a scope and a complaint are made of visible characters, so this cannot fail.
        HeaderValue::try_from(self.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer"))
    }
}

impl fmt::Display for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, scope, complaint } = self;
        write!(f, r#"Bearer realm="{}",service="{}""#, issuer.realm(), issuer.service())?;
        if let Some(scope) = scope {
            write!(f, r#",scope="{scope}""#)?;
        }
        match complaint {
            None => Ok(()),
            Some(Complaint::InvalidToken) => f.write_str(r#",error="invalid_token""#),
            Some(Complaint::InsufficientScope) => f.write_str(r#",error="insufficient_scope""#),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(name) => write!(f, "repository:{name}:pull"),
            Self::Push(name) => write!(f, "repository:{name}:pull,push"),
            Self::Delete(name) => write!(f, "repository:{name}:pull,delete"),
            Self::Catalog => f.write_str("registry:catalog:*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(scope: Option<&Scope>, complaint: Option<Complaint>) -> String {
        let issuer = PublicUrl::new("https://gate.example:5443").unwrap();
        let header = Challenge { issuer: &issuer, scope, complaint }.header();
        header.to_str().unwrap().to_owned()
    }

    #[test]
    fn every_parameter_is_quoted_and_there_is_one_scope() {
        let name = || RepositoryName::new("team/app").unwrap();
        insta::assert_snapshot!(
            value(None, None),
            @r#"Bearer realm="https://gate.example:5443/token",service="gate.example:5443""#
        );
        insta::assert_snapshot!(
            value(Some(&Scope::Pull(name())), Some(Complaint::InvalidToken)),
            @r#"Bearer realm="https://gate.example:5443/token",service="gate.example:5443",scope="repository:team/app:pull",error="invalid_token""#
        );
        insta::assert_snapshot!(
            value(Some(&Scope::Push(name())), Some(Complaint::InsufficientScope)),
            @r#"Bearer realm="https://gate.example:5443/token",service="gate.example:5443",scope="repository:team/app:pull,push",error="insufficient_scope""#
        );
        insta::assert_snapshot!(
            value(Some(&Scope::Delete(name())), None),
            @r#"Bearer realm="https://gate.example:5443/token",service="gate.example:5443",scope="repository:team/app:pull,delete""#
        );
        insta::assert_snapshot!(
            value(Some(&Scope::Catalog), None),
            @r#"Bearer realm="https://gate.example:5443/token",service="gate.example:5443",scope="registry:catalog:*""#
        );
    }
}
