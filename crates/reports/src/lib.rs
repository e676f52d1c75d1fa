//! Reports of vulnerability scanners, read into one model.
//!
//! [`read`] recognizes a report by its content: Trivy's JSON (schema 2), Grype's JSON, CycloneDX 1.4
//! to 1.7 with vulnerabilities, Harbor's scanner report 1.0 and 1.1, and OSV-Scanner's JSON. Each is
//! read leniently, as scanners add members with each version, but what a decision depends on must be
//! understood, or the report is refused with the place. Pure: no sockets, clocks or files.

mod cyclonedx;
mod finding;
mod grype;
mod harbor;
mod lenient;
mod names;
mod osv_scanner;
mod package_url;
mod read;
mod report;
mod room;
mod severity;
mod trivy;
pub mod vex;

pub use finding::{Cvss, CvssVersion, Finding, Package, Status};
pub use names::VulnerabilityId;
pub use package_url::PackageUrl;
pub use read::{Limits, Refused, read};
pub use report::{About, Format, Report, Scanner};
pub use severity::{Severity, UnknownSeverity};
