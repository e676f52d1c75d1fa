//! Any bytes as a list that comes in pieces: refused, or read as by every other reader of JSON.
//!
//! The first byte tells how long the pieces are.

#![no_main]

use libfuzzer_sys::fuzz_target;
use oci::{InvalidList, ListReader};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

#[derive(serde::Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<Box<RawValue>>>,
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, text)) = bytes.split_first() else { return };
    let whole = read(text, text.len());
    assert_eq!(read(text, piece.into()), whole, "pieces make a difference");
    let by_others =
        std::str::from_utf8(text).ok().filter(|text| text.trim_start().starts_with('{'));
    match whole {
        Ok((entries, is_list)) => {
            let text = by_others.expect("what is accepted is the text of an object");
            serde_json::from_str::<IgnoredAny>(text).expect("what is accepted is JSON");
            // The other reader refuses some escapes in keys that are too long to be the list's.
            let Ok(Tags { tags }) = serde_json::from_str(text) else { return };
            assert_eq!(is_list, tags.is_some());
            assert!(entries.iter().eq(tags.iter().flatten().map(|entry| entry.get())));
        }
        Err(InvalidList::TooDeep | InvalidList::TooLong) => {}
        Err(error) => {
            assert!(!error.to_string().is_empty());
            let read = by_others.map(serde_json::from_str::<Tags>);
            assert!(!matches!(read, Some(Ok(_))), "a list was refused: {error}");
        }
    }
});

fn read(text: &[u8], piece: usize) -> Result<(Vec<String>, bool), InvalidList> {
    let mut reader = ListReader::new("tags");
    let mut entries = Vec::new();
    for piece in text.chunks(piece.max(1)) {
        reader.feed(piece, |entry| {
            entries.push(String::from_utf8(entry.to_vec()).expect("an entry is text"));
        })?;
    }
    reader.finish().map(|is_list| (entries, is_list))
}
