//! The `state` section.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use document::{Mistake, Place, Problems, Section};

use super::units::duration;
use super::written::value;
use crate::store::{Settings, StoreUrl};

/// As written.
#[derive(Debug, Default)]
pub(super) struct State {
    url: Option<StoreUrl>,
    max_staleness: Option<Duration>,
}

/// Beside the keys.
const FILE: &str = "state/portcullis.db";
const MAX_STALENESS: Duration = Duration::from_secs(5 * 60);

/// Reads the section.
pub(super) fn read(mut section: Section<'_>, problems: &mut Problems) -> State {
    let url = section.read("url", problems, |text| {
        StoreUrl::from_str(text).map_err(|error| {
            Mistake::new(error.to_string()).help(
                "write `sqlite:state/portcullis.db` for a file, or \
                 `postgres://USER:PASSWORD@HOST/DATABASE`",
            )
        })
    });
    let written = State {
        url: value(url),
        max_staleness: value(section.read("max_staleness", problems, duration)),
    };
    section.finish(problems);
    written
}

/// Fills in what was left out; paths are relative to `folder`.
pub(super) fn resolve(folder: &Path, written: &State) -> Settings {
    let url = written.url.clone().unwrap_or_else(|| StoreUrl::Sqlite(FILE.into()));
    Settings {
        url: url.relative_to(folder),
        max_staleness: written.max_staleness.unwrap_or(MAX_STALENESS),
    }
}

/// Hides what stands in front of the host in addresses, wherever they are: it may be a password, and
/// a file that is no YAML has no keys to find it by.
pub(super) fn hide_passwords(text: &str, problems: &mut Problems) {
    for (start, _) in text.match_indices("://") {
        let line = text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        if let Some(length) = line.rfind('@') {
            // Only the bytes count.
            problems.hide(Place { start, end: start + length, ..Place::start_of(0) });
        }
    }
}
