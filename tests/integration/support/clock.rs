//! A clock for one process, put forward and back while the machine's own goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::program;

pub(crate) const MINUTE: i64 = 60;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The file in which libfaketime finds by how much its process is wrong.
pub(crate) struct Clock(PathBuf);

impl Clock {
    pub(crate) fn new(folder: &Path, seconds: i64) -> Self {
        let clock = Self(folder.join("clock"));
        clock.set(seconds);
        clock
    }

    /// From now on it is so many seconds ahead of the machine's own, or behind it.
    pub(crate) fn set(&self, seconds: i64) {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }

    /// A program goes by it. What measures lengths of time stays as it is, as in life.
    pub(crate) fn show_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library()).env("FAKETIME_TIMESTAMP_FILE", &self.0);
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("NO_FAKE_STAT", "1");
    }
}

/// Where Debian keeps it, by architecture, beside the command that comes with it.
fn library() -> PathBuf {
    let command = program("faketime", "faketime");
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let library = found.into_iter().find(|path| path.is_file());
    library.unwrap_or_else(|| panic!("no libfaketime.so.1 for {}", command.display()))
}
