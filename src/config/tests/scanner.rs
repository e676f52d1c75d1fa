//! What looks for vulnerabilities.

use insta::assert_snapshot;

use super::{UPSTREAM, folder, parse, told};

#[test]
fn a_scanner_is_an_address_and_all_else_may_be_left_out() {
    let text = format!("{UPSTREAM}scanner: {{url: \"http://scanner.example:8080\"}}\n");
    let scanner = parse(&folder(), &text).unwrap().scanner.unwrap();
    assert_eq!(scanner.adapter.url.host(), "scanner.example:8080");
    assert_eq!((&scanner.adapter.authorization_file, &scanner.adapter.ca), (&None, &None));
    assert_eq!(scanner.rescan_after.as_secs(), 7 * 86_400);
}

#[test]
fn what_is_wrong_with_a_scanner_is_told_at_its_place() {
    let text = format!(
        "{UPSTREAM}scanner:\n  url: http://scanner.example\n  ca: certs/ca.crt\n  authorization_file: absent\n  rescan_after: soon\n"
    );
    assert_snapshot!(told(&folder(), &text), @"
    error: `ca` is of no use: the scanner's address is http
     --> GATE/portcullis.yaml:4:7
      |
    4 |   ca: certs/ca.crt
      |       ^^^^^^^^^^^^
      |
      = help: write `https` in `scanner.url`, or remove `ca`

    error: cannot read GATE/absent: No such file or directory (os error 2)
     --> GATE/portcullis.yaml:5:23
      |
    5 |   authorization_file: absent
      |                       ^^^^^^
      |
      = help: put the value of the `Authorization` header that the scanner wants into it

    error: not a duration
     --> GATE/portcullis.yaml:6:17
      |
    6 |   rescan_after: soon
      |                 ^^^^
      |
      = help: write a whole number and s, m, h or d, such as `30s`
    ");
    let told = told(&folder(), &format!("{UPSTREAM}scanner: {{rescan_after: 1d}}\n"));
    assert!(told.starts_with("error: a `scanner` without a `url`\n"), "{told}");
    assert!(told.contains(" --> GATE/portcullis.yaml:2:10\n"), "{told}");
}
