//! Subjects, groups and repositories are entities: a repository is in the one above it, so that
//! "all below" is `in`. What a policy is for stands in its scope, as Cedar's makers advise; only
//! tags are conditions. Cedar has no regular expressions and no versions; patterns of `like` that
//! accept more stand for them, and nothing is asked that would show the difference.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::str::FromStr;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, RestrictedExpression,
};
use policy::Subject;

use super::Contestant;
use crate::workload::{self, Repositories, Rule, Tags, VERSIONS, Who, Workload};

pub(super) struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    requests: Vec<Request>,
}

#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
impl Cedar {
    pub(super) fn new(policies: PolicySet, workload: &Workload) -> Self {
        let entities = Entities::from_entities(entities(workload), None).expect("entities");
        let requests = workload.requests.iter().map(request).collect();
        Self { authorizer: Authorizer::new(), policies, entities, requests }
    }
}

impl Contestant for Cedar {
    fn allows(&self, request: usize) -> bool {
        self.requests.get(request).is_some_and(|request| {
            let response = self.authorizer.is_authorized(request, &self.policies, &self.entities);
            response.decision() == Decision::Allow
        })
    }
}

#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
pub(super) fn compile(text: &str) -> PolicySet {
    PolicySet::from_str(text).expect("the policies are ours")
}

pub(super) fn write(workload: &Workload) -> String {
    workload.rules.iter().map(policy).collect::<Vec<_>>().join("\n")
}

fn policy(rule: &Rule) -> String {
    let verb = if rule.allow { "permit" } else { "forbid" };
    let principal = match &rule.who {
        Who::User(name) => format!("principal == User::\"{name}\""),
        Who::Service(name) => format!("principal == Service::\"{name}\""),
        Who::Group(name) => format!("principal in Group::\"{name}\""),
        Who::Authenticated => format!("principal in Group::\"{AUTHENTICATED}\""),
        Who::Anyone => "principal".to_owned(),
    };
    let actions: Vec<_> =
        rule.actions.iter().map(|action| format!("Action::\"{action}\"")).collect();
    let action = match actions.as_slice() {
        [one] => format!("action == {one}"),
        several => format!("action in [{}]", several.join(", ")),
    };
    let mut conditions = Vec::new();
    let resource = match &rule.repositories {
        Repositories::Exactly(name) => format!("resource == Repository::\"{name}\""),
        Repositories::Below(name) => format!("resource in Repository::\"{name}\""),
        Repositories::Regex { like, .. } => {
            conditions.push(any_like("resource.name", like.iter().map(String::as_str)));
            "resource".to_owned()
        }
    };
    let tag = |patterns: &[&str]| {
        format!("context has tag && {}", any_like("context.tag", patterns.iter().copied()))
    };
    match rule.tags {
        Tags::Whole => {}
        Tags::BeginningWith(start) => conditions.push(tag(&[&format!("{start}*")])),
        Tags::Regex { like, .. } => conditions.push(tag(&[like])),
        Tags::Versions => conditions.push(tag(&VERSIONS.like)),
    }
    let when = match conditions.as_slice() {
        [] => String::new(),
        _ => format!(" when {{ {} }}", conditions.join(" && ")),
    };
    format!("{verb}({principal}, {action}, {resource}){when};")
}

fn any_like<'a>(what: &str, patterns: impl Iterator<Item = &'a str>) -> String {
    let likes: Vec<_> = patterns.map(|pattern| format!("{what} like \"{pattern}\"")).collect();
    format!("({})", likes.join(" || "))
}

const AUTHENTICATED: &str = "authenticated";

/// Everybody and everything that requests speak of, and what it belongs to.
#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
fn entities(workload: &Workload) -> Vec<Entity> {
    let roles = workload.roles();
    let mut parents: HashMap<EntityUid, HashSet<EntityUid>> = HashMap::new();
    let mut repositories = BTreeSet::new();
    for asked in &workload.requests {
        let mut groups: Vec<_> = roles.groups_of(&asked.caller).collect();
        if asked.caller.subject != Subject::Anonymous {
            groups.push(AUTHENTICATED);
        }
        let groups = groups.into_iter().map(|group| uid("Group", group)).collect();
        parents.insert(principal(&asked.caller.subject), groups);
        let mut name = asked.repository.as_str();
        repositories.insert(name);
        while let Some((above, _)) = name.rsplit_once('/') {
            name = above;
            repositories.insert(name);
        }
    }
    let principals = parents.into_iter().map(|(uid, groups)| Entity::new_no_attrs(uid, groups));
    let groups = workload.groups.iter().map(|(group, _)| group.as_str()).chain([AUTHENTICATED]);
    let groups = groups.map(|group| Entity::new_no_attrs(uid("Group", group), HashSet::new()));
    let repositories = repositories.into_iter().map(|name| {
        let above = name.rsplit_once('/').map(|(above, _)| uid("Repository", above));
        let named = RestrictedExpression::new_string(name.to_owned());
        let attributes = HashMap::from([("name".to_owned(), named)]);
        Entity::new(uid("Repository", name), attributes, above.into_iter().collect())
            .expect("a string is an attribute")
    });
    principals.chain(groups).chain(repositories).collect()
}

#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
fn request(asked: &workload::Request) -> Request {
    let tag = asked
        .tag
        .as_ref()
        .map(|tag| ("tag".to_owned(), RestrictedExpression::new_string(tag.as_str().to_owned())));
    Request::new(
        principal(&asked.caller.subject),
        uid("Action", asked.action.as_str()),
        uid("Repository", asked.repository.as_str()),
        Context::from_pairs(tag).expect("a string is a context"),
        None,
    )
    .expect("without a schema all is valid")
}

fn principal(subject: &Subject) -> EntityUid {
    match subject {
        Subject::User(name) => uid("User", name),
        Subject::Service(name) => uid("Service", name),
        Subject::Peer { gate, name } => uid("Peer", &format!("{gate}/{name}")),
        Subject::Anonymous => uid("Anonymous", "anonymous"),
    }
}

#[expect(clippy::expect_used, reason = "a measurement of a wrong policy is none")]
fn uid(kind: &str, name: &str) -> EntityUid {
    let kind = EntityTypeName::from_str(kind).expect("the kinds are ours");
    EntityUid::from_type_name_and_id(kind, EntityId::new(name))
}
