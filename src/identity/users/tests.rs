use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use insta::assert_snapshot;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9ydGN1bGxpcy1ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER: &str = "$argon2id$v=19$m=19456,t=2,p=1$cG9ydGN1bGxpcy1zb21l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn hash(text: &str) -> PasswordHash {
    PasswordHash::parse(text).unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn told(text: &str) -> String {
    Users::parse(Path::new("users.yaml"), text).unwrap_err().to_string()
}

/// A users file with `HASH` for each `HASH` in the text.
fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    fs::write(&path, text.replace("HASH", HASH)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    (folder, path)
}

/// What the file says after a change, with the hashes short.
fn after(text: &str, user: &str, change: &Change) -> String {
    let (_folder, path) = file(text);
    edit(&path, &name(user), change).unwrap();
    fs::read_to_string(&path).unwrap().replace(HASH, "HASH").replace(OTHER, "OTHER")
}

#[test]
fn users_have_a_password_and_groups_and_may_be_disabled() {
    let text = "users:\n  alice: {password: \"HASH\", groups: [a, b]}\n  Bob@x.org: {password: \"HASH\", disabled: true}\n";
    let users = Users::parse(Path::new("users.yaml"), &text.replace("HASH", HASH)).unwrap();
    assert_eq!(
        users.get("alice"),
        Some(&User {
            password: hash(HASH),
            groups: vec!["a".into(), "b".into()],
            disabled: false,
            source: Source::Users
        })
    );
    assert!(users.get("Bob@x.org").unwrap().disabled);
    assert_eq!(users.get("bob@x.org"), None);
    assert_eq!(users.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["Bob@x.org", "alice"]);
    assert_eq!(Users::parse(Path::new("users.yaml"), "users: {}").unwrap(), Users::default());
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = r"
users:
  al/ice: {password: hunter2}
  bob: {groups: [group:backend, a/b], disabled: yes}
  carol:
  dave: {pasword: x}
  dave: {}
  erin: [a]
user: {}
";
    assert_snapshot!(told(text), @"
    error: not a name: 1 to 128 letters, digits and `._@+-`
     --> users.yaml:3:3
      |
    3 |   al/ice: {password: *******}
      |   ^^^^^^

    error: not an argon2id hash
     --> users.yaml:3:22
      |
    3 |   al/ice: {password: *******}
      |                      ^^^^^^^
      |
      = help: remove the entry, and let `portcullis user add NAME` write it

    error: `bob` has no password
     --> users.yaml:4:3
      |
    4 |   bob: {groups: [group:backend, a/b], disabled: yes}
      |   ^^^
      |
      = help: remove the entry, and let `portcullis user add NAME` write it

    error: not a name: 1 to 128 letters, digits and `._@+-`
     --> users.yaml:4:18
      |
    4 |   bob: {groups: [group:backend, a/b], disabled: yes}
      |                  ^^^^^^^^^^^^^
      |
      = help: here it is written `backend`

    error: not a name: 1 to 128 letters, digits and `._@+-`
     --> users.yaml:4:33
      |
    4 |   bob: {groups: [group:backend, a/b], disabled: yes}
      |                                 ^^^

    error: neither `true` nor `false`
     --> users.yaml:4:49
      |
    4 |   bob: {groups: [group:backend, a/b], disabled: yes}
      |                                                 ^^^

    error: `carol` has to be a map
     --> users.yaml:5:8
      |
    5 |   carol:
      |        ^ this is nothing
      |
      = help: write it, or remove the key

    error: `dave` has no password
     --> users.yaml:6:3
      |
    6 |   dave: {pasword: *}
      |   ^^^^
      |
      = help: remove the entry, and let `portcullis user add NAME` write it

    error: unknown key `pasword` in `dave`
     --> users.yaml:6:10
      |
    6 |   dave: {pasword: *}
      |          ^^^^^^^
      |
      = help: did you mean `password`?

    error: the key `dave` is written twice
     --> users.yaml:7:3
      |
    7 |   dave: {}
      |   ^^^^ the second time
      |
     ::: users.yaml:6:3
      |
    6 |   dave: {pasword: *}
      |   ---- the first time

    error: `erin` has to be a map
     --> users.yaml:8:9
      |
    8 |   erin: [a]
      |         ^^^ this is a list

    error: unknown key `user` in the users file
     --> users.yaml:9:1
      |
    9 | user: {}
      | ^^^^
      |
      = help: did you mean `users`?
    ");
}

#[test]
fn a_hash_without_quotes_is_not_shown_in_pieces() {
    let text = format!("users: {{alice: {{password: {HASH}}}}}");
    let text = told(&text);
    assert!(!text.contains("AAAA") && !text.contains("cG9y"), "{text}");
    assert_snapshot!(text, @"
    error: not an argon2id hash
     --> users.yaml:1:27
      |
    1 | users: {alice: {password: **********************,***,********************************************************************}}
      |                           ^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: remove the entry, and let `portcullis user add NAME` write it

    error: a key without a value
     --> users.yaml:1:50
      |
    1 | users: {alice: {password: **********************,***,********************************************************************}}
      |                                                  ^^^
      |
      = help: a value that holds a comma must stand in quotes

    error: a key without a value
     --> users.yaml:1:54
      |
    1 | users: {alice: {password: **********************,***,********************************************************************}}
      |                                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: a value that holds a comma must stand in quotes
    ");
}

#[test]
fn a_file_that_is_being_written_is_refused() {
    assert_snapshot!(told(""), @"
    error: no `users`
    --> users.yaml
     = help: without any, write `users: {}`
    ");
    assert_snapshot!(told("users:\n"), @"
    error: `users` has no value
     --> users.yaml:1:1
      |
    1 | users:
      | ^^^^^
      |
      = help: give it one, or remove the key
    ");
    assert_snapshot!(told("users: [a]\n"), @"
    error: `users` has to be a map
     --> users.yaml:1:8
      |
    1 | users: [a]
      |        ^^^ this is a list
    ");
}

#[test]
fn names_are_plain() {
    for text in ["a", "Alice", "a.b_c@d+e-f", "0", &"x".repeat(128)] {
        assert!(text.parse::<Name>().is_ok(), "{text}");
    }
    for text in ["", "a:b", "a/b", "a b", "é", "a\n", "$x", &"x".repeat(129)] {
        assert_eq!(text.parse::<Name>(), Err(InvalidName), "{text}");
    }
}

const BLOCK: &str = r"# People of the north.
users:
    alice:   # the first
        password: HASH   # set in May
        groups: [a]

    # Bob left.
    bob:
        disabled: true
        password: HASH
        groups:
            - a
            - b # more
    # the end
";
const FLOW: &str = "users: {alice: {password: \"HASH\"}}\n";

#[test]
fn a_new_user_comes_last_and_all_else_stays() {
    let add = Change::Add(hash(OTHER), vec![name("a"), name("b")]);
    assert_snapshot!(after(BLOCK, "carol", &add), @r#"
    # People of the north.
    users:
        alice:   # the first
            password: HASH   # set in May
            groups: [a]

        # Bob left.
        bob:
            disabled: true
            password: HASH
            groups:
                - a
                - b # more
        carol:
          password: "OTHER"
          groups: [a, b]
        # the end
    "#);
    assert_snapshot!(after(FLOW, "carol", &add), @r#"users: {alice: {password: "HASH"}, carol: {password: "OTHER", groups: [a, b]}}"#);
    assert_snapshot!(after("users: {}", "carol", &add), @r#"
    users:
      carol:
        password: "OTHER"
        groups: [a, b]
    "#);
    assert_snapshot!(after("users:\n  a: {password: 'HASH'}", "null", &Change::Add(hash(OTHER), vec![])), @r#"
    users:
      a: {password: 'HASH'}
      "null":
        password: "OTHER"
    "#);
}

#[test]
fn a_new_password_replaces_the_old_one_alone() {
    let change = Change::Password(hash(OTHER));
    let expected = BLOCK.replacen("HASH", "\"OTHER\"", 1);
    assert_eq!(after(BLOCK, "alice", &change), expected);
    assert_eq!(after(FLOW, "alice", &change), FLOW.replace("HASH", "OTHER"));
}

#[test]
fn disabling_writes_one_word() {
    assert_eq!(after(BLOCK, "bob", &Change::Disabled(false)), BLOCK.replace("true", "false"));
    assert_eq!(
        after(BLOCK, "alice", &Change::Disabled(true)),
        BLOCK.replacen("password", "disabled: true\n        password", 1)
    );
    assert_eq!(
        after(FLOW, "alice", &Change::Disabled(true)),
        FLOW.replace("{password", "{disabled: true, password")
    );
}

#[test]
fn a_change_that_makes_no_sense_changes_nothing() {
    let (_folder, path) = file(BLOCK);
    let before = fs::read(&path).unwrap();
    let error = edit(&path, &name("alice"), &Change::Add(hash(OTHER), vec![])).unwrap_err();
    assert_snapshot!(error, @"there is a user `alice` already");
    let error = edit(&path, &name("carol"), &Change::Disabled(true)).unwrap_err();
    assert_snapshot!(error, @"there is no user `carol`");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_layout_that_only_people_understand_is_left_to_them() {
    let (_folder, path) = file("users   : {}\n");
    let error = edit(&path, &name("alice"), &Change::Add(hash(OTHER), vec![])).unwrap_err();
    assert!(matches!(error, EditError::Layout(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "users   : {}\n");
}

#[test]
fn the_file_stays_closed_and_a_link_stays_a_link() {
    let (folder, path) = file(FLOW);
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let link = folder.path().join("link.yaml");
    symlink("users.yaml", &link).unwrap();
    edit(&link, &name("alice"), &Change::Disabled(true)).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(Users::load(&path).unwrap().get("alice").unwrap().disabled);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_name_can_be_added_and_found_again(
        added in "[A-Za-z0-9._@+-]{1,12}",
        group in "[A-Za-z0-9._@+-]{1,12}",
        layout in prop::sample::select(vec!["users: {}\n", FLOW, BLOCK]),
    ) {
        prop_assume!(!["alice", "bob"].contains(&added.as_str()));
        let (_folder, path) = file(layout);
        edit(&path, &name(&added), &Change::Add(hash(OTHER), vec![name(&group)])).unwrap();
        let users = Users::load(&path).unwrap();
        prop_assert_eq!(&users.get(&added).unwrap().groups, &[group]);
    }
}
