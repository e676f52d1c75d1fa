use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::{SourceFile, is_unsafe};

const KIND: Kind = Kind {
    name: "a test file",
    max_mib: 1,
    too_large: "write less",
    second_document: "write one",
    instead_of_anchors: "write it twice",
    secret_keys: &["password"],
};

fn read(text: &str) -> (Option<Node>, Problems) {
    let mut problems = Problems::default();
    let node = parse(&KIND, 0, text, &mut problems);
    (node, problems)
}

/// What a person is told of a text whose only key is to be `key`.
fn told(text: &str) -> String {
    let (node, mut problems) = read(text);
    if let Some(mut section) =
        node.as_ref().and_then(|node| node.section("the file", &mut problems))
    {
        section.take("key", &mut problems);
        section.take("password", &mut problems);
        section.finish(&mut problems);
    }
    let file = SourceFile { path: "a.yaml".to_owned(), text: text.to_owned() };
    problems.into_diagnostics(&[file]).to_string()
}

#[test]
fn scalars_stay_text_and_every_part_knows_its_place() {
    let text = "a: 1.10\nb: [no, ~, \"~\", '']\n";
    let (node, problems) = read(text);
    assert!(problems.is_empty());
    let Value::Map { entries, flow: false } = node.unwrap().value else { panic!("no map") };
    assert_eq!(entries[0].value.value, Value::Text("1.10".to_owned()));
    assert_eq!(&text[entries[0].value.place.range()], "1.10");
    let Value::List(items) = &entries[1].value.value else { panic!("no list") };
    let texts = ["no", "~", ""].map(|text| Value::Text(text.to_owned()));
    let [no, tilde, empty] = texts;
    let values: Vec<_> = items.iter().map(|item| item.value.clone()).collect();
    assert_eq!(values, [no, Value::Null, tilde, empty]);
    assert_eq!((items[1].place.line, &text[items[1].place.range()]), (2, "~"));
    assert_eq!(&text[entries[1].key_place.range()], "b");
}

#[test]
fn what_is_refused_ends_neither_the_reading_nor_the_file() {
    assert_snapshot!(told("key: &a [x]\nkey: *a\nother: !t x\n"), @"
    error: YAML anchors are not used in a test file
     --> a.yaml:1:6
      |
    1 | key: &a [x]
      |      ^^
      |
      = help: write it twice

    error: the key `key` is written twice
     --> a.yaml:2:1
      |
    2 | key: *a
      | ^^^ the second time
      |
     ::: a.yaml:1:1
      |
    1 | key: &a [x]
      | --- the first time

    error: YAML aliases are not used in a test file
     --> a.yaml:2:6
      |
    2 | key: *a
      |      ^^ read as an alias because of the `*` at its start
      |
      = help: text that begins with `*` has to stand in quotes

    error: unknown key `other` in the file
     --> a.yaml:3:1
      |
    3 | other: !t x
      | ^^^^^
      |
      = help: keys of the file are `key`, `password`

    error: YAML type tags are not used in a test file
     --> a.yaml:3:8
      |
    3 | other: !t x
      |        ^^
      |
      = help: leave out the `!…`; text that begins with `!` has to stand in quotes
    ");
}

#[test]
fn nesting_ends_before_the_stack_does() {
    for part in ["- ", "[", "- [{a: "] {
        let told = told(&part.repeat(10_000));
        assert!(told.starts_with("error: "), "{told}");
    }
    for text in ["- ".repeat(40), "[".repeat(40), format!("{}[[[[[[]]]]]]", "- ".repeat(12))] {
        let told = told(&text);
        assert!(told.contains("error: nested too deeply for a test file"), "{told}");
    }
}

#[test]
fn a_secret_is_hidden_wherever_it_stands() {
    for text in [
        "password: CANARY\npassword: CANARY\n",
        "passwort: CANARY\n",
        "key: {password: CANARY, a: [}",
        "{password: x,CANARY}",
        "other: {\"password\": CANARY}",
        "other: {password: [CANARY], password: {x: CANARY}}",
        "other: {? password : CANARY}",
    ] {
        let told = told(text);
        assert!(told.contains("error: "), "{text}");
        assert!(!told.contains("CANARY"), "{told}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_told_without_control_characters(
        text in prop::collection::vec(
            prop::sample::select(vec![
                "a", ": ", "\n", "[", "]", "{", "}", ",", "\"", "'", "#", "|", "&a ", "*a", "!t ",
                "---\n", "\t", "\r", "\u{1b}[31m", "\u{9b}31m", "\u{85}", "\u{202e}", "\u{2028}", "\"\\x1b\": ", "é",
                "%YAML 1.2\n", "password: ",
            ]),
            0..30,
        ).prop_map(|parts| parts.concat()),
    ) {
        let told = told(&text);
        let is_plain = |char: char| char == '\n' || !is_unsafe(char);
        prop_assert!(told.chars().all(is_plain), "{told:?}");
    }
}

#[test]
fn what_is_no_yaml_is_told_with_a_remedy() {
    let told = |text| {
        let told = told(text);
        let lines = told.lines().filter(|line| line.contains("^ ") || line.contains("help:"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    };
    let texts = [
        "key: [a, b\n",
        "key: {a: b\n",
        "key: \"a\n",
        "- a\nkey: b\n",
        "key: a\n  b: c\n",
        "key: a: b\n",
        "key: \"v\\d\"\n",
        "key: @a\n",
        "key: 1\nb\n",
    ];
    assert_snapshot!(texts.map(told).join("\n"), @r"
    |      ^ unclosed bracket '[' = help: close it, or look whether the file was cut short
    |      ^ unclosed bracket '{' = help: close it, or look whether the file was cut short
    | ^ invalid indentation in multiline quoted scalar = help: close the quotes
    | ^ while parsing a block collection, did not find expected '-' indicator = help: indent it as the lines that it belongs to, with spaces
    |    ^ mapping values are not allowed in this context = help: keys stand below each other; text that holds `: ` has to stand in quotes
    |       ^ mapping values are not allowed in this context = help: keys stand below each other; text that holds `: ` has to stand in quotes
    |      ^ while parsing a quoted scalar, found unknown escape character = help: in `'…'` a `\` stands for itself
    |      ^ unexpected character: `@' = help: text that begins with it has to stand in quotes
    | ^ simple key expected ':' = help: a key is followed by `: ` and its value
    ");
}
