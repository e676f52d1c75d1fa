use std::fs::Permissions;

use insta::assert_snapshot;

use super::super::rotating::tests::answer;
use super::*;

fn folder() -> (tempfile::TempDir, LoginsFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = LoginsFile::at(folder.path().join("config/portcullis/login.json"));
    (folder, file)
}

fn login(subject: &str) -> Login {
    let now = "2026-01-02T03:04:05Z".parse().unwrap();
    let tokens = Rotating::new(answer("pcr_secret", 1_767_323_045, 3600), now).unwrap();
    Login { subject: subject.to_owned(), ca: Some("/ca.crt".into()), tokens }
}

fn keep(file: &LoginsFile, server: &str) {
    let mut change = file.change().unwrap();
    change.logins.gates.insert(server.parse().unwrap(), login("user:alice"));
    change.save().unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn told(file: &LoginsFile, folder: &Path) -> String {
    let failure = file.change().map(drop).unwrap_err();
    failure.text(false).replace(&folder.display().to_string(), "HOME")
}

#[test]
fn what_is_saved_is_there_again_and_nobody_else_can_read_it() {
    let (_folder, file) = folder();
    assert_eq!(file.read().unwrap(), Logins::default());
    keep(&file, "https://a.example");
    keep(&file, "https://b.example:5443");
    let logins = file.read().unwrap();
    assert_eq!(logins.gates.len(), 2);
    assert_eq!(logins.gates.get(&"b.example:5443".parse().unwrap()), Some(&login("user:alice")));
    assert_eq!(mode(file.path()), 0o600);
    assert_eq!(mode(file.path().parent().unwrap()), 0o700);
    let mut change = file.change().unwrap();
    change.logins.gates.pop_last();
    change.save().unwrap();
    assert_snapshot!(fs::read_to_string(file.path()).unwrap(), @r#"
    {
      "gates": {
        "https://a.example": {
          "subject": "user:alice",
          "ca": "/ca.crt",
          "tokens": {
            "id": "family",
            "refresh_token": "pcr_secret",
            "access_token": "h.eyJpYXQiOiAxNzY3MzI2NjQ1LCAiZXhwIjogMTc2NzMzMDI0NSwgIngiOiAxfQ.s",
            "received_at": "2026-01-02T03:04:05Z",
            "good_until": "2026-01-02T04:04:05Z"
          }
        }
      }
    }
    "#);
}

#[test]
fn a_file_that_others_can_read_is_not_used() {
    let (folder, file) = folder();
    keep(&file, "https://a.example");
    for bits in [0o640, 0o604, 0o660, 0o601] {
        fs::set_permissions(file.path(), Permissions::from_mode(bits)).unwrap();
        assert_eq!(file.read().unwrap_err().exit, Exit::Input, "{bits:o}");
    }
    assert_snapshot!(told(&file, folder.path()), @"
    error: HOME/config/portcullis/login.json is open to others (mode 601)
    help: run `chmod go= HOME/config/portcullis/login.json`, and sign in again
    ");
    fs::set_permissions(file.path(), Permissions::from_mode(0o600)).unwrap();
    let parent = file.path().parent().unwrap();
    fs::set_permissions(parent, Permissions::from_mode(0o770)).unwrap();
    assert_snapshot!(told(&file, folder.path()), @"
    error: HOME/config/portcullis is open to others (mode 770)
    help: run `chmod go= HOME/config/portcullis`, and sign in again
    ");
}

#[test]
fn a_damaged_file_is_not_taken_for_an_empty_one() {
    let (folder, file) = folder();
    keep(&file, "https://a.example");
    for text in ["", "{", r#"{"gates": {}, "more": 1}"#, r#"{"gates": {"http://a.example": {}}}"#] {
        fs::write(file.path(), text).unwrap();
        assert_eq!(file.read().unwrap_err().exit, Exit::Input, "{text}");
    }
    fs::write(file.path(), "{").unwrap();
    assert_snapshot!(told(&file, folder.path()), @"
    error: HOME/config/portcullis/login.json is not as `portcullis login` writes it: EOF while parsing an object at line 1 column 1
    help: remove HOME/config/portcullis/login.json, and sign in again
    ");
}

#[test]
fn changes_wait_for_each_other() {
    let (_folder, file) = folder();
    let names: Vec<String> = (0..16).map(|n| format!("https://gate-{n}.example")).collect();
    std::thread::scope(|scope| {
        for name in &names {
            scope.spawn(|| keep(&file, name));
        }
    });
    assert_eq!(file.read().unwrap().gates.len(), names.len());
}
