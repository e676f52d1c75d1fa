//! The policies of `examples/policies` are right, and do what their tests say.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use policy::cases::Cases;
use policy::{Policy, SourceFile};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/policies")
}

/// All `*.yaml` below a folder; what lies in `without` apart.
fn read(root: &Path, folder: &Path, without: &str) -> Vec<SourceFile> {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        if path.is_dir() && path.file_name().unwrap() != without {
            files.extend(read(root, &path, without));
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            let shown = path.strip_prefix(root.parent().unwrap()).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            files.push(SourceFile { path: shown.display().to_string(), text });
        }
    }
    files
}

#[test]
fn the_policies_worked_out_have_no_warnings_and_all_their_tests_hold() {
    let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    for name in ["teams", "promotion", "mirror", "contractor", "emergency"] {
        let root = folder().join(name);
        let compiled = Policy::compile(&read(&root, &root, "tests"));
        let compiled = compiled.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(compiled.warnings.is_empty(), "{}", compiled.warnings);
        let cases = Cases::read(read(&root, &root.join("tests"), ""), &compiled.policy, now);
        let cases = cases.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(cases.warnings.is_empty(), "{}", cases.warnings);
        let results = cases.cases.run(&compiled.policy);
        assert!(results.failures.is_empty(), "{name}: {:#?}", results.failures);
        assert!(results.uncovered.is_empty(), "{name}: {:?}", results.uncovered);
    }
}
