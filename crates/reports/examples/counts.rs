//! Tells what reports say in short: `cargo run -p reports --example counts FILE…`.

use std::env;
use std::fs;
use std::io;

use reports::{Limits, read};

fn main() -> io::Result<()> {
    for path in env::args().skip(1) {
        match read(&fs::read(&path)?, Limits::default()) {
            Ok(report) => {
                let counts = report.counts();
                let counts: Vec<_> =
                    counts.iter().map(|(of, count)| format!("{of} {count}")).collect();
                let fixable = report.findings.iter().filter(|finding| finding.is_fixable()).count();
                let scored = report.findings.iter().filter(|finding| finding.max_cvss().is_some());
                println!(
                    "{path}: {}, {} findings ({}), {fixable} fixable, {} scored, about {:?}",
                    report.format,
                    report.findings.len(),
                    counts.join(", "),
                    scored.count(),
                    report.about
                );
            }
            Err(refused) => println!("{path}: refused: {refused}"),
        }
    }
    Ok(())
}
