use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::identity::users::{Error, Files, Source, Texts, Users};
use crate::secret::Secret;

/// Of `correct horse` and of `battery`, made with crypt(3).
const HORSE: &str = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
const BATTERY: &str = "$2y$05$ABCDEFGHIJKLMNOPQRSTUuPpYsmsRiyWM7xDySspJwP7UTEsV7tQG";
/// Of no password that anybody knows.
const ARGON2: &str =
    "$argon2id$v=19$m=8,t=1,p=1$cG9ydGN1bGxpcy1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn files() -> Files {
    Files {
        users: "users.yaml".into(),
        users_may_be_absent: true,
        htpasswd: Some("htpasswd".into()),
    }
}

fn parse(htpasswd: &str) -> Result<Users, String> {
    let texts = Texts { users: None, htpasswd: Some(htpasswd.to_owned()) };
    files().parse(&texts).map_err(|mistakes| mistakes.to_string())
}

fn both(users: &str, htpasswd: &str) -> Result<Users, String> {
    let texts = Texts { users: Some(users.to_owned()), htpasswd: Some(htpasswd.to_owned()) };
    files().parse(&texts).map_err(|mistakes| mistakes.to_string())
}

fn is_right(users: &Users, name: &str, password: &str) -> bool {
    users.check(name, &Secret::new(password.to_owned()))
}

#[test]
fn lines_are_names_and_bcrypt_hashes() {
    let text = format!("# ours\r\n\r\nalice:{HORSE}\r\n  # more\nbob@x.org:{BATTERY}  ");
    let users = parse(&text).unwrap();
    let names: Vec<_> = users.iter().map(|(name, user)| (name, user.source)).collect();
    assert_eq!(names, [("alice", Source::Htpasswd), ("bob@x.org", Source::Htpasswd)]);
    assert!(is_right(&users, "alice", "correct horse"));
    assert!(is_right(&users, "bob@x.org", "battery"));
    assert!(!is_right(&users, "alice", "battery"));
    assert!(!is_right(&users, "carol", "battery"));
    assert!(users.iter().all(|(_, user)| user.groups.is_empty() && !user.disabled));
    assert_eq!(parse("# nobody yet").unwrap(), Users::default());
}

