//! `/api/v1/decide`: what the policy in force says to a question.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use document::Mistake;
use jiff::Timestamp;
use policy::{Caller, Credential, Policy, Subject, question as words};
use serde::Deserialize;

use super::Api;
use super::input::Body;
use super::problem::Problem;
use super::requester::Requester;
use crate::answer::{Answer, Explained};
use crate::identity::users::Name;

/// Who would do what, and to what.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct Question {
    pub(crate) subject: Option<String>,
    pub(crate) groups: Option<Vec<String>>,
    pub(crate) action: String,
    pub(crate) image: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) address: Option<IpAddr>,
}

/// Asking changes nothing, and the answer is that of `portcullis policy explain`.
pub(super) async fn decide(
    State(api): State<Arc<Api>>,
    who: Requester,
    Body(question): Body<Question>,
) -> Result<Response, Problem> {
    answered(&api, &who, &question, |explained, _| Json(explained).into_response())
}

/// The answer, told by `tell` as long as the policy is there; with what it depends on beside the
/// caller and the image.
pub(crate) fn answered<T>(
    api: &Api,
    who: &Requester,
    question: &Question,
    tell: impl FnOnce(&Explained<'_>, Vec<String>) -> T,
) -> Result<T, Problem> {
    let policy = api.policy();
    let actions = words::actions(&question.action).map_err(|mistake| wrong("action", &mistake))?;
    let target = words::target(&question.image).map_err(|mistake| wrong("image", &mistake))?;
    let Question { subject, groups, at, address, .. } = question;
    let groups = groups.as_deref();
    let meant = Meant { subject: subject.as_deref(), groups, at: *at, address: *address };
    let caller = caller(api, &policy, who, meant)?;
    let decide = |&action| policy.decide(&caller, action, target.image());
    let decisions: Vec<_> = actions.iter().map(decide).collect();
    let answer = Answer::of(&decisions);
    let conditions = answer.conditions(&decisions);
    Ok(tell(&Explained::new(answer, &policy, &caller, &actions, &target), conditions))
}

/// Who is meant, as the request says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meant<'a> {
    pub(super) subject: Option<&'a str>,
    pub(super) groups: Option<&'a [String]>,
    pub(super) at: Option<Timestamp>,
    pub(super) address: Option<IpAddr>,
}

/// Whoever the question is about. Administrators may ask about anyone, and everybody about
/// themselves, with groups that they have.
pub(super) fn caller(
    api: &Api,
    policy: &Policy,
    who: &Requester,
    question: Meant<'_>,
) -> Result<Caller, Problem> {
    let own = who.maker().credential().map(|known| &known.principal.caller);
    let subject = match (question.subject, own) {
        (Some(text), _) => words::asker(text).map_err(|mistake| wrong("subject", &mistake))?,
        (None, Some(own)) => own.subject.clone(),
        (None, None) => {
            return Err(Problem::wrong("`subject`: say who is meant, such as `user:NAME`"));
        }
    };
    let own = own.filter(|own| own.subject == subject);
    let is_administrator = who.maker().is_administrator();
    if own.is_none() && !is_administrator {
        return Err(who.denied("what others may do is for administrators to ask"));
    }
    let mut caller = match own {
        Some(own) => own.clone(),
        None => somebody(api, subject),
    };
    if let Some(groups) = question.groups {
        let groups = groups.iter().map(|group| match group.parse::<Name>() {
            Ok(name) => Ok(name.to_string()),
            Err(error) => Err(Problem::wrong(format!("`groups`: {error}"))),
        });
        let groups = groups.collect::<Result<Vec<_>, _>>()?;
        let has = policy.groups_of(&caller);
        if !is_administrator && !groups.iter().all(|group| has.contains(group)) {
            return Err(who.denied("what other groups would allow is for administrators to ask"));
        }
        caller.groups = groups;
    }
    let circumstances = &mut caller.circumstances;
    circumstances.at = Some(question.at.unwrap_or_else(|| api.now()));
    circumstances.address = question.address.or(own.and(who.address()));
    Ok(caller)
}

/// Somebody else, with an ordinary credential and the groups that are known here.
pub(super) fn somebody(api: &Api, subject: Subject) -> Caller {
    let credential = Credential::usual(&subject);
    let groups = groups_in_files(api, &subject);
    let mut caller = Caller::new(subject, groups);
    caller.circumstances.credential = Some(credential);
    caller
}

/// The groups that the users file gives to somebody.
fn groups_in_files(api: &Api, subject: &Subject) -> Vec<String> {
    let Subject::User(name) = subject else { return Vec::new() };
    let users = api.users.load();
    users.get(name).map(|user| user.groups.clone()).unwrap_or_default()
}

pub(super) fn wrong(field: &str, mistake: &Mistake) -> Problem {
    let remedy = mistake.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    Problem::wrong(format!("`{field}`: {}{remedy}", mistake.message()))
}
