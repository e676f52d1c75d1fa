use policy::SourceFile;

use super::*;

fn policy(text: &str) -> Policy {
    let file = SourceFile { path: "policy.yaml".into(), text: text.into() };
    Policy::compile(&[file]).unwrap_or_else(|errors| panic!("{errors}")).policy
}

const OLD: &str = r#"
groups: {dev: [user:alice], qa: external}
rules:
  - {name: dev, subjects: [group:dev], images: ["team/**"], allow: [pull, push]}
  - {name: qa, subjects: [group:qa], images: ["team/app:rc-*"], allow: [pull]}
"#;

fn replay(new: &str, lines: &[&str]) -> (Outcome, Vec<(Request, Changed)>) {
    let (old, new) = (policy(OLD), policy(new));
    let mut replay = Replay::new(&old, &new);
    replay.read("audit.jsonl", lines.join("\n").as_bytes(), |_| {}).unwrap();
    replay.finish()
}

const PULL: &str = r#"{"time":"2026-01-02T03:04:05Z","event":"request","subject":"user:bob","groups":["qa","dev"],"credential":"user","asserted":["qa"],"operation":"manifest_read","repository":"team/app","reference":"rc-1","decision":"allow","status":200}"#;
const PUSH: &str = r#"{"time":"2026-01-02T03:04:06Z","event":"request","subject":"user:alice","groups":["dev"],"operation":"manifest_put","repository":"team/app","reference":"v1,v2","decision":"allow","status":201}"#;

#[test]
fn requests_that_change_are_counted_and_told() {
    let new = OLD.replace("rc-*", "rc-2*").replace("[pull, push]", "[pull, create]");
    let (outcome, changes) = replay(&new, &[PULL, PUSH, PULL]);
    assert_eq!((outcome.replayed, outcome.changed, outcome.unlike_recorded), (3, 3, 0));
    let told: Vec<_> = changes
        .iter()
        .map(|(it, changed)| {
            let Request { subject, operation, image, old, new } = it;
            format!("{subject} {operation} {image}: {old} -> {new} ({})", changed.count)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    user:alice manifest_put team/app:v1,v2: allow -> allow if the tag is new (1)
    user:bob manifest_read team/app:rc-1: allow -> deny (2)
    ");
}

#[test]
fn groups_with_members_come_from_each_policy_and_not_from_the_record() {
    // An older line tells all groups in one list.
    let old_line = PULL.replace(r#""credential":"user","asserted":["qa"],"#, "");
    let new = OLD.replace("qa: external", "qa: [user:carol]");
    for line in [PULL, &old_line] {
        let (outcome, _) = replay(&new, &[line]);
        assert_eq!((outcome.replayed, outcome.changed), (1, 1));
        let (outcome, _) = replay(OLD, &[line]);
        assert_eq!((outcome.replayed, outcome.changed, outcome.unlike_recorded), (1, 0, 0));
    }
}

#[test]
fn what_a_credential_carries_and_its_bounds_hold_in_the_replay() {
    let bound = PUSH.replace(
        r#""operation""#,
        r#""bounds":{"images":["team/app:v1"],"actions":["all"]},"operation""#,
    );
    let narrow = PUSH.replace(r#""operation""#, r#""carried":[],"operation""#);
    let (outcome, _) = replay(OLD, &[&bound, &narrow]);
    assert_eq!((outcome.replayed, outcome.unlike_recorded), (2, 2));
}

#[test]
fn damaged_lines_are_told_by_their_number() {
    let long = "x".repeat(3 << 20);
    let (outcome, _) = replay(OLD, &[PULL, "{\"time\":", "", &long, PUSH, "{}"]);
    assert_eq!(outcome.replayed, 2);
    assert_eq!(outcome.damaged_lines, ["audit.jsonl:2", "audit.jsonl:4", "audit.jsonl:6"]);
}

#[test]
fn what_a_record_does_not_tell_is_skipped_with_its_reason() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let by_digest = PULL.replace("rc-1", &digest);
    let ping = r#"{"time":"2026-01-02T03:04:05Z","event":"request","subject":"user:bob","operation":"ping"}"#;
    let nobody = r#"{"time":"2026-01-02T03:04:05Z","event":"request","operation":"ping"}"#;
    let cut = PULL.replace(r#""asserted":["qa"]"#, r#""asserted":["qa","…"]"#);
    let other = r#"{"time":"2026-01-02T03:04:05Z","event":"policy.loaded"}"#;
    let (outcome, _) = replay(OLD, &[&by_digest, ping, nobody, &cut, other]);
    assert_eq!(outcome.replayed, 0);
    let skipped: Vec<_> = outcome.skipped.into_iter().collect();
    use Skipped::{ByDigest, Cut, NoImage, Nobody};
    assert_eq!(skipped, [(Nobody, 1), (NoImage, 1), (ByDigest, 1), (Cut, 1)]);
    // A tag that was seen to lead there decides.
    let told = PULL.replace(r#""reference""#, &format!(r#""digest":"{digest}","reference""#));
    let (outcome, _) = replay(OLD, &[&told, &by_digest]);
    assert_eq!(outcome.replayed, 2);
}
