use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::file::{Rotated, numbered};
use super::super::{Audit, Decision, Reader, Record, Settings, line};
use super::*;

fn settings(folder: &Path, rotate: u64, keep: usize) -> Settings {
    Settings { file: folder.join("audit.jsonl"), rotate, keep }
}

fn folder(rotate: u64, keep: usize) -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), rotate, keep);
    (folder, settings)
}

/// A record with a number, and filled up to some length.
fn record(number: usize, filling: usize) -> Record {
    Record {
        request_id: Some(format!("r{number}")),
        reason: (filling > 0).then(|| "x".repeat(filling)),
        ..Record::new("request")
    }
}

fn write(file: &mut Rotated, record: &Record) {
    let mut bytes = Vec::new();
    line::append(&mut bytes, record).unwrap();
    file.rotate().unwrap();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        rest = &rest[file.write(rest).unwrap()..];
    }
}

fn question(limit: usize) -> Question {
    Question { limit, most: 1 << 30, ..Question::default() }
}

fn ids(page: &Page) -> Vec<usize> {
    let id = |found: &Found| found.text("request_id").unwrap()[1..].parse().unwrap();
    page.records.iter().map(id).collect()
}

/// All pages of a question, one after the other.
fn all(settings: &Settings, mut question: Question) -> Vec<usize> {
    let mut found = Vec::new();
    loop {
        let page = search(settings, &question).unwrap();
        found.extend(ids(&page));
        match page.next {
            Some(next) => question.after = Some(next),
            None => return found,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn backwards_is_forwards_reversed_over_all_files_and_pages(
        fillings in prop::collection::vec(0..1500_usize, 0..60),
        rotate in 200..8000_u64,
        keep in 0..6_usize,
        limit in 1..20_usize,
        most in prop_oneof![Just(1_u64 << 30), 0..200_000_u64],
        pause in any::<prop::sample::Index>(),
    ) {
        let (_folder, settings) = folder(rotate, keep);
        let mut file = Rotated::open(&settings).unwrap();
        for (number, filling) in fillings.iter().enumerate() {
            write(&mut file, &record(number, *filling));
        }
        // What is left, read forwards, the oldest file first.
        let mut forwards = Vec::new();
        for number in (0..=keep).rev() {
            let text = fs::read_to_string(numbered(&settings.file, number)).unwrap_or_default();
            forwards.extend(text.lines().map(|line| {
                let found = Found::read(line.as_bytes()).unwrap();
                found.text("request_id").unwrap()[1..].parse::<usize>().unwrap()
            }));
        }
        forwards.reverse();
        let asked = Question { most, ..question(limit) };
        prop_assert_eq!(&all(&settings, asked.clone()), &forwards);

        // After a page files are put aside. What was there goes on where it was, as far as it is
        // kept, and nothing comes twice.
        let first = search(&settings, &asked).unwrap();
        let more = pause.index(30);
        for number in 0..more {
            write(&mut file, &record(1000 + number, 700));
        }
        if let Some(next) = first.next.clone() {
            let rest = all(&settings, Question { after: Some(next), ..asked });
            let expected = &forwards[first.records.len()..];
            prop_assert!(expected.starts_with(&rest), "{:?} {:?}", rest, expected);
            let still: Vec<_> = all(&settings, question(usize::MAX))
                .into_iter().filter(|number| expected.contains(number)).collect();
            prop_assert_eq!(rest, still);
        }
    }
}

#[test]
fn the_next_older_file_is_found_wherever_it_was_put() {
    // Each record begins a file.
    let (_folder, settings) = folder(1, 6);
    let mut file = Rotated::open(&settings).unwrap();
    let mut write_some = |numbers: std::ops::Range<usize>| {
        numbers.for_each(|number| write(&mut file, &record(number, 0)));
    };
    let older = |opened: &Opened| opened.older(&settings).unwrap();
    let id = |opened: &Opened| {
        let line = io::read_to_string(&opened.file).unwrap();
        Found::read(line.as_bytes()).unwrap().text("request_id").unwrap().to_owned()
    };
    write_some(0..3);
    let newest = Opened::newest(&settings).unwrap().unwrap();
    write_some(3..5);
    assert_eq!(id(&older(&newest).unwrap()), "r1");
    // While files are put aside, one number or another is free for a moment.
    fs::rename(numbered(&settings.file, 4), numbered(&settings.file, 5)).unwrap();
    fs::rename(numbered(&settings.file, 3), numbered(&settings.file, 4)).unwrap();
    let next = older(&newest).unwrap();
    assert_eq!(id(&next), "r1");
    assert_eq!(id(&older(&next).unwrap()), "r0");
    assert!(older(&older(&next).unwrap()).is_none());
    write_some(5..15);
    assert!(older(&newest).is_none(), "it has fallen out, with all before it");
}

#[test]
fn lines_that_are_no_records_are_passed_over_and_counted() {
    let (_folder, settings) = folder(1 << 20, 1);
    let mut file = Rotated::open(&settings).unwrap();
    write(&mut file, &record(1, 0));
    for foreign in
        ["{\"time\":\"2026-0", "", "[1]", "{}", "null", "{\"time\":\"x\",\"event\":\"y\"}", "\u{0}"]
    {
        file.write(format!("{foreign}\n").as_bytes()).unwrap();
    }
    file.write(b"\xff\xfe\n").unwrap();
    write(&mut file, &record(2, 0));
    file.write(b"{\"time\":\"2026-01-01T00:00:00Z\",\"event\":\"torn\"}").unwrap();
    let page = search(&settings, &question(10)).unwrap();
    assert_eq!((ids(&page), page.skipped), (vec![2, 1], 8));
    assert_eq!(page.next, None);
}

#[test]
fn a_line_comes_back_as_it_was_written_with_fields_that_nobody_knows() {
    let (_folder, settings) = folder(1 << 20, 1);
    let written = r#"{"time":"2026-01-02T03:04:05.678Z","event":"request","new":{"a":[1]},"reason":"\u202e"}"#;
    fs::write(&settings.file, format!("{written}\n")).unwrap();
    let page = search(&settings, &question(10)).unwrap();
    assert_eq!(serde_json::to_string(&page.records).unwrap(), format!("[{written}]"));
    let names: Vec<_> = page.records[0].fields().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["time", "event", "new", "reason"]);
    assert_eq!(page.records[0].text("reason"), Some("\u{202e}"));
}

#[test]
fn everything_that_is_named_has_to_hold() {
    let (_folder, settings) = folder(1 << 20, 1);
    let mut file = Rotated::open(&settings).unwrap();
    let at = |second: i64| Timestamp::from_second(1_767_323_000 + second).unwrap();
    let digest = format!("sha256:{}", "ab".repeat(32));
    let records = [
        Record {
            subject: Some("user:alice".to_owned()),
            operation: Some("manifest_read"),
            repository: Some("team/app".to_owned()),
            reference: Some("v1".to_owned()),
            digest: Some(digest.clone()),
            decision: Some(Decision::Allow),
            address: Some([192, 0, 2, 1].into()),
            ..record(0, 0)
        },
        Record {
            subject: Some("user:alice".to_owned()),
            operation: Some("manifest_put"),
            repository: Some("team/app-two".to_owned()),
            reference: Some("v1,latest".to_owned()),
            decision: Some(Decision::Deny),
            rule: Some("no \"latest\"".to_owned()),
            address: Some("2001:db8::1".parse().unwrap()),
            ..record(1, 0)
        },
        Record {
            subject: Some("user:alice2".to_owned()),
            repository: Some("team".to_owned()),
            reference: Some("v10".to_owned()),
            decision: Some(Decision::Deny),
            gate: Some("production".to_owned()),
            reason: Some("It was NEVER scanned".to_owned()),
            groups: vec!["Developers".to_owned()],
            ..record(2, 0)
        },
    ];
    for (second, record) in (0..).zip(records) {
        write(&mut file, &Record { time: at(second), ..record });
    }
    let found = |filter: Filter| all(&settings, Question { filter, ..question(10) });
    let field = |name, value: &str| {
        found(Filter { fields: vec![(name, value.to_owned())], ..Filter::default() })
    };
    assert_eq!(field("request_id", "r1"), [1]);
    assert_eq!(field("subject", "user:alice"), [1, 0], "and not who has a longer name");
    assert_eq!(field("subject", "user:Alice"), [0_usize; 0]);
    assert_eq!(field("rule", "no \"latest\""), [1]);
    assert_eq!(field("gate", "production"), [2]);
    assert_eq!(field("event", "request"), [2, 1, 0]);
    let repository =
        |text: &str| found(Filter { repository: Some(text.to_owned()), ..Filter::default() });
    assert_eq!(repository("team/app"), [0]);
    assert_eq!(repository("team/app*"), [1, 0]);
    assert_eq!(repository("team/**"), [1, 0]);
    assert_eq!(repository("*"), [2, 1, 0]);
    let reference =
        |text: &str| found(Filter { reference: Some(text.to_owned()), ..Filter::default() });
    assert_eq!(reference("v1"), [1, 0]);
    assert_eq!(reference("latest"), [1]);
    assert_eq!(reference(&digest), [0]);
    assert_eq!(reference("sha256:abab"), [0]);
    let decision = |it| found(Filter { decision: Some(it), ..Filter::default() });
    assert_eq!((decision(Decision::Allow), decision(Decision::Deny)), (vec![0], vec![2, 1]));
    let address =
        |text: &str| found(Filter { address: Some(text.parse().unwrap()), ..Filter::default() });
    assert_eq!(address("2001:db8:0::1"), [1]);
    let words = |words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        found(Filter { words, ..Filter::default() })
    };
    assert_eq!(words(&["never", "SCANNED"]), [2]);
    assert_eq!(words(&["developers"]), [2], "in lists, too");
    assert_eq!(words(&["never", "latest"]), [0_usize; 0]);
    let between = |since: Option<i64>, until: Option<i64>| {
        let (since, until) = (since.map(at), until.map(at));
        found(Filter { since, until, ..Filter::default() })
    };
    assert_eq!(between(Some(1), None), [2, 1]);
    assert_eq!(between(None, Some(2)), [1, 0]);
    assert_eq!(between(Some(1), Some(2)), [1]);
    let filter = Filter {
        fields: vec![("subject", "user:alice".to_owned())],
        decision: Some(Decision::Deny),
        words: vec!["two".to_owned()],
        since: Some(at(0)),
        ..Filter::default()
    };
    assert_eq!(
        filter.to_string(),
        "subject `user:alice`, decision `deny`, word `two`, since 2026-01-02T03:03:20Z"
    );
    assert_eq!(found(filter), [1]);
}

