//! Whether the state can be opened, also while a gate runs on it.

use document::Mistake;

use super::super::failure::{Exit, Failure};
use crate::store::{self, Checked, OpenError, Settings};

pub(super) fn check(settings: &Settings) -> Result<String, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::impossible(&error))?;
    match runtime.block_on(store::check(settings)) {
        Ok(Checked::Usable) => Ok(settings.url.to_string()),
        Ok(Checked::Missing) => Ok(format!("{}, made at the first start", settings.url)),
        Err(error @ (OpenError::File { .. } | OpenError::Database { .. })) => {
            let help = "mend `state.url` in the configuration, or what it names";
            Err(Failure::new(Exit::Impossible, &Mistake::of(&error).help(help)))
        }
        Err(error) => Err(Failure::impossible(&error)),
    }
}
