//! What people write of images: why, until when, and where to read on.

use jiff::Timestamp;
use policy::Subject;

use super::super::problem::Problem;
use super::super::requester::Requester;

/// The most characters of a reason.
const MAX_REASON: usize = 1024;

/// The most bytes of a link.
const MAX_LINK: usize = 2048;

/// Until when something is to hold: a time, or a duration from now.
#[derive(Debug, Default)]
pub(in crate::service::api) struct Expiry {
    pub(in crate::service::api) at: Option<Timestamp>,
    pub(in crate::service::api) after: Option<String>,
}

impl Expiry {
    /// The time; none where none was said.
    pub(in crate::service::api) fn time(
        &self,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Problem> {
        let time = match (self.at, &self.after) {
            (None, None) => return Ok(None),
            (Some(at), None) => at,
            (None, Some(text)) => {
                let life = crate::config::duration(text).map_err(|mistake| {
                    let remedy = mistake.remedy().map(|it| format!(": {it}")).unwrap_or_default();
                    Problem::wrong(format!("`expires_in`: {}{remedy}", mistake.message()))
                })?;
                now.checked_add(life).map_err(|_| Problem::wrong("`expires_in` is too long"))?
            }
            (Some(_), Some(_)) => {
                return Err(Problem::wrong("name one of `expires_at` and `expires_in`"));
            }
        };
        if time <= now {
            return Err(Problem::wrong("it would be over already: name a time to come"));
        }
        Ok(Some(time))
    }
}

/// A reason: one line; none where it says nothing.
pub(in crate::service::api) fn line(
    field: &str,
    text: Option<String>,
) -> Result<Option<String>, Problem> {
    let Some(text) = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        let text = format!("`{field}` has to be one line of at most {MAX_REASON} characters");
        return Err(Problem::wrong(text));
    }
    Ok(Some(text))
}

/// A link that a browser may follow.
pub(in crate::service::api) fn link(text: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let is_web = text.len() <= MAX_LINK
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()
        });
    match is_web {
        true => Ok(Some(text)),
        false => Err(Problem::wrong("`link` has to be a URL that begins with https:// or http://")),
    }
}

/// The gate's own machine has no name among users: none of them holds a colon.
const LOCAL: &str = "local:";

impl Requester {
    /// Under which name what they do is kept.
    pub(in crate::service::api) fn subject(&self) -> Subject {
        match self.maker().subject() {
            Some(subject) => subject.clone(),
            None => Subject::User(self.to_string()),
        }
    }
}

/// That name, as it is shown.
pub(in crate::service::api) fn shown_subject(subject: &Subject) -> String {
    match subject {
        Subject::User(name) if name.starts_with(LOCAL) => name.clone(),
        subject => subject.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_a_web_page() {
        let is_taken = |text: &str| link(Some(text.to_owned())).is_ok();
        assert!(is_taken("https://ci.example/runs/1?a=b#c") && is_taken("http://ci.example"));
        for wrong in
            ["", "ci.example", "javascript:alert(1)", "ftp://a/b", "https://", "https://a b"]
        {
            assert!(!is_taken(wrong), "{wrong}");
        }
        assert!(!is_taken(&format!("https://a/{}", "x".repeat(MAX_LINK))));
    }

    #[test]
    fn an_end_lies_ahead() {
        let now: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let time = |at: Option<Timestamp>, after: Option<&str>| {
            Expiry { at, after: after.map(str::to_owned) }.time(now)
        };
        assert_eq!(time(None, None).unwrap(), None);
        assert_eq!(time(None, Some("4h")).unwrap().unwrap().to_string(), "2026-01-02T07:04:05Z");
        for (at, after) in
            [(Some(now), None), (None, Some("0s")), (None, Some("x")), (Some(now), Some("4h"))]
        {
            assert!(time(at, after).is_err(), "{at:?} {after:?}");
        }
    }
}
