//! The `trusted_keys` section: public keys whose signatures of images count.

use std::path::{Path, PathBuf};

use document::{Entry, Located, Mistake, Node, Place, Problems};

use super::written::path;
use crate::signature::{KeyFiles, MAX_KEYS, PublicKey, check_name, read_key};

/// One entry as written.
pub(super) struct TrustedKey {
    name: Located<String>,
    file: Located<PathBuf>,
}

/// `{release-key: keys/cosign.pub}`
pub(super) fn read(node: &Node, problems: &mut Problems) -> Vec<TrustedKey> {
    let entries = node.map("`trusted_keys`", problems).unwrap_or_default();
    if entries.len() > MAX_KEYS {
        let mistake = Mistake::new(format!("more than {MAX_KEYS} trusted keys"));
        problems.at(node.place, mistake.help("remove those that no gate asks for"));
    }
    entries.iter().filter_map(|entry| trusted_key(entry, problems)).collect()
}

fn trusted_key(entry: &Entry, problems: &mut Problems) -> Option<TrustedKey> {
    if let Err(error) = check_name(&entry.key) {
        let mistake = Mistake::of(&error).help("it is what gates name in `signed_by`");
        problems.at(entry.key_place, mistake);
    }
    let file = entry.value.read(&format!("the key `{}`", entry.key), problems, path)?;
    let name = Located { value: entry.key.clone(), place: entry.key_place };
    Some(TrustedKey { name, file })
}

/// Looks at the files; paths are relative to `folder`.
pub(super) fn resolve(folder: &Path, written: &[TrustedKey], problems: &mut Problems) -> KeyFiles {
    let mut keys: Vec<(PublicKey, Place)> = Vec::new();
    let mut files = KeyFiles::default();
    for TrustedKey { name, file } in written {
        let path = folder.join(&file.value);
        match read_key(&path) {
            Err(error) => {
                problems.at(file.place, Mistake::of(&error).maybe_help(error.help()));
            }
            Ok(key) => {
                if let Some((_, first)) = keys.iter().find(|(other, _)| *other == key) {
                    let mistake = Mistake::new("one key under two names")
                        .also(*first, "the first one")
                        .help("keep one of them: one signature would count as two");
                    problems.at(file.place, mistake);
                }
                keys.push((key, file.place));
            }
        }
        files.0.insert(name.value.as_str().into(), path);
    }
    files
}
