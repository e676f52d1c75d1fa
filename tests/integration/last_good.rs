//! A gate whose policies break goes on with the last good ones, also after it was killed, and says so
//! until they are mended.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::gate::{Gate, Setup};
use crate::support::images::Image;
use crate::support::postgres::Postgres;
use crate::support::process::{Said, wait_for};
use crate::support::registry::Registry;

const SOON: Duration = Duration::from_secs(60);

/// A policy whose one denial names its number.
fn policy(number: usize) -> String {
    format!(
        r#"
rules:
  - name: the-team-works-here
    subjects: [user:alice]
    images: ["team/**"]
    allow: [pull, push]
  - name: denial-{number}
    subjects: [anyone]
    images: ["team/secret"]
    deny: [pull, push]
"#
    )
}

fn setup(registry: &Registry) -> Setup {
    Setup::new(&format!("http://{}", registry.address()), &policy(0)).user("alice", &[])
}

fn registry() -> Registry {
    let registry = Registry::start();
    registry.client().push("team/app", "v1", &Image::oci("last good"));
    registry
}

/// Which policy decides: allowed what it allows, and denied by the rule that has its number.
#[track_caller]
fn decided_by(gate: &Gate) -> usize {
    let alice = gate.basic("alice");
    alice.get("/v2/team/app/manifests/v1").expect(200);
    alice.get("/v2/other/app/manifests/v1").expect(403);
    let denied = alice.get("/v2/team/secret/manifests/v1").expect(403);
    let (_, rest) = denied.reason.split_once("denial-").expect("the rule's name");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn sha256_in_force(gate: &Gate) -> String {
    let metrics = gate.metrics();
    let (_, rest) = metrics.split_once("portcullis_policy_info{sha256=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn until_metric(gate: &Gate, name: &str, value: f64) {
    let sample = format!("portcullis_{name} ");
    wait_for(&format!("{name} to be {value}"), SOON, || {
        (gate.metric(&sample) == value).then_some(())
    });
}

/// The records of an event, once there are so many.
fn records(gate: &Gate, event: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} {event}"), SOON, || {
        let mut records = gate.audit();
        records.retain(|record| record["event"] == event);
        (records.len() >= count).then_some(records)
    })
}

/// What is wrong with a policy folder, how it comes to be so, and words that tell of it.
type Break = (&'static str, fn(&Path), &'static str);

const BROKEN: &[Break] = &[
    ("missing", |_| {}, "cannot read the policies"),
    ("empty", |folder| fs::create_dir(folder).unwrap(), "no policy in"),
    ("half written", |folder| put(folder, ""), "is empty"),
    ("cut off", |folder| put(folder, &policy(7)[..100]), "test.yaml"),
    ("with a mistake", |folder| put(folder, "rule: []\n"), "unknown key `rule`"),
    ("with a bomb", |folder| put(folder, &bomb()), "anchors"),
    ("deep", |folder| put(folder, &format!("rules: {}", "[".repeat(100_000))), "test.yaml"),
    ("huge", huge, "too much"),
    ("leading nowhere", dangling, "cannot read the policies"),
    ("binary", |folder| put(folder, "rules: []\u{0}"), "test.yaml"),
];

fn put(folder: &Path, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("test.yaml"), text).unwrap();
}

fn bomb() -> String {
    let levels = (1..20).map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
    format!("a0: &a0 [x, x]\n{}rules: *a19\n", levels.collect::<String>())
}

fn huge(folder: &Path) {
    put(folder, &policy(8));
    File::options()
        .append(true)
        .open(folder.join("test.yaml"))
        .unwrap()
        .set_len(100 << 20)
        .unwrap();
}

fn dangling(folder: &Path) {
    put(folder, &policy(9));
    symlink("nowhere", folder.join("more.yaml")).unwrap();
}

#[test]
fn on_sqlite_a_gate_that_was_killed_starts_with_the_last_good_policy_however_the_folder_broke() {
    let registry = registry();
    survives_every_break(setup(&registry).start(), BROKEN);
}

#[test]
fn on_postgresql_a_gate_that_was_killed_starts_with_the_last_good_policy() {
    let (registry, database) = (registry(), Postgres::start());
    let state = format!("{{url: '{}'}}", database.url());
    survives_every_break(setup(&registry).setting("state", &state).start(), &BROKEN[..5]);
}

