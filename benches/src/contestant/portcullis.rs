use std::fmt::Write as _;

use policy::{Policy, SourceFile};

use super::Contestant;
use crate::workload::{Repositories, Request, Rule, Tags, VERSIONS, Workload};

/// A file has a limit.
const RULES_OF_A_FILE: usize = 10_000;

pub(super) struct Portcullis {
    policy: Policy,
    requests: Vec<Request>,
}

impl Portcullis {
    pub(super) fn new(policy: Policy, workload: &Workload) -> Self {
        Self { policy, requests: workload.requests.clone() }
    }
}

impl Contestant for Portcullis {
    fn allows(&self, request: usize) -> bool {
        self.requests.get(request).is_some_and(|request| {
            self.policy.decide(&request.caller, request.action, request.image()).is_allowed()
        })
    }
}

pub(super) fn compile(files: &[SourceFile]) -> Policy {
    match Policy::compile(files) {
        Ok(compiled) => compiled.policy,
        #[expect(clippy::panic, reason = "a measurement of a wrong policy is none")]
        Err(errors) => panic!("{errors}"),
    }
}

pub(super) fn write(workload: &Workload) -> Vec<SourceFile> {
    let mut groups = String::from("groups:\n");
    for (name, members) in &workload.groups {
        let members: Vec<_> = members.iter().map(|member| format!("user:{member}")).collect();
        let _ = writeln!(groups, "  {name}: [{}]", members.join(", "));
    }
    let mut texts = if workload.groups.is_empty() { Vec::new() } else { vec![groups] };
    for rules in workload.rules.chunks(RULES_OF_A_FILE) {
        let mut text = String::from("rules:\n");
        rules.iter().for_each(|rule| write_rule(rule, &mut text));
        texts.push(text);
    }
    let path = |index| format!("{index}.yaml");
    let file = |(index, text)| SourceFile { path: path(index), text };
    texts.into_iter().enumerate().map(file).collect()
}

fn write_rule(rule: &Rule, text: &mut String) {
    let verb = if rule.allow { "allow" } else { "deny" };
    let actions: Vec<_> = rule.actions.iter().map(policy::Action::as_str).collect();
    let _ = writeln!(
        text,
        "  - {{name: {}, subjects: ['{}'], images: [{}], {verb}: [{}]}}",
        rule.name,
        rule.who,
        images(rule),
        actions.join(", ")
    );
}

fn images(rule: &Rule) -> String {
    let repositories = match &rule.repositories {
        Repositories::Exactly(name) => format!("'{name}"),
        Repositories::Below(name) => format!("'{name}/**"),
        Repositories::Regex { regex, .. } => format!("{{regex: '{regex}"),
    };
    let is_map = matches!(rule.repositories, Repositories::Regex { .. });
    let open = if is_map { "'}" } else { "'" };
    match rule.tags {
        Tags::Whole if is_map => format!("{{repository: {repositories}{open}}}"),
        Tags::Whole => format!("{repositories}'"),
        Tags::BeginningWith(start) if is_map => {
            format!("{{repository: {repositories}{open}, tag: '{start}*'}}")
        }
        Tags::BeginningWith(start) => format!("{repositories}:{start}*'"),
        Tags::Regex { regex, .. } => {
            format!("{{repository: {repositories}{open}, tag: {{regex: '{regex}'}}}}")
        }
        Tags::Versions => {
            let semver = VERSIONS.semver;
            format!("{{repository: {repositories}{open}, tag: {{semver: '{semver}'}}}}")
        }
    }
}
