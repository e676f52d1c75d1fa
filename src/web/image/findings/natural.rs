//! Names and versions in the order in which people count.

use std::cmp::Ordering;

/// A part of a text.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece<'t> {
    /// How many digits it has that count, and which.
    Number(usize, &'t [u8]),
    Text(&'t [u8]),
}

/// `1.9` before `1.10`.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    pieces(one).cmp(pieces(other)).then_with(|| one.cmp(other))
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let pieces = text.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    pieces.map(|piece| match piece {
        [first, ..] if first.is_ascii_digit() => {
            let zeros = piece.iter().take_while(|digit| **digit == b'0').count();
            let digits = piece.get(zeros..).unwrap_or_default();
            Piece::Number(digits.len(), digits)
        }
        piece => Piece::Text(piece),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_and_not_spelled() {
        let sorted = ["", "1.2", "1.9", "1.09", "1.10", "1.10.1", "1.10a", "CVE-9", "CVE-10"];
        let mut shuffled = sorted;
        shuffled.reverse();
        shuffled.sort_by(|one, other| natural(one, other));
        assert_eq!(
            shuffled.map(|text| text.replace("09", "9")),
            sorted.map(|text| text.replace("09", "9"))
        );
        assert_eq!(natural("1.09", "1.9"), Ordering::Less, "and yet they are two");
    }
}
