//! Any bytes as policy files, and as test cases of a policy: mistakes that can be shown, or a policy
//! that answers.
//!
//! The byte 0xFF, which no text holds, ends a file and begins another.

#![no_main]

use document::{Kind, Problems, is_unsafe, parse};
use libfuzzer_sys::fuzz_target;
use oci::{RepositoryName, Tag};
use policy::cases::Cases;
use policy::{Action, Caller, Diagnostics, Image, Policy, Severity, SourceFile};

/// A file as the configuration is: with secrets.
const FILE_WITH_SECRETS: Kind = Kind {
    name: "a file",
    max_mib: 1,
    too_large: "write less",
    second_document: "leave it away",
    instead_of_anchors: "write it twice",
    secret_keys: &["password", "name"],
};

fuzz_target!(|bytes: &[u8]| {
    let mut files: Vec<_> = bytes.split(|&byte| byte == 0xFF).enumerate().map(file).collect();
    let is_policy = match (Policy::compile(&files), Policy::compile(&files)) {
        (Ok(first), Ok(second)) => {
            assert!(!first.warnings.has_errors());
            can_be_shown(&first.warnings, &files);
            assert_eq!(first.warnings, second.warnings);
            answers(&first.policy);
            cases(&files, &first.policy);
            true
        }
        (Err(first), Err(second)) => {
            assert!(first.has_errors());
            can_be_shown(&first, &files);
            assert_eq!(first, second);
            false
        }
        _ => panic!("the same files are a policy and are none"),
    };
    if !is_policy {
        // What is no policy may hold cases.
        let text = "rules: [{name: keep, subjects: [anyone], images: ['**'], deny: [delete]}]";
        let keep = SourceFile { path: "keep.yaml".to_owned(), text: text.to_owned() };
        cases(&files, &Policy::compile(&[keep]).unwrap().policy);
    }
    if files.len() > 1 {
        files.reverse();
        assert_eq!(
            Policy::compile(&files).is_ok(),
            is_policy,
            "the order of files means something"
        );
    }

    let mut problems = Problems::default();
    for (index, file) in files.iter().enumerate() {
        parse(&FILE_WITH_SECRETS, index, &file.text, &mut problems);
    }
    can_be_shown(&problems.into_diagnostics(&files), &files);
});

fn file((index, bytes): (usize, &[u8])) -> SourceFile {
    let text = String::from_utf8_lossy(bytes).into_owned();
    SourceFile { path: format!("policies/{index}.yaml"), text }
}

fn can_be_shown(found: &Diagnostics, files: &[SourceFile]) {
    for diagnostic in found {
        assert!(!diagnostic.message.is_empty());
        let Some(position) = diagnostic.position else { continue };
        let file = files.iter().find(|file| file.path == diagnostic.file);
        let text = &file.expect("a mistake stands in one of the files").text;
        // YAML ends a line at a single carriage return, too.
        let lines = text.split(['\n', '\r']).count();
        assert!((1..=lines).contains(&position.line) && position.column >= 1, "{position:?}");
    }
    assert_eq!(found.iter().any(|one| one.severity == Severity::Error), found.has_errors());
    let plain = found.render(false);
    let misleading = plain.chars().find(|&char| char != '\n' && is_unsafe(char));
    assert_eq!(misleading, None, "{plain:?}");
    assert_eq!(plain.is_empty(), found.is_empty());
    assert_eq!(found.render(true).is_empty(), found.is_empty());
}

/// The same files as test cases, and what comes out of them.
fn cases(files: &[SourceFile], policy: &Policy) {
    match Cases::read(files.to_vec(), policy, jiff::Timestamp::UNIX_EPOCH) {
        Ok(read) => {
            can_be_shown(&read.warnings, files);
            let results = read.cases.run(policy);
            let told = results.diagnostics();
            can_be_shown(&told, files);
            assert_eq!(results.failures.is_empty(), told.is_empty());
            assert!(results.failed() <= results.cases && results.cases == read.cases.len());
        }
        Err(mistakes) => can_be_shown(&mistakes, files),
    }
}

fn answers(policy: &Policy) {
    let repository = RepositoryName::new("team/app").unwrap();
    let tag = Tag::new("v1").unwrap();
    for subject in ["user:alice", "service:ci/build", "peer:eu/a", "anonymous"] {
        let caller = Caller::new(subject.parse().unwrap(), vec!["backend".to_owned()]);
        for tag in [None, Some(&tag)] {
            for action in Action::ALL {
                let image = Image { repository: &repository, tag };
                let decision = policy.decide(&caller, action, image);
                assert!(!decision.reason().is_empty());
                assert!(!decision.is_allowed() || policy.grants_any(&caller, action, &repository));
            }
        }
        assert!(policy.groups_of(&caller).contains("backend"));
    }
}
