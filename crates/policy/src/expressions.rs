//! Reads regular expressions, each once for all files.

use std::collections::HashMap;
use std::sync::Arc;

use document::Mistake;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{Hir, Look, translate::TranslatorBuilder};

use crate::automaton::{Automaton, MAX_BYTES};
use crate::image_text::{MAX_LENGTH, MAX_REPOSITORY, MAX_TAG};
use crate::name_grammar::Reading;
use crate::regex::Regex;

/// How much the automata of all files may take. One takes about a kilobyte, and 50 µs to make, but
/// a file could hold thousands of large ones.
const MAX_TOTAL: usize = 128 * 1024 * 1024;

/// The expressions of all files. Equal ones are kept once, and so are their ends: what differs
/// between the teams of an organization is how `team-17/[a-z]+/base` begins.
pub(crate) struct Expressions {
    whole: HashMap<(Names, Box<str>), Arc<Regex>>,
    rests: HashMap<(Reading, Box<str>), Arc<Automaton>>,
    bytes_left: usize,
}

/// Of what an expression is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Names {
    Repositories,
    Tags,
}

impl Default for Expressions {
    fn default() -> Self {
        Self { whole: HashMap::new(), rests: HashMap::new(), bytes_left: MAX_TOTAL }
    }
}

impl Expressions {
    /// Reads an expression.
    pub(crate) fn read(&mut self, names: Names, text: &str) -> Result<Arc<Regex>, Mistake> {
        let key = (names, text.into());
        if let Some(regex) = self.whole.get(&key) {
            return Ok(Arc::clone(regex));
        }
        check_text(text)?;
        let regex = match self.behind_literal(names, text) {
            Some(regex) => regex,
            None => {
                let expression = parse(text)?.1;
                let automaton = self
                    .automaton(&expression)
                    .map_err(|mistake| mistake.about(&format!("`{text}`")))?;
                if !automaton.matches_any_name(names.start()) {
                    return Err(self.impossible(names, text));
                }
                Regex::new(text, String::new(), automaton)
            }
        };
        if regex.shortest() > names.longest() {
            let mistake = Mistake::new(format!("no {} matches `{text}`", names.one()));
            return Err(mistake.help(format!("it has at most {} characters", names.longest())));
        }
        let regex = Arc::new(regex);
        self.whole.insert(key, Arc::clone(&regex));
        Ok(regex)
    }

    /// As plain text and an automaton for what follows it. `None`: it cannot be taken apart, or is
    /// wrong in any way, which shows when it is read as a whole.
    fn behind_literal(&mut self, names: Names, text: &str) -> Option<Regex> {
        let (literal, rest) = split_literal(text);
        let reading = literal.bytes().try_fold(names.start(), Reading::next)?;
        let key = (reading, rest.into());
        let automaton = match self.rests.get(&key) {
            Some(automaton) => Arc::clone(automaton),
            None => {
                let (ast, expression) = parse(rest).ok()?;
                // `a/|b` is not what begins with `a/`, and the `\b` of `a/\b` looks back at it.
                let looks = expression.properties().look_set();
                let is_apart = !matches!(ast, Ast::Alternation(_))
                    && looks.iter().all(|look| look == Look::End);
                if !is_apart {
                    return None;
                }
                let automaton = self.automaton(&expression).ok()?;
                if !automaton.matches_any_name(reading) {
                    return None;
                }
                self.rests.insert(key, Arc::clone(&automaton));
                automaton
            }
        };
        Some(Regex::new(text, literal, automaton))
    }

    fn impossible(&mut self, names: Names, text: &str) -> Mistake {
        let mistake = Mistake::new(format!("no {} matches `{text}`", names.one()));
        let lower = text.to_ascii_lowercase();
        // Of `\D` and `\d` one is the opposite of the other.
        let is_case = names == Names::Repositories && lower != text && !text.contains('\\');
        if is_case && self.read(names, &lower).is_ok() {
            return mistake.help(format!("repository names are lower case: `{lower}`"));
        }
        mistake.help(names.grammar())
    }

