use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// A file that holds a number.
#[derive(Debug)]
struct Number(PathBuf);

#[derive(Debug, thiserror::Error)]
enum NumberError {
    #[error("cannot read it")]
    Read(#[source] io::Error),
    #[error("not a number")]
    Parse(#[source] std::num::ParseIntError),
}

impl Source for Number {
    type Content = String;
    type Value = u32;
    type Error = NumberError;

    fn name(&self) -> &'static str {
        "the number"
    }

    fn read(&self) -> Result<String, NumberError> {
        fs::read_to_string(&self.0).map_err(NumberError::Read)
    }

    fn fingerprint(content: &String) -> Fingerprint {
        Fingerprint::of([content.as_bytes()])
    }

    fn load(&self, content: String) -> Result<u32, NumberError> {
        content.trim().parse().map_err(NumberError::Parse)
    }
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_changed_file_takes_effect_and_an_unchanged_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let number = Reloaded::start(Number(path.clone())).unwrap();
    assert!(matches!(number.poll(), Ok(false)));

    replace(&path, "2");
    assert!(matches!(number.poll(), Ok(true)));
    assert_eq!(**number.current(), 2);

    // The same content under a new inode and time is no change.
    replace(&path, "2");
    assert!(matches!(number.poll(), Ok(false)));
}

#[test]
fn the_last_good_value_stays_and_a_failure_is_told_once_for_each_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let number = Reloaded::start(Number(path.clone())).unwrap();

    fs::write(&path, "one").unwrap();
    assert!(matches!(number.poll(), Err(NumberError::Parse(_))));
    assert!(matches!(number.poll(), Ok(false)));
    fs::write(&path, "two").unwrap();
    assert!(matches!(number.poll(), Err(NumberError::Parse(_))));
    fs::remove_file(&path).unwrap();
    assert!(matches!(number.poll(), Err(NumberError::Read(_))));
    assert!(matches!(number.poll(), Ok(false)));
    assert_eq!(**number.current(), 1);

    fs::write(&path, "3").unwrap();
    assert!(matches!(number.poll(), Ok(true)));
    assert_eq!(**number.current(), 3);
}

#[test]
fn a_symlink_that_is_turned_elsewhere_is_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (version, text) in [("v1", "1"), ("v2", "2")] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("number"), text).unwrap();
    }
    symlink("v1", at("..data")).unwrap();
    symlink("..data/number", at("number")).unwrap();
    let number = Reloaded::start(Number(at("number"))).unwrap();

    symlink("v2", at("..tmp")).unwrap();
    fs::rename(at("..tmp"), at("..data")).unwrap();
    assert!(matches!(number.poll(), Ok(true)));
    assert_eq!(**number.current(), 2);
}

/// Gives each look at the content another one, as a file that grows does.
#[derive(Debug)]
struct Growing(Mutex<Vec<&'static str>>);

impl Source for Growing {
    type Content = &'static str;
    type Value = &'static str;
    type Error = NumberError;

    fn name(&self) -> &'static str {
        "the text"
    }

    fn read(&self) -> Result<&'static str, NumberError> {
        let mut texts = self.0.lock().unwrap();
        Ok(if texts.len() > 1 { texts.remove(0) } else { texts[0] })
    }

    fn fingerprint(content: &&'static str) -> Fingerprint {
        Fingerprint::of([content.as_bytes()])
    }

    fn load(&self, content: &'static str) -> Result<&'static str, NumberError> {
        Ok(content)
    }
}

#[test]
fn what_is_still_being_written_is_not_loaded() {
    let texts = vec!["allow, deny", "al", "allow", "allow, deny some"];
    let text = Reloaded::start(Growing(Mutex::new(texts))).unwrap();
    assert!(matches!(text.poll(), Ok(false)), "it grew between two looks");
    assert_eq!(**text.current(), "allow, deny");
    assert!(matches!(text.poll(), Ok(true)));
    assert_eq!(**text.current(), "allow, deny some");
}

