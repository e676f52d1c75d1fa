//! The names of those who log in with ID tokens, made of their claims.

use std::str::FromStr;

use document::Mistake;

use super::claim::{ClaimPath, Claims};
use crate::identity::users::Name;

/// The longest name of a service.
const MAX_NAME: usize = 256;

/// Whom an ID token stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectKind {
    /// A person.
    User,
    /// A job, or another thing that is no person.
    #[default]
    Service,
}

/// A name with variables, each a claim in braces: `gh/{repository_id}`.
///
/// Different claims never make the same name. The value of a variable holds no `/`, and a `/` stands
/// between two of them. With a plus sign, `{+project}`, a value may hold slashes; such a variable is
/// the last thing in the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    kind: SubjectKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable { claim: ClaimPath, slashes: bool },
}

impl Template {
    /// Reads a template for names of that kind.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str, kind: SubjectKind) -> Result<Self, Mistake> {
        let parts = parts(text)?;
        let mut open = None;
        for (place, part) in parts.iter().enumerate() {
            match part {
                Part::Text(text) => {
                    if !text.chars().all(|c| is_plain(c) || (c == '/' && kind.has_slashes())) {
                        return Err(Mistake::new(format!("`{text}` cannot stand in a name"))
                            .help(kind.letters()));
                    }
                    if text.contains('/') {
                        open = None;
                    }
                }
                Part::Variable { claim, slashes } => {
                    if let Some(before) = open.replace(claim.as_str()) {
                        return Err(Mistake::new(format!(
                            "nothing tells `{before}` from `{}`: different callers would have the \
                             same name",
                            claim.as_str()
                        ))
                        .help(match kind {
                            SubjectKind::Service => "put a `/` between the two variables",
                            SubjectKind::User => "make the name of a user of one variable",
                        }));
                    }
                    if *slashes && !kind.has_slashes() {
                        return Err(Mistake::new("the name of a user has no `/`")
                            .help("write the variable without `+`"));
                    }
                    if *slashes && place + 1 < parts.len() {
                        return Err(Mistake::new(
                            "a variable with `+` is not the last of the name",
                        )
                        .help("put it at the end, or leave out the `+`"));
                    }
                }
            }
        }
        if !parts.iter().any(|part| matches!(part, Part::Variable { .. })) {
            return Err(Mistake::new("a name without a variable: all callers would be one")
                .help("add one that tells them apart, such as `{repository_id}`"));
        }
        Ok(Self { parts, kind })
    }

    /// The kind of the names.
    #[must_use]
    pub fn kind(&self) -> SubjectKind {
        self.kind
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = &ClaimPath> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable { claim, .. } => Some(claim),
            Part::Text(_) => None,
        })
    }

    /// Whether there may be a name that both make.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.beginning(), other.beginning());
        self.kind == other.kind && (ours.starts_with(theirs) || theirs.starts_with(ours))
    }

    /// What all names begin with.
    fn beginning(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The name that the claims make; none where a claim is missing or cannot stand in it.
    pub(super) fn name(&self, claims: &Claims) -> Option<String> {
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Variable { claim, slashes } => {
                    let value = claim.text(claims)?;
                    let fits = |c| is_plain(c) || (c == '/' && *slashes);
                    if value.is_empty() || !value.chars().all(fits) {
                        return None;
                    }
                    name.push_str(&value);
                }
            }
        }
        self.kind.fits(&name).then_some(name)
    }
}

impl SubjectKind {
    fn has_slashes(self) -> bool {
        self == Self::Service
    }

    fn letters(self) -> &'static str {
        match self {
            Self::User => "names of users are of letters, digits and `._@+-`",
            Self::Service => "names of services are of letters, digits and `._@+-$/`",
        }
    }

    fn fits(self, name: &str) -> bool {
        match self {
            Self::User => Name::from_str(name).is_ok(),
            Self::Service => {
                name.len() <= MAX_NAME
                    && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
            }
        }
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "._@+-$".contains(letter)
}

