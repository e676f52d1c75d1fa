//! Reading the `Authorization` header.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use crate::secret::Secret;

use super::failure::{AuthError, Rejection};

/// What a client shows to say who it is. `Debug` prints none of it: people type passwords where their
/// names belong.
#[derive(Clone)]
pub enum Credentials {
    /// An access token (RFC 6750, section 2.1).
    Bearer(Secret),
    /// A name and a password (RFC 7617).
    Basic {
        /// Everything before the first colon.
        username: String,
        /// Everything after it.
        password: Secret,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Basic { .. } => "Basic",
        })
    }
}

impl Credentials {
    /// Reads them from a request's headers; none where the request has none.
    ///
    /// # Errors
    /// [`AuthError::Malformed`] where there is more than one `Authorization` header or one that
    /// cannot be read, [`AuthError::Invalid`] where its scheme is another.
    pub fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, AuthError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(AuthError::Malformed("there is more than one Authorization header"));
        }
        let text = value
            .to_str()
            .map_err(|_| AuthError::Malformed("the Authorization header is not plain text"))?;
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") {
            Ok(Some(Self::Bearer(Secret::new(rest.to_owned()))))
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(rest).map(Some)
        } else {
            Err(AuthError::Invalid { reason: Rejection::Scheme })
        }
    }
}

fn basic(encoded: &str) -> Result<Credentials, AuthError> {
    const WRONG: AuthError =
        AuthError::Malformed("the Basic credentials are not `name:password` in base64");
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| WRONG)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| WRONG)?;
    let (username, password) = text.split_once(':').ok_or(WRONG)?;
    Ok(Credentials::Basic {
        username: username.to_owned(),
        password: Secret::new(password.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<Credentials>, AuthError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::from_headers(&headers)
    }

    #[test]
    fn no_header_is_no_credential() {
        assert!(matches!(read(&[]), Ok(None)));
    }

    #[test]
    fn two_headers_are_refused_even_when_they_agree() {
        assert!(matches!(read(&["Bearer a", "Bearer a"]), Err(AuthError::Malformed(_))));
    }

    #[test]
    fn the_first_colon_ends_the_name() {
        // `alice:a:b:`
        let Ok(Some(Credentials::Basic { username, password })) = read(&["bAsIc YWxpY2U6YTpiOg=="])
        else {
            panic!("not read")
        };
        assert_eq!((username.as_str(), password.expose()), ("alice", "a:b:"));
    }

    #[test]
    fn schemes_are_read_in_any_case() {
        for value in ["Bearer t", "bearer t", "BEARER  t"] {
            let Ok(Some(Credentials::Bearer(token))) = read(&[value]) else { panic!("{value}") };
            assert_eq!(token.expose(), "t");
        }
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        // Not base64; no colon in it; not UTF-8.
        for value in ["Basic", "Basic ???", "Basic YWxpY2U=", "Basic /zr/"] {
            assert!(matches!(read(&[value]), Err(AuthError::Malformed(_))), "{value}");
        }
    }

    #[test]
    fn another_scheme_is_no_credential_of_ours() {
        assert!(matches!(
            read(&["Digest username=alice"]),
            Err(AuthError::Invalid { reason: Rejection::Scheme })
        ));
    }

    proptest! {
        #[test]
        fn no_value_makes_it_panic(
            scheme in select(vec!["", "Basic ", "Bearer ", "basic"]),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            for rest in [bytes.clone(), STANDARD.encode(&bytes).into_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(&[scheme.as_bytes(), &rest].concat()) {
                    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
                    prop_assert!(!matches!(Credentials::from_headers(&headers), Ok(None)));
                }
            }
        }
    }
}