    fn automaton(&mut self, expression: &Hir) -> Result<Arc<Automaton>, Mistake> {
        let over = |limit: &str, help: &str| Err(Mistake::new(limit).help(help));
        let made = if self.bytes_left == 0 { None } else { Automaton::new(expression) };
        // What was given up has cost as much as what was made.
        let bytes = made.as_ref().map_or(MAX_BYTES, Automaton::memory);
        let Some(left) = self.bytes_left.checked_sub(bytes) else {
            self.bytes_left = 0;
            return over(
                "the expressions of all files are too large together",
                "write globs such as `team/*/base` where they say the same",
            );
        };
        self.bytes_left = left;
        match made {
            Some(automaton) => Ok(Arc::new(automaton)),
            None => over(
                "the expression is too large",
                "lower the counts in it, such as `{100}`, or write several simpler expressions",
            ),
        }
    }
}

impl Names {
    fn start(self) -> Reading {
        match self {
            Self::Repositories => Reading::Segment,
            Self::Tags => Reading::Tag,
        }
    }

    fn one(self) -> &'static str {
        match self {
            Self::Repositories => "repository",
            Self::Tags => "tag",
        }
    }

    fn longest(self) -> usize {
        match self {
            Self::Repositories => MAX_REPOSITORY,
            Self::Tags => MAX_TAG,
        }
    }

    fn grammar(self) -> &'static str {
        match self {
            Self::Repositories => {
                "names are lower-case letters and digits, joined by `.`, `_`, `__` or dashes, \
                 in segments between `/`"
            }
            Self::Tags => {
                "tags are letters, digits, `_`, `.` and `-`, the first neither a dot nor a dash"
            }
        }
    }
}

fn check_text(text: &str) -> Result<(), Mistake> {
    if text.is_empty() {
        return Err(Mistake::new("`regex` is empty").help("`.*` is any text"));
    }
    if text.len() > MAX_LENGTH {
        return Err(Mistake::new(format!("an expression has at most {MAX_LENGTH} characters")));
    }
    if let Some(char) = text.chars().find(|char| !char.is_ascii()) {
        return Err(Mistake::new(format!("`{char}` is in no name"))
            .help("names of repositories and tags are ASCII"));
    }
    if text.split("${").skip(1).any(|name| name.starts_with(|char: char| char.is_alphabetic())) {
        return Err(Mistake::new("an expression cannot hold a variable")
            .help("write a pattern with wildcards instead: `home/${user}/**`"));
    }
    Ok(())
}

/// The plain text that an expression begins with, and the expression that follows it.
fn split_literal(text: &str) -> (String, &str) {
    let text = text.strip_prefix('^').unwrap_or(text);
    let mut literal = String::new();
    let mut rest = text;
    loop {
        let (char, after) = match rest.as_bytes() {
            [b'\\', char @ (b'.' | b'-'), ..] => (*char, rest.get(2..)),
            [char, ..] if char.is_ascii_alphanumeric() || b"/_-".contains(char) => {
                (*char, rest.get(1..))
            }
            _ => return (literal, rest),
        };
        let after = after.unwrap_or_default();
        if after.starts_with(['?', '*', '+', '{']) {
            return (literal, rest);
        }
        literal.push(char::from(char));
        rest = after;
    }
}

