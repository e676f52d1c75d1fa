//! How long one decision takes: `cargo bench -p benches --bench decide`.
//!
//! Each sample is a turn through all requests, and what is shown is the time of one decision in it,
//! so the median column is the time of a typical decision with warm caches.

use std::cell::Cell;
use std::sync::OnceLock;

use benches::first_match::{AsText, FirstMatch};
use benches::workload::{self, Request};
use divan::{Bencher, black_box};
use policy::Policy;

const SIZES: [usize; 2] = [100, 10_000];
/// As many as a sample has iterations.
const REQUESTS: usize = 1024;

fn main() {
    for rules in SIZES {
        assert_the_answers_agree(rules);
    }
    divan::main();
}

fn assert_the_answers_agree(rules: usize) {
    let (policy, list, requests) =
        (policy(rules), list(rules), workload::requests(rules, REQUESTS));
    let mut allowed = 0;
    for request in &requests {
        let ours = allows(policy, request);
        let theirs = list.allows(&AsText::new(request), request.action);
        assert_eq!(ours, theirs, "{request:?}");
        allowed += usize::from(ours);
    }
    assert!((REQUESTS / 4..REQUESTS * 3 / 4).contains(&allowed), "{allowed} of {REQUESTS} allowed");
}

#[divan::bench(args = SIZES, sample_size = 1024)]
fn portcullis(bencher: Bencher<'_, '_>, rules: usize) {
    let (policy, requests) = (policy(rules), workload::requests(rules, REQUESTS));
    let next = turns(&requests);
    bencher.bench_local(|| next().map(|request| allows(policy, black_box(request))));
}

#[divan::bench(args = SIZES, sample_size = 1024, sample_count = 10)]
fn list_of_regexes(bencher: Bencher<'_, '_>, rules: usize) {
    let list = list(rules);
    let requests: Vec<_> = workload::requests(rules, REQUESTS)
        .iter()
        .map(|request| (AsText::new(request), request.action))
        .collect();
    let next = turns(&requests);
    bencher
        .bench_local(|| next().map(|(request, action)| list.allows(black_box(request), *action)));
}

#[divan::bench(args = SIZES, sample_count = 10)]
fn compile(bencher: Bencher<'_, '_>, rules: usize) {
    bencher.bench_local(|| workload::policy(black_box(rules)));
}

fn allows(policy: &Policy, request: &Request) -> bool {
    policy.decide(&request.caller, request.action, request.image()).is_allowed()
}

/// Gives the items in turn, without end.
fn turns<'a, T>(items: &'a [T]) -> impl Fn() -> Option<&'a T> {
    let turn = Cell::new(0);
    move || {
        turn.set(turn.get() + 1);
        items.get(turn.get() % items.len())
    }
}

fn policy(rules: usize) -> &'static Policy {
    static POLICIES: [OnceLock<Policy>; 2] = [OnceLock::new(), OnceLock::new()];
    slot(&POLICIES, rules).get_or_init(|| workload::policy(rules))
}

fn list(rules: usize) -> &'static FirstMatch {
    static LISTS: [OnceLock<FirstMatch>; 2] = [OnceLock::new(), OnceLock::new()];
    #[expect(clippy::expect_used, reason = "a benchmark of a broken list is none")]
    slot(&LISTS, rules).get_or_init(|| FirstMatch::new(rules).expect("the expressions are ours"))
}

fn slot<T>(slots: &'static [OnceLock<T>; 2], rules: usize) -> &'static OnceLock<T> {
    let [small, large] = slots;
    if rules == 100 { small } else { large }
}
