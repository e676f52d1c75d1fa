//! Errors as clients read them.

use serde::Serialize;

/// Why a request failed, in the words of the API (spec, "Error Codes") and of docker-registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The blob is not there, as far as the caller may know.
    BlobUnknown,
    /// A chunk or a location does not fit the upload.
    BlobUploadInvalid,
    /// There is no such upload, as far as the caller may know.
    BlobUploadUnknown,
    /// A digest is malformed or is not that of the content.
    DigestInvalid,
    /// A manifest names content that the caller may not read or that does not exist.
    ManifestBlobUnknown,
    /// The manifest cannot be read.
    ManifestInvalid,
    /// The manifest is not there, as far as the caller may know.
    ManifestUnknown,
    /// The repository name breaks the grammar.
    NameInvalid,
    /// The repository is not there, as far as the caller may know.
    NameUnknown,
    /// The body is too long or its length does not fit.
    SizeInvalid,
    /// Signing in would help.
    Unauthorized,
    /// Policy says no.
    Denied,
    /// The registry does not do this.
    Unsupported,
    /// Later, please.
    TooManyRequests,
    /// Something failed inside (docker-registry's).
    Unknown,
    /// Something needed is away (docker-registry's).
    Unavailable,
    /// The tag breaks the grammar (docker-registry's).
    TagInvalid,
    /// The page size `n` is no number (docker-registry's).
    PaginationNumberInvalid,
}

impl ErrorCode {
    /// The code as it stands in an error body.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Denied => "DENIED",
            Self::Unsupported => "UNSUPPORTED",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unknown => "UNKNOWN",
            Self::Unavailable => "UNAVAILABLE",
            Self::TagInvalid => "TAG_INVALID",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
        }
    }

    /// The HTTP status that goes with the code where nothing more particular is known.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::BlobUploadInvalid
            | Self::DigestInvalid
            | Self::ManifestInvalid
            | Self::NameInvalid
            | Self::SizeInvalid
            | Self::TagInvalid
            | Self::PaginationNumberInvalid => 400,
            Self::Unauthorized => 401,
            Self::Denied => 403,
            Self::BlobUnknown
            | Self::BlobUploadUnknown
            | Self::ManifestBlobUnknown
            | Self::ManifestUnknown
            | Self::NameUnknown => 404,
            Self::Unsupported => 405,
            Self::TooManyRequests => 429,
            Self::Unknown => 500,
            Self::Unavailable => 503,
        }
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The body of an error answer (spec, "Error Codes"):
/// `{"errors":[{"code":…,"message":…,"detail":…}]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    errors: [Entry; 1],
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Entry {
    code: ErrorCode,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<serde_json::Value>,
}

impl ErrorBody {
    /// An error with a message for a person. Most clients show the message and nothing else.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { errors: [Entry { code, message: message.into(), detail: None }] }
    }

    /// Adds what a program can use.
    #[must_use]
    pub fn with_detail(mut self, detail: serde_json::Value) -> Self {
        let [entry] = &mut self.errors;
        entry.detail = Some(detail);
        self
    }

    /// The body as JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[expect(clippy::expect_used, reason = "strings and JSON values always serialize")]
        serde_json::to_string(self).expect("strings and JSON values always serialize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_as_the_specification_says() {
        let body = ErrorBody::new(ErrorCode::Denied, "not \"you\"\r\n");
        assert_eq!(body.to_json(), r#"{"errors":[{"code":"DENIED","message":"not \"you\"\r\n"}]}"#);
        let body = body.with_detail(serde_json::json!({"rule": 1}));
        assert_eq!(
            body.to_json(),
            r#"{"errors":[{"code":"DENIED","message":"not \"you\"\r\n","detail":{"rule":1}}]}"#
        );
    }
}
