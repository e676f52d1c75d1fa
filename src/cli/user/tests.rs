use insta::assert_snapshot;

use super::*;

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
