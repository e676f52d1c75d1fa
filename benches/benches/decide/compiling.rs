//! A policy is compiled in a process of its own, so that the memory is that of this policy alone.

use std::hint::black_box;
use std::io;
use std::process::Command;

use benches::contestant::Name;
use benches::workload::Shape;

use crate::clock;
use crate::report::Compilation;

/// The first word of the command line of such a process.
const COMPILE: &str = "--compile";

/// What such a process is to do.
pub(crate) struct Order {
    shape: Shape,
    rules: usize,
    name: Name,
}

impl Order {
    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let [first, shape, rules, name] = words else { return None };
        Some(Self {
            shape: Shape::ALL.into_iter().find(|one| first == COMPILE && one.as_str() == shape)?,
            rules: rules.parse().ok()?,
            name: Name::ALL.into_iter().find(|one| one.as_str() == name)?,
        })
    }

    /// Compiles, and prints the milliseconds it took and by how many KiB the process grew.
    pub(crate) fn carry_out(self) {
        let written = self.name.write(&self.shape.workload(self.rules, 0));
        let before = resident_kib();
        let start = clock::now();
        let compiled = written.compile();
        let took = clock::now().saturating_sub(start);
        println!("{} {}", took.as_millis(), resident_kib().saturating_sub(before));
        black_box(compiled);
    }
}

pub(crate) fn measure(shape: Shape, rules: usize, name: Name) -> io::Result<Compilation> {
    let output = Command::new(std::env::current_exe()?)
        .args([COMPILE, shape.as_str(), &rules.to_string(), name.as_str()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text.split_whitespace().flat_map(str::parse).collect();
    let [milliseconds, kib] = numbers.as_slice() else {
        return Err(io::Error::other(format!(
            "cannot compile: {}",
            String::from_utf8_lossy(&output.stderr)
        )));
    };
    Ok(Compilation {
        shape: shape.as_str(),
        rules,
        contestant: name.as_str(),
        milliseconds: *milliseconds,
        mebibytes: kib / 1024,
    })
}

/// What this process holds in memory, after all that its parser gave back.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
