//! What is odd about flags, gates and exceptions without mistakes.

use std::collections::HashSet;

use document::{Mistake, Problems};
use jiff::Timestamp;

use crate::Action;
use crate::subject_pattern::SubjectPattern;
use crate::written::{GateEntry, Written};

/// Warns of gates that hold nobody, of flags that nobody may set, and of what is over.
pub(crate) fn warn(
    files: &[Written],
    populated: &HashSet<&str>,
    now: Option<Timestamp>,
    problems: &mut Problems,
) {
    for gate in files.iter().flat_map(|file| &file.gates) {
        warn_nobody(gate, populated, problems);
    }
    warn_unsettable(files, problems);
    let Some(now) = now else { return };
    for exception in files.iter().flat_map(|file| &file.exceptions) {
        let expires = exception.expires.value;
        if expires <= now {
            let message = format!("the exception for {} expired at {expires}", exception.cve);
            let mistake = Mistake::new(message)
                .label("over")
                .help("remove it, or look at it again and let it last longer");
            problems.warn(exception.expires.place, mistake);
        }
    }
}

/// All its subjects are groups without members.
fn warn_nobody(gate: &GateEntry, populated: &HashSet<&str>, problems: &mut Problems) {
    let is_empty = |pattern: &SubjectPattern| match pattern {
        SubjectPattern::Group(name) => name.literal().is_some_and(|name| !populated.contains(name)),
        _ => false,
    };
    if let Some(first) = gate.subjects.first()
        && gate.subjects.iter().all(|entry| is_empty(&entry.pattern))
    {
        let mistake = Mistake::new(format!("gate `{}` holds nobody", gate.name.text))
            .label("nobody is in it")
            .help("if an identity source asserts the group, write `external` for its members");
        problems.warn(first.written.place, mistake);
    }
}

/// A gate asks for a flag that no rule lets anybody set, so that it holds everything.
fn warn_unsettable(files: &[Written], problems: &mut Problems) {
    let asked: HashSet<&str> = files
        .iter()
        .flat_map(|file| &file.gates)
        .flat_map(|gate| &gate.flags)
        .map(|flag| flag.text.as_str())
        .collect();
    for flag in files.iter().flat_map(|file| &file.flags) {
        let Some(name) = flag.name.filter(|name| asked.contains(name.as_str())) else { continue };
        let mut rules = files.iter().flat_map(|file| &file.rules);
        if !rules.any(|rule| rule.allow.contains(Action::Flag(name))) {
            let mistake = Mistake::new(format!("nobody may set the flag `{name}`"))
                .label("a gate asks for it, and holds everything")
                .help(format!("let a rule allow it: `allow: [\"flag:{name}\"]`"));
            problems.warn(flag.written.place, mistake);
        }
    }
}
