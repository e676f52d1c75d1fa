//! The `scanner` section: what looks for vulnerabilities.

use std::path::{Path, PathBuf};
use std::time::Duration;

use document::{Located, Mistake, Place, Problems, Section};

use super::units::duration;
use super::written::{path, value};
use crate::certificate;
use crate::scanner::{self, AdapterUrl};

/// Databases of vulnerabilities change daily; what was clean last week may not be now.
const RESCAN_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// As written.
pub(super) struct Scanner {
    place: Place,
    /// Whether `url` is there, even if it cannot be read.
    has_url: bool,
    url: Option<Located<AdapterUrl>>,
    authorization_file: Option<Located<PathBuf>>,
    ca: Option<Located<PathBuf>>,
    rescan_after: Option<Duration>,
}

/// What scans images, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannerSettings {
    /// Where the adapter is.
    pub adapter: scanner::Settings,
    /// How old a report may grow until its image is scanned again. Default 7 days.
    pub rescan_after: Duration,
}

/// Reads the section, which stands at `place`.
pub(super) fn read(mut section: Section<'_>, place: Place, problems: &mut Problems) -> Scanner {
    let written = Scanner {
        place,
        has_url: !section.lacks("url"),
        url: section.read("url", problems, AdapterUrl::new),
        authorization_file: section.read("authorization_file", problems, path),
        ca: section.read("ca", problems, path),
        rescan_after: value(section.read("rescan_after", problems, duration)),
    };
    section.finish(problems);
    written
}

/// Fills in what was left out and looks at the files; paths are relative to `folder`.
pub(super) fn resolve(
    folder: &Path,
    written: Option<&Scanner>,
    problems: &mut Problems,
) -> Option<ScannerSettings> {
    let written = written?;
    if !written.has_url {
        let help = "name its adapter: `url: http://scanner.example:8080`";
        problems.at(written.place, Mistake::new("a `scanner` without a `url`").help(help));
    }
    let ca = written.ca.as_ref().map(|ca| Located { value: folder.join(&ca.value), ..*ca });
    if let Some(ca) = &ca {
        if written.url.as_ref().is_some_and(|url| !url.value.is_https()) {
            let mistake = Mistake::new("`ca` is of no use: the scanner's address is http");
            problems.at(ca.place, mistake.help("write `https` in `scanner.url`, or remove `ca`"));
        } else if let Err(error) = certificate::read_chain(&ca.value) {
            problems.at(ca.place, error.mistake());
        }
    }
    let file = written.authorization_file.as_ref();
    let file = file.map(|file| Located { value: folder.join(&file.value), ..*file });
    if let Some(file) = &file
        && let Err(error) = std::fs::metadata(&file.value)
    {
        let mistake = Mistake::new(format!("cannot read {}: {error}", file.value.display()));
        let help = "put the value of the `Authorization` header that the scanner wants into it";
        problems.at(file.place, mistake.help(help));
    }
    Some(ScannerSettings {
        adapter: scanner::Settings {
            url: written.url.as_ref()?.value.clone(),
            authorization_file: value(file),
            ca: value(ca),
        },
        rescan_after: written.rescan_after.unwrap_or(RESCAN_AFTER),
    })
}