#[test]
fn it_is_stale_for_as_long_as_the_files_hold_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let number = Reloaded::start(Number(path.clone())).unwrap();
    assert!(!number.is_stale());
    fs::write(&path, "one").unwrap();
    for _ in 0..2 {
        let _ = number.poll();
        assert!(number.is_stale());
    }
    fs::remove_file(&path).unwrap();
    number.poll().unwrap_err();
    assert!(number.is_stale());
    fs::write(&path, "1").unwrap();
    number.poll().unwrap();
    assert!(!number.is_stale(), "what is in force is there again");
    fs::write(&path, "2").unwrap();
    assert!(number.poll().unwrap());
    assert!(!number.is_stale());
}

#[test]
fn a_hangup_has_told_again_what_is_still_wrong_and_reloads_nothing_that_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    fs::write(&path, "1").unwrap();
    let number = Reloaded::start(Number(path.clone())).unwrap();
    assert!(!number.poll_by(Cause::Hangup).unwrap());
    fs::write(&path, "one").unwrap();
    number.poll().unwrap_err();
    number.poll_by(Cause::Hangup).unwrap_err();
    assert!(!number.poll().unwrap());
}

#[test]
fn another_value_takes_the_place_of_wrong_files_until_they_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    let five = Number::fingerprint(&"5".to_owned());
    for wrong in [None, Some("one")] {
        if let Some(text) = wrong {
            fs::write(&path, text).unwrap();
        }
        let refused = Reloaded::start_settled(Number(path.clone()), Some(five)).unwrap_err();
        let (number, _) = refused.replaced_by(5, five);
        assert_eq!(**number.current(), 5);
        assert!(number.is_stale());
        assert!(!number.poll().unwrap(), "it was told at the start what is wrong");
        fs::write(&path, "5").unwrap();
        assert!(number.poll().unwrap());
        assert!(!number.is_stale());
    }
}

#[test]
fn a_start_waits_for_what_is_still_being_written() {
    let start = |texts: &[&'static str], known: &str| {
        let known = Fingerprint::of([known.as_bytes()]);
        let source = Growing(Mutex::new(texts.to_vec()));
        **Reloaded::start_settled(source, Some(known)).unwrap().current()
    };
    assert_eq!(start(&["al", "allow", "allow, deny", "allow, deny"], ""), "allow, deny");
    // What was good before is not waited for.
    assert_eq!(start(&["allow", "another"], "allow"), "allow");
}

#[test]
fn a_look_that_panics_does_not_end_the_watch() {
    let (looked, looks) = mpsc::channel();
    let mut first = true;
    let watch = Watch::every(Duration::from_millis(1), move |_| {
        looked.send(()).unwrap();
        assert!(!std::mem::take(&mut first), "the first look panics");
    });
    let watch = watch.unwrap();
    looks.recv().unwrap();
    looks.recv().unwrap();
    drop(looks);
    drop(watch);
}

#[test]
fn a_nudge_makes_the_watch_look_at_once_and_a_drop_ends_it() {
    let (looked, looks) = mpsc::channel();
    let watch = Watch::every(Duration::from_secs(3600), move |cause| {
        looked.send(cause).unwrap();
    })
    .unwrap();
    watch.now();
    assert_eq!(looks.recv().unwrap(), Cause::Hangup);
    drop(watch);
    assert!(looks.recv().is_err(), "the thread and its sender are gone");
}

#[test]
fn the_watch_looks_again_and_again_by_itself() {
    let (looked, looks) = mpsc::channel();
    let watch = Watch::every(Duration::from_millis(1), move |_| {
        let _ = looked.send(());
    })
    .unwrap();
    for _ in 0..3 {
        looks.recv().unwrap();
    }
    drop(watch);
}

proptest! {
    #[test]
    fn a_byte_that_moves_to_the_next_file_changes_the_fingerprint(
        text in prop::collection::vec(any::<u8>(), 1..40),
        cut in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let (cut, other) = (cut.index(text.len()), other.index(text.len()));
        let print = |at: usize| Fingerprint::of([&text[..at], &text[at..]]);
        prop_assert_eq!(print(cut) == print(other), cut == other);
    }
}
