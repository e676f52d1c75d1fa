//! Asking a scanner: the client of the Harbor pluggable scanner API, versions 1.1 and 1.2.
//!
//! An adapter in front of a scanner is told which manifest to pull, from where and with what
//! credential; it is asked now and then until it has a report. It is the administrator's, but what it
//! says is not believed blindly: all is bounded in time and in bytes, no redirect is followed, and a
//! report must be of the image that was asked for.

mod adapter;
mod error;
mod metadata;
mod poll;
mod request;

pub use adapter::{Adapter, AdapterUrl, Answer, Settings};
pub use error::Error;
pub use metadata::{Metadata, RegistryAuthorization, ReportType};
pub use poll::{LONGEST, scan};
pub use request::{Pull, ScanRequest, ScanRequestId};

#[cfg(test)]
mod tests;
