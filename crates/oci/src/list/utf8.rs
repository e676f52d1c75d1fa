//! UTF-8 in pieces.

/// What of a character came with the last piece.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    begun: Vec<u8>,
}

impl Utf8 {
    /// Whether this piece goes on as UTF-8 does. A character that it only begins is left open.
    pub(super) fn goes_on(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while !self.begun.is_empty() {
            let Some((&byte, tail)) = rest.split_first() else { return true };
            self.begun.push(byte);
            rest = tail;
            match std::str::from_utf8(&self.begun) {
                Ok(_) => self.begun.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                self.begun.extend(rest.iter().skip(error.valid_up_to()));
                true
            }
        }
    }
}
