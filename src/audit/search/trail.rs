//! The files of a trail, the newest first, while they are being put aside.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::super::Settings;
use super::super::file::numbered;

/// How much of its first line a file is known by.
const NAMED_BY: usize = 4096;

/// How often the next file is looked for while others are put aside.
const TRIES: usize = 100;

/// A place in the trail, before which is what has not been read. It stays the same when files are
/// put aside: a file is known by its first line, which nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    file: String,
    before: u64,
}

/// One of the files. Its number was this one, and may be larger by now.
pub(super) struct Opened {
    pub(super) file: File,
    /// Up to where it is read.
    pub(super) before: u64,
    number: usize,
    identity: Identity,
}

/// What makes a file the same under another name, as long as it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Opened {
    /// The newest file that there is.
    pub(super) fn newest(settings: &Settings) -> io::Result<Option<Self>> {
        // Files only ever go to larger numbers, so none is missed on the way up.
        for number in 0..=settings.keep {
            if let Some(opened) = Self::numbered(settings, number)? {
                return Ok(Some(opened));
            }
        }
        Ok(None)
    }

    /// The file of a place; none if it has fallen out, with all that are older.
    pub(super) fn at(settings: &Settings, place: &Place) -> io::Result<Option<Self>> {
        for number in 0..=settings.keep {
            let Some(opened) = Self::numbered(settings, number)? else { continue };
            if opened.name()?.as_ref() == Some(&place.file) {
                return Ok(Some(Self { before: place.before, ..opened }));
            }
        }
        Ok(None)
    }

    /// The next older file.
    pub(super) fn older(&self, settings: &Settings) -> io::Result<Option<Self>> {
        let mut number = self.number;
        for _ in 0..TRIES {
            let Some(here) = self.found_from(settings, number)? else { return Ok(None) };
            number = here;
            let mut next = None;
            for above in here + 1..=settings.keep {
                next = Self::numbered(settings, above)?;
                if next.is_some() {
                    break;
                }
            }
            // If this one has not moved meanwhile, nothing newer has come behind it.
            if identity_at(settings, here)? == Some(self.identity) {
                return Ok(next);
            }
        }
        Err(io::Error::other("the files are put aside faster than they can be read"))
    }

    /// A place in it, from where it can be read on.
    pub(super) fn place(&self, before: u64) -> io::Result<Option<Place>> {
        Ok(self.name()?.map(|file| Place { file, before }))
    }

    /// Under which number it stands now, which is not below this one.
    fn found_from(&self, settings: &Settings, number: usize) -> io::Result<Option<usize>> {
        for number in number..=settings.keep {
            if identity_at(settings, number)? == Some(self.identity) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn numbered(settings: &Settings, number: usize) -> io::Result<Option<Self>> {
        let path = numbered(&settings.file, number);
        // Opening what is no file may wait for ever.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        }
        match File::open(path) {
            Ok(file) => {
                let metadata = file.metadata()?;
                let identity = Identity(metadata.dev(), metadata.ino());
                Ok(Some(Self { file, before: u64::MAX, number, identity }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// None as long as its first line is not whole.
    fn name(&self) -> io::Result<Option<String>> {
        let mut begin = vec![0; NAMED_BY];
        let mut count = 0;
        loop {
            let rest = begin.get_mut(count..).unwrap_or_default();
            match self.file.read_at(rest, count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        begin.truncate(count);
        let line = match memchr::memchr(b'\n', &begin) {
            Some(end) => begin.get(..end).unwrap_or_default(),
            None if count == NAMED_BY => &begin,
            None => return Ok(None),
        };
        Ok(Some(URL_SAFE_NO_PAD.encode(digest(&SHA256, line))))
    }
}

/// What stands under a number.
fn identity_at(settings: &Settings, number: usize) -> io::Result<Option<Identity>> {
    match fs::metadata(numbered(&settings.file, number)) {
        Ok(metadata) => Ok(Some(Identity(metadata.dev(), metadata.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
