//! Whether the scanner answers as an adapter does, and can do what is needed.

use document::Mistake;

use super::super::failure::{Exit, Failure};
use crate::log::Causes;
use crate::scanner::{Adapter, Settings};

pub(super) fn check(settings: &Settings) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::impossible(&error))?;
    let adapter = Adapter::new(settings).map_err(|error| Failure::impossible(&error))?;
    let metadata = runtime.block_on(adapter.metadata()).map_err(|error| {
        let help = "start the scanner's adapter, or mend `scanner` in the configuration";
        Failure::new(Exit::Impossible, &Mistake::new(Causes(&error).to_string()).help(help))
    })?;
    let version = metadata.version.map(|version| format!(" {version}")).unwrap_or_default();
    let report = metadata.report.media_type();
    Ok(format!("{} answers: {}{version}, reports as {report}", settings.url, metadata.name))
}
