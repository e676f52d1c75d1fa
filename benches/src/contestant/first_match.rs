//! The usual way to do it: a list that is read from the top until a line matches. Denials come
//! first, so that it means the same as the policy. The subject is compared as text before the
//! expression of the images is tried, which keeps most expressions from being tried at all.

use policy::Action;
use regex::Regex;

use super::Contestant;
use crate::workload::{Repositories, Request, Rule, Tags, VERSIONS, Workload};

/// A line, as text.
#[derive(Debug)]
pub struct Written {
    subject: String,
    image: String,
    actions: &'static [Action],
    allow: bool,
}

/// A line that decides.
#[derive(Debug)]
pub struct Line {
    subject: String,
    image: Regex,
    actions: &'static [Action],
    allow: bool,
}

pub(super) struct FirstMatch {
    lines: Vec<Line>,
    requests: Vec<Asked>,
}

struct Asked {
    roles: Vec<String>,
    action: Action,
    image: String,
}

impl FirstMatch {
    pub(super) fn new(lines: Vec<Line>, workload: &Workload) -> Self {
        let roles = workload.roles();
        let requests = workload.requests.iter().map(|request| Asked {
            roles: roles.of(&request.caller),
            action: request.action,
            image: image(request),
        });
        Self { lines, requests: requests.collect() }
    }
}

fn image(request: &Request) -> String {
    match &request.tag {
        Some(tag) => format!("{}:{tag}", request.repository),
        None => request.repository.to_string(),
    }
}

impl Contestant for FirstMatch {
    fn allows(&self, request: usize) -> bool {
        let Some(asked) = self.requests.get(request) else { return false };
        let is_match = |line: &&Line| {
            line.actions.contains(&asked.action)
                && asked.roles.contains(&line.subject)
                && line.image.is_match(&asked.image)
        };
        self.lines.iter().find(is_match).is_some_and(|line| line.allow)
    }
}

pub(super) fn compile(lines: Vec<Written>) -> Vec<Line> {
    let compile = |line: Written| Line {
        subject: line.subject,
        #[expect(clippy::expect_used, reason = "a measurement of a wrong list is none")]
        image: Regex::new(&line.image).expect("the expressions are ours"),
        actions: line.actions,
        allow: line.allow,
    };
    lines.into_iter().map(compile).collect()
}

pub(super) fn write(workload: &Workload) -> Vec<Written> {
    let (allowing, denying): (Vec<_>, Vec<_>) = workload.rules.iter().partition(|rule| rule.allow);
    denying.into_iter().chain(allowing).map(line).collect()
}

fn line(rule: &Rule) -> Written {
    let repository = match &rule.repositories {
        Repositories::Exactly(name) => regex::escape(name),
        Repositories::Below(name) => format!("{}(?:/[^:]*)?", regex::escape(name)),
        // A `.` may not reach into the tag.
        Repositories::Regex { regex, .. } => format!("(?:{})", regex.replace(".+", "[^:]+")),
    };
    let tag = match rule.tags {
        Tags::Whole => "(?::.*)?".to_owned(),
        Tags::BeginningWith(start) => format!(":{}.*", regex::escape(start)),
        Tags::Regex { regex, .. } => format!(":(?:{regex})"),
        Tags::Versions => format!(":(?:{})", VERSIONS.regex),
    };
    Written {
        subject: rule.who.to_string(),
        image: format!("^{repository}{tag}$"),
        actions: rule.actions,
        allow: rule.allow,
    }
}
