//! All contestants answer alike, or nothing is measured.

use crate::contestant::Contestant;
use crate::workload::Workload;

/// Asserts that all answer the first `count` requests alike, and that neither answer is rare.
///
/// # Panics
/// They do not.
#[expect(clippy::panic, reason = "a measurement of wrong answers is none")]
pub fn assert_alike(
    contestants: &[(&str, Box<dyn Contestant>)],
    workload: &Workload,
    count: usize,
) {
    let requests = workload.requests.iter().take(count).enumerate();
    let mut allowed = 0;
    let Some(((first, contestant), others)) = contestants.split_first() else { return };
    for (index, request) in requests {
        let answer = contestant.allows(index);
        allowed += usize::from(answer);
        for (name, other) in others {
            let its = other.allows(index);
            if its != answer {
                panic!("{first} says {answer} and {name} says {its} to {request:?}");
            }
        }
    }
    let count = count.min(workload.requests.len());
    if !(count / 4..=count * 3 / 4).contains(&allowed) {
        panic!("{allowed} of {count} requests are allowed: about half should be");
    }
}
