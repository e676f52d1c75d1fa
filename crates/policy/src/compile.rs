//! From the files of a policy to a policy that decides.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use document::{Diagnostics, Kind, Mistake, Place, Problems, SourceFile};
use jiff::Timestamp;

use crate::check;
use crate::clauses::Clauses;
use crate::flag_name::FlagName;
use crate::gate::{Exception, Exceptions, Flag, Gate, GateIndex, GateText};
use crate::image_pattern::ImagePattern;
use crate::lower;
use crate::policy::{Compiled, Delegation, Policy};
use crate::rule::{Clause, Rule};
use crate::subject_pattern::SubjectPattern;
use crate::subjects::{Role, SubjectsBuilder};
use crate::written::{
    DelegationEntry, ExceptionEntry, FlagEntry, GateEntry, ImageEntry, Members, RuleEntry,
    SubjectEntry, Written,
};

/// No policy file that people can review is larger.
const POLICY_FILE: Kind = Kind {
    name: "a policy file",
    max_mib: 4,
    too_large: "a policy may be spread over many files",
    second_document: "move what follows `---` to a file of its own",
    instead_of_anchors: "name the people in a group, and the group wherever they are meant",
    secret_keys: &[],
};

impl Policy {
    /// Reads all files as one policy. Their paths begin with the name of the policy folder, and
    /// delegations are about what follows it. Nothing is warned of that depends on the time.
    ///
    /// # Errors
    /// Every mistake in every file, and the warnings too.
    pub fn compile(files: &[SourceFile]) -> Result<Compiled, Diagnostics> {
        Self::compile_for(files, None)
    }

    /// As [`Policy::compile`], and warns of rules that have expired `now`.
    ///
    /// # Errors
    /// As [`Policy::compile`]. That a rule has expired is no error.
    pub fn compile_at(files: &[SourceFile], now: Timestamp) -> Result<Compiled, Diagnostics> {
        Self::compile_for(files, Some(now))
    }

    fn compile_for(files: &[SourceFile], now: Option<Timestamp>) -> Result<Compiled, Diagnostics> {
        let mut problems = Problems::default();
        let mut written = Vec::with_capacity(files.len());
        let mut all_readable = true;
        let mut shared = lower::Shared::default();
        for (index, file) in files.iter().enumerate() {
            match document::parse(&POLICY_FILE, index, &file.text, &mut problems) {
                Some(root) => {
                    written.push(lower::lower(&root, &mut shared, &mut problems));
                }
                None => all_readable = false,
            }
        }
        drop(shared);
        check::check(&written, files, all_readable, now, &mut problems);
        if problems.has_errors() {
            return Err(problems.into_diagnostics(files));
        }
        let (policy, places) = build(written, files);
        if let Some(place) = policy.subjects.crowded().and_then(|role| places.get(&role)) {
            // Alone: warnings may have filled the list already.
            let mut problems = Problems::default();
            problems.at(*place, crowded());
            return Err(problems.into_diagnostics(files));
        }
        Ok(Compiled { policy, warnings: problems.into_diagnostics(files) })
    }
}

fn crowded() -> Mistake {
    Mistake::new("too many groups and patterns are about the same callers")
        .label("this makes them too many")
        .help("list fewer groups, or let patterns begin with a part of the name: `user:ci/*`")
}

/// Where each role is written first.
type Places = HashMap<Role, Place>;

