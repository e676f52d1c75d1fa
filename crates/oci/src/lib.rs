//! The OCI distribution API as types.
//!
//! Everything that arrives in a request target, a query or a manifest becomes one of these values
//! or an error; nothing else of Portcullis looks at raw text again. The crate is pure: no sockets,
//! clocks or files.
//!
//! References: the OCI distribution specification 1.1 ("spec" in the comments below) and the OCI
//! image specification 1.1.

mod digest;
mod name;
mod operation;
mod reference;
mod tag;

pub use digest::{Algorithm, Digest, InvalidDigest};
pub use name::{InvalidName, RepositoryName};
pub use operation::{Operation, Page, Read, SessionId, UploadStart};
pub use reference::{InvalidReference, Reference};
pub use tag::{InvalidTag, Tag};