#[test]
fn all_mistakes_are_told_at_once_and_no_hash() {
    let good = HORSE;
    let costly = HORSE.replace("$05$", "$15$");
    let text = format!(
        "alice:{good}\nal/ice:{good}\nbob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\ncarol:{{SHA}}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n\
         dave:rqXexS6ZhobKA\nerin:$6$salt$hash\nfrank:\n:{good}\nalice:{good}\nhunter2\ngina:{costly}\n\
         heidi:{ARGON2}\nivan:{good}:more\n"
    );
    let told = parse(&text).unwrap_err();
    for secret in [&good[7..], "HqJZ", "W6ph", "rqXe", "salt", "hunter2", "cG9y", &costly[7..]] {
        assert!(!told.contains(secret), "{told}");
    }
    assert_snapshot!(told, @"
    error: not a name: 1 to 128 letters, digits and `._@+-`
     --> htpasswd:2:1
      |
    2 | al/ice:************************************************************
      | ^^^^^^

    error: an MD5 hash, where only bcrypt is accepted
     --> htpasswd:3:5
      |
    3 | bob:*************************************
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: hash it again: `htpasswd -B FILE NAME`

    error: a SHA-1 hash, where only bcrypt is accepted
     --> htpasswd:4:7
      |
    4 | carol:*********************************
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: hash it again: `htpasswd -B FILE NAME`

    error: not a bcrypt hash
     --> htpasswd:5:6
      |
    5 | dave:*************
      |      ^^^^^^^^^^^^^
      |
      = help: hash it again: `htpasswd -B FILE NAME`

    error: a hash of crypt(3), where only bcrypt is accepted
     --> htpasswd:6:6
      |
    6 | erin:************
      |      ^^^^^^^^^^^^
      |
      = help: hash it again: `htpasswd -B FILE NAME`

    error: no hash behind the `:`
     --> htpasswd:7:7
      |
    7 | frank:
      |       ^
      |
      = help: hash it again: `htpasswd -B FILE NAME`

    error: not a name: 1 to 128 letters, digits and `._@+-`
     --> htpasswd:8:1
      |
    8 | :************************************************************
      | ^

    error: `alice` is written twice
     --> htpasswd:9:1
      |
    9 | alice:************************************************************
      | ^^^^^ the second time
      |
     ::: htpasswd:1:1
      |
    1 | alice:************************************************************
      | ----- the first time

    error: no `:` between a name and a hash
      --> htpasswd:10:1
       |
    10 | *******
       | ^^^^^^^

    error: a bcrypt hash of cost 15: it has to be from 4 to 14
      --> htpasswd:11:6
       |
    11 | gina:************************************************************
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: hash it again: `htpasswd -B -C 10 FILE NAME`

    error: an argon2 hash does not belong in this file
      --> htpasswd:12:7
       |
    12 | heidi:*******************************************************************************************
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: `portcullis user add NAME` writes one to the users file

    error: not a bcrypt hash
      --> htpasswd:13:6
       |
    13 | ivan:*****************************************************************
       |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: hash it again: `htpasswd -B FILE NAME`
    ");
    assert_snapshot!(parse("\n").unwrap_err(), @"
    error: an empty file, which may be one that is being written
     --> htpasswd:1:1
      |
    1 |
      | ^
      |
      = help: without any users, write a comment: `#`
    ");
}

#[test]
fn mistakes_of_both_files_are_told_together() {
    let told = both("users: {alice: {}}", "bob\n").unwrap_err();
    assert_snapshot!(told, @"
    error: `alice` has no password
     --> users.yaml:1:9
      |
    1 | users: {alice: {}}
      |         ^^^^^
      |
      = help: remove the entry, and let `portcullis user add NAME` write it

    error: no `:` between a name and a hash
     --> htpasswd:1:1
      |
    1 | ***
      | ^^^
    ");
}

#[test]
fn the_users_file_counts_where_both_have_a_name() {
    let users = format!("users: {{alice: {{password: '{ARGON2}', disabled: true, groups: [a]}}}}");
    let users = both(&users, &format!("alice:{HORSE}\nbob:{BATTERY}\n")).unwrap();
    assert_eq!(users.in_both(), ["alice"]);
    let alice = users.get("alice").unwrap();
    assert!(alice.disabled && alice.source == Source::Users && alice.groups == ["a"]);
    assert!(!is_right(&users, "alice", "correct horse"));
    assert!(is_right(&users, "bob", "battery"));
}

fn folder(users_may_be_absent: bool) -> (TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| -> PathBuf { folder.path().join(name) };
    let files =
        Files { users: at("users.yaml"), users_may_be_absent, htpasswd: Some(at("htpasswd")) };
    fs::write(at("htpasswd"), format!("alice:{HORSE}\n")).unwrap();
    (folder, files)
}

#[test]
fn the_users_file_may_be_absent_only_where_that_is_said() {
    let (_folder, files) = folder(true);
    assert!(files.load().unwrap().get("alice").is_some());
    let (_folder, files) = folder(false);
    let error = files.load().unwrap_err();
    assert!(matches!(error, Error::Unreadable { file: Source::Users, .. }), "{error}");
    let (_folder, files) = folder(true);
    fs::create_dir(&files.users).unwrap();
    assert!(files.load().is_err(), "something else is there");
}

#[test]
fn an_htpasswd_file_that_is_not_there_is_told_by_its_name() {
    let (folder, files) = folder(true);
    fs::remove_file(files.htpasswd.as_ref().unwrap()).unwrap();
    let told = files.load().unwrap_err().to_string();
    let told = told.replace(&folder.path().display().to_string(), "GATE");
    assert_snapshot!(told, @"cannot read the htpasswd file GATE/htpasswd");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_or_show_a_hash(
        lines in proptest::collection::vec("[a-c]{0,2}:?[ -~é\r\0]{0,12}", 0..6)
    ) {
        let text = lines.iter().map(|line| format!("{line}:SECRET")).collect::<Vec<_>>().join("\n");
        if let Err(told) = parse(&text) {
            prop_assert!(!told.contains("SECRET"), "{}", told);
        }
    }
}