fn parse(text: &str) -> Result<(Ast, Hir), Mistake> {
    let wrong = |reason: String, at: usize| {
        Mistake::new(format!("`{text}` is no regular expression: {reason}"))
            .label(format!("at its character {}", at + 1))
            .help("a sign that stands for itself, such as `(` or `+`, has a `\\` before it")
    };
    let ast = ast::parse::Parser::new()
        .parse(text)
        .map_err(|error| wrong(error.kind().to_string(), error.span().start.offset))?;
    // Names are ASCII: a byte is a character.
    let mut translator = TranslatorBuilder::new().unicode(false).utf8(false).build();
    let expression = translator
        .translate(text, &ast)
        .map_err(|error| wrong(error.kind().to_string(), error.span().start.offset))?;
    Ok((ast, expression))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(names: Names, text: &str) -> Arc<Regex> {
        Expressions::default()
            .read(names, text)
            .unwrap_or_else(|mistake| panic!("{}", mistake.render(false)))
    }

    #[test]
    fn an_expression_is_anchored_at_both_ends() {
        for text in ["mirror/[a-z]+/base", "^mirror/[a-z]+/base$", "(mirror/[a-z]+)/base"] {
            let regex = read(Names::Repositories, text);
            assert!(regex.matches("mirror/x/base"), "{text}");
            for other in
                ["a/mirror/x/base", "mirror/x/base/b", "mirror//base", "mirror/base", "mirror"]
            {
                assert!(!regex.matches(other), "{text} {other}");
            }
        }
        assert!(read(Names::Tags, "a|ab|abc").matches("abc"));
        assert!(read(Names::Tags, "(a|ab)(c|bcd)??").matches("abcd"));
        assert!(read(Names::Tags, r"v\d+\.\d+").matches("v1.20"));
        assert!(!read(Names::Tags, r"v\d+\.\d+").matches("v1x20"));
    }

    #[test]
    fn the_literal_beginning_is_whole_segments_that_every_match_begins_with() {
        for (text, prefix) in [
            ("mirror/[a-z]+/base", "mirror"),
            ("^mirror/[a-z]+/base$", "mirror"),
            ("mirror/eu/x[a-z]+", "mirror/eu"),
            (r"team/my\.app/[a-z]", "team/my.app"),
            ("team/a+/x", "team"),
            ("team/?a", ""),
            ("team/*a", ""),
            ("team/{1}a", ""),
            ("team/a|other", ""),
            ("^team/a|other", ""),
            ("team/(?:a|b)", "team"),
            ("(?i)team/x", ""),
            (r"team/\bx", ""),
            ("mirror.*", ""),
            ("team/base", "team"),
        ] {
            assert_eq!(read(Names::Repositories, text).literal_prefix(), prefix, "{text}");
        }
    }

    #[test]
    fn ends_that_are_written_alike_are_kept_once() {
        let mut expressions = Expressions::default();
        for team in 0..100 {
            expressions.read(Names::Repositories, &format!("team-{team}/[a-z]+/base")).unwrap();
        }
        assert_eq!((expressions.whole.len(), expressions.rests.len()), (100, 1));
    }

    #[test]
    fn large_expressions_are_refused_and_many_of_them_at_once() {
        let mut expressions = Expressions { bytes_left: 3 * MAX_BYTES, ..Expressions::default() };
        for text in ["(a{100}){100}{100}", "(a|b)*a(a|b){20}"] {
            let mistake = expressions.read(Names::Tags, text).unwrap_err();
            assert!(mistake.message().contains("too large"), "{}", mistake.message());
        }
        let third = "(a|b)*a(a|b){21}";
        let _ = expressions.read(Names::Tags, third).unwrap_err();
        let mistake = expressions.read(Names::Tags, "v[ab]").unwrap_err();
        let message = mistake.message();
        assert!(message.contains("of all files"), "{message}");
    }

    fn expression() -> impl Strategy<Value = String> {
        let atom = prop_oneof![
            "[ab/.-]",
            Just("[a-b]".to_owned()),
            Just(".".to_owned()),
            Just(r"\.".to_owned()),
            Just(r"\b".to_owned()),
            Just("^".to_owned()),
            Just("$".to_owned()),
            Just("(?i)".to_owned()),
        ];
        let nested = atom.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one}|{other}")),
                inner.clone().prop_map(|one| format!("({one})*")),
                inner.prop_map(|one| format!("(?:{one})?")),
            ]
        });
        ("[ab]{0,2}/?[*?]?", nested).prop_map(|(start, rest)| start + &rest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn expressions_match_as_those_of_the_regex_crate(
            text in expression(),
            names in proptest::collection::vec("[ab]{1,2}([/.-][ab]{1,2}){0,2}", 1..8),
        ) {
            let Ok(regex) = Expressions::default().read(Names::Repositories, &text) else {
                return Ok(());
            };
            let reference = ::regex::Regex::new(&format!("^(?:{text})$")).unwrap();
            for name in &names {
                let expected = reference.is_match(name);
                prop_assert_eq!(regex.matches(name), expected, "{} {}", text, name);
                let prefix = regex.literal_prefix();
                let folder = format!("{prefix}/");
                prop_assert!(!expected || prefix.is_empty() || name.starts_with(&folder));
                let rest = match name.strip_prefix(prefix) {
                    Some(rest) if prefix.is_empty() => Some(Some(rest)),
                    Some("") => Some(None),
                    Some(rest) => rest.strip_prefix('/').map(Some),
                    None => None,
                };
                if let Some(rest) = rest {
                    prop_assert_eq!(regex.matches_after_literal(rest), expected, "{} {}", text, name);
                }
            }
        }
    }
}
