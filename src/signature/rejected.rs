//! Why something is no signature by a trusted key.

use super::{MAX_CONTENT, MAX_LAYERS};

/// Why what stands where signatures do is passed over. Nothing of this can be mended by the gate, and
/// none of it counts for or against the image.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// The manifest that should list signatures.
    #[error("the manifest of the signature cannot be read")]
    Manifest(#[source] serde_json::Error),
    /// It is listed, and the registry does not have it.
    #[error("it is listed, but gone")]
    Gone,
    /// Neither of the two forms.
    #[error("it is neither a simple signing payload nor a sigstore bundle of version 0.3")]
    Form,
    /// Beyond [`MAX_CONTENT`].
    #[error("it has more than {MAX_CONTENT} bytes")]
    TooLarge,
    /// Beyond [`MAX_LAYERS`].
    #[error("only the first {MAX_LAYERS} of what is there are looked at")]
    TooMany,
    /// The bytes do not fit the digest that names them.
    #[error("its content is not that of its digest")]
    Content,
    /// No signature beside the payload.
    #[error("the payload has no signature")]
    NoSignature,
    /// The signature, or what it signs, is not base64.
    #[error("it is not base64")]
    Base64,
    /// The payload, the bundle or the statement is not JSON of the expected form.
    #[error("{0} is not of the expected form")]
    Unreadable(Part, #[source] serde_json::Error),
    /// The payload, the envelope or the statement says that it is something else.
    #[error("{0} says that it is something else")]
    Kind(Part),
    /// It attests something of the image, which is not to sign it.
    #[error("it is an attestation, and no signature")]
    Attestation,
    /// An envelope has one signature (sigstore bundle, `dsse_envelope`).
    #[error("the envelope has {0} signatures, where there is to be one")]
    Signatures(usize),
    /// The signature is about something else.
    #[error("it is about another image")]
    OtherImage,
    /// Made with a certificate ("keyless").
    #[error("it was made with a certificate, and not with a key pair")]
    Keyless,
    /// Whoever made it is not trusted, or it was changed since.
    #[error("no trusted key made it")]
    UnknownKey,
}

/// What a [`Rejected`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A simple signing payload.
    Payload,
    /// A sigstore bundle.
    Bundle,
    /// Its DSSE envelope.
    Envelope,
    /// The in-toto statement in that.
    Statement,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Payload => "the payload",
            Self::Bundle => "the bundle",
            Self::Envelope => "the envelope",
            Self::Statement => "the statement",
        })
    }
}
