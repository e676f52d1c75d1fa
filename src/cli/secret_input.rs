//! Secrets that come in on the standard input or from a file, and never as an argument.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use document::Mistake;

use super::failure::Failure;
use crate::secret::Secret;

/// The longest token: ours have at most 8 KiB, and those of identity providers are as long.
pub(super) const MAX_TOKEN: usize = 16 << 10;

/// Where a secret is read from: a file, or `-`, the standard input. An argument would be seen by
/// everyone on the machine who lists its processes.
#[derive(Debug, Clone)]
pub(super) struct SecretSource(String);

impl FromStr for SecretSource {
    type Err = std::convert::Infallible;

    // What is wrong with it is told by `read`: clap would repeat the argument, which may be a
    // secret.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl SecretSource {
    /// Whether it is the standard input, which can be read once.
    pub(super) fn is_stdin(&self) -> bool {
        self.0 == "-"
    }

    /// Reads the token; `argument` is where it was asked for.
    pub(super) fn read(&self, argument: &str) -> Result<Secret, Failure> {
        let help = format!("`{argument} FILE` reads it from a file, `{argument} -` from the input");
        if self.is_stdin() {
            return one_line(io::stdin(), "the token", MAX_TOKEN, &help);
        }
        if looks_like_a_token(&self.0) {
            let mistake = Mistake::new(format!(
                "{argument}: a token as an argument can be seen by everyone on this machine"
            ));
            return Err(Failure::input(&mistake.help(help)));
        }
        let file = File::open(Path::new(&self.0)).map_err(|error| {
            let mistake = Mistake::of(&error).about(&format!("cannot read {}", self.0));
            Failure::input(&mistake.help(&help))
        })?;
        one_line(file, "the token", MAX_TOKEN, &help)
    }
}

fn looks_like_a_token(text: &str) -> bool {
    text.starts_with(crate::token::refresh::PREFIX) || text.starts_with("eyJ")
}

/// The one line of `input`, which holds `what`; more would be a misunderstanding. `help` says how to
/// give it.
pub(super) fn one_line(
    input: impl Read,
    what: &str,
    most: usize,
    help: &str,
) -> Result<Secret, Failure> {
    let wrong = |text: String| Failure::input(&Mistake::new(text).help(help));
    let mut text = String::new();
    let read = input.take(most as u64 + 3).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => wrong(format!("{what} is not UTF-8")),
        _ => Failure::impossible(&error),
    })?;
    let line = text.expose();
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.len() > most {
        return Err(wrong(format!("{what} is longer than {most} bytes")));
    }
    if line.contains(char::is_control) {
        return Err(wrong(format!("{what} holds a line break or another control character")));
    }
    Ok(Secret::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use insta::assert_snapshot;

    use super::*;

    fn read(input: &[u8]) -> Result<String, String> {
        one_line(input, "the password", 8, "give one line")
            .map(|secret| secret.expose().to_owned())
            .map_err(|failure| failure.text(false).to_owned())
    }

    #[test]
    fn a_secret_is_one_line() {
        for (input, secret) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            (" a b ", " a b "),
            ("", ""),
            ("12345678\r\n", "12345678"),
        ] {
            assert_eq!(read(input.as_bytes()), Ok(secret.to_owned()));
        }
        assert_snapshot!(read(b"a\nb\n").unwrap_err(), @"
        error: the password holds a line break or another control character
        help: give one line
        ");
        assert_snapshot!(read(b"\xff").unwrap_err(), @"
        error: the password is not UTF-8
        help: give one line
        ");
    }

    #[test]
    fn a_secret_that_is_too_long_is_not_cut_short() {
        let told = [&b"123456789"[..], b"123456789\n", &[b'x'; 100]].map(read);
        assert!(told.iter().all(|one| one == &told[0]), "{told:?}");
        assert_snapshot!(told[0].clone().unwrap_err(), @"
        error: the password is longer than 8 bytes
        help: give one line
        ");
    }

    #[test]
    fn a_token_comes_from_a_file_and_never_as_the_argument_itself() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "eyJ.a.b\n").unwrap();
        let source: SecretSource = path.to_str().unwrap().parse().unwrap();
        assert_eq!(source.read("--token").unwrap().expose(), "eyJ.a.b");
        let told = ["eyJhbGciOi", "pcr_AAAA"].map(|argument| {
            let source: SecretSource = argument.parse().unwrap();
            source.read("--token").unwrap_err().text(false).to_owned()
        });
        assert_eq!(told[0], told[1]);
        assert_snapshot!(told[0], @"
        error: --token: a token as an argument can be seen by everyone on this machine
        help: `--token FILE` reads it from a file, `--token -` from the input
        ");
        let source: SecretSource = "no-such-file".parse().unwrap();
        assert_snapshot!(source.read("--value").unwrap_err().text(false), @"
        error: cannot read no-such-file: No such file or directory (os error 2)
        help: `--value FILE` reads it from a file, `--value -` from the input
        ");
    }
}