#[test]
fn what_took_long_is_found_and_reading_ends_behind_what_is_too_old() {
    let (_folder, settings) = folder(1 << 30, 1);
    let mut file = Rotated::open(&settings).unwrap();
    let at = |second: i64| Timestamp::from_second(1_767_323_000 + second).unwrap();
    for number in 0..3000 {
        write(&mut file, &Record { time: at(-100_000), ..record(number, 0) });
    }
    // A clock that was wrong for a while hides nothing.
    write(&mut file, &Record { time: at(5), ..record(3000, 0) });
    write(&mut file, &Record { time: at(-200_000), ..record(3001, 0) });
    // Begun before, and written after.
    let slow = Record { time: at(-5000), duration_ms: Some(5_010_000), ..record(3002, 0) };
    write(&mut file, &slow);
    let filter = Filter { since: Some(at(0)), ..Filter::default() };
    let page = search(&settings, &Question { filter, ..question(10) }).unwrap();
    assert_eq!(ids(&page), [3000]);
    assert_eq!(page.next, None);
    let filter = Filter { since: Some(at(-5000)), ..Filter::default() };
    let page = search(&settings, &Question { filter, most: 50_000, ..question(10) }).unwrap();
    assert_eq!(ids(&page), [3002, 3000]);
    assert!(page.next.is_some(), "the bound comes first");
}

