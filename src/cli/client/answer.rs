//! What a gate answers, and what it means for a command.

use bytes::Bytes;
use document::Mistake;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;

use super::super::failure::{Exit, Failure};

/// Larger than any page of a list.
pub(super) const MAX_SIZE: usize = 8 << 20;

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A problem document (RFC 9457), as far as it is shown.
#[derive(Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    request_id: Option<String>,
}

impl Answer {
    /// The JSON that was asked for; `null` where nothing is to be told.
    ///
    /// # Errors
    /// `gate` refused, in its own words. `unsigned` is what to do if it does not accept the
    /// credential.
    pub(super) fn result(&self, gate: &str, unsigned: &str) -> Result<Value, Failure> {
        if !self.status.is_success() {
            return Err(self.failure(gate, unsigned));
        }
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).map_err(|_| not_a_gate(gate, self.status))
    }

    fn failure(&self, gate: &str, unsigned: &str) -> Failure {
        let content = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_problem =
            content.is_some_and(|content| content.starts_with("application/problem+json"));
        let problem = is_problem.then(|| serde_json::from_slice(&self.body).ok()).flatten();
        let Some(Problem { title, detail, request_id }) = problem else {
            return not_a_gate(gate, self.status);
        };
        let mut text = detail.or(title).unwrap_or_else(|| self.status.to_string());
        if let (StatusCode::FORBIDDEN, Some(id)) = (self.status, request_id) {
            text = format!("{text} (request {id})");
        }
        let exit = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Denied,
            StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::CONFLICT
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY => Exit::Input,
            _ => Exit::Impossible,
        };
        Failure::new(exit, &Mistake::new(text).maybe_help(self.help(unsigned)))
    }

    fn help(&self, unsigned: &str) -> Option<String> {
        if self.status == StatusCode::UNAUTHORIZED && !unsigned.is_empty() {
            return Some(unsigned.to_owned());
        }
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
        let seconds: u32 = seconds.parse().ok()?;
        Some(format!("try again in {seconds} s"))
    }
}

fn not_a_gate(gate: &str, status: StatusCode) -> Failure {
    let mistake = Mistake::new(format!("{gate} answers {status}, and not as a gate does"));
    Failure::new(Exit::Impossible, &mistake.help("is it the address of a gate, and a recent one?"))
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn answer(status: u16, content: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content.parse().unwrap());
        for (name, value) in more {
            let name: header::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn told(answer: &Answer) -> (Exit, String) {
        let failure = answer.result("https://gate.example", "sign in").unwrap_err();
        (failure.exit, failure.text(false).to_owned())
    }

    const PROBLEM: &str = "application/problem+json";

    #[test]
    fn what_a_gate_refuses_ends_with_the_code_for_it() {
        for (status, exit) in [
            (400, Exit::Input),
            (401, Exit::Denied),
            (403, Exit::Denied),
            (404, Exit::Input),
            (409, Exit::Input),
            (413, Exit::Input),
            (429, Exit::Impossible),
            (500, Exit::Impossible),
            (503, Exit::Impossible),
        ] {
            let body = r#"{"title": "a title", "detail": "the detail", "status": 1, "x": 2}"#;
            let (code, text) = told(&answer(status, PROBLEM, &[], body));
            assert_eq!(code, exit, "{status}");
            assert!(text.starts_with("error: the detail"), "{text}");
        }
    }

    #[test]
    fn a_refusal_comes_with_its_remedy() {
        let refused = answer(401, PROBLEM, &[], r#"{"detail": "the token is wrong"}"#);
        assert_snapshot!(told(&refused).1, @"
        error: the token is wrong
        help: sign in
        ");
        let late = answer(429, PROBLEM, &[("retry-after", "7")], r#"{"title": "too many"}"#);
        assert_snapshot!(told(&late).1, @"
        error: too many
        help: try again in 7 s
        ");
        let bad = answer(403, PROBLEM, &[], r#"{"detail": "a\u001b[2Jb\nerror: forged"}"#);
        assert_snapshot!(told(&bad).1, @r"error: a\u{1b}[2Jb\nerror: forged");
    }

    #[test]
    fn whatever_is_no_gate_is_told_from_one() {
        for (status, content, body) in [
            (200, "text/html", "<html>"),
            (302, "text/html", ""),
            (404, "text/plain", "404 page not found"),
            (401, "application/json", r#"{"errors": []}"#),
            (500, PROBLEM, "{"),
        ] {
            let (exit, text) = told(&answer(status, content, &[], body));
            assert_eq!(exit, Exit::Impossible, "{status}");
            assert!(text.contains("and not as a gate does"), "{text}");
        }
        assert_snapshot!(told(&answer(302, "text/html", &[], "")).1, @"
        error: https://gate.example answers 302 Found, and not as a gate does
        help: is it the address of a gate, and a recent one?
        ");
        let nothing = answer(204, PROBLEM, &[], "").result("gate", "").unwrap();
        assert_eq!(nothing, Value::Null);
    }
}