fn survives_every_break(mut gate: Gate, ways: &[Break]) {
    let folder = gate.home().join("policies");
    let mut loads = 1;
    for (number, (way, break_it, words)) in ways.iter().enumerate() {
        until_metric(&gate, "policy_kept", 1.0);
        let (sha256, loaded_at) =
            (sha256_in_force(&gate), gate.metric("portcullis_policy_loaded_timestamp_seconds "));
        gate.signal("KILL");
        fs::remove_dir_all(&folder).unwrap();
        break_it(&folder);
        gate.restart();

        assert_eq!(decided_by(&gate), number, "{way}");
        gate.management().get("/readyz").expect(200);
        assert_eq!(sha256_in_force(&gate), sha256, "{way}");
        assert_eq!(gate.metric("portcullis_policy_loaded_timestamp_seconds "), loaded_at, "{way}");
        assert_eq!(gate.metric("portcullis_policy_stale "), 1.0, "{way}");
        assert_eq!(gate.metric("portcullis_policy_kept "), 1.0, "{way}");
        let reloads = |result: &str| {
            gate.count(&format!("portcullis_policy_reloads_total{{result=\"{result}\"}}"))
        };
        assert_eq!((reloads("ok"), reloads("failed"), reloads("restored")), (0.0, 1.0, 1.0));
        let log = gate.log();
        let line = log.lines().find(|line| line.contains("the last good policy")).unwrap();
        assert!(line.contains("\"ERROR\"") && line.contains(words), "{way}: {line}");
        let restored = records(&gate, "policy.restored", number + 1).pop().unwrap();
        assert_eq!(restored["digest"], format!("sha256:{sha256}"));
        assert!(restored["reason"].as_str().unwrap().ends_with(": 1 file, 2 rules"), "{restored}");
        let tells = |record: &Value| record["reason"].as_str().unwrap().contains(words);
        wait_for(way, SOON, || {
            let refused = records(&gate, "policy.refused", number + 1);
            refused.iter().any(tells).then_some(())
        });

        // Written beside and moved there, as the whole.
        let next = folder.with_extension("next");
        put(&next, &policy(number + 1));
        if folder.exists() {
            fs::rename(&folder, folder.with_extension(number.to_string())).unwrap();
        }
        fs::rename(next, &folder).unwrap();
        until_metric(&gate, "policy_stale", 0.0);
        assert_eq!(decided_by(&gate), number + 1, "after {way}");
        loads += 1;
        let loaded = records(&gate, "policy.loaded", loads).pop().unwrap();
        assert_eq!(loaded["digest"], format!("sha256:{}", sha256_in_force(&gate)));
        assert_eq!(loaded["reason"], "after a change: 1 file, 2 rules");
    }
}

#[test]
fn a_policy_that_was_just_put_in_force_is_kept_or_the_one_before_but_nothing_else() {
    let registry = registry();
    let mut gate = setup(&registry).start();
    until_metric(&gate, "policy_kept", 1.0);
    let folder = gate.home().join("policies");
    for number in 1..8 {
        let before = sha256_in_force(&gate);
        gate.write_policy(&policy(number));
        gate.signal("HUP");
        // Sooner or later within the moment in which it is taken up.
        let in_force = || sha256_in_force(&gate) != before;
        wait_for("the new policy", SOON, || in_force().then_some(()));
        thread::sleep(Duration::from_millis(3 * (number as u64 - 1)));
        let kept = gate.metric("portcullis_policy_kept ") == 1.0;
        gate.signal("KILL");
        put(&folder, "rules: [");
        gate.restart();
        let decides = decided_by(&gate);
        let expected = if kept { number..=number } else { number - 1..=number };
        assert!(expected.contains(&decides), "{decides} of {expected:?}");
        gate.write_policy(&policy(number));
        until_metric(&gate, "policy_stale", 0.0);
        until_metric(&gate, "policy_kept", 1.0);
    }
}

