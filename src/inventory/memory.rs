//! What a large inventory takes, measured in a process of its own.

use std::process::Command;

use super::*;

/// Set in the process that is measured: how many manifests it holds.
const COUNT: &str = "PORTCULLIS_MEASURED_MANIFESTS";

/// An image of a large registry: a configuration and two layers of its own, seven shared ones.
const OWN: u64 = 3;
const SHARED: u64 = 7;

fn digest(number: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Digest::Sha256(bytes)
}

/// Memory in use, in bytes (proc(5), `statm`). Without what is mapped from files: how much of its
/// own code a process has read by then depends on what else the machine keeps of it.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: Vec<usize> = statm.split_whitespace().map(|field| field.parse().unwrap()).collect();
    (pages[1] - pages[2]) * 4096
}

/// Each manifest has a tag; there are a thousand of them in a repository.
fn fill(inventory: &Inventory, count: u64) {
    let at = Timestamp::UNIX_EPOCH;
    for number in 0..count {
        let repository = RepositoryName::new(&format!("team/app-{}", number / 1000)).unwrap();
        let first = (number + 1) * 100;
        let blobs = (1..=OWN).map(|own| digest(first + own));
        let shared = (0..SHARED).map(|shared| digest(number / 1000 * 10 + shared));
        let facts = Facts {
            is_index: false,
            is_artifact: false,
            subject: None,
            children: Box::default(),
            blobs: blobs.chain(shared).collect(),
        };
        let manifest = digest(first);
        let tag = Tag::new(&format!("v1.{number}")).unwrap();
        inventory.saw_tag(&repository, &tag, &manifest, at);
        let lesson = Lesson::Manifest { digest: manifest, facts: Arc::new(facts) };
        inventory.apply(&repository, &lesson);
    }
}

/// Names of repositories of which nothing is known, as long as names may be.
fn name(inventory: &Inventory, count: u64) {
    for number in 0..count {
        let name = format!("team/{number:0>200}");
        inventory.0.room.change(&RepositoryName::new(&name).unwrap(), |_| ());
    }
}

/// Bytes that are taken, and bytes that are counted, by a process of its own that holds so many.
fn measured(test: &str, fill: fn(&Inventory, u64), count: usize) -> (usize, usize) {
    if let Ok(count) = std::env::var(COUNT) {
        let settings = Settings { max_bytes: usize::MAX, ..Settings::default() };
        let inventory = Inventory::new(settings, Arc::new(Forgetful));
        let before = resident();
        fill(&inventory, count.parse().unwrap());
        let (taken, (counted, _)) = (resident() - before, inventory.0.room.counted());
        println!("measured {taken} {counted} end");
        std::process::exit(0);
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([&format!("inventory::memory::{test}"), "--exact", "--nocapture"])
        .env(COUNT, count.to_string())
        .output()
        .unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let (_, measured) = output.split_once("measured ").unwrap();
    let (measured, _) = measured.split_once(" end").unwrap();
    let (taken, counted) = measured.split_once(' ').unwrap();
    (taken.parse().unwrap(), counted.parse().unwrap())
}

#[test]
fn a_million_manifests_fit_into_a_gibibyte() {
    const MANIFESTS: usize = 30_000;
    let test = "a_million_manifests_fit_into_a_gibibyte";
    let (taken, counted) = measured(test, fill, MANIFESTS);
    let each = taken / MANIFESTS;
    assert!(each * 1_000_000 < 1 << 30, "{each} bytes each");
    // What is counted against the bound is about what is taken.
    assert!(counted > taken / 4 * 3 && counted < taken * 2, "{counted} for {taken}");
}

#[test]
fn a_repository_of_which_nothing_is_known_takes_what_is_counted_for_it() {
    let test = "a_repository_of_which_nothing_is_known_takes_what_is_counted_for_it";
    let (taken, counted) = measured(test, name, 30_000);
    assert!(counted > taken / 4 * 3 && counted < taken * 2, "{counted} for {taken}");
}
