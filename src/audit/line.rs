//! A record as one line.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::Record;
use crate::log::is_unsafe;

/// Appends a record to `lines` as one JSON object and a line feed.
pub(super) fn append(lines: &mut Vec<u8>, record: &Record) -> serde_json::Result<()> {
    let begin = lines.len();
    let result = record.serialize(&mut Serializer::with_formatter(&mut *lines, Visible));
    match result {
        Ok(()) => lines.push(b'\n'),
        Err(_) => lines.truncate(begin),
    }
    result
}

/// Compact JSON with nothing in its texts that a terminal or an editor acts upon. The usual one
/// escapes quotes, backslashes and what lies below U+0020.
struct Visible;

impl Formatter for Visible {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + Write,
    {
        let mut written = 0;
        for (at, letter) in fragment.char_indices().filter(|&(_, letter)| is_unsafe(letter)) {
            writer.write_all(fragment.get(written..at).unwrap_or_default().as_bytes())?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            written = at + letter.len_utf8();
        }
        writer.write_all(fragment.get(written..).unwrap_or_default().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Decision;
    use super::*;

    fn line(record: &Record) -> String {
        let mut lines = Vec::new();
        append(&mut lines, record).unwrap();
        String::from_utf8(lines).unwrap()
    }

    fn at(time: &str, event: &'static str) -> Record {
        Record { time: time.parse().unwrap(), ..Record::new(event) }
    }

    #[test]
    fn a_request_tells_everything_in_the_contracts_order() {
        let record = Record {
            request_id: Some("0199-a".into()),
            subject: Some("user:alice".into()),
            kind: Some("user"),
            groups: vec!["dev".into(), "qa".into()],
            token_id: Some("t1".into()),
            address: Some([192, 0, 2, 1].into()),
            user_agent: Some("containerd/1.6".into()),
            operation: Some("manifest.read"),
            repository: Some("team/app".into()),
            reference: Some("v1".into()),
            digest: Some("sha256:00".into()),
            decision: Some(Decision::Deny),
            rule: Some("no prod".into()),
            reason: Some("prod is for operators".into()),
            status: Some(403),
            bytes_in: Some(0),
            bytes_out: Some(120),
            duration_ms: Some(3),
            ..at("2026-01-02T03:04:05.678901Z", "request")
        };
        insta::assert_snapshot!(line(&record), @r#"{"time":"2026-01-02T03:04:05.678Z","event":"request","request_id":"0199-a","subject":"user:alice","kind":"user","groups":["dev","qa"],"token_id":"t1","address":"192.0.2.1","user_agent":"containerd/1.6","operation":"manifest.read","repository":"team/app","reference":"v1","digest":"sha256:00","decision":"deny","rule":"no prod","reason":"prod is for operators","status":403,"bytes_in":0,"bytes_out":120,"duration_ms":3}"#);
    }

    #[test]
    fn what_is_absent_is_left_out() {
        insta::assert_snapshot!(line(&at("2026-01-02T03:04:05Z", "policy.loaded")), @r#"{"time":"2026-01-02T03:04:05.000Z","event":"policy.loaded"}"#);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let record = Record {
            user_agent: Some("é".repeat(200)),
            reason: Some("x".repeat(5000)),
            groups: vec!["y".repeat(600); 70],
            ..at("2026-01-02T03:04:05Z", "request")
        };
        let value: serde_json::Value = serde_json::from_str(&line(&record)).unwrap();
        assert_eq!(value["user_agent"], format!("{}…", "é".repeat(128)));
        assert_eq!(value["reason"], format!("{}…", "x".repeat(2048)));
        let groups = value["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 65);
        assert_eq!(groups[0], format!("{}…", "y".repeat(512)));
        assert_eq!(groups[64], "…");
    }

    proptest! {
        #[test]
        fn whatever_a_client_sends_the_line_is_one_harmless_object_with_it_inside(
            text in "(?s).{0,60}",
            odd in "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\u{202e}\u{1f600}\"\\\\]{0,20}",
        ) {
            let sent = format!("{text}{odd}");
            let record = Record {
                user_agent: Some(sent.clone()),
                groups: vec![sent.clone()],
                ..at("2026-01-02T03:04:05Z", "request")
            };
            let line = line(&record);
            let (object, rest) = line.split_once('\n').unwrap();
            prop_assert_eq!(rest, "");
            prop_assert!(!object.chars().any(is_unsafe), "{:?}", object);
            let value: serde_json::Value = serde_json::from_str(object).unwrap();
            if sent.len() <= 256 {
                prop_assert_eq!(value["user_agent"].as_str(), Some(sent.as_str()));
            }
            prop_assert_eq!(value["groups"][0].as_str(), Some(sent.as_str()));
        }
    }
}
