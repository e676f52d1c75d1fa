use std::fs;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::*;

#[test]
fn users_are_listed_in_columns() {
    let hash = password::hash(&Secret::new("x".to_owned())).unwrap();
    let text = format!(
        "users:\n  al: {{password: \"{hash}\", groups: [a, b]}}\n  barbara: {{password: \"{hash}\", disabled: true}}\n"
    );
    let users = Users::parse(std::path::Path::new("users.yaml"), &text).unwrap();
    assert_snapshot!(list(&users), @"
    al       enabled   users     a, b
    barbara  disabled  users
    ");
    assert_snapshot!(list_json(&users), @r#"[{"disabled":false,"groups":["a","b"],"source":"users","username":"al"},{"disabled":true,"groups":[],"source":"users","username":"barbara"}]"#);
    assert_eq!(list(&Users::default()), "no users");
}

/// A configuration with these lines, beside an htpasswd file with `alice` in it and this users file.
fn gate(lines: &str, users: Option<&str>) -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    let alice = "alice:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2";
    fs::write(folder.path().join("htpasswd"), alice).unwrap();
    if let Some(users) = users {
        fs::write(folder.path().join("users.yaml"), users).unwrap();
    }
    let text = format!(
        "listen: [{{address: '127.0.0.1:5443', tls: off}}]\nupstream: {{url: 'http://127.0.0.1:5000'}}\n{lines}"
    );
    let config = Config::parse(&file, &text, |_| None).unwrap_or_else(|error| panic!("{error}"));
    (folder, config)
}

#[test]
fn users_of_the_htpasswd_file_are_listed_and_left_alone() {
    let (folder, config) = gate("htpasswd: htpasswd", Some("users: {}"));
    let users = config.user_files().load().unwrap();
    assert_snapshot!(list(&users), @"alice  enabled   htpasswd");
    let name: Name = "alice".parse().unwrap();
    let error = edit(&config.users, &name, &Change::Disabled(true)).unwrap_err();
    let failure = failure(error, &config);
    assert_eq!(failure.exit, Exit::Input);
    let told = failure.text(false).replace(&folder.path().display().to_string(), "GATE");
    assert_snapshot!(told, @"
    error: there is no user `alice`
    help: it is a user of GATE/htpasswd: change the password with `htpasswd -B GATE/htpasswd alice`, remove the line with `htpasswd -D GATE/htpasswd alice`, or move the user here with `portcullis user add alice`, which counts before that file
    ");
}

#[test]
fn without_a_users_file_it_is_said_how_to_make_one() {
    let (folder, config) = gate("htpasswd: htpasswd", None);
    assert!(config.user_files().load().is_ok());
    let name: Name = "bob".parse().unwrap();
    let error = edit(&config.users, &name, &Change::Disabled(true)).unwrap_err();
    let told = failure(error, &config).text(false).to_owned();
    assert_snapshot!(told.replace(&folder.path().display().to_string(), "GATE"), @"
    error: cannot read the users file GATE/users.yaml: No such file or directory (os error 2)
    help: only the users file is changed here; make it with the line `users: {}`, and its users are added to those of the htpasswd file
    ");
}

#[test]
fn failures_say_what_to_do() {
    let (folder, config) = gate("", None);
    let told = |error| {
        let failure = failure(error, &config);
        let text = failure.text(false).replace(&folder.path().display().to_string(), "GATE");
        (failure.exit, text)
    };
    let name: Name = "alice".parse().unwrap();
    let (exit, text) = told(EditError::Exists(name.clone()));
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @"
    error: there is a user `alice` already
    help: choose another name, or set the password with `portcullis user passwd alice`
    ");
    let (exit, text) = told(EditError::Unknown(name));
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @"
    error: there is no user `alice`
    help: `portcullis user list` shows who there is
    ");
    let (exit, text) = told(EditError::Layout("users.yaml".into()));
    assert_eq!(exit, Exit::Input);
    assert_snapshot!(text, @"
    error: users.yaml is written in a way that only a person can change
    help: edit it by hand
    ");
    let source = io::Error::from(io::ErrorKind::StorageFull);
    let (exit, text) = told(EditError::Unwritable { path: "users.yaml".into(), source });
    assert_eq!(exit, Exit::Impossible);
    assert_snapshot!(text, @"error: cannot write the users file users.yaml: no storage space");
}
