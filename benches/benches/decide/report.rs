//! What was measured, as a table or as JSON.

use std::fmt;

use serde::Serialize;

#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) decisions: Vec<Decisions>,
    pub(crate) compilations: Vec<Compilation>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Decisions {
    pub(crate) shape: &'static str,
    pub(crate) rules: usize,
    pub(crate) contestant: &'static str,
    /// Of one decision.
    pub(crate) nanoseconds: f64,
    /// How many times as long as ours.
    pub(crate) ratio: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Compilation {
    pub(crate) shape: &'static str,
    pub(crate) rules: usize,
    pub(crate) contestant: &'static str,
    pub(crate) milliseconds: u64,
    /// By which the process grew.
    pub(crate) mebibytes: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<10}{:>8}  {:<12}{:>14}{:>10}",
            "shape", "rules", "decides", "ns", "times"
        )?;
        for row in &self.decisions {
            let Decisions { shape, rules, contestant, nanoseconds, ratio } = row;
            writeln!(f, "{shape:<10}{rules:>8}  {contestant:<12}{nanoseconds:>14.0}{ratio:>10.1}")?;
        }
        writeln!(
            f,
            "\n{:<10}{:>8}  {:<12}{:>14}{:>10}",
            "shape", "rules", "compiles", "ms", "MiB"
        )?;
        for row in &self.compilations {
            let Compilation { shape, rules, contestant, milliseconds, mebibytes } = row;
            writeln!(
                f,
                "{shape:<10}{rules:>8}  {contestant:<12}{milliseconds:>14}{mebibytes:>10}"
            )?;
        }
        Ok(())
    }
}
