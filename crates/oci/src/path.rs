//! What the path of a request addresses.

use crate::BadRequest;
use crate::session::is_unreserved;

/// An address of the API. The parts are still text, but text without any character or segment that
/// two readers could understand in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource<'a> {
    Ping,
    Catalog,
    Manifest { name: &'a str, reference: &'a str },
    Blob { name: &'a str, digest: &'a str },
    Uploads { name: &'a str },
    Upload { name: &'a str, session: &'a str },
    Tags { name: &'a str },
    Referrers { name: &'a str, digest: &'a str },
}

impl<'a> Resource<'a> {
    /// Reads a raw path. Names are read from the end: whatever stands before the last two or three
    /// segments is the repository, even if it has the words `blobs` or `manifests` in it.
    pub(crate) fn read(path: &'a str) -> Result<Self, BadRequest> {
        if path == "/v2" || path == "/v2/" {
            return Ok(Self::Ping);
        }
        let rest = path.strip_prefix("/v2/").ok_or(BadRequest::NotFound)?;
        if !rest.bytes().all(|byte| is_unreserved(byte) || matches!(byte, b'/' | b':')) {
            return Err(BadRequest::Character);
        }
        // The one address that is written with a slash at its end.
        if let Some(name) = rest.strip_suffix("/blobs/uploads/") {
            check_segments(name)?;
            return Ok(Self::Uploads { name });
        }
        check_segments(rest)?;
        if rest == "_catalog" {
            return Ok(Self::Catalog);
        }
        let (before, last) = rest.rsplit_once('/').ok_or(BadRequest::NotFound)?;
        let (name, kind) = before.rsplit_once('/').ok_or(BadRequest::NotFound)?;
        match (kind, last) {
            ("manifests", reference) => Ok(Self::Manifest { name, reference }),
            ("blobs", "uploads") => Ok(Self::Uploads { name }),
            ("blobs", digest) => Ok(Self::Blob { name, digest }),
            ("tags", "list") => Ok(Self::Tags { name }),
            ("referrers", digest) => Ok(Self::Referrers { name, digest }),
            ("uploads", session) => {
                let name = name.strip_suffix("/blobs").ok_or(BadRequest::NotFound)?;
                Ok(Self::Upload { name, session })
            }
            _ => Err(BadRequest::NotFound),
        }
    }
}

/// Refuses what a server could remove or merge before it routes.
fn check_segments(path: &str) -> Result<(), BadRequest> {
    if path.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
        return Err(BadRequest::Segment);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_end() {
        let cases = [
            (
                "/v2/a/blobs/uploads/manifests/x",
                Resource::Manifest { name: "a/blobs/uploads", reference: "x" },
            ),
            ("/v2/a/manifests/tags/list", Resource::Tags { name: "a/manifests" }),
            (
                "/v2/manifests/manifests/list",
                Resource::Manifest { name: "manifests", reference: "list" },
            ),
            ("/v2/a/tags/list/blobs/uploads/", Resource::Uploads { name: "a/tags/list" }),
            ("/v2/a/blobs/uploads/blobs/uploads", Resource::Uploads { name: "a/blobs/uploads" }),
            ("/v2/a/blobs/uploads/uploads", Resource::Upload { name: "a", session: "uploads" }),
            (
                "/v2/blobs/uploads/blobs/uploads/s",
                Resource::Upload { name: "blobs/uploads", session: "s" },
            ),
            ("/v2/uploads/blobs/d", Resource::Blob { name: "uploads", digest: "d" }),
            ("/v2/referrers/referrers/d", Resource::Referrers { name: "referrers", digest: "d" }),
        ];
        for (path, resource) in cases {
            assert_eq!(Resource::read(path), Ok(resource), "{path}");
        }
    }

    #[test]
    fn an_address_without_a_repository_is_none() {
        for path in ["/v2/manifests/x", "/v2/tags/list", "/v2/blobs/uploads", "/v2/a", "/v2/a/b/c"]
        {
            assert_eq!(Resource::read(path), Err(BadRequest::NotFound), "{path}");
        }
        assert_eq!(Resource::read("/v2//blobs/uploads/"), Err(BadRequest::Segment));
        assert_eq!(Resource::read("/v2/blobs/uploads/"), Err(BadRequest::Segment));
    }
}
