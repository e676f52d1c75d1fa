//! Why a request is none.

use crate::{
    ErrorBody, ErrorCode, InvalidDigest, InvalidName, InvalidReference, InvalidSession, InvalidTag,
};

/// A request target that means nothing here. It is answered without asking anybody else.
///
/// The message names the place and never repeats the value of a query parameter, as people put
/// secrets there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// A character that no address of the API has, such as `%`, `;` or `\`.
    #[error(
        "the path has a character that no repository, tag or digest has; \
         write names plainly, without percent-encoding"
    )]
    Character,
    /// Two slashes in a row, a slash at the end, or `.` and `..`.
    #[error("the path has an empty, `.` or `..` segment; write the address without it")]
    Segment,
    /// An address that the API does not have.
    #[error(
        "this is no address of the registry API; \
         it has /v2/REPOSITORY/manifests, blobs, tags/list and referrers"
    )]
    NotFound,
    /// The address exists, but not with this method.
    #[error("this method does nothing at this address; use {allow}")]
    MethodNotAllowed {
        /// For the `Allow` header.
        allow: &'static str,
    },
    /// The repository name in the path.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The tag in the path of a write.
    #[error(transparent)]
    Tag(#[from] InvalidTag),
    /// The tag in the path of a read: nothing can be there.
    #[error("no manifest can be here: {0}")]
    NoSuchTag(InvalidTag),
    /// The digest in the path.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// The session in the path of an upload.
    #[error(transparent)]
    Session(#[from] InvalidSession),
    /// The query is not form-urlencoded, so not even a parameter's name can be read.
    #[error("the query cannot be read: {0}")]
    Query(Undecodable),
    /// A parameter that this operation does not have.
    #[error("the parameter `{name}` has no meaning here; leave it out")]
    UnknownParameter {
        /// Its name, or a replacement if it is long or unprintable.
        name: String,
    },
    /// A parameter stands there twice.
    #[error("the parameter `{name}` is given more than once; give it once")]
    RepeatedParameter {
        /// Its name.
        name: &'static str,
    },
    /// A parameter's value.
    #[error("the parameter `{name}` cannot be used: {fault}")]
    Parameter {
        /// Its name.
        name: &'static str,
        /// What is wrong with the value.
        fault: ParameterFault,
    },
    /// A parameter that the operation cannot do without.
    #[error("the parameter `{name}` is missing")]
    MissingParameter {
        /// Its name.
        name: &'static str,
    },
    /// Two parameters that say different things.
    #[error("the parameters `{0}` and `{1}` contradict each other; give one of them")]
    Contradiction(&'static str, &'static str),
}

/// What is wrong with a parameter's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterFault {
    /// It is not form-urlencoded.
    #[error(transparent)]
    Undecodable(Undecodable),
    /// Not a digest, or not an algorithm.
    #[error(transparent)]
    Digest(InvalidDigest),
    /// Not a tag.
    #[error(transparent)]
    Tag(InvalidTag),
    /// A tag where there is one in the path already.
    #[error("further tags need a digest in the path")]
    TagBesideTag,
    /// More tags than anybody sets at once.
    #[error("at most {0} tags can be set at once")]
    TooManyTags(usize),
    /// Not a repository.
    #[error("it is no repository name")]
    Name,
    /// Not a page size.
    #[error("it is no number")]
    Number,
    /// Not a text that could name anything.
    #[error("it is empty, too long or has unprintable characters")]
    Text,
    /// Not a position that the gate sealed.
    #[error("it is not from an answer of this registry")]
    Cursor,
    /// A namespace that is not mirrored here.
    #[error("this registry is no mirror for that namespace")]
    Namespace,
    /// Parameters that only go with another one.
    #[error("it goes only with `{0}`")]
    Without(&'static str),
}

/// Why a part of a query cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// A character that must be percent-encoded (RFC 3986 §3.4), or `;`, which some read as `&`.
    #[error("it has a character that must be percent-encoded")]
    Character,
    /// `%` without two hexadecimal digits.
    #[error("a `%` is not followed by two hexadecimal digits")]
    Percent,
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8")]
    Utf8,
}

impl From<InvalidReference> for BadRequest {
    fn from(error: InvalidReference) -> Self {
        match error {
            InvalidReference::Tag(error) => Self::Tag(error),
            InvalidReference::Digest(error) => Self::Digest(error),
        }
    }
}

impl BadRequest {
    /// The HTTP status: 400, 404 or 405.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound | Self::NoSuchTag(_) | Self::Session(_) => 404,
            Self::MethodNotAllowed { .. } => 405,
            _ => 400,
        }
    }

    /// The code for the error body.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Character | Self::Segment | Self::Name(_) => ErrorCode::NameInvalid,
            Self::Tag(_) => ErrorCode::TagInvalid,
            Self::NoSuchTag(_) => ErrorCode::ManifestUnknown,
            Self::Digest(_) | Self::MissingParameter { .. } => ErrorCode::DigestInvalid,
            Self::Session(_) => ErrorCode::BlobUploadUnknown,
            Self::Parameter { fault, .. } => fault.code(),
            Self::NotFound
            | Self::MethodNotAllowed { .. }
            | Self::Query(_)
            | Self::UnknownParameter { .. }
            | Self::RepeatedParameter { .. }
            | Self::Contradiction(..) => ErrorCode::Unsupported,
        }
    }

    /// The methods for the `Allow` header of a 405.
    #[must_use]
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed { allow } => Some(allow),
            _ => None,
        }
    }

    /// The answer's body.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        ErrorBody::new(self.code(), self.to_string())
    }
}

impl ParameterFault {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Digest(_) => ErrorCode::DigestInvalid,
            Self::Tag(_) | Self::TagBesideTag | Self::TooManyTags(_) => ErrorCode::TagInvalid,
            Self::Name | Self::Namespace => ErrorCode::NameInvalid,
            Self::Number => ErrorCode::PaginationNumberInvalid,
            Self::Undecodable(_) | Self::Text | Self::Cursor | Self::Without(_) => {
                ErrorCode::Unsupported
            }
        }
    }
}
