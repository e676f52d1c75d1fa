//! Where an upstream may send us, and where not.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, LOCATION, RANGE,
    USER_AGENT,
};
use http::uri::{Scheme, Uri};
use http::{HeaderMap, StatusCode};

use super::{Error, Origin};

/// How many redirects in a row are followed.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Where an answer points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirected {
    /// The origin that serves it.
    pub origin: Origin,
    /// Path and query there.
    pub target: String,
    /// The whole, as the upstream gave it.
    pub location: String,
}

/// The headers of a request that say what is wanted, and nothing else.
pub(super) fn conditions(headers: &HeaderMap) -> HeaderMap {
    let wanted =
        [ACCEPT, ACCEPT_ENCODING, RANGE, IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, USER_AGENT];
    let mut conditions = HeaderMap::new();
    for name in wanted {
        for value in headers.get_all(&name) {
            conditions.append(name.clone(), value.clone());
        }
    }
    conditions
}

/// Whether the answer is a redirect of one of the kinds that say where to look instead (RFC 9110
/// §15.4).
pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl Redirected {
    /// Reads `Location`, absolute or relative to `origin`.
    pub(super) fn read(origin: &Origin, headers: &HeaderMap) -> Result<Self, Error> {
        let location = headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .ok_or(Error::Redirect("it names no place"))?;
        let uri: Uri = location.parse().map_err(|_| Error::Redirect("its place is not a URL"))?;
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let origin = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) => {
                if authority.as_str().contains('@') {
                    return Err(Error::Redirect("its place contains credentials"));
                }
                let tls = if *scheme == Scheme::HTTPS {
                    true
                } else if *scheme == Scheme::HTTP {
                    false
                } else {
                    return Err(Error::Redirect("its place is neither http nor https"));
                };
                Origin { tls, authority: authority.clone() }
            }
            (None, None) if target.starts_with('/') => origin.clone(),
            _ => return Err(Error::Redirect("its place is not a whole URL")),
        };
        Ok(Self { origin, target, location: location.to_owned() })
    }
}
