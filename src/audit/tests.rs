use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn record(number: u32) -> Record {
    Record { request_id: Some(number.to_string()), ..Record::new("request") }
}

/// The request ids in a file.
fn ids(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["request_id"].as_str().unwrap().to_owned()
        })
        .collect()
}

fn folder() -> (TempDir, Settings) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::new(folder.path().join("audit.jsonl"));
    (folder, settings)
}

/// A trail whose file is on a full disk until it is turned to `settings.file`'s neighbour.
fn on_a_full_disk() -> (TempDir, Settings, Audit) {
    let (folder, settings) = folder();
    symlink("/dev/full", &settings.file).unwrap();
    let audit = Audit::open(&settings).unwrap();
    (folder, settings, audit)
}

fn mend(settings: &Settings) {
    let new = settings.file.with_extension("new");
    symlink("mended.jsonl", &new).unwrap();
    fs::rename(new, &settings.file).unwrap();
}

/// Waits for what another thread brings about.
async fn until(holds: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_flushed_record_is_in_the_file_with_all_before_it() {
    let (_folder, settings) = folder();
    let audit = Audit::open(&settings).unwrap();
    audit.queue(record(1));
    audit.queue(record(2));
    audit.flush(record(3)).await.unwrap();
    assert_eq!(ids(&settings.file), ["1", "2", "3"]);
    assert_eq!(audit.lost(), 0);
}

#[tokio::test]
async fn what_was_queued_is_settled_and_a_disk_that_fails_is_told_at_once() {
    let (_folder, settings) = folder();
    let audit = Audit::open(&settings).unwrap();
    audit.settle().await.unwrap();
    assert_eq!(ids(&settings.file), [""; 0]);
    audit.queue(record(1));
    audit.queue(record(2));
    audit.settle().await.unwrap();
    assert_eq!(ids(&settings.file), ["1", "2"]);

    let (folder, settings, audit) = on_a_full_disk();
    audit.queue(record(1));
    // The thread may take the record alone, and then looks at nothing else until it is written.
    assert_eq!(audit.settle().await, Err(Unwritten));
    assert_eq!(audit.settle().await, Err(Unwritten));
    mend(&settings);
    let mended = folder.path().join("mended.jsonl");
    until(|| !audit.is_failing()).await;
    audit.settle().await.unwrap();
    assert_eq!(ids(&mended), ["1"]);
    assert_eq!((audit.queue_length(), audit.lost()), (0, 0), "to wait is no record of its own");
}

/// Time stands still, so whoever waited for it to pass would be seen.
#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_when_the_disk_fails_and_not_when_patience_ends() {
    let (_folder, settings) = folder();
    let audit = Audit::open(&settings).unwrap();
    audit.close().await;
    // As while the thread is busy with what came before: nobody takes anything from this queue.
    let (queue, messages) = mpsc::channel(1);
    let audit = Audit { queue, ..audit };
    let began = tokio::time::Instant::now();
    let fail = async {
        while messages.is_empty() {
            tokio::task::yield_now().await;
        }
        audit.status.failing.send_replace(true);
    };
    let (settled, ()) = tokio::join!(audit.settle(), fail);
    assert_eq!((settled, began.elapsed()), (Err(Unwritten), Duration::ZERO));
    // Now there is no more room in it.
    audit.status.failing.send_replace(false);
    let fail = async { audit.status.failing.send_replace(true) };
    let (flushed, _) = tokio::join!(audit.flush(record(1)), fail);
    assert_eq!((flushed, began.elapsed()), (Err(Unwritten), Duration::ZERO));
    assert_eq!(audit.lost(), 1);
}

#[tokio::test]
async fn closing_writes_what_is_queued_and_what_comes_later_is_counted() {
    let (_folder, settings) = folder();
    let audit = Audit::open(&settings).unwrap();
    for number in 0..3000 {
        audit.queue(record(number));
    }
    audit.close().await;
    let all: Vec<_> = (0..3000).map(|number: u32| number.to_string()).collect();
    assert_eq!(ids(&settings.file), all);
    assert_eq!(audit.queue_length(), 0);

    audit.queue(record(1));
    assert_eq!(audit.flush(record(2)).await, Err(Unwritten));
    assert_eq!(audit.lost(), 2);
    audit.close().await;
}

#[tokio::test]
async fn an_earlier_trail_is_appended_to() {
    let (_folder, settings) = folder();
    for number in 1..3 {
        let audit = Audit::open(&settings).unwrap();
        audit.flush(record(number)).await.unwrap();
        audit.close().await;
    }
    assert_eq!(ids(&settings.file), ["1", "2"]);
}

#[tokio::test]
async fn many_at_once_lose_nothing_while_files_change() {
    let (folder, settings) = folder();
    let settings = Settings { rotate: 2000, keep: 1000, ..settings };
    let audit = Arc::new(Audit::open(&settings).unwrap());
    let tasks: Vec<_> = (0..300)
        .map(|number| {
            let audit = Arc::clone(&audit);
            tokio::spawn(async move { audit.flush(record(number)).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for number in 300..400 {
        audit.flush(record(number)).await.unwrap();
    }
    let mut found: Vec<u32> = fs::read_dir(folder.path())
        .unwrap()
        .flat_map(|entry| ids(&entry.unwrap().path()))
        .map(|id| id.parse().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(found, (0..400).collect::<Vec<_>>());
    assert!(fs::read_dir(folder.path()).unwrap().count() > 2);
}

#[tokio::test]
async fn on_a_full_disk_a_flush_fails_and_nothing_is_lost_once_there_is_space() {
    let (folder, settings, audit) = on_a_full_disk();
    assert_eq!(audit.flush(record(1)).await, Err(Unwritten));
    audit.queue(record(2));
    assert_eq!(audit.flush(record(3)).await, Err(Unwritten), "at once, while it fails");
    assert_eq!(audit.queue_length(), 2);
    assert_eq!(audit.lost(), 0);

    mend(&settings);
    let mended = folder.path().join("mended.jsonl");
    until(|| fs::exists(&mended).unwrap() && ids(&mended).len() == 3).await;
    audit.flush(record(4)).await.unwrap();
    assert_eq!(ids(&mended), ["1", "2", "3", "4"]);
    assert_eq!(audit.lost(), 0);
}

#[tokio::test]
async fn a_full_queue_loses_and_counts_and_never_blocks() {
    let (_folder, _settings, audit) = on_a_full_disk();
    assert_eq!(audit.flush(record(1)).await, Err(Unwritten));
    for number in 0..QUEUE as u32 + 7 {
        audit.queue(record(number));
    }
    assert_eq!(audit.queue_length(), QUEUE);
    assert_eq!(audit.lost(), 7);
}

#[tokio::test]
async fn closing_on_a_full_disk_ends_and_counts_the_lost() {
    let (_folder, _settings, audit) = on_a_full_disk();
    assert_eq!(audit.flush(record(1)).await, Err(Unwritten));
    for number in 0..9 {
        audit.queue(record(number));
    }
    audit.close().await;
    assert_eq!(audit.lost(), 10);
}

#[test]
fn a_file_that_cannot_be_is_told_with_its_remedy() {
    let error = Audit::open(&Settings::new("/dev/null/audit.jsonl".into())).unwrap_err();
    insta::assert_snapshot!(error, @"cannot write the audit trail `/dev/null/audit.jsonl` (`audit.file`): its folder must exist and this user must be able to write there");
}
