//! Flags and gates by their names, when all files are looked at together.

use std::collections::HashMap;

use document::{Mistake, Problems, did_you_mean};

use crate::check::unique;
use crate::flag_name::FlagName;
use crate::written::{Word, Written};

/// How many mentions of unknown flags get a suggestion. Comparing takes long, and help with the
/// first is help enough.
const MAX_SUGGESTIONS: usize = 100;

/// Each flag and each gate has a name of its own.
pub(crate) fn unique_names(files: &[Written], problems: &mut Problems) {
    let mut seen = HashMap::new();
    for flag in files.iter().flat_map(|file| &file.flags) {
        unique(&flag.written, "flag", &mut seen, problems);
    }
    let mut seen = HashMap::new();
    for gate in files.iter().flat_map(|file| &file.gates) {
        if !gate.name.text.is_empty() {
            unique(&gate.name, "gate", &mut seen, problems);
        }
    }
}

/// A gate that asks for a flag which nobody can set would hold everything, and a rule about one says
/// nothing.
pub(crate) fn known(files: &[Written], problems: &mut Problems) {
    let declared: Vec<&str> = files
        .iter()
        .flat_map(|file| &file.flags)
        .filter_map(|flag| flag.name.as_ref())
        .map(FlagName::as_str)
        .collect();
    let mut suggestions = MAX_SUGGESTIONS;
    let mut check = |word: &Word, name: &str| {
        let is_any = name == "*" && !declared.is_empty();
        if is_any || declared.contains(&name) || (name != "*" && FlagName::new(name).is_err()) {
            return;
        }
        let mistake = if name == "*" {
            Mistake::new("`flag:*` stands for no flag").label("no policy file declares any")
        } else {
            Mistake::new(format!("unknown flag `{name}`")).label("not declared in any policy file")
        };
        let names = declared.iter().copied().filter(|_| suggestions > 0);
        let help = did_you_mean(name, names);
        suggestions = suggestions.saturating_sub(1);
        let example = if name == "*" { "tested" } else { name };
        let help = help.unwrap_or_else(|| format!("declare it: `flags: {{{example}: {{}}}}`"));
        problems.at(word.place, mistake.help(help));
    };
    for file in files {
        for word in file.rules.iter().flat_map(|rule| &rule.flags) {
            check(word, FlagName::in_word(&word.text).unwrap_or_default());
        }
        for word in file.gates.iter().flat_map(|gate| &gate.flags) {
            check(word, &word.text);
        }
    }
}
