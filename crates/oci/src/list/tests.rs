use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// The entries, and whether there was an array; or the error. In pieces of so many bytes.
fn read(text: &[u8], piece: usize) -> Result<(Vec<String>, bool), InvalidList> {
    let mut reader = ListReader::new("tags");
    let mut entries = Vec::new();
    for piece in text.chunks(piece.max(1)) {
        reader.feed(piece, |entry| {
            entries.push(String::from_utf8(entry.to_vec()).unwrap());
        })?;
    }
    reader.finish().map(|is_list| (entries, is_list))
}

fn entries(text: &str) -> Vec<String> {
    let whole = read(text.as_bytes(), usize::MAX);
    assert_eq!(read(text.as_bytes(), 1), whole, "in single bytes");
    whole.unwrap().0
}

fn error(text: impl AsRef<[u8]>) -> InvalidList {
    let whole = read(text.as_ref(), usize::MAX).unwrap_err();
    assert_eq!(read(text.as_ref(), 1).unwrap_err(), whole, "in single bytes");
    whole
}

#[test]
fn entries_come_out_as_they_are_written() {
    assert_eq!(
        entries(r#"{"name":"a/b","tags":["v1","v\u0032" , "é"]}"#),
        [r#""v1""#, r#""v\u0032""#, r#""é""#]
    );
    assert_eq!(
        entries(r#"{"tags":[{"tags": [1, {}]} ,[ ], null,-1.5e+3,true]}"#),
        [r#"{"tags": [1, {}]}"#, "[ ]", "null", "-1.5e+3", "true"]
    );
    let escaped = r#"{"\u0074\u0061gs":[1]}"#;
    assert_eq!(entries(escaped), ["1"], "a key is what it says");
}

#[test]
fn what_stands_beside_the_list_is_skipped() {
    let text = r#" { "a" : [1,[2,{"tags":["x"]}]], "":{"tags":["y"]}, "tags" : [ "v1" ] ,
        "b":false, "c":"\"]}", "d":0, "e":{} } "#;
    assert_eq!(entries(text), [r#""v1""#]);
    let long = format!(r#"{{"{}":1,"tags":[2]}}"#, "x".repeat(10_000));
    assert_eq!(entries(&long), ["2"]);
}

#[test]
fn a_list_may_be_missing() {
    assert_eq!(read(br#"{"tags":[]}"#, 3), Ok((Vec::new(), true)));
    for text in [r#"{"tags":null}"#, "{}", r#"{"name":"x"}"#, r#"{"Tags":[1]}"#] {
        assert_eq!(read(text.as_bytes(), 3), Ok((Vec::new(), false)), "{text}");
    }
}

#[test]
fn what_is_not_json_is_refused_wherever_it_stands() {
    for text in [
        "[]",
        "\"x\"",
        "1 ",
        "null",
        "\u{feff}{}",
        "{}{}",
        "{} x",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":+1}",
        "{\"a\":tru}",
        "{\"a\":nulll}",
        "{\"a\":[1,]}",
        "{\"a\":[,1]}",
        "{\"a\":[1 2]}",
        "{\"a\":[1}",
        "{\"a\":{]}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"\t\"}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":NaN}",
        "{\"a\":1}}",
        "{\"a\"::1}",
        "{\"a\":\"\\ud800\":1}",
        "{\"\\ud800\":1}",
    ] {
        assert!(matches!(error(text), InvalidList::Json(_)), "{text}");
    }
    assert_eq!(error(r#"{"tags":["v1",}"#), InvalidList::Json(14));
    for text in [&b"{\"\xff\":1}"[..], b"{\"a\":\"\xed\xa0\x80\"}", b"{\"a\":\"\xc3\"}"] {
        assert!(matches!(error(text), InvalidList::Json(_)), "{text:?}");
    }
}

#[test]
fn half_a_list_is_no_list() {
    let text = r#"{"tags":["v1",{"a":-0.5e7}],"b":null,"é":"\u00e9"} "#.as_bytes();
    for length in 0..text.len() - 1 {
        assert_eq!(read(&text[..length], 7), Err(InvalidList::Unfinished), "{length}");
    }
    assert!(read(text, 7).is_ok());
}

#[test]
fn a_member_that_is_no_list_or_stands_twice_is_refused() {
    for text in [r#"{"tags":7}"#, r#"{"tags":{}}"#, r#"{"tags":"v1"}"#, r#"{"tags":true}"#] {
        assert_eq!(error(text), InvalidList::NotAList("tags"), "{text}");
    }
    let twice = InvalidList::Twice("tags");
    assert_eq!(error(r#"{"tags":["a"],"tags":["b"]}"#), twice);
    assert_eq!(error(r#"{"tags":null,"t\u0061gs":["b"]}"#), twice);
}

#[test]
fn depth_and_entries_are_bounded() {
    let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(MAX_DEPTH - 1).as_bytes(), 99).is_ok());
    assert_eq!(error(nested(MAX_DEPTH)), InvalidList::TooDeep);
    let long = |length: usize| format!(r#"{{"b":"{0}","tags":["{0}"]}}"#, "x".repeat(length));
    assert_eq!(read(long(MAX_ENTRY - 2).as_bytes(), 1 << 16).unwrap().0.len(), 1);
    assert_eq!(read(long(MAX_ENTRY - 1).as_bytes(), 1 << 16), Err(InvalidList::TooLong));
}

#[test]
fn what_is_skipped_is_not_held() {
    let mut reader = ListReader::new("tags");
    reader.feed(b"{\"tags\":[\"v1\"],\"a\":[\"", |_| {}).unwrap();
    for _ in 0..1000 {
        reader.feed(&[b'x'; 1000], |_| {}).unwrap();
        reader.feed(b"\",1,\"", |_| {}).unwrap();
    }
    assert!(reader.entry.capacity() + reader.key.capacity() < 1000);
}

/// The same by another reader.
#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<Box<serde_json::value::RawValue>>>,
}

fn by_serde(text: &[u8]) -> Option<(Vec<String>, bool)> {
    let tags: Tags = serde_json::from_str(std::str::from_utf8(text).ok()?).ok()?;
    // Other readers take an array for an object whose members have no names.
    let is_object = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let entries = tags.tags.iter().flatten().map(|entry| entry.get().to_owned()).collect();
    is_object.then_some((entries, tags.tags.is_some()))
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("tags|.{0,3}", inner, 0..5).prop_map(|map| json!(map)),
        ]
    })
}

fn list() -> impl Strategy<Value = String> {
    let members = prop::collection::btree_map("tags|name|.{0,3}", value(), 0..4);
    let tags = prop::option::weighted(0.8, prop::collection::vec(value(), 0..6));
    (members, tags, any::<bool>()).prop_map(|(mut members, tags, pretty)| {
        if let Some(tags) = tags {
            members.insert("tags".to_owned(), tags.into());
        }
        if pretty {
            serde_json::to_string_pretty(&members)
        } else {
            serde_json::to_string(&members)
        }
        .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn lists_are_read_as_by_other_readers(text in list(), piece in 1..40_usize) {
        prop_assert_eq!(read(text.as_bytes(), piece).ok(), by_serde(text.as_bytes()));
    }

    #[test]
    fn so_are_damaged_ones(
        text in list(),
        piece in 1..40_usize,
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..3),
    ) {
        let mut text = text.into_bytes();
        for (place, byte, kind) in places {
            let place = place.index(text.len() + 1);
            let bytes = b"{}[]\",:\\0-9.eEtrufalsn \n\xc3\xa9";
            let structural = bytes[usize::from(byte) % bytes.len()];
            match kind {
                0 if place < text.len() => { text.remove(place); }
                1 if place < text.len() => text[place] = byte,
                _ => text.insert(place, structural),
            }
        }
        prop_assert_eq!(read(&text, piece).ok(), by_serde(&text));
        prop_assert_eq!(read(&text, piece), read(&text, usize::MAX), "pieces make a difference");
    }
}