fn parts(text: &str) -> Result<Vec<Part>, Mistake> {
    let brace = || {
        Mistake::new("a brace without the other one")
            .help("write variables as `{repository_id}`; names hold no braces")
    };
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (before, after) = match rest.split_once('{') {
            Some((before, after)) => (before, Some(after)),
            None => (rest, None),
        };
        if before.contains('}') {
            return Err(brace());
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        let Some(after) = after else { break };
        let (inside, after) = after.split_once('}').ok_or_else(brace)?;
        let (claim, slashes) = match inside.strip_prefix('+') {
            Some(claim) => (claim, true),
            None => (inside, false),
        };
        parts.push(Part::Variable { claim: ClaimPath::new(claim)?, slashes });
        rest = after;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn service(text: &str) -> Result<Template, Mistake> {
        Template::new(text, SubjectKind::Service)
    }

    fn name(template: &str, claims: Value) -> Option<String> {
        service(template).unwrap().name(&serde_json::from_value(claims).unwrap())
    }

    #[test]
    fn a_name_is_made_of_claims() {
        let token = json!({"id": 42, "env": "prod", "kubernetes.io": {"namespace": "ci"}});
        assert_eq!(name("gh/{id}", token.clone()).as_deref(), Some("gh/42"));
        assert_eq!(name("{id}/x-{env}", token.clone()).as_deref(), Some("42/x-prod"));
        let kubernetes = name("k8s/{[kubernetes.io].namespace}", token.clone());
        assert_eq!(kubernetes.as_deref(), Some("k8s/ci"));
        assert_eq!(name("gh/{none}", token), None);
        let path = json!({"p": "a/b"});
        assert_eq!(name("gl/{+p}", path).as_deref(), Some("gl/a/b"));
    }

    #[test]
    fn a_value_brings_nothing_into_a_name_that_is_not_plain() {
        for value in [
            "",
            "a/b",
            "/",
            "../x",
            "..",
            ".",
            "a b",
            "a\n",
            "a\u{0}",
            "a:b",
            "ä",
            "a\u{202e}b",
            "{id}",
            "a\\b",
            "%2f",
            "*",
        ] {
            assert_eq!(name("gh/{v}", json!({"v": value})), None, "{value:?}");
        }
        for value in ["/a", "a/", "a//b", "a/../b", "a/./b", "..", ""] {
            assert_eq!(name("gl/{+v}", json!({"v": value})), None, "{value:?}");
        }
        for value in [json!(null), json!(["a"]), json!({"a": "b"})] {
            assert_eq!(name("gh/{v}", json!({"v": value})), None, "{value}");
        }
        assert_eq!(name("{v}", json!({"v": "a".repeat(256)})).map(|name| name.len()), Some(256));
        assert_eq!(name("{v}", json!({"v": "a".repeat(257)})), None);
    }

    #[test]
    fn names_of_users_are_such_as_the_users_file_has() {
        let template = Template::new("{email}", SubjectKind::User).unwrap();
        let name =
            |email: &str| template.name(&serde_json::from_value(json!({"email": email})).unwrap());
        assert_eq!(name("eve@corp.example").as_deref(), Some("eve@corp.example"));
        for email in ["a$b", "a/b", "", "a:b"] {
            assert_eq!(name(email), None, "{email}");
        }
        assert_eq!(name(&"a".repeat(129)), None);
    }

    #[test]
    fn a_template_says_what_is_wrong_with_it() {
        let told = |text: &str, kind| Template::new(text, kind).unwrap_err().render(false);
        insta::assert_snapshot!(told("ci/build", SubjectKind::Service), @r#"
    error: a name without a variable: all callers would be one
    help: add one that tells them apart, such as `{repository_id}`
    "#);
        insta::assert_snapshot!(told("{a}-{b}", SubjectKind::Service), @r#"
    error: nothing tells `a` from `b`: different callers would have the same name
    help: put a `/` between the two variables
    "#);
        insta::assert_snapshot!(told("{a}.{b}", SubjectKind::User), @r#"
    error: nothing tells `a` from `b`: different callers would have the same name
    help: make the name of a user of one variable
    "#);
        insta::assert_snapshot!(told("{+a}/{b}", SubjectKind::Service), @r#"
    error: a variable with `+` is not the last of the name
    help: put it at the end, or leave out the `+`
    "#);
        insta::assert_snapshot!(told("{+a}", SubjectKind::User), @r#"
    error: the name of a user has no `/`
    help: write the variable without `+`
    "#);
        insta::assert_snapshot!(told("a/{b}", SubjectKind::User), @r#"
    error: `a/` cannot stand in a name
    help: names of users are of letters, digits and `._@+-`
    "#);
        insta::assert_snapshot!(told("a:{b}", SubjectKind::Service), @r#"
    error: `a:` cannot stand in a name
    help: names of services are of letters, digits and `._@+-$/`
    "#);
        insta::assert_snapshot!(told("a/{b", SubjectKind::Service), @r#"
    error: a brace without the other one
    help: write variables as `{repository_id}`; names hold no braces
    "#);
        for text in ["", "}", "a}{b}", "{}", "{a}{b}", "{{a}}", "{ a }", "{+}", "{a.}"] {
            assert!(service(text).is_err(), "{text}");
        }
    }

    #[test]
    fn templates_overlap_where_one_name_may_come_of_both() {
        let overlap = |a: &str, b: &str| service(a).unwrap().overlaps(&service(b).unwrap());
        assert!(overlap("gh/{a}", "gh/{b}"));
        assert!(overlap("gh/{a}", "{b}"));
        assert!(overlap("gh/{a}", "gh/x/{b}"));
        assert!(!overlap("gh/{a}", "gl/{a}"));
        let user = Template::new("gh-{a}", SubjectKind::User).unwrap();
        assert!(!user.overlaps(&service("gh-{a}").unwrap()));
    }

    proptest! {
        #[test]
        fn different_claims_make_different_names(
            one in ("[ab./-]{1,3}", "[ab./-]{1,3}"),
            other in ("[ab./-]{1,3}", "[ab./-]{1,3}"),
            template in prop::sample::select(vec!["{a}/{b}", "x-{a}/-{b}", "{a}/{+b}"]),
        ) {
            let name = |pair: &(String, String)| name(template, json!({"a": pair.0, "b": pair.1}));
            if let (Some(first), Some(second)) = (name(&one), name(&other)) {
                prop_assert_eq!(first == second, one == other);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a/{}+.\\[\\]-]{0,16}|\\PC{0,16}", value in "\\PC{0,8}") {
            if let Ok(template) = service(&text) {
                let made = template.name(&serde_json::from_value(json!({"a": value})).unwrap());
                prop_assert!(made.is_none_or(|name| SubjectKind::Service.fits(&name)));
            }
        }
    }
}
