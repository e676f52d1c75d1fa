//! One row for each rule, denials first, under the effect that the first matching row decides, so
//! that it stops early. Groups, `authenticated` and `anyone` are roles. Paths are compared by
//! Casbin's own `keyMatch`, and by `regexMatch` where rules are expressions. Which actions a row is
//! for is asked of a function of our own, in the place of a row for each action. The matcher asks
//! first what most rows fail.

use std::collections::BTreeSet;

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};

use super::Contestant;
use crate::workload::{Repositories, Rule, Tags, VERSIONS, Workload};

const MODEL: &str = "
[request_definition]
r = sub, repository, tag, action

[policy_definition]
p = sub, repository, tag, actions, eft

[role_definition]
g = _, _

[policy_effect]
e = priority(p.eft) || deny

[matchers]
m = g(r.sub, p.sub) && MATCH(r.repository, p.repository) && MATCH(r.tag, p.tag) && isOneOf(r.action, p.actions)
";

/// What Casbin reads.
#[derive(Debug)]
pub struct Rows {
    policies: Vec<Vec<String>>,
    roles: Vec<Vec<String>>,
    by_regex: bool,
}

pub(super) struct Casbin {
    enforcer: Enforcer,
    requests: Vec<[String; 4]>,
}

impl Casbin {
    pub(super) fn new(enforcer: Enforcer, workload: &Workload) -> Self {
        let requests = workload.requests.iter().map(|request| {
            [
                request.caller.subject.to_string(),
                request.repository.to_string(),
                request.tag.as_ref().map(ToString::to_string).unwrap_or_default(),
                request.action.to_string(),
            ]
        });
        Self { enforcer, requests: requests.collect() }
    }
}

impl Contestant for Casbin {
    fn allows(&self, request: usize) -> bool {
        let Some([subject, repository, tag, action]) = self.requests.get(request) else {
            return false;
        };
        let asked = (subject.as_str(), repository.as_str(), tag.as_str(), action.as_str());
        self.enforcer.enforce(asked).is_ok_and(|allowed| allowed)
    }
}

#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
pub(super) fn compile(rows: Rows) -> Enforcer {
    let by = if rows.by_regex { "regexMatch" } else { "keyMatch" };
    pollster::block_on(async {
        let model = DefaultModel::from_str(&MODEL.replace("MATCH", by)).await.expect("a model");
        let mut enforcer =
            Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
        enforcer.add_function("isOneOf", OperatorFunction::Arg2(is_one_of));
        enforcer.add_policies(rows.policies).await.expect("rows of rules");
        enforcer.add_grouping_policies(rows.roles).await.expect("rows of roles");
        enforcer
    })
}

fn is_one_of(action: Dynamic, actions: Dynamic) -> Dynamic {
    let (Ok(action), Ok(actions)) =
        (action.into_immutable_string(), actions.into_immutable_string())
    else {
        return false.into();
    };
    actions.split(' ').any(|one| one == action.as_str()).into()
}

pub(super) fn write(workload: &Workload) -> Rows {
    let by_regex = workload.rules.iter().any(|rule| {
        matches!(rule.repositories, Repositories::Regex { .. })
            || matches!(rule.tags, Tags::Regex { .. } | Tags::Versions)
    });
    let (allowing, denying): (Vec<_>, Vec<_>) = workload.rules.iter().partition(|rule| rule.allow);
    let policies = denying.into_iter().chain(allowing).map(|rule| row(rule, by_regex)).collect();
    let all_roles = workload.roles();
    let mut roles = BTreeSet::new();
    for request in &workload.requests {
        let subject = request.caller.subject.to_string();
        for role in all_roles.of(&request.caller).into_iter().filter(|role| *role != subject) {
            roles.insert(vec![subject.clone(), role]);
        }
    }
    Rows { policies, roles: roles.into_iter().collect(), by_regex }
}

fn row(rule: &Rule, by_regex: bool) -> Vec<String> {
    let repository = match (&rule.repositories, by_regex) {
        (Repositories::Exactly(name), false) => name.clone(),
        (Repositories::Below(name), false) => format!("{name}/*"),
        (Repositories::Exactly(name), true) => format!("^{}$", regex::escape(name)),
        (Repositories::Below(name), true) => format!("^{}(?:/.*)?$", regex::escape(name)),
        (Repositories::Regex { regex, .. }, _) => format!("^(?:{regex})$"),
    };
    let tag = match (rule.tags, by_regex) {
        (Tags::Whole, false) => "*".to_owned(),
        (Tags::Whole, true) => String::new(),
        (Tags::BeginningWith(start), false) => format!("{start}*"),
        (Tags::BeginningWith(start), true) => format!("^{}", regex::escape(start)),
        (Tags::Regex { regex, .. }, _) => format!("^(?:{regex})$"),
        (Tags::Versions, _) => format!("^(?:{})$", VERSIONS.regex),
    };
    let actions: Vec<_> = rule.actions.iter().map(policy::Action::as_str).collect();
    let effect = if rule.allow { "allow" } else { "deny" };
    vec![rule.who.to_string(), repository, tag, actions.join(" "), effect.to_owned()]
}
