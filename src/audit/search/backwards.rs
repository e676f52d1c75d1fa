//! The lines of a file, the last first.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use memchr::memrchr;

/// What is read at once.
const CHUNK: usize = 64 * 1024;

/// The longest line that is held. The gate writes none that is nearly as long.
const LONGEST: usize = 1024 * 1024;

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    /// One that is too long to be held.
    TooLong,
}

/// Reads a file from some place towards its beginning, while others may append to it. What stands
/// behind the last end of a line is no line yet.
pub(super) struct Backwards<'a> {
    file: &'a File,
    /// Where in the file the buffer begins.
    start: u64,
    buffer: Vec<u8>,
    /// How much of the buffer has not been given.
    end: usize,
    dropping: Dropping,
}

/// What is passed over until the next end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dropping {
    Nothing,
    /// What does not end.
    Tail,
    /// What is too long.
    Line,
}

impl<'a> Backwards<'a> {
    /// The lines before a place, which may be behind the end of the file.
    pub(super) fn new(file: &'a File, before: u64) -> io::Result<Self> {
        let start = before.min(file.metadata()?.len());
        let dropping = Dropping::Tail;
        Ok(Self { file, start, buffer: Vec::new(), end: 0, dropping })
    }

    /// Where the line begins that was given last, or where reading begins.
    pub(super) fn place(&self) -> u64 {
        self.start + self.end as u64
    }

    /// The line before the last one that was given; none at the beginning of the file.
    pub(super) fn previous(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            let unread = self.buffer.get(..self.end).unwrap_or_default();
            if self.dropping != Dropping::Nothing {
                let found = memrchr(b'\n', unread);
                if found.is_none() && self.start > 0 {
                    self.end = 0;
                    self.refill()?;
                    continue;
                }
                self.end = found.map_or(0, |at| at + 1);
                if std::mem::replace(&mut self.dropping, Dropping::Nothing) == Dropping::Line {
                    return Ok(Some(Line::TooLong));
                }
                continue;
            }
            let Some((_, line)) = unread.split_last() else {
                if self.start == 0 {
                    return Ok(None);
                }
                self.refill()?;
                continue;
            };
            let begin = match memrchr(b'\n', line) {
                Some(at) => at + 1,
                None if self.start == 0 => 0,
                None if line.len() > LONGEST => {
                    (self.end, self.dropping) = (0, Dropping::Line);
                    continue;
                }
                None => {
                    self.refill()?;
                    continue;
                }
            };
            let end = std::mem::replace(&mut self.end, begin);
            let line = self.buffer.get(begin..end.saturating_sub(1)).unwrap_or_default();
            return Ok(Some(Line::Whole(line)));
        }
    }

    /// Puts what comes before into the buffer, in front of what is left there.
    fn refill(&mut self) -> io::Result<()> {
        let count = usize::try_from(self.start).unwrap_or(CHUNK).min(CHUNK);
        self.buffer.resize(self.end + count, 0);
        self.buffer.copy_within(..self.end, count);
        let start = self.start - count as u64;
        self.file.read_exact_at(self.buffer.get_mut(..count).unwrap_or_default(), start)?;
        (self.start, self.end) = (start, self.end + count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// All lines before a place, the last first, each with where it begins.
    fn lines(file: &File, before: u64) -> Vec<(u64, Vec<u8>)> {
        let mut backwards = Backwards::new(file, before).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = backwards.previous().unwrap() {
            let line = match line {
                Line::Whole(line) => line.to_vec(),
                Line::TooLong => b"too long".to_vec(),
            };
            lines.push((backwards.place(), line));
        }
        lines
    }

    #[test]
    fn what_does_not_end_is_no_line() {
        let all = |bytes: &[u8]| lines(&file(bytes), u64::MAX);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"torn"), []);
        assert_eq!(all(b"\n"), [(0, b"".to_vec())]);
        assert_eq!(all(b"a\n\nbc\nto"), [(3, b"bc".to_vec()), (2, vec![]), (0, b"a".to_vec())]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_not_held() {
        let long = vec![b'x'; LONGEST + 5 * CHUNK];
        for before in [&b""[..], b"a\n"] {
            let bytes = [before, &long, b"\nb\n"].concat();
            let file = file(&bytes);
            let mut backwards = Backwards::new(&file, u64::MAX).unwrap();
            assert_eq!(backwards.previous().unwrap(), Some(Line::Whole(b"b")));
            assert_eq!(backwards.previous().unwrap(), Some(Line::TooLong));
            assert_eq!(backwards.place(), before.len() as u64);
            assert!(backwards.buffer.capacity() <= 2 * (LONGEST + 2 * CHUNK));
            let first = backwards.previous().unwrap();
            assert_eq!(first, (!before.is_empty()).then_some(Line::Whole(b"a")));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn backwards_is_forwards_reversed_from_every_line_on(
            lengths in prop::collection::vec(
                prop_oneof![4 => 0..200_usize, 1 => CHUNK - 3..CHUNK + 3, 1 => 0..3 * CHUNK],
                0..40,
            ),
            torn in 0..100_usize,
            from in any::<prop::sample::Index>(),
        ) {
            let mut bytes = Vec::new();
            let mut forwards = Vec::new();
            for (number, length) in lengths.iter().enumerate() {
                let line = vec![b'a' + (number % 26) as u8; *length];
                forwards.push((bytes.len() as u64, line.clone()));
                bytes.extend(line);
                bytes.push(b'\n');
            }
            bytes.extend(vec![b'!'; torn]);
            let file = file(&bytes);
            forwards.reverse();
            prop_assert_eq!(&lines(&file, u64::MAX), &forwards);
            // Again from the beginning of one of them.
            if let Some(at) = (!forwards.is_empty()).then(|| from.index(forwards.len())) {
                prop_assert_eq!(&lines(&file, forwards[at].0)[..], &forwards[at + 1..]);
            }
            // Cut anywhere, the whole lines before the cut are left.
            let cut = from.index(bytes.len() + 1) as u64;
            file.set_len(cut).unwrap();
            let left = lines(&file, u64::MAX);
            let whole = |(begin, line): &&(u64, Vec<u8>)| begin + (line.len() as u64) < cut;
            prop_assert_eq!(left, forwards.iter().filter(whole).cloned().collect::<Vec<_>>());
        }
    }
}
