use insta::assert_snapshot;

use super::*;

fn read(input: &[u8]) -> Result<String, String> {
    read_password(input)
        .map(|password| password.expose().to_owned())
        .map_err(|failure| failure.text(false).to_owned())
}

#[test]
fn a_password_is_one_line() {
    for (input, password) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), (" a b ", " a b "), ("", "")]
    {
        assert_eq!(read(input.as_bytes()), Ok(password.to_owned()));
    }
    assert_snapshot!(read(b"a\nb\n").unwrap_err(), @"
    error: the password holds a line break or another control character
    help: give one line: `printf %s PASSWORD | portcullis user … --password-stdin`
    ");
    assert_snapshot!(read(b"\xff").unwrap_err(), @"error: the password is not UTF-8");
}

#[test]
fn a_password_that_is_too_long_is_not_cut_short() {
    let long = "x".repeat(5000);
    let read = read(long.as_bytes()).unwrap();
    assert!(read.len() > MAX_PASSWORD, "so that hashing refuses it");
    assert!(password::hash(&Secret::new(read)).is_err());
}

#[test]
fn users_are_listed_in_columns() {
    let hash = password::hash(&Secret::new("x".to_owned())).unwrap();
    let text = format!(
        "users:\n  al: {{password: \"{hash}\", groups: [a, b]}}\n  barbara: {{password: \"{hash}\", disabled: true}}\n"
    );
    let users = Users::parse(std::path::Path::new("users.yaml"), &text).unwrap();
    assert_snapshot!(list(&users), @"
    al       enabled   a, b
    barbara  disabled
    ");
    assert_snapshot!(list_json(&users), @r#"[{"disabled":false,"groups":["a","b"],"username":"al"},{"disabled":true,"groups":[],"username":"barbara"}]"#);
    assert_eq!(list(&Users::default()), "no users");
}

#[test]
fn failures_say_what_to_do() {
    let told = |error| {
        let failure = failure(error);
        (failure.exit, failure.text(false).to_owned())
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