#[tokio::test]
async fn what_was_queued_just_now_is_found() {
    let (_folder, settings) = folder(1 << 20, 1);
    let audit = Audit::open(&settings).unwrap();
    for number in 0..100 {
        audit.queue(record(number, 0));
    }
    let page = audit.search(Reader::Anybody, question(1)).await.unwrap();
    assert_eq!((ids(&page), page.is_current), (vec![99], true));
    audit.close().await;
    let page = audit.search(Reader::Administrator, question(1)).await.unwrap();
    assert!(!page.is_current, "nothing is written any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn reading_goes_on_while_the_writer_writes_and_puts_files_aside() {
    let (_folder, settings) = folder(3000, 2000);
    let audit = Arc::new(Audit::open(&settings).unwrap());
    let writing = {
        let audit = Arc::clone(&audit);
        tokio::spawn(async move {
            for number in 0..1500 {
                audit.flush(record(number, number % 300)).await.unwrap();
            }
        })
    };
    // At any moment: without a gap from the newest to the first, and nothing twice.
    while !writing.is_finished() {
        let mut asked = question(37);
        let mut found = Vec::new();
        loop {
            let page = audit.search(Reader::Administrator, asked.clone()).await.unwrap();
            assert!(page.is_current && page.skipped == 0, "{page:?}");
            found.extend(ids(&page));
            let Some(next) = page.next else { break };
            asked.after = Some(next);
        }
        let newest = found.first().copied().map_or(0, |newest| newest + 1);
        assert_eq!(found, (0..newest).rev().collect::<Vec<_>>());
    }
    writing.await.unwrap();
    assert!(fs::exists(numbered(&settings.file, 3)).unwrap());
}
