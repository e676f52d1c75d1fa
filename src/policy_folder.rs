//! The folder of policy files.
//!
//! Every `*.yaml` below it counts, except in the folder `tests` at its top, which holds test cases,
//! and behind names that start with a dot, which editors and Kubernetes (`..data`) use. Whatever
//! else could be a policy that was forgotten is an error: a rule that is not read may be a denial.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use policy::{Compiled, Diagnostics, Policy, SourceFile};

use crate::files;
use crate::watch::Fingerprint;

/// Of all files together; a hundred thousand rules fit.
pub const MAX_SIZE: u64 = 64 << 20;
/// Of files.
const MAX_FILES: usize = 10_000;
/// Of folders in folders: where links lead in a circle, this ends it.
const MAX_DEPTH: usize = 16;

/// What the files of a folder hold at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// In the order of their paths, which begin with the folder's own name.
    pub files: Vec<SourceFile>,
    /// Of paths and contents: equal for equal policies and no others.
    pub fingerprint: Fingerprint,
}

impl Sources {
    /// These files.
    #[must_use]
    pub fn new(files: Vec<SourceFile>) -> Self {
        let parts = files.iter().flat_map(|file| [file.path.as_bytes(), file.text.as_bytes()]);
        Self { fingerprint: Fingerprint::of(parts), files }
    }
}

/// Why the folder gives no policy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read.
    #[error("cannot read the policies in {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no policy file in it.
    #[error("no policy in {}: no file there ends in `.yaml`", .0.display())]
    Empty(PathBuf),
    /// More than 64 MiB, 10 000 files or 16 folders deep.
    #[error("too much for a policy in {}: 64 MiB, 10000 files, 16 folders deep at most", .0.display())]
    TooMuch(PathBuf),
    /// A file that looks like a policy and would not be read.
    #[error("{} would not be read as a policy: its name must end in `.yaml`", .0.display())]
    Ending(PathBuf),
    /// A file without content, such as one that is about to be written.
    #[error("{} is empty", .0.display())]
    EmptyFile(PathBuf),
    /// A `*.yaml` that is no file, or not UTF-8 in content or name.
    #[error("{} is no text file", .0.display())]
    NotText(PathBuf),
}

/// Why the folder gives no policy that can be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its files cannot be read.
    #[error(transparent)]
    Folder(#[from] Error),
    /// Its files have mistakes.
    #[error(transparent)]
    Policy(#[from] Diagnostics),
}

/// Reads all policy files below `folder` and makes one policy of them.
///
/// # Errors
/// As [`read`] and [`Policy::compile_at`].
pub fn load(folder: &Path) -> Result<Compiled, LoadError> {
    Ok(Policy::compile_at(&read(folder)?.files, Timestamp::now())?)
}

/// Reads all policy files below `folder`.
///
/// # Errors
/// Any of it cannot be read, or there is nothing: part of a policy is no policy.
pub fn read(folder: &Path) -> Result<Sources, Error> {
    let mut paths = Vec::new();
    walk(folder, 0, &mut paths)?;
    if paths.is_empty() {
        return Err(Error::Empty(folder.to_owned()));
    }
    paths.sort();
    let files = texts(folder, &paths)?;
    // A file that is cut short before it is written again must not count as a policy.
    let is_empty = |file: &SourceFile| file.text.trim().is_empty();
    if let Some((empty, _)) = paths.iter().zip(&files).find(|(_, file)| is_empty(file)) {
        return Err(Error::EmptyFile(empty.clone()));
    }
    Ok(Sources::new(files))
}

/// Reads all case files of the policy in `folder`: every `*.yaml` below its folder `tests`. There
/// may be none.
///
/// # Errors
/// Any of it cannot be read.
pub fn read_cases(folder: &Path) -> Result<Vec<SourceFile>, Error> {
    let tests = folder.join("tests");
    let mut paths = Vec::new();
    if fs::symlink_metadata(&tests).is_ok() {
        walk(&tests, 1, &mut paths)?;
    }
    paths.sort();
    texts(folder, &paths)
}

fn texts(folder: &Path, paths: &[PathBuf]) -> Result<Vec<SourceFile>, Error> {
    let name = name_of(folder)?;
    let mut left = MAX_SIZE;
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let text = files::read_text(path, left).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidData => Error::NotText(path.clone()),
            _ => Error::Unreadable { path: path.clone(), source },
        })?;
        let text = text.ok_or_else(|| Error::TooMuch(folder.to_owned()))?;
        left -= text.len() as u64;
        files.push(SourceFile { path: shown(&name, folder, path)?, text });
    }
    Ok(files)
}

fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    if depth > MAX_DEPTH {
        return Err(Error::TooMuch(folder.to_owned()));
    }
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let path = folder.join(&name);
        if name.as_encoded_bytes().starts_with(b".") || (depth == 0 && name == "tests") {
            continue;
        }
        let metadata = metadata(&path)?;
        if metadata.is_dir() {
            walk(&path, depth + 1, paths)?;
            continue;
        }
        match path.extension().map(OsStr::to_ascii_lowercase) {
            Some(_) if path.extension().is_some_and(|ending| ending == "yaml") => {
                if !metadata.is_file() {
                    return Err(Error::NotText(path));
                }
                paths.push(path);
            }
            Some(ending) if ending == "yml" || ending == "yaml" => return Err(Error::Ending(path)),
            _ => {}
        }
        if paths.len() > MAX_FILES {
            return Err(Error::TooMuch(folder.to_owned()));
        }
    }
    Ok(())
}

/// Of what a link leads to. A link that leads nowhere is an error.
fn metadata(path: &Path) -> Result<Metadata, Error> {
    fs::metadata(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

/// The folder's own name, also where it is given as `.` or `..`.
fn name_of(folder: &Path) -> Result<OsString, Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let name = match folder.file_name() {
        Some(name) => Some(name.to_owned()),
        None => fs::canonicalize(folder).map_err(unreadable)?.file_name().map(ToOwned::to_owned),
    };
    // The root of the file system has none.
    Ok(name.unwrap_or_else(|| ".".into()))
}

/// The path from the folder's own name on, such as `policies/teams.yaml`: denials show it, and where
/// on this machine the folder lies is nobody's business. The name is always there: delegations are
/// about what follows it.
fn shown(name: &OsStr, folder: &Path, path: &Path) -> Result<String, Error> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let shown = Path::new(name).join(below);
    shown.to_str().map(str::to_owned).ok_or_else(|| Error::NotText(path.to_owned()))
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Empty(_) => {
                Some("write rules into a file there; without any, nothing is allowed")
            }
            Self::EmptyFile(_) => Some("write rules into it, or delete it"),
            Self::Ending(_) => Some("rename it, or move it away"),
            Self::Unreadable { .. } | Self::TooMuch(_) | Self::NotText(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_file_without_content_is_refused() {
        let folder = folder(&[("a.yaml", "rules: []"), ("b.yaml", " \n")]);
        let error = read(&folder.path().join("policies")).unwrap_err();
        assert!(matches!(&error, Error::EmptyFile(path) if path.ends_with("b.yaml")), "{error}");
    }

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        for (path, text) in files {
            let path = folder.path().join("policies").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn sources(folder: &TempDir) -> Result<Sources, Error> {
        read(&folder.path().join("policies"))
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let sources = sources(folder).unwrap();
        sources.files.into_iter().map(|file| file.path).collect()
    }

    #[test]
    fn policies_are_read_in_order_from_all_folders_but_the_tests() {
        let folder = folder(&[
            ("b.yaml", "b"),
            ("a.yaml", "a"),
            ("teams/x.yaml", "x"),
            ("teams/tests/y.yaml", "y"),
            ("tests/t.yaml", "t"),
            (".hidden.yaml", "h"),
            (".git/z.yaml", "z"),
            ("README.md", "r"),
        ]);
        assert_eq!(
            names(&folder),
            [
                "policies/a.yaml",
                "policies/b.yaml",
                "policies/teams/tests/y.yaml",
                "policies/teams/x.yaml"
            ]
        );
    }

    #[test]
    fn cases_are_read_from_the_tests_alone() {
        let names = |folder: &TempDir| {
            let files = read_cases(&folder.path().join("policies")).unwrap();
            files.into_iter().map(|file| file.path).collect::<Vec<_>>()
        };
        let folder = folder(&[
            ("a.yaml", "a"),
            ("tests/t.yaml", "t"),
            ("tests/teams/tests/u.yaml", ""),
            ("tests/.hidden.yaml", "h"),
            ("teams/tests/y.yaml", "y"),
        ]);
        assert_eq!(names(&folder), ["policies/tests/t.yaml", "policies/tests/teams/tests/u.yaml"]);
        fs::remove_dir_all(folder.path().join("policies/tests")).unwrap();
        assert!(names(&folder).is_empty());
        symlink("nowhere", folder.path().join("policies/tests")).unwrap();
        assert!(read_cases(&folder.path().join("policies")).is_err());
    }

    #[test]
    fn shown_paths_begin_with_the_name_of_the_folder_however_it_is_given() {
        let folder = folder(&[("teams/a.yaml", "a")]);
        let policies = folder.path().join("policies");
        for given in [policies.clone(), policies.join("."), policies.join("teams/..")] {
            let files = read(&given).unwrap().files;
            assert_eq!(files[0].path, "policies/teams/a.yaml", "{}", given.display());
        }
    }

    #[test]
    fn links_are_followed_as_kubernetes_makes_them() {
        let folder = folder(&[("..2026/a.yaml", "a")]);
        symlink("..2026", folder.path().join("policies/..data")).unwrap();
        symlink("..data/a.yaml", folder.path().join("policies/a.yaml")).unwrap();
        assert_eq!(names(&folder), ["policies/a.yaml"]);
    }

    #[test]
    fn part_of_a_policy_is_no_policy() {
        let missing = folder(&[("a.yaml", "a")]);
        symlink("nowhere", missing.path().join("policies/b.yaml")).unwrap();
        assert!(matches!(sources(&missing), Err(Error::Unreadable { .. })));
        for (file, text) in [("b.yml", "b"), ("B.YAML", "b")] {
            let folder = folder(&[("a.yaml", "a"), (file, text)]);
            assert!(matches!(sources(&folder), Err(Error::Ending(_))), "{file}");
        }
        let binary = folder(&[]);
        fs::write(binary.path().join("policies/a.yaml"), b"\xff").unwrap();
        assert!(matches!(sources(&binary), Err(Error::NotText(_))));
        let circle = folder(&[("a.yaml", "a")]);
        symlink(".", circle.path().join("policies/again")).unwrap();
        assert!(matches!(sources(&circle), Err(Error::TooMuch(_) | Error::Unreadable { .. })));
        assert!(matches!(sources(&folder(&[("x.txt", "")])), Err(Error::Empty(_))));
        assert!(matches!(read(&missing.path().join("no")), Err(Error::Unreadable { .. })));
    }

    #[test]
    fn more_than_fits_is_refused_before_it_is_held() {
        let folder = folder(&[]);
        let file = fs::File::create(folder.path().join("policies/a.yaml")).unwrap();
        file.set_len(MAX_SIZE + 1).unwrap();
        assert!(matches!(sources(&folder), Err(Error::TooMuch(_))));
    }

    #[test]
    fn the_fingerprint_is_of_names_and_contents_wherever_the_folder_is() {
        let print = |files: &[(&str, &str)]| sources(&folder(files)).unwrap().fingerprint;
        let one = print(&[("a.yaml", "x"), ("b.yaml", "y")]);
        assert_eq!(one, print(&[("b.yaml", "y"), ("a.yaml", "x")]));
        assert_ne!(one, print(&[("a.yaml", "xy"), ("b.yaml", "z")]));
        assert_ne!(one, print(&[("a.yaml", "x"), ("c.yaml", "y")]));
        assert_ne!(one, print(&[("a.yaml", "x")]));
    }
}
