//! The OCI distribution API as types.
//!
//! Everything that arrives in a request target, a query or a manifest becomes one of these values
//! or an error; nothing else of Portcullis looks at raw text again. The crate is pure: no sockets,
//! clocks or files.
//!
//! References: the OCI distribution specification 1.1 ("spec" in the comments below) and the OCI
//! image specification 1.1.

mod bad_request;
mod digest;
mod error;
mod list;
mod manifest;
mod media_type;
mod mirrors;
mod name;
mod operation;
mod parse;
mod path;
mod query;
mod reference;
mod session;
mod tag;
mod target;

pub use bad_request::{BadRequest, ParameterFault, Undecodable};
pub use digest::{Algorithm, Digest, InvalidDigest};
pub use error::{ErrorBody, ErrorCode};
pub use list::{InvalidList, ListReader};
pub use manifest::{
    Descriptor, DescriptorFault, InvalidManifest, Kind, Manifest, ManifestType, Place, Platform,
    TypeSource,
};
pub use mirrors::Mirrors;
pub use name::{InvalidName, RepositoryName};
pub use operation::{Operation, Page, Read, UploadStart};
pub use reference::{InvalidReference, Reference};
pub use session::{InvalidSession, SessionId};
pub use tag::{InvalidTag, Tag};
