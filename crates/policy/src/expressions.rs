//! Reads regular expressions, each once for all files.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use document::Mistake;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{Hir, Look, translate::TranslatorBuilder};

use crate::automaton::{Automaton, MAX_BYTES};
use crate::image_text::{MAX_LENGTH, MAX_REPOSITORY, MAX_TAG};
use crate::name_grammar::Reading;
use crate::plain_ends::{split_beginning, split_end};
use crate::regex::Regex;

/// How much the automata of all files may take. One takes about a kilobyte, and 50 µs to make, but
/// a file could hold thousands of large ones.
const MAX_TOTAL: usize = 128 * 1024 * 1024;

/// The expressions of all files. Equal ones are kept once, and so is what they have between plain
/// texts: what differs between the teams of an organization is how `team-17/[a-z]+` begins and
/// `[a-z]+/team-17` ends.
pub(crate) struct Expressions {
    whole: HashMap<(Names, Box<str>), Arc<Regex>>,
    between: HashMap<(Reading, Box<str>), Between>,
    bytes_left: usize,
}

/// An expression that follows plain text.
struct Between {
    automaton: Arc<Automaton>,
    /// How far a name can have been read where it ends.
    readings: HashSet<Reading>,
    /// Whether it means the same where plain text follows.
    may_be_followed: bool,
}

/// Of what an expression is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Names {
    Repositories,
    Tags,
}

impl Default for Expressions {
    fn default() -> Self {
        Self { whole: HashMap::new(), between: HashMap::new(), bytes_left: MAX_TOTAL }
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
        let regex = match self.taken_apart(names, text) {
            Some(regex) => regex,
            None => {
                let expression = parse(text)?.1;
                let automaton = self
                    .automaton(&expression)
                    .map_err(|mistake| mistake.about(&format!("`{text}`")))?;
                if !automaton.readings_after(names.start()).iter().any(|it| it.may_end()) {
                    return Err(self.impossible(names, text));
                }
                Regex::new(text, "", automaton, "")
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

    /// As an automaton between two plain texts. `None`: it cannot be taken apart, or is wrong in any
    /// way, which shows when it is read as a whole.
    fn taken_apart(&mut self, names: Names, text: &str) -> Option<Regex> {
        let (beginning, rest) = split_beginning(text);
        let (between, end) = split_end(rest);
        let reading = beginning.bytes().try_fold(names.start(), Reading::next)?;
        let between = self.between(reading, between)?;
        let reads_end = |reading| end.bytes().try_fold(reading, Reading::next);
        let is_possible =
            between.readings.iter().filter_map(|it| reads_end(*it)).any(Reading::may_end);
        let is_apart = end.is_empty() || between.may_be_followed;
        let automaton = || Arc::clone(&between.automaton);
        (is_possible && is_apart).then(|| Regex::new(text, &beginning, automaton(), &end))
    }

    fn between(&mut self, reading: Reading, text: &str) -> Option<&Between> {
        let key = (reading, text.into());
        if !self.between.contains_key(&key) {
            let (ast, expression) = parse(text).ok()?;
            // `a/|b` is not what begins with `a/`, and the `\b` of `a/\b` looks back at it.
            let looks = expression.properties().look_set();
            let is_apart =
                !matches!(ast, Ast::Alternation(_)) && looks.iter().all(|look| look == Look::End);
            if !is_apart {
                return None;
            }
            let automaton = self.automaton(&expression).ok()?;
            let readings = automaton.readings_after(reading);
            let may_be_followed = looks.is_empty() && !sets_flags(&ast);
            self.between.insert(key.clone(), Between { automaton, readings, may_be_followed });
        }
        self.between.get(&key)
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

/// Whether it holds `(?i)`, which is about all that follows.
fn sets_flags(ast: &Ast) -> bool {
    match ast {
        Ast::Flags(_) => true,
        Ast::Concat(concat) => concat.asts.iter().any(sets_flags),
        _ => false,
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
    use crate::regex::{MAX_END, Reached};

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
    fn what_differs_in_plain_text_at_its_ends_is_kept_once() {
        let mut expressions = Expressions::default();
        for team in 0..100 {
            for text in [format!("team-{team}/[a-z]+/base"), format!("[a-z]+/team-{team}$")] {
                expressions.read(Names::Repositories, &text).unwrap();
            }
        }
        assert_eq!((expressions.whole.len(), expressions.between.len()), (200, 1));
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

    #[test]
    fn an_expression_ends_with_plain_text_as_far_as_it_means_itself() {
        let end = "x".repeat(100);
        for (text, between) in [
            ("[a-z]+/t7/lib", "[a-z]+"),
            (r"team/.+/my\.app$", ".+"),
            ("team/(a|b)", "(a|b)"),
            (r"[a-z]+\dx", r"[a-z]+\d"),
            (r"[a-z]+\x2dx", ""),
            ("(?i)a[b]c", ""),
            ("(?i:a)c", "(?i:a)"),
            ("(a|b$)?c", ""),
            (r"[ab]\b/a", ""),
            ("[ab]|a", ""),
            (&format!("[a-z]+{end}"), &format!("[a-z]+{}", &end[MAX_END..])),
        ] {
            let mut expressions = Expressions::default();
            let regex = expressions.read(Names::Repositories, text).unwrap();
            let found = expressions
                .between
                .iter()
                .find(|(_, it)| Arc::ptr_eq(&it.automaton, regex.automaton()));
            assert_eq!(found.map_or("", |((_, it), _)| &**it), between, "{text}");
        }
        assert!(read(Names::Repositories, "(?i)a[b]c").matches("abc"));
        assert!(!read(Names::Repositories, "ab[c]*ba").matches("aba"), "the ends may not share");
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
        let parts = ("[ab]{0,2}/?[*?]?", nested, r"(/|\\[.]|\\x2d|\\w)?[ab]{0,2}[$]?");
        parts.prop_map(|(start, between, end)| start + &between + &end)
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
                let walked = name.bytes().fold(regex.begin(), |at, byte| regex.after(at, byte));
                prop_assert_eq!(regex.ends(walked), expected, "{} {}", text, name);
                prop_assert!(!expected || walked != Reached::Lost);
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
