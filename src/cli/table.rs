//! Tables for people.

use document::printable;

/// Rows in columns as wide as what stands in them. What others wrote may stand in any cell, so
/// nothing in it acts on the terminal; the last column is as long as it is.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let heads = heads.map(str::to_owned);
    let rows: Vec<[String; N]> = std::iter::once(&heads)
        .chain(rows)
        .map(|row| row.each_ref().map(|cell| printable(cell).into_owned()))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    lines(&rows, &widths)
}

/// Names and what they stand for, one a line. Where there is nothing to say, there is no line.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let facts: Vec<_> = facts.iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let rows: Vec<[String; 2]> = facts
        .iter()
        .map(|(name, value)| [(*name).to_owned(), printable(value).into_owned()])
        .collect();
    lines(&rows, &[width, 0])
}

fn lines<const N: usize>(rows: &[[String; N]], widths: &[usize; N]) -> String {
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_need_to_be() {
        let rows = [
            ["a".to_owned(), String::new(), "first".to_owned()],
            ["größer".to_owned(), "x".to_owned(), String::new()],
        ];
        assert_snapshot!(table(["NAME", "B", "NOTE"], &rows), @"
        NAME    B  NOTE
        a          first
        größer  x
        ");
        let facts = facts(&[("id", "1".into()), ("nothing", String::new()), ("value", "2".into())]);
        assert_snapshot!(facts, @"
        id     1
        value  2
        ");
    }

    #[test]
    fn no_cell_acts_on_the_terminal() {
        let bad = "a\nb\x1b[2J\u{9b}\u{202e}";
        for text in [table(["NOTE"], &[[bad.to_owned()]]), facts(&[("note", bad.to_owned())])] {
            assert!(text.ends_with(r"a\nb\u{1b}[2J\u{9b}\u{202e}"), "{text:?}");
        }
    }
}
