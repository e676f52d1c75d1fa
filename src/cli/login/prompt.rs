//! Questions on a terminal.

use std::io::{self, BufRead, Write};

use document::Mistake;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr,
};

use super::super::failure::{Exit, Failure};
use super::super::secret_input::{MAX_TOKEN, one_line};
use crate::secret::Secret;

/// What Ctrl-C types.
const INTERRUPT: u8 = 3;

/// Asks for a line that everybody may see.
pub(super) fn line(question: &str) -> Result<String, Failure> {
    ask(question)?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure::impossible(&error))?;
    let line = line.trim();
    if line.is_empty() {
        return Err(Failure::input(&Mistake::new("nothing was entered")));
    }
    Ok(line.to_owned())
}

/// Asks for a line that nobody sees.
pub(super) fn hidden(question: &str) -> Result<Secret, Failure> {
    let quiet = Quiet::begin().map_err(|error| Failure::impossible(&error))?;
    ask(question)?;
    let typed = typed();
    drop(quiet);
    ask("\n")?;
    let typed = typed.map_err(|error| Failure::impossible(&error))?;
    if typed.last() == Some(&INTERRUPT) {
        return Err(Failure::new(Exit::Impossible, &Mistake::new("interrupted")));
    }
    let password = one_line(typed.as_slice(), "the password", MAX_TOKEN, "enter it again")?;
    if password.expose().is_empty() {
        return Err(Failure::input(&Mistake::new("nothing was entered")));
    }
    Ok(password)
}

fn ask(question: &str) -> Result<(), Failure> {
    let mut terminal = io::stderr();
    let asked = terminal.write_all(question.as_bytes()).and_then(|()| terminal.flush());
    asked.map_err(|error| Failure::impossible(&error))
}

/// One line with its end, which is a line break or Ctrl-C, or nothing at the end of the input.
fn typed() -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let mut typed = zeroize::Zeroizing::new(Vec::new());
    let mut input = io::stdin().lock();
    loop {
        let part = input.fill_buf()?;
        let length = part.len();
        typed.extend_from_slice(part);
        input.consume(length);
        if length == 0 || typed.ends_with(b"\n") || typed.ends_with(&[INTERRUPT]) {
            return Ok(typed);
        }
    }
}

/// The terminal while it shows nothing of what is typed.
struct Quiet(Termios);

impl Quiet {
    /// Ctrl-C ends the line rather than the process, which would leave the terminal as it is now.
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VEOL] = INTERRUPT;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
