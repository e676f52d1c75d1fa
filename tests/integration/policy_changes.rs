//! `examples/policy-changes/check` lets changes pass and shows what they do, and stops mistakes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::process::Said;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The policies of the project, as they are and as they are to be.
struct Proposal(TempDir);

impl Proposal {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for side in ["old", "new"] {
            fs::create_dir(folder.path().join(side)).unwrap();
            let mut copy = Command::new("cp");
            copy.arg("-r").arg(project().join("policies")).arg(folder.path().join(side));
            Said::of(&mut copy).ok();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn change(self, from: &str, to: &str) -> Self {
        let path = self.path("new/policies/ci.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from}");
        fs::write(path, text.replace(from, to)).unwrap();
        self
    }

    /// As the jobs run it.
    fn check(&self, more: &[&str]) -> Said {
        let program = Path::new(env!("CARGO_BIN_EXE_portcullis")).parent().unwrap().display();
        let path = format!("{program}:{}", std::env::var("PATH").unwrap());
        let mut check = Command::new(project().join("examples/policy-changes/check"));
        check.args(["old/policies", "new/policies"]).args(more).current_dir(self.0.path());
        Said::of(check.env("PATH", path).env("NO_COLOR", "1"))
    }
}

const BUILDS: &str = "  - name: backend-builds\n";
const RESTS: &str = "  - name: scanner-rests\n    subjects: [service:scanner]\n    \
                        images: [\"home/**\"]\n    deny: [pull]\n\n";

#[test]
fn a_proposal_without_a_change_passes() {
    let said = Proposal::new().check(&[]).ok();
    assert!(said.out.contains("all as expected"), "{}", said.out);
    assert!(said.out.contains("no decision changes"), "{}", said.out);
}

#[test]
fn a_change_passes_and_is_shown() {
    let proposal = Proposal::new().change("[\"team/**:v*\"]", "[\"team/**:v*\", \"base/os:v*\"]");
    let proposal =
        proposal.change(BUILDS, &format!("{}{BUILDS}", RESTS.replace("home/", "attic/")));
    let said = proposal.check(&[]).ok();
    assert!(said.out.contains("no longer"), "{}", said.out);
    assert!(said.out.contains("denied by scanner-rests"), "{}", said.out);
    assert!(!said.out.contains("replayed"), "{}", said.out);

    let record = r#"{"time":"2026-11-20T09:00:00Z","event":"request","subject":"service:scanner","credential":"service","operation":"manifest_read","repository":"attic/app","reference":"v1","decision":"allow","status":200}"#;
    fs::write(proposal.path("audit.jsonl"), format!("{record}\n")).unwrap();
    let said = proposal.check(&["audit.jsonl"]).ok();
    assert!(said.out.contains("1 request replayed"), "{}", said.out);
    assert!(said.out.contains("attic/app:v1"), "{}", said.out);
}

#[test]
fn a_mistake_is_stopped() {
    let said = Proposal::new().change("[group:clusters]", "[group:cluster]").check(&[]);
    assert_eq!(said.code, Some(2), "{}", said.out);
    assert!(said.err.contains("unknown group `cluster`"), "{}", said.err);
    assert_eq!(said.out, "");
}

#[test]
fn a_warning_is_stopped() {
    let again = "  - name: reads-too\n    subjects: [service:ci/backend]\n    \
                 images: [\"team/backend/**\"]\n    allow: [pull]\n\n";
    let said = Proposal::new().change(BUILDS, &format!("{again}{BUILDS}")).check(&[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("`reads-too` is pointless"), "{}", said.err);
    assert!(!said.out.contains("as expected"), "{}", said.out);
}

#[test]
fn a_case_that_does_not_hold_any_more_is_stopped() {
    let said = Proposal::new().change(BUILDS, &format!("{RESTS}{BUILDS}")).check(&[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("scanner-rests"), "{}", said.out);
    assert!(said.out.contains("1 failed"), "{}", said.out);
    assert!(!said.out.contains("MAY"), "{}", said.out);
}

#[test]
fn what_cannot_be_compared_is_stopped() {
    let proposal = Proposal::new();
    fs::remove_dir_all(proposal.path("old/policies")).unwrap();
    let said = proposal.check(&[]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("the old policy"), "{}", said.err);
}
