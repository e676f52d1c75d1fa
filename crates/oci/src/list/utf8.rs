//! UTF-8 in pieces.

/// What of a character came with the last pieces.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    begun: Vec<u8>,
}

/// A character that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// How many bytes of this piece come before it.
    pub(super) before: usize,
    /// How many bytes of it came with the pieces before this one.
    pub(super) begun: usize,
}

impl Utf8 {
    /// Whether this piece goes on as UTF-8 does. A character that it only begins is left open.
    pub(super) fn goes_on(&mut self, piece: &[u8]) -> Result<(), Broken> {
        let mut rest = piece;
        let begun = self.begun.len();
        while !self.begun.is_empty() {
            let Some((&byte, tail)) = rest.split_first() else { return Ok(()) };
            self.begun.push(byte);
            rest = tail;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_some() => {
                    return Err(Broken { before: 0, begun });
                }
                Err(_) => {}
            }
        }
        let Err(error) = std::str::from_utf8(rest) else { return Ok(()) };
        if error.error_len().is_some() {
            let before = piece.len() - rest.len() + error.valid_up_to();
            return Err(Broken { before, begun: 0 });
        }
        self.begun.extend(rest.iter().skip(error.valid_up_to()));
        Ok(())
    }
}
