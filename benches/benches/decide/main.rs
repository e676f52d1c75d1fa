//! How long a decision takes, and what it takes to compile a policy: `cargo bench --bench decide`.
//!
//! `-- teams` measures one shape, `-- 10000` one size; `--json` prints what machines read.

mod clock;
mod compiling;
mod deciding;
mod report;

use std::io;

use benches::contestant::Name;
use benches::workload::Shape;

use report::Report;

const SIZES: [usize; 3] = [100, 10_000, 100_000];
/// At fewer rules there is too little memory to be seen.
const COMPILED_FROM: usize = 10_000;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(order) = compiling::Order::read(&words) {
        order.carry_out();
        return Ok(());
    }
    let names: Vec<_> = Shape::ALL.map(Shape::as_str).into();
    let mentions = |word: &str| words.iter().any(|given| given == word);
    let some_shape = names.iter().any(|name| mentions(name));
    let some_size = SIZES.iter().any(|size| mentions(&size.to_string()));
    let mut report = Report::default();
    for shape in Shape::ALL {
        if some_shape && !mentions(shape.as_str()) {
            continue;
        }
        for rules in SIZES {
            if some_size && !mentions(&rules.to_string()) {
                continue;
            }
            eprintln!("{} with {rules} rules", shape.as_str());
            report.decisions.extend(deciding::measure(shape, rules));
            for name in Name::ALL {
                if rules >= COMPILED_FROM && name.enters(rules) {
                    report.compilations.push(compiling::measure(shape, rules, name)?);
                }
            }
        }
    }
    if mentions("--json") {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
