//! From the files of a policy to a policy that decides.

use std::sync::Arc;

use crate::check;
use crate::diagnostic::{Diagnostics, Findings};
use crate::document::{Document, ImageEntry, Members, RuleEntry, SubjectEntry};
use crate::image_pattern::ImagePattern;
use crate::lower;
use crate::policy::{Compiled, Policy, SourceFile};
use crate::prefix_map::PrefixMap;
use crate::rule::{Clause, Rule};
use crate::subjects::{Role, SubjectsBuilder};
use crate::yaml;

impl Policy {
    /// Reads all files as one policy.
    ///
    /// # Errors
    /// Every mistake in every file, and the warnings too.
    pub fn compile(files: &[SourceFile]) -> Result<Compiled, Diagnostics> {
        let mut findings = Findings::new(files);
        let mut documents = Vec::with_capacity(files.len());
        let mut all_readable = true;
        let mut alternatives = lower::MAX_ALTERNATIVES;
        for (index, file) in files.iter().enumerate() {
            match yaml::read(index, &file.text, &mut findings) {
                Some(root) => {
                    documents.push(lower::lower(index, root, &mut alternatives, &mut findings));
                }
                None => all_readable = false,
            }
        }
        check::check(&documents, all_readable, &mut findings);
        if findings.has_errors() {
            return Err(findings.into_diagnostics());
        }
        let policy = build(documents, files);
        Ok(Compiled { policy, warnings: findings.into_diagnostics() })
    }
}

/// Puts documents without mistakes together.
fn build(documents: Vec<Document>, files: &[SourceFile]) -> Policy {
    let paths: Vec<Arc<str>> = files.iter().map(|file| file.path.as_str().into()).collect();
    let mut subjects = SubjectsBuilder::new();
    let mut administrators = Vec::new();
    let mut entries: Vec<RuleEntry> = Vec::new();
    for document in documents {
        for group in document.groups {
            let role = subjects.group(&group.name.text);
            if let Members::Listed(members) = group.members {
                for member in roles(&members, &mut subjects) {
                    subjects.belongs(member, role);
                }
            }
        }
        administrators.extend(roles(&document.administrators, &mut subjects));
        entries.extend(document.rules);
    }
    entries.sort_by(|one, other| one.name.text.cmp(&other.name.text));
    let mut rules = Vec::with_capacity(entries.len());
    let mut clauses = PrefixMap::default();
    for entry in entries {
        let rule = Arc::new(Rule {
            name: entry.name.text.into(),
            file: paths.get(entry.name.at.file).cloned().unwrap_or_default(),
            line: entry.name.at.span.line,
            subjects: roles(&entry.subjects, &mut subjects).into(),
            except_subjects: roles(&entry.except.subjects, &mut subjects).into(),
            except_images: images(entry.except.images).collect(),
            allow: entry.allow.granted(),
            deny: entry.deny.withheld(),
        });
        for image in images(entry.images) {
            let key = image.repository.clone();
            clauses.insert(&key, Clause { rule: Arc::clone(&rule), image });
        }
        rules.push(rule);
    }
    Policy { subjects: subjects.finish(), rules, clauses, administrators: administrators.into() }
}

fn roles(entries: &[SubjectEntry], subjects: &mut SubjectsBuilder) -> Vec<Role> {
    entries.iter().map(|entry| subjects.role(&entry.written.text, &entry.pattern)).collect()
}

fn images(entries: Vec<ImageEntry>) -> impl Iterator<Item = ImagePattern> {
    entries.into_iter().flat_map(|entry| entry.patterns)
}
