//! What is probably not meant as it was written, and does no harm.

use std::collections::HashSet;

use document::{Mistake, Place, Problems};
use jiff::Timestamp;

use crate::check::{Groups, mentions};
use crate::circumstances::Credential;
use crate::image_pattern::ImagePattern;
use crate::image_text::is_segment;
use crate::include::Inclusion;
use crate::pointless;
use crate::subject_pattern::SubjectPattern;
use crate::subjects::Scope;
use crate::warn_gates;
use crate::written::{ImageEntry, RuleEntry, SubjectEntry, Written};

/// How often exceptions are compared with what their rules are about, in all: this often, and so
/// often for each rule. A comparison may take a millisecond, and what comes of it is a warning.
const MAX_COMPARISONS: usize = 20_000;
const MAX_COMPARISONS_EACH: usize = 2;

/// Warns of what is odd in a policy without mistakes. Of a rule that never holds, one reason is told.
pub(crate) fn warn(
    files: &[Written],
    groups: &Groups<'_>,
    now: Option<Timestamp>,
    problems: &mut Problems,
) {
    let inclusion = Inclusion::new(files);
    let populated = groups.populated();
    let rules = files.iter().map(|file| file.rules.len()).sum::<usize>();
    let mut comparisons = MAX_COMPARISONS + MAX_COMPARISONS_EACH * rules;
    let mut in_use = Vec::new();
    for rule in files.iter().flat_map(|file| &file.rules) {
        // The exceptions of the other rules are not looked at.
        let left = comparisons.checked_sub(exception_comparisons(rule));
        comparisons = left.unwrap_or(comparisons);
        let warning = never(rule, groups, &populated, now)
            .or_else(|| left.and_then(|_| all_excepted(rule, &inclusion)));
        let warning = match warning {
            Some(warning) => Some(warning),
            None => {
                in_use.push(rule);
                left.and_then(|_| except_without_effect(rule))
            }
        };
        if let Some((place, mistake)) = warning {
            problems.warn(place, mistake);
        }
    }
    pointless::warn(&in_use, &inclusion, problems);
    warn_unused(files, groups, problems);
    warn_gates::warn(files, &populated, now, problems);
}

type Warning = (Place, Mistake);

/// Why the rule never holds, if it never does.
fn never(
    rule: &RuleEntry,
    groups: &Groups<'_>,
    populated: &HashSet<&str>,
    now: Option<Timestamp>,
) -> Option<Warning> {
    nobody(rule, populated)
        .or_else(|| no_user(rule))
        .or_else(|| no_group(rule, groups))
        .or_else(|| expired(rule, now?))
        .or_else(|| no_credential(rule))
}

/// How often something in its `except` is compared with what the rule is about.
fn exception_comparisons(rule: &RuleEntry) -> usize {
    let subjects = rule.subjects.len().saturating_mul(rule.except.subjects.len());
    let images = patterns(&rule.images).count();
    subjects.saturating_add(images.saturating_mul(patterns(&rule.except.images).count()))
}

/// All its subjects are groups without members.
fn nobody(rule: &RuleEntry, populated: &HashSet<&str>) -> Option<Warning> {
    let is_empty = |entry: &SubjectEntry| match &entry.pattern {
        SubjectPattern::Group(name) => name.literal().is_some_and(|name| !populated.contains(name)),
        _ => false,
    };
    let first = rule.subjects.first().filter(|_| rule.subjects.iter().all(is_empty))?;
    let label = match rule.subjects.as_slice() {
        [_] => "a group without members",
        _ => "groups without members",
    };
    let mistake = Mistake::new(format!("rule `{}` is for nobody", rule.name.text))
        .label(label)
        .help("if an identity source asserts the group, write `external` for its members");
    Some((first.written.place, mistake))
}

fn about_nothing(rule: &RuleEntry) -> Mistake {
    Mistake::new(format!("rule `{}` is about nothing", rule.name.text))
}

/// It is about the homes of users, and for no users.
fn no_user(rule: &RuleEntry) -> Option<Warning> {
    let is_no_user = |entry: &SubjectEntry| {
        matches!(entry.pattern, SubjectPattern::Service(_) | SubjectPattern::Peer(_))
    };
    let needs_user = |entry: &ImageEntry| entry.patterns.iter().all(|pattern| pattern.uses_user);
    let is_about_nothing =
        rule.subjects.iter().all(is_no_user) && rule.images.iter().all(needs_user);
    let first = rule.images.first().filter(|_| is_about_nothing)?;
    let mistake = about_nothing(rule)
        .label("`${user}` stands for users, and the rule is for none")
        .help("name the images themselves, or users as `subjects`");
    Some((first.place, mistake))
}

/// It is about what is named after groups, and no group has such a name.
fn no_group(rule: &RuleEntry, groups: &Groups<'_>) -> Option<Warning> {
    let needs_group = |entry: &ImageEntry| entry.patterns.iter().all(|pattern| pattern.uses_group);
    let mut names = groups.names().peekable();
    names.peek()?;
    let first = rule.images.first().filter(|_| rule.images.iter().all(needs_group))?;
    if names.any(is_segment) {
        return None;
    }
    let mistake = about_nothing(rule)
        .label("`${group}` stands for names that a repository may have, and no group has one")
        .help("such a name is in lower case and without `/`");
    Some((first.place, mistake))
}