#[test]
fn a_start_waits_until_the_folder_is_no_longer_written_to() {
    let registry = registry();
    let mut gate = setup(&registry).start();
    for number in 1..30 {
        until_metric(&gate, "policy_kept", 1.0);
        let home = gate.home();
        // The beginning is a policy by itself, without the denial.
        let whole = policy(number);
        let (allowing, denying) = whole.split_once("  - name: denial").unwrap();
        let padding: String = (0..300).map(|line| format!("# {line}\n")).collect();
        let whole = format!("{allowing}{padding}  - name: denial{denying}");
        gate.signal("KILL");
        let (steady, status) = thread::scope(|scope| {
            let writing = scope.spawn(|| Gate::write_policy_slowly(&home, &whole));
            gate.restart();
            let status = gate.basic("alice").get("/v2/team/secret/manifests/v1").status;
            (writing.join().unwrap(), status)
        });
        let secret = || gate.basic("alice").get("/v2/team/secret/manifests/v1").status;
        wait_for("the whole policy", SOON, || {
            (secret() == 403 && decided_by(&gate) == number).then_some(())
        });
        if steady {
            assert_eq!(status, 403);
            return;
        }
    }
    panic!("this machine is too busy for this test");
}

#[test]
fn a_replica_with_a_broken_folder_starts_with_what_another_one_loaded_last() {
    let (registry, database) = (registry(), Postgres::start());
    let state = format!("{{url: '{}'}}", database.url());
    let mut one = setup(&registry).setting("state", &state).start();
    until_metric(&one, "policy_kept", 1.0);
    let at_one = |path: &str| one.home().join(path).display().to_string();
    let other = Setup::new(&format!("http://{}", registry.address()), &policy(0))
        .setting("state", &state)
        .setting("signing_keys", &at_one("state/keys"))
        .setting("users", &at_one("users.yaml"))
        .setting("public_url", &format!("https://{}", one.name()))
        .start();
    until_metric(&other, "policy_kept", 1.0);
    put(&one.home().join("policies"), "rules: [");
    until_metric(&one, "policy_stale", 1.0);
    let before = sha256_in_force(&other);
    other.write_policy(&policy(1));
    wait_for("the new policy", SOON, || (sha256_in_force(&other) != before).then_some(()));
    until_metric(&other, "policy_kept", 1.0);
    assert_eq!(decided_by(&one), 0, "what runs goes on with what it has");
    one.kill_and_restart();
    assert_eq!(decided_by(&one), 1);
    assert_eq!(sha256_in_force(&one), sha256_in_force(&other));
}

#[test]
fn while_the_state_is_away_a_new_policy_is_in_force_all_the_same_and_kept_later() {
    let (registry, database) = (registry(), Postgres::alone());
    let state = format!("{{url: '{}'}}", database.url());
    let mut gate = setup(&registry).setting("state", &state).start();
    until_metric(&gate, "policy_kept", 1.0);
    database.stop();
    gate.write_policy(&policy(1));
    wait_for("the new policy", SOON, || (decided_by(&gate) == 1).then_some(()));
    wait_for("a word about it", SOON, || {
        gate.log().contains("the state does not keep it").then_some(())
    });
    assert_eq!(gate.metric("portcullis_policy_kept "), 0.0);
    database.start_again();
    until_metric(&gate, "policy_kept", 1.0);
    gate.signal("KILL");
    put(&gate.home().join("policies"), "rules: [");
    gate.restart();
    assert_eq!(decided_by(&gate), 1);
}

#[test]
fn check_tells_the_mistakes_and_what_a_gate_would_start_with() {
    let registry = registry();
    let mut gate = setup(&registry).start();
    until_metric(&gate, "policy_kept", 1.0);
    let sha256 = sha256_in_force(&gate);
    put(&gate.home().join("policies"), "rule: []\n");
    let note = format!("serves the last good policy, with an alarm: sha256:{sha256}, 2 rules");
    let tells = |said: &Said, words: &str| {
        assert_eq!(said.code, Some(2), "{}{}", said.out, said.err);
        for words in ["unknown key `rule`", words] {
            assert!(said.out.contains(words) || said.err.contains(words), "{words}: {said:?}");
        }
    };
    // Beside the gate, and without it.
    tells(&gate.run(&["check"]), &note);
    assert_eq!(gate.stop(), Some(0));
    tells(&gate.run(&["check"]), &note);

    // What was damaged is not taken, and not in part either.
    let database = gate.home().join("state/portcullis.db");
    Said::of(std::process::Command::new("python3").args([
        "-c",
        "import sqlite3, sys\n\
         state = sqlite3.connect(sys.argv[1])\n\
         state.execute('UPDATE policy SET sha256 = zeroblob(32)')\n\
         state.commit()",
        database.to_str().unwrap(),
    ]))
    .ok();
    let unusable = "the last good policy, which the state keeps, cannot be used";
    tells(&gate.run(&["check"]), unusable);
    tells(&gate.run(&["serve"]), unusable);
}
