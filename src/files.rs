//! Files that are read within bounds, kept closed, and written in one step.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// Whom a secret is not for: others in any way, and its group to change it. (Kubernetes mounts
/// secrets with mode 0440.)
const OTHERS: u32 = 0o027;

/// The user who may give files away.
const ROOT: u32 = 0;

/// A secret as it was read: its bytes, or why they must not be used.
pub type Secret = Result<Zeroizing<Vec<u8>>, Exposed>;

/// The permission bits of a secret that others can read or change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposed(pub u32);

/// Reads a file of at most `most` bytes. `None`: there is more in it.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let size = File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    Ok((size as u64 <= most).then_some(bytes))
}

/// Reads a text of at most `most` bytes. `None`: there is more in the file.
///
/// # Errors
/// It cannot be read, or is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<Option<String>> {
    let text = read(path, most)?.map(String::from_utf8).transpose();
    text.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Reads a secret, which nobody but its owner and group may read and nobody but its owner change.
///
/// # Errors
/// It cannot be read.
pub fn read_secret(path: &Path) -> io::Result<Secret> {
    // The mode is of what is read, even if the file is replaced meanwhile.
    let mut file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Ok(Err(Exposed(mode)));
    }
    let mut bytes = Zeroizing::default();
    file.read_to_end(&mut bytes)?;
    Ok(Ok(bytes))
}

/// Puts a new file in the place of what is at `path`, so that a reader sees the old one or the new
/// one, also after a crash. The new file has `mode`; the owner of one that is replaced stays its
/// owner.
///
/// # Errors
/// Nothing has changed then.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let new = beside(path, content)?;
    if let Ok(old) = fs::metadata(path) {
        let made = new.as_file().metadata()?;
        if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
            chown(new.path(), Some(old.uid()), Some(old.gid()))?;
        }
    }
    finish(&new, mode)?;
    new.persist(path).map_err(|error| error.error)?;
    File::open(folder(path))?.sync_all()
}

/// Makes a file that is complete or not there, whenever the machine stops.
///
/// # Errors
/// Nothing has changed then: [`io::ErrorKind::AlreadyExists`] if something is at `path`.
pub fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    place(beside(path, content)?, path, mode)
}

/// As [`create`], and where this process may give files away, to the folder's owner: a command that
/// root runs makes files that the gate can read.
///
/// # Errors
/// As [`create`].
pub fn create_for_folder(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let new = beside(path, content)?;
    let (made, around) = (new.as_file().metadata()?, fs::metadata(folder(path))?);
    if made.uid() == ROOT && (made.uid(), made.gid()) != (around.uid(), around.gid()) {
        chown(new.path(), Some(around.uid()), Some(around.gid()))?;
    }
    place(new, path, mode)
}

fn place(new: NamedTempFile, path: &Path, mode: u32) -> io::Result<()> {
    finish(&new, mode)?;
    new.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(folder(path))?.sync_all()
}

/// A file that only its owner can read, under a name that is removed unless it gets another.
fn beside(path: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let mut new = tempfile::Builder::new()
        .prefix(".portcullis-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder(path))?;
    new.write_all(content)?;
    Ok(new)
}

fn finish(new: &NamedTempFile, mode: u32) -> io::Result<()> {
    new.as_file().set_permissions(Permissions::from_mode(mode))?;
    new.as_file().sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_content_replaces_the_old_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"one", 0o644).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_folder_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        replace(&path, b"one", 0o644).unwrap_err();
        let error = create(&path, b"one", 0o644).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_is_never_created_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create(&path, b"one", 0o640).unwrap();
        let error = create(&path, b"two", 0o644).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_secret_is_read_unless_others_can_read_or_change_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, "it").unwrap();
        for (mode, closed) in
            [(0o600, true), (0o440, true), (0o644, false), (0o660, false), (0o601, false)]
        {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let read = read_secret(&path).unwrap();
            assert_eq!(read.is_ok_and(|secret| *secret == b"it"), closed, "{mode:o}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o604)).unwrap();
        assert_eq!(read_secret(&path).unwrap(), Err(Exposed(0o604)));
    }

    #[test]
    fn no_more_than_the_bound_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap().as_deref(), Some("four"));
        assert_eq!(read_text(&path, 3).unwrap(), None);
        fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
