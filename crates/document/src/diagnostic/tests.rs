use insta::assert_snapshot;

use super::*;
use crate::{Mistake, Problems, is_unsafe};

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

#[test]
fn mistakes_stand_in_the_order_of_files_and_places() {
    let files = [file("a.yaml", "one\n  two\n"), file("b.yaml", "three\n")];
    let mut problems = Problems::default();
    problems.warn(Place { file: 1, start: 0, end: 5, line: 1 }, Mistake::new("odd"));
    problems.at(
        Place { file: 0, start: 6, end: 9, line: 2 },
        Mistake::new("wrong").label("here").also(Place::start_of(1), "and there").help("mend it"),
    );
    problems.nowhere(Mistake::new("nothing to be seen"));
    let diagnostics = problems.into_diagnostics(&files);
    assert!(diagnostics.has_errors());
    assert_snapshot!(diagnostics, @"
    error: nothing to be seen
    --> a.yaml

    error: wrong
     --> a.yaml:2:3
      |
    2 |   two
      |   ^^^ here
      |
     ::: b.yaml:1:1
      |
    1 | three
      | - and there
      |
      = help: mend it

    warning: odd
     --> b.yaml:1:1
      |
    1 | three
      | ^^^^^
    ");
    assert!(diagnostics.render(true).contains("\u{1b}["));
}

#[test]
fn a_line_that_is_too_long_is_named_and_not_shown() {
    let mut problems = Problems::default();
    let place = Place { file: 0, start: 1200, end: 1203, line: 1 };
    problems.at(place, Mistake::new("wrong").label("the reason").help("mend it"));
    let diagnostics = problems.into_diagnostics(&[file("a.yaml", &"x".repeat(2000))]);
    assert_snapshot!(diagnostics, @"
    error: wrong
    --> a.yaml:1:1201
     = note: the reason
     = help: mend it
    ");
}

#[test]
fn no_part_of_a_report_acts_on_the_terminal() {
    let escape = "\u{1b}[31m\u{9b}m\u{202e}\u{2028}";
    let mut problems = Problems::default();
    let mistake = Mistake::new(escape).label(escape).help(escape);
    problems.at(Place { file: 0, start: 0, end: 3, line: 1 }, mistake.clone());
    let text = problems.into_diagnostics(&[file(escape, escape)]).to_string();
    for text in [text, mistake.render(false)] {
        assert!(text.chars().all(|char| char == '\n' || !is_unsafe(char)), "{text:?}");
        assert!(text.contains("\\u{1b}[31m\\u{9b}m\\u{202e}\\u{2028}"), "{text}");
    }
}

#[test]
fn a_place_that_is_not_in_the_text_does_no_harm() {
    for (start, end) in [(0, 9), (1, 2), (3, 1), (9, 9), (usize::MAX, usize::MAX)] {
        let mut problems = Problems::default();
        let place = Place { file: 0, start, end, line: 1 };
        problems.hide(place);
        problems.at(place, Mistake::new("wrong"));
        problems.at(Place { file: 7, ..place }, Mistake::new("elsewhere"));
        let diagnostics = problems.into_diagnostics(&[file("a.yaml", "é\nü")]);
        assert_eq!(diagnostics.to_string().matches("error: ").count(), 2);
    }
}