/// Puts files without mistakes together.
fn build(written: Vec<Written>, files: &[SourceFile]) -> (Policy, Places) {
    let paths: Vec<Arc<str>> = files.iter().map(|file| file.path.as_str().into()).collect();
    let mut subjects = SubjectsBuilder::new();
    let mut places = Places::new();
    let mut administrators = Vec::new();
    let mut listed_groups = HashSet::new();
    let mut delegations = Vec::new();
    let mut entries: Vec<RuleEntry> = Vec::new();
    let (mut flags, mut gates, mut exceptions) = (Vec::new(), Vec::new(), Vec::new());
    for file in written {
        for group in file.groups {
            let role = subjects.group(&group.name.text);
            places.entry(role).or_insert(group.name.place);
            if let Members::Listed(members) = group.members {
                listed_groups.insert(group.name.text.into());
                for member in roles(&members, &mut subjects, &mut places) {
                    subjects.belongs(member, role);
                }
            }
        }
        administrators.extend(roles(&file.administrators, &mut subjects, &mut places));
        delegations.extend(file.delegations.into_iter().map(delegation));
        entries.extend(file.rules);
        flags.extend(file.flags.into_iter().filter_map(flag));
        gates.extend(file.gates);
        exceptions.extend(file.exceptions.into_iter().map(|entry| exception(entry, &paths)));
    }
    flags.sort_by_key(Flag::name);
    let names: Vec<FlagName> = flags.iter().map(Flag::name).collect();
    gates.sort_by(|one, other| one.name.text.cmp(&other.name.text));
    let gates = gates.into_iter().map(|it| gate(it, &paths, &mut subjects, &mut places)).collect();
    entries.sort_by(|one, other| one.name.text.cmp(&other.name.text));
    let mut rules = Vec::with_capacity(entries.len());
    let mut clauses = Vec::new();
    for entry in entries {
        let images: Vec<_> = images(entry.images).collect();
        let rule = Arc::new(Rule {
            name: entry.name.text.into(),
            file: paths.get(entry.name.place.file).cloned().unwrap_or_default(),
            line: entry.name.place.line,
            subjects: each_once(roles(&entry.subjects, &mut subjects, &mut places)),
            except_subjects: each_once(roles(&entry.except.subjects, &mut subjects, &mut places)),
            except_images: self::images(entry.except.images).collect(),
            images: images.len(),
            conditions: (!entry.conditions.is_empty()).then(|| Box::new(entry.conditions)),
            allow: entry.allow.with_flags(&names).granted(),
            deny: entry.deny.with_flags(&names).withheld(),
        });
        clauses.extend(images.into_iter().map(|image| Clause { rule: Arc::clone(&rule), image }));
        rules.push(rule);
    }
    let policy = Policy {
        subjects: subjects.finish(),
        rules,
        clauses: Clauses::new(clauses),
        administrators: each_once(administrators),
        listed_groups,
        delegations: delegations.into(),
        flags: flags.into(),
        gates: GateIndex::new(gates),
        exceptions: Exceptions::new(exceptions),
    };
    (policy, places)
}

fn flag(entry: FlagEntry) -> Option<Flag> {
    let carries = images(entry.carries).map(|image| image.repository).collect();
    Some(Flag { name: entry.name?, carries, expires_after: entry.expires_after })
}

fn gate(
    entry: GateEntry,
    paths: &[Arc<str>],
    subjects: &mut SubjectsBuilder,
    places: &mut Places,
) -> Arc<Gate> {
    let texts = |entries: &[SubjectEntry]| {
        let mut texts: Vec<_> = entries.iter().map(|it| it.written.text.clone()).collect();
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    let told = GateText {
        subjects: texts(&entry.subjects),
        except_subjects: texts(&entry.except.subjects),
    };
    let own = match entry.subjects.as_slice() {
        [] => vec![subjects.role("anyone", &SubjectPattern::Anyone)],
        some => roles(some, subjects, places),
    };
    Arc::new(Gate {
        name: entry.name.text.into(),
        file: paths.get(entry.name.place.file).cloned().unwrap_or_default(),
        line: entry.name.place.line,
        images: images(entry.images).collect(),
        subjects: each_once(own),
        except_subjects: each_once(roles(&entry.except.subjects, subjects, places)),
        except_images: images(entry.except.images).collect(),
        on: entry.on,
        require: entry.require,
        grace: entry.grace,
        is_enforced: entry.is_enforced,
        told,
    })
}

fn exception(entry: ExceptionEntry, paths: &[Arc<str>]) -> Exception {
    Exception {
        cve: entry.cve,
        package: entry.package,
        images: entry.images.into(),
        reason: entry.reason.into(),
        by: entry.by.into(),
        expires: entry.expires.value,
        file: paths.get(entry.place.file).cloned().unwrap_or_default(),
        line: entry.place.line,
    }
}

fn delegation(entry: DelegationEntry) -> Delegation {
    let sorted = |mut texts: Vec<String>| {
        texts.sort_unstable();
        texts.dedup();
        texts
    };
    Delegation {
        files: entry.files.written.text,
        images: sorted(images(entry.images).map(|image| image.to_string()).collect()),
        groups: sorted(entry.groups.into_iter().map(|group| group.written.text).collect()),
    }
}

fn roles(
    entries: &[SubjectEntry],
    subjects: &mut SubjectsBuilder,
    places: &mut Places,
) -> Vec<Role> {
    let each = entries.iter().map(|SubjectEntry { written, pattern }| {
        let role = subjects.role(&written.text, pattern);
        places.entry(role).or_insert(written.place);
        role
    });
    each.collect()
}

fn each_once(mut roles: Vec<Role>) -> Box<[Role]> {
    roles.sort_unstable();
    roles.dedup();
    roles.into()
}

fn images(entries: Vec<ImageEntry>) -> impl Iterator<Item = ImagePattern> {
    entries.into_iter().flat_map(|entry| entry.patterns)
}
