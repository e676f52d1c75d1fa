//! The htpasswd file: `NAME:HASH` on each line, with bcrypt hashes.
//!
//! What other servers take for a hash besides (MD5, SHA-1, crypt) is no protection for a password
//! any more and is a mistake here; so is what they would quietly pass over.

use std::collections::BTreeMap;

use document::{Mistake, Place, Problems};

use super::{Name, Source, User};
use crate::identity::password::{InvalidBcrypt, PasswordHash};

/// Reads the text of the file of this index.
pub(super) fn read(file: usize, text: &str, problems: &mut Problems) -> BTreeMap<String, User> {
    let mut users = BTreeMap::new();
    let mut first: BTreeMap<&str, Place> = BTreeMap::new();
    let mut start = 0;
    for (index, whole) in text.split('\n').enumerate() {
        let place = Place { file, start, end: start + whole.len(), line: index + 1 };
        start += whole.len() + 1;
        let line = whole.trim_end();
        if line.is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let Some((name, hash)) = line.split_once(':') else {
            // It may be a hash or a password that stands there alone.
            problems.hide(place);
            problems.at(place, Mistake::new("no `:` between a name and a hash"));
            continue;
        };
        let at_name = Place { end: place.start + name.len(), ..place };
        let at_hash = Place { start: at_name.end + 1, end: place.start + line.len(), ..place };
        problems.hide(at_hash);
        if let Err(error) = name.parse::<Name>() {
            problems.at(at_name, Mistake::new(error.to_string()));
        }
        if let Some(&first) = first.get(name) {
            let mistake = Mistake::new(format!("`{name}` is written twice"));
            problems.at(at_name, mistake.label("the second time").also(first, "the first time"));
            continue;
        }
        first.insert(name, at_name);
        match PasswordHash::parse_bcrypt(hash) {
            Ok(password) => {
                let source = Source::Htpasswd;
                let user = User { password, groups: Vec::new(), disabled: false, source };
                users.insert(name.to_owned(), user);
            }
            Err(error) => problems.at(at_hash, mistake(hash, error)),
        }
    }
    if text.trim().is_empty() {
        let mistake = Mistake::new("an empty file, which may be one that is being written");
        problems.at(Place::start_of(file), mistake.help("without any users, write a comment: `#`"));
    }
    users
}

fn mistake(hash: &str, error: InvalidBcrypt) -> Mistake {
    if hash.starts_with("$argon2") {
        return Mistake::new("an argon2 hash does not belong in this file")
            .help("`portcullis user add NAME` writes one to the users file");
    }
    let kind = match hash {
        "" => Some("no hash"),
        _ if hash.starts_with("$apr1$") || hash.starts_with("$1$") => Some("an MD5 hash"),
        _ if hash.starts_with("{SHA}") || hash.starts_with("{SSHA}") => Some("a SHA-1 hash"),
        _ if hash.starts_with("$5$") || hash.starts_with("$6$") || hash.starts_with("$y$") => {
            Some("a hash of crypt(3)")
        }
        _ => None,
    };
    let message = match (kind, error) {
        (Some("no hash"), _) => "no hash behind the `:`".to_owned(),
        (Some(kind), _) => format!("{kind}, where only bcrypt is accepted"),
        (None, error) => error.to_string(),
    };
    let remedy = match error {
        InvalidBcrypt::Cost(_) => "hash it again: `htpasswd -B -C 10 FILE NAME`",
        InvalidBcrypt::Form => "hash it again: `htpasswd -B FILE NAME`",
    };
    Mistake::new(message).help(remedy)
}

#[cfg(test)]
mod tests;
