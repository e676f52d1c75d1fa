//! Claims of ID tokens: where they stand, and what is asked of them.

use std::borrow::Cow;

use document::Mistake;
use serde_json::{Map, Value};

/// The claims of a token whose signature was right.
pub(super) type Claims = Map<String, Value>;

/// Where a claim stands: names joined by dots, each one level below the other. A name of anything
/// but letters, digits, `_` and `-` stands in brackets, as it may hold dots itself:
/// `repository_id`, `realm_access.roles`, `[kubernetes.io].serviceaccount.uid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    written: String,
    names: Vec<String>,
}

impl ClaimPath {
    /// Reads a path.
    ///
    /// # Errors
    /// The text is none.
    pub fn new(text: &str) -> Result<Self, Mistake> {
        let wrong = || {
            Mistake::new("not the name of a claim").help(
                "write names joined by dots, and in brackets those that hold other characters \
                 themselves, such as `[kubernetes.io].namespace`",
            )
        };
        let mut names = Vec::new();
        let mut rest = text;
        loop {
            let (name, after) = match rest.strip_prefix('[') {
                Some(rest) => rest.split_once(']').ok_or_else(wrong)?,
                None => rest.split_at(rest.find('.').unwrap_or(rest.len())),
            };
            let bracketed = rest.starts_with('[');
            let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            let fits = if bracketed {
                !name.contains(|c: char| c == '[' || c.is_control())
            } else {
                name.chars().all(is_bare)
            };
            if name.is_empty() || !fits {
                return Err(wrong());
            }
            names.push(name.to_owned());
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => break,
                None => return Err(wrong()),
            }
        }
        // The one name with a dot that everybody writes without brackets: it would never be found.
        if text.starts_with("kubernetes.io") {
            return Err(Mistake::new("`kubernetes.io` is one name, and holds a dot")
                .help("write it in brackets: `[kubernetes.io].namespace`"));
        }
        Ok(Self { written: text.to_owned(), names })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether it is this claim, at the top.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(self.names.as_slice(), [only] if only == name)
    }

    /// What stands there.
    fn of<'c>(&self, claims: &'c Claims) -> Option<&'c Value> {
        let (first, below) = self.names.split_first()?;
        below.iter().try_fold(claims.get(first)?, |value, name| value.as_object()?.get(name))
    }

    /// The one text that stands there; a number or a boolean counts as its text.
    pub(super) fn text<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, str>> {
        text(self.of(claims)?)
    }
}

/// What a claim must be: one of several values. They are compared as texts and as a whole, letter by
/// letter; a star in one is a star. A claim that is a list fits if one of its entries does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which claim.
    pub claim: ClaimPath,
    /// What it may be; never empty.
    pub values: Vec<String>,
}

impl Condition {
    /// Whether the claims fit.
    pub(super) fn holds(&self, claims: &Claims) -> bool {
        let fits = |value| text(value).is_some_and(|text| self.values.iter().any(|v| *v == text));
        match self.claim.of(claims) {
            Some(Value::Array(entries)) => entries.iter().any(fits),
            Some(value) => fits(value),
            None => false,
        }
    }
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(flag) => Some(Cow::Borrowed(if *flag { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    fn holds(claim: &str, values: &[&str], token: Value) -> bool {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Condition { claim: ClaimPath::new(claim).unwrap(), values }.holds(&claims(token))
    }

    #[test]
    fn a_dot_goes_down_and_brackets_hold_a_name_with_dots() {
        let token = claims(json!({
            "a": {"b": {"c": "deep"}}, "a.b": "dotted", "x-y_9": 1,
            "kubernetes.io": {"namespace": "ci", "pod": {"uid": "u"}},
            "https://idp.example/groups": ["g"], "list": [{"b": "no"}],
        }));
        let text = |path: &str| {
            ClaimPath::new(path).unwrap().text(&token).map(Cow::into_owned).unwrap_or_default()
        };
        assert_eq!(text("a.b.c"), "deep");
        assert_eq!(text("[a].[b].c"), "deep");
        assert_eq!(text("[a.b]"), "dotted");
        assert_eq!(text("x-y_9"), "1");
        assert_eq!(text("[kubernetes.io].namespace"), "ci");
        assert_eq!(text("[kubernetes.io].pod.uid"), "u");
        for none in ["a", "a.b", "b", "a.b.c.d", "list.b", "[https://idp.example/groups]"] {
            assert_eq!(text(none), "", "{none}");
        }
        for wrong in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "[",
            "[]",
            "[a",
            "a]",
            "[a]b",
            "[a[b]",
            "a b",
            "a/b",
            "https://idp.example/groups",
            "kubernetes.io.namespace",
            "a\n",
            "ä",
        ] {
            assert!(ClaimPath::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn values_compare_by_their_text_whatever_they_are_in_the_token() {
        assert!(holds("id", &["4242"], json!({"id": "4242"})));
        assert!(holds("id", &["4242"], json!({"id": 4242})));
        assert!(holds("id", &["1", "4242"], json!({"id": 4242})));
        assert!(holds("on", &["true"], json!({"on": true})));
        assert!(holds("on", &["true"], json!({"on": "true"})));
        assert!(holds("on", &["false"], json!({"on": false})));
        assert!(holds("groups", &["b", "c"], json!({"groups": ["a", "b"]})));
        for token in [
            json!({}),
            json!({"id": "042"}),
            json!({"id": "4242 "}),
            json!({"id": 42420}),
            json!({"id": 4242.5}),
            json!({"id": null}),
            json!({"id": {"id": 4242}}),
            json!({"id": []}),
            json!({"id": [["4242"]]}),
            json!({"Id": 4242}),
        ] {
            assert!(!holds("id", &["4242"], token.clone()), "{token}");
        }
    }

    #[test]
    fn a_star_is_a_star() {
        for pattern in ["refs/heads/*", "*", "refs/**", "refs/heads/.*", "refs/heads/mai?", ""] {
            assert!(!holds("ref", &[pattern], json!({"ref": "refs/heads/main"})), "{pattern}");
        }
        assert!(holds("ref", &["a*"], json!({"ref": "a*"})));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(path in "[a.\\[\\]{}é ]{0,12}|\\PC{0,12}") {
            if let Ok(path) = ClaimPath::new(&path) {
                let nothing = Claims::new();
                prop_assert!(path.text(&nothing).is_none());
            }
        }

        #[test]
        fn a_text_matches_itself_and_nothing_else(one in "\\PC{0,8}", other in "\\PC{0,8}") {
            let token = json!({"c": other});
            prop_assert_eq!(holds("c", &[&one], token), one == other);
            let token = json!({"c": one});
            prop_assert!(holds("c", &[&one], token));
        }
    }
}
