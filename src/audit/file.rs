//! The file under the audit trail, and the earlier ones beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Settings;

/// A file that is appended to, and put aside when it is large.
#[derive(Debug)]
pub(super) struct Rotated {
    settings: Settings,
    file: File,
    size: u64,
    /// The size at which the file is put aside.
    limit: u64,
    /// Something may be in the file that is not on the disk.
    unsynced: bool,
}

impl Rotated {
    /// Opens or makes the file. A line that a crash left unfinished is closed off.
    pub(super) fn open(settings: &Settings) -> io::Result<Self> {
        let mut file = open(&settings.file)?;
        let mut size = file.metadata()?.len();
        if size > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                size += 1;
            }
        }
        // What an earlier process wrote last may not be safe yet.
        Ok(Self { settings: settings.clone(), file, size, limit: settings.rotate, unsynced: true })
    }

    /// Writes some of `bytes` and gives their number.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unsynced = true;
        let count = self.file.write(bytes)?;
        self.size += count as u64;
        Ok(count)
    }

    /// Makes sure that everything written is on the disk, which costs nothing where it is already.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        if self.unsynced {
            self.file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Begins a new file if this one is large. To be called between lines.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.size < self.limit {
            return Ok(());
        }
        // Where it fails, the present file is used on, and it is tried again much later.
        self.limit = self.size.saturating_add(self.settings.rotate);
        self.sync()?;
        put_aside(&self.settings)?;
        self.file = open(&self.settings.file)?;
        self.size = 0;
        self.limit = self.settings.rotate;
        sync_folder(&self.settings.file)
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// Renames each file to the next number, the oldest over the one that falls out.
fn put_aside(settings: &Settings) -> io::Result<()> {
    if settings.keep == 0 {
        return fs::remove_file(&settings.file);
    }
    for number in (0..settings.keep).rev() {
        match fs::rename(numbered(&settings.file, number), numbered(&settings.file, number + 1)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

/// `FILE.3`; number 0 is the file itself.
pub(super) fn numbered(file: &Path, number: usize) -> PathBuf {
    if number == 0 {
        return file.to_owned();
    }
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// A new file is safe only when its folder knows of it.
fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(folder: &Path, rotate: u64, keep: usize) -> Settings {
        Settings { file: folder.join("audit.jsonl"), rotate, keep }
    }

    #[test]
    fn the_disk_is_asked_only_where_something_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 100, 1);
        // What cannot be made safe, so that asking for it fails.
        std::os::unix::fs::symlink("/dev/null", &settings.file).unwrap();
        let mut file = Rotated::open(&settings).unwrap();
        assert!(file.sync().is_err(), "who opens it does not know");
        file.unsynced = false;
        file.sync().unwrap();
        file.write(b"a line\n").unwrap();
        assert!(file.sync().is_err());
        assert!(file.sync().is_err(), "a failure changes nothing");
    }

    /// Writes lines of ten bytes and gives what each file holds, the present one first.
    fn after(lines: std::ops::Range<u8>, rotate: u64, keep: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), rotate, keep);
        let mut file = Rotated::open(&settings).unwrap();
        for line in lines {
            file.rotate().unwrap();
            assert_eq!(file.write(format!("line {line:04}\n").as_bytes()).unwrap(), 10);
        }
        let files = fs::read_dir(folder.path()).unwrap().count();
        (0..files)
            .map(|number| {
                let text = fs::read_to_string(numbered(&settings.file, number)).unwrap();
                text.lines().map(|line| line.trim_start_matches("line 000")).collect()
            })
            .collect()
    }

    #[test]
    fn a_large_file_is_put_aside_and_the_oldest_falls_out() {
        assert_eq!(after(0..2, 20, 2), ["01"]);
        assert_eq!(after(0..3, 20, 2), ["2", "01"]);
        assert_eq!(after(0..5, 20, 2), ["4", "23", "01"]);
        assert_eq!(after(0..7, 20, 2), ["6", "45", "23"]);
        assert_eq!(after(0..3, 20, 0), ["2"]);
    }

    #[test]
    fn the_size_that_was_there_counts() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 20, 2);
        fs::write(&settings.file, "nineteen and a feed\n").unwrap();
        let mut file = Rotated::open(&settings).unwrap();
        file.rotate().unwrap();
        assert_eq!(fs::read_to_string(&settings.file).unwrap(), "");
        assert_eq!(
            fs::read_to_string(numbered(&settings.file, 1)).unwrap(),
            "nineteen and a feed\n"
        );
    }

    #[test]
    fn only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1, 1);
        let mut file = Rotated::open(&settings).unwrap();
        let mode = || fs::metadata(&settings.file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o600);
        file.write(b"x\n").unwrap();
        file.rotate().unwrap();
        assert_eq!(mode(), 0o600, "the next one, too");
    }

    #[test]
    fn a_line_that_a_crash_cut_stands_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1000, 1);
        fs::write(&settings.file, "{\"whole\":1}\n{\"cut").unwrap();
        Rotated::open(&settings).unwrap().write(b"{\"next\":1}\n").unwrap();
        drop(Rotated::open(&settings).unwrap());
        let text = fs::read_to_string(&settings.file).unwrap();
        assert_eq!(text, "{\"whole\":1}\n{\"cut\n{\"next\":1}\n");
    }
}
