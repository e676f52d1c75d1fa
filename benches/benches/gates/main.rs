//! What release gates cost: `cargo bench --bench gates` in this folder.
//!
//! How long it takes to find the gates before an image among many, and to judge an image by what
//! scanners found in it. `--json` prints what machines read.

#[path = "../decide/clock.rs"]
mod clock;
mod finding;
mod judging;

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use serde::Serialize;

const ROUNDS: usize = 9;
const SLICE: Duration = Duration::from_millis(60);

/// What one of them takes.
#[derive(Debug, Serialize)]
struct Figure {
    what: &'static str,
    nanoseconds: f64,
    /// What it is to keep below.
    aim: f64,
}

fn main() -> Result<(), serde_json::Error> {
    let figures: Vec<Figure> = finding::measure().into_iter().chain(judging::measure()).collect();
    if std::env::args().any(|word| word == "--json") {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        figures.iter().for_each(|figure| println!("{figure}"));
    }
    Ok(())
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, nanoseconds, aim } = self;
        write!(f, "{what:<60}{nanoseconds:>10.0} ns, aim {aim:.0}")
    }
}

/// The median of several rounds, each the mean of as many as fit a slice of time.
fn median(mut once: impl FnMut(usize)) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let (mut spent, mut done, mut step) = (Duration::ZERO, 0_usize, 1);
            while spent < SLICE {
                let start = clock::now();
                (done..done + step).for_each(|number| once(black_box(number)));
                let took = clock::now().saturating_sub(start);
                spent += took;
                done += step;
                if took < SLICE / 8 {
                    step *= 2;
                }
            }
            spent.as_nanos() as f64 / done as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(ROUNDS / 2).copied().unwrap_or(f64::NAN)
}

/// Compiles; a measurement of a wrong policy is none.
fn compile(texts: Vec<String>) -> policy::Policy {
    let file = |(number, text)| policy::SourceFile { path: format!("{number}.yaml"), text };
    let files: Vec<_> = texts.into_iter().enumerate().map(file).collect();
    match policy::Policy::compile(&files) {
        Ok(compiled) => compiled.policy,
        #[expect(clippy::panic, reason = "a measurement of a wrong policy is none")]
        Err(errors) => panic!("{errors}"),
    }
}
