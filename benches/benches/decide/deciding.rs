//! Contestants take turns, several rounds long, so that what else the machine does falls on all of
//! them. A round is a number of requests in a row, as many as fit a slice of time; its result is
//! the mean time of a decision in it, and the result of a contestant is the median of its rounds.

use std::hint::black_box;
use std::time::Duration;

use benches::agreement::assert_alike;
use benches::contestant::{Contestant, Name};
use benches::workload::Shape;

use crate::clock;
use crate::report::Decisions;

/// A day's requests, over the whole of the policy.
const REQUESTS: usize = 4_000;
/// What is asked of all before the clock starts: rules times requests, because some look at every
/// rule; within limits.
const COMPARED: usize = 50_000;
const AT_LEAST: usize = 20;
const AT_MOST: usize = 400;
const ROUNDS: usize = 9;
const SLICE: Duration = Duration::from_millis(60);

pub(crate) fn measure(shape: Shape, rules: usize) -> Vec<Decisions> {
    let workload = shape.workload(rules, REQUESTS);
    let contestants: Vec<(&str, Box<dyn Contestant>)> = Name::ALL
        .into_iter()
        .filter(|name| name.enters(rules))
        .map(|name| (name.as_str(), name.write(&workload).compile().ready(&workload)))
        .collect();
    assert_alike(&contestants, &workload, (COMPARED / rules).clamp(AT_LEAST, AT_MOST));
    let mut lanes: Vec<_> =
        contestants.iter().map(|(_, contestant)| Lane::new(&**contestant)).collect();
    for _ in 0..ROUNDS {
        lanes.iter_mut().for_each(Lane::round);
    }
    let medians: Vec<f64> = lanes.into_iter().map(Lane::median).collect();
    let ours = medians.first().copied().unwrap_or(f64::NAN);
    contestants
        .iter()
        .zip(medians)
        .map(|((contestant, _), nanoseconds)| Decisions {
            shape: shape.as_str(),
            rules,
            contestant,
            nanoseconds,
            ratio: nanoseconds / ours,
        })
        .collect()
}

struct Lane<'a> {
    contestant: &'a dyn Contestant,
    /// The request that comes next.
    next: usize,
    /// How many requests are timed at once.
    step: usize,
    rounds: Vec<f64>,
}

impl<'a> Lane<'a> {
    fn new(contestant: &'a dyn Contestant) -> Self {
        Self { contestant, next: 0, step: 1, rounds: Vec::with_capacity(ROUNDS) }
    }

    fn round(&mut self) {
        let (mut spent, mut decisions) = (Duration::ZERO, 0);
        while spent < SLICE {
            let end = (self.next + self.step).min(REQUESTS);
            let start = clock::now();
            black_box(self.contestant.count_allowed(black_box(self.next..end)));
            let took = clock::now().saturating_sub(start);
            spent += took;
            decisions += end - self.next;
            self.next = if end == REQUESTS { 0 } else { end };
            if took < SLICE / 8 {
                self.step = (self.step * 2).min(REQUESTS);
            }
        }
        self.rounds.push(spent.as_nanos() as f64 / decisions as f64);
    }

    fn median(mut self) -> f64 {
        self.rounds.sort_by(f64::total_cmp);
        self.rounds.get(ROUNDS / 2).copied().unwrap_or(f64::NAN)
    }
}