fn expired(rule: &RuleEntry, now: Timestamp) -> Option<Warning> {
    let (expires, place) = (rule.conditions.expires?, rule.places.expires?);
    (expires <= now).then(|| {
        let mistake = Mistake::new(format!("rule `{}` expired at {expires}", rule.name.text))
            .label("over")
            .help("remove the rule, or let it last longer");
        (place, mistake)
    })
}

/// It asks for a credential that none of its subjects can have.
fn no_credential(rule: &RuleEntry) -> Option<Warning> {
    let place = rule.places.kind?;
    let can_have = |subject: &SubjectEntry, kind: Credential| match subject.pattern {
        SubjectPattern::User(_) => matches!(kind, Credential::User | Credential::Federated),
        SubjectPattern::Service(_) => matches!(kind, Credential::Service | Credential::Federated),
        SubjectPattern::Peer(_) => kind == Credential::Peer,
        SubjectPattern::Authenticated => kind != Credential::Peer,
        SubjectPattern::Group(_) | SubjectPattern::Anyone => true,
    };
    let is_possible = rule
        .conditions
        .credentials
        .iter()
        .any(|kind| rule.subjects.iter().any(|subject| can_have(subject, *kind)));
    (!is_possible).then(|| {
        let mistake = Mistake::new(format!("rule `{}` is for nobody", rule.name.text))
            .label("none of its subjects has such a credential")
            .help(
                "users have `user` or `federated`, services `service` or `federated`, peers `peer`",
            );
        (place, mistake)
    })
}

/// Its `except` takes out everybody, or everything.
fn all_excepted(rule: &RuleEntry, inclusion: &Inclusion<'_>) -> Option<Warning> {
    let (subjects, images) = (&rule.except.subjects, &rule.except.images);
    if let Some(first) = subjects.first()
        && inclusion.includes(subjects, &rule.subjects, Scope::Held)
    {
        let mistake = Mistake::new(format!("rule `{}` is for nobody", rule.name.text))
            .label("this takes out all its subjects")
            .help("name fewer in `except`, or remove the rule");
        return Some((first.written.place, mistake));
    }
    // Of what a pattern cannot decide, a denial takes hold and its exception does not.
    let is_excepted = |image: &ImagePattern| {
        patterns(images)
            .any(|wide| wide.contains(image) && (wide.decides() || rule.deny.is_empty()))
    };
    let image =
        patterns(&rule.images).next().filter(|_| patterns(&rule.images).all(is_excepted))?;
    let takes_out = |entry: &&ImageEntry| entry.patterns.iter().any(|wide| wide.contains(image));
    let first = images.iter().find(takes_out)?;
    let mistake = about_nothing(rule)
        .label("this takes out all its images")
        .help("name fewer in `except`, or remove the rule");
    Some((first.place, mistake))
}

/// Somebody or something in its `except` that the rule is not about anyway.
fn except_without_effect(rule: &RuleEntry) -> Option<Warning> {
    let meets_image = |entry: &&ImageEntry| {
        let met = |image: &ImagePattern| patterns(&rule.images).any(|own| own.may_meet(image));
        entry.patterns.iter().any(met)
    };
    let meets_subject = |entry: &&SubjectEntry| {
        rule.subjects.iter().any(|own| own.pattern.may_meet(&entry.pattern))
    };
    let message = |what| {
        Mistake::new(format!("an exception of rule `{}` has no effect", rule.name.text))
            .label(format!("the rule is not about this {what} anyway"))
            .help("remove it, or look for a slip in it")
    };
    let image = rule.except.images.iter().find(|entry| !meets_image(entry));
    let image = image.map(|entry| (entry.place, message("image")));
    image.or_else(|| {
        let subject = rule.except.subjects.iter().find(|entry| !meets_subject(entry))?;
        Some((subject.written.place, message("subject")))
    })
}

fn patterns(images: &[ImageEntry]) -> impl Iterator<Item = &ImagePattern> {
    images.iter().flat_map(|entry| &entry.patterns)
}

/// Warns of groups that no rule, no other group and no administration is about.
fn warn_unused(files: &[Written], groups: &Groups<'_>, problems: &mut Problems) {
    let rules = || files.iter().flat_map(|file| &file.rules);
    let by_variable = |rule: &RuleEntry| patterns(&rule.images).any(|image| image.uses_group);
    if rules().any(by_variable) {
        return;
    }
    // Each pattern once: there may be many mentions, and many groups.
    let mut seen = HashSet::new();
    let used: HashSet<&str> = mentions(files)
        .filter(|mention| seen.insert(mention.written.text.as_str()))
        .flat_map(|mention| groups.matched(&mention.pattern))
        .map(|group| group.name.text.as_str())
        .collect();
    for group in groups.all() {
        if !used.contains(group.name.text.as_str()) {
            let mistake = Mistake::new(format!("group `{}` is not used", group.name.text))
                .label("no rule is about it")
                .help("name it in a rule, or remove it");
            problems.warn(group.name.place, mistake);
        }
    }
}
