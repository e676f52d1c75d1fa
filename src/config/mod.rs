//! The configuration file: as written, then resolved into what the parts of the gate run on.

mod federation;
mod resolved;
mod scanner;
mod sign_in;
mod state;
mod trust;
mod trusted_keys;
mod units;
mod upstream;
mod variables;
mod written;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use document::{Diagnostics, Kind, Mistake, Problems, SourceFile};

pub use policy::{InvalidNetwork, Network};
pub use resolved::{Config, LogFormat};
pub use scanner::ScannerSettings;
pub(crate) use units::duration;

use crate::files;

/// Larger than any configuration that a person keeps.
const MAX_SIZE: u64 = (CONFIGURATION.max_mib as u64) << 20;

const CONFIGURATION: Kind = Kind {
    name: "the configuration",
    max_mib: 1,
    too_large: "is this the right file?",
    second_document: "keep one document, without `---` in its middle",
    instead_of_anchors: "write the value out wherever it is meant",
    secret_keys: &["password", "client_secret"],
};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than 1 MiB.
    #[error("the configuration {} is larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    /// The file has mistakes.
    #[error(transparent)]
    Invalid(#[from] Diagnostics),
}

/// Says what is wrong with an upstream's address, if anything is.
///
/// # Errors
/// As it would be reported for `upstream.url`.
pub fn check_upstream(url: &str) -> Result<(), Mistake> {
    upstream::origin(url).map(|_| ())
}

/// The address of the management listener that the file at `path` names, whatever else is wrong
/// with the file: a gate that runs on its last good configuration can still be asked how it is.
///
/// # Errors
/// The file cannot be read.
pub fn management_address(path: &Path) -> Result<SocketAddr, Error> {
    let mut problems = Problems::default();
    let root = document::parse(&CONFIGURATION, 0, &read(path)?, &mut problems).map(|mut root| {
        variables::expand(&mut root, &|name| std::env::var(name).ok(), &mut problems);
        root
    });
    let written = root.map(|root| written::read(&root, &mut problems));
    Ok(written.and_then(|written| written.management).unwrap_or(resolved::MANAGEMENT))
}

fn read(path: &Path) -> Result<String, Error> {
    let text = files::read_text(path, MAX_SIZE)
        .map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    text.ok_or_else(|| Error::TooLarge(path.to_owned()))
}

impl Config {
    /// Reads the file at `path`, with `${VAR}` from the environment, and checks all that it names.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes, all of which the error tells.
    pub fn load(path: &Path) -> Result<Self, Error> {
        Ok(Self::parse(path, &read(path)?, |name| std::env::var(name).ok())?)
    }

    /// As [`Config::load`], of a text that is already at hand; `path` says what other paths in it
    /// are relative to.
    ///
    /// # Errors
    /// All mistakes of the text.
    pub fn parse(
        path: &Path,
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Diagnostics> {
        let mut problems = Problems::default();
        state::hide_passwords(text, &mut problems);
        let config =
            document::parse(&CONFIGURATION, 0, text, &mut problems).and_then(|mut root| {
                variables::expand(&mut root, &variable, &mut problems);
                let written = written::read(&root, &mut problems);
                resolved::resolve(path, &written, &mut problems)
            });
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(problems.into_diagnostics(&[SourceFile::new(path, text)])),
        }
    }
}

#[cfg(test)]
mod tests;
