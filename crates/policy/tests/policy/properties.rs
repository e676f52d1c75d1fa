//! What holds for every policy and every question.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use oci::{RepositoryName, Tag};
use policy::{
    Action, Bounds, Caller, Circumstances, Credential, Policy, SourceFile, Subject, Tags,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::reference::{Conditions, Document, Image, Part, Rule};
use crate::support::sources;

const GROUPS: [&str; 5] = ["g0", "g1", "g2", "a", "x-1"];
const NAMES: [&str; 6] =
    ["user:a", "user:b", "user:*", "service:ci/*", "service:ci/**", "peer:eu/*"];

fn names() -> impl Strategy<Value = String> {
    select(&NAMES[..]).prop_map(str::to_owned)
}

fn subjects() -> impl Strategy<Value = Vec<String>> {
    let group = select(&GROUPS[..]).prop_map(|group| format!("group:{group}"));
    let other = select(&["authenticated", "anyone", "group:g*", "group:*"][..]);
    vec(prop_oneof![names(), group, other.prop_map(str::to_owned)], 1..4)
}

/// Groups whose members come before them, so that none contains itself.
pub(crate) fn groups() -> impl Strategy<Value = BTreeMap<String, Option<Vec<String>>>> {
    let members = |index: usize| {
        let earlier: Vec<_> =
            GROUPS[..index].iter().map(|group| format!("group:{group}")).collect();
        let count = earlier.len();
        let listed = (vec(names(), 0..2), subsequence(earlier, 0..=count)).prop_map(
            |(mut names, groups)| {
                names.extend(groups);
                Some(names)
            },
        );
        prop_oneof![1 => Just(None), 3 => listed]
    };
    (members(0), members(1), members(2), members(3), members(4)).prop_map(|(a, b, c, d, e)| {
        let groups = GROUPS.map(str::to_owned).into_iter().zip([a, b, c, d, e]);
        let everyone = Some(vec!["group:g*".to_owned()]);
        groups.chain([("z".to_owned(), everyone)]).collect()
    })
}

fn images() -> impl Strategy<Value = Vec<Image>> {
    let segment = || {
        select(
            &[
                "a",
                "b",
                "ab",
                "*",
                "a*",
                "?",
                "?b",
                "**",
                "**",
                "{a,b}",
                "a{,b}",
                "${user}",
                "${group}",
                "{${user},b}",
                "*${group}",
            ][..],
        )
    };
    let path = || vec(segment(), 1..4).prop_map(|segments| segments.join("/"));
    let tag = || {
        select(
            &["*", "v*", "v1", "?1", "{v1,rc-*}", "*-*", "${user}-*", "${group}-?", "{a-1,v10}"][..],
        )
    };
    let text = (path(), proptest::option::of(tag())).prop_map(|(repository, tag)| match tag {
        Some(tag) => Image::Text(format!("{repository}:{tag}")),
        None => Image::Text(repository),
    });
    let broad = select(&["**", "a/**", "**:*", "**:v*", "**:{v1,*-1}"][..])
        .prop_map(|text| Image::Text(text.to_owned()));
    let repositories = select(
        &["a/[ab]+", "[ab]+", "(a|b)/.*", "a|b/a", ".*b", "^a(/b)*$", "(a|ab)/(b|a)?.*", ".*"][..],
    );
    let repository = prop_oneof![
        path().prop_map(Part::Text),
        repositories.prop_map(|it| Part::Regex(it.into()))
    ];
    let tags = select(&[r"v\d+", "v1|rc-.*", r".*-\d", "[a-z]+", "v1.*", "(?i)a-1", ".*"][..]);
    let ranges = select(
        &["*", ">=1", "<2", ">1, <=2.1", "^1.2", "~2.1", "=1", ">=2.1.0-rc.1", "<2.1.0-rc.2"][..],
    );
    let tag = prop_oneof![
        tag().prop_map(|it| Part::Text(it.into())),
        tags.prop_map(|it| Part::Regex(it.into())),
        ranges.prop_map(|it| Part::Semver(it.into())),
    ];
    let map = (repository, proptest::option::weighted(0.8, tag))
        .prop_map(|(repository, tag)| Image::Map { repository, tag });
    vec(prop_oneof![2 => text, 2 => broad, 2 => map], 1..4)
}

pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    let effect = select(
        &[
            ("all", ""),
            ("pull", ""),
            ("pull", ""),
            ("inspect", ""),
            ("push delete", ""),
            ("", "pull"),
            ("", "inspect"),
            ("", "all"),
            ("", "overwrite delete"),
            ("pull", "delete"),
            ("inspect", "push"),
            ("create", "inspect"),
        ][..],
    );
    let except = (seldom(subjects()), seldom(images()));
    let conditions = prop_oneof![3 => Just(Conditions::default()), 1 => conditions()];
    (subjects(), images(), effect, except, conditions).prop_map(
        |(subjects, images, (allow, deny), (except_subjects, except_images), conditions)| Rule {
            name: String::new(),
            subjects,
            images,
            except_subjects,
            except_images,
            conditions,
            allow: allow.split_whitespace().map(str::to_owned).collect(),
            deny: deny.split_whitespace().map(str::to_owned).collect(),
        },
    )
}

fn seldom<T: Clone + std::fmt::Debug>(
    list: impl Strategy<Value = Vec<T>>,
) -> impl Strategy<Value = Vec<T>> {
    prop_oneof![3 => Just(Vec::new()), 1 => list]
}

pub(crate) fn document() -> impl Strategy<Value = Document> {
    (groups(), vec(rule(), 0..12)).prop_map(|(groups, mut rules)| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule-{index}");
        }
        Document { groups, rules }
    })
}

fn caller() -> impl Strategy<Value = Caller> {
    let user = |name: &str| Subject::User(name.to_owned());
    let service = |name: &str| Subject::Service(name.to_owned());
    let peer = |name: &str| Subject::Peer { gate: "eu".to_owned(), name: name.to_owned() };
    let subject = select(vec![
        user("a"),
        user("b"),
        user("A"),
        user("a/b"),
        service("ci/x"),
        service("ci"),
        service("ci/x/y"),
        peer("a"),
        peer("a/b"),
        Subject::Anonymous,
    ]);
    let groups = || {
        let known = ["g0", "g1", "g2", "a", "x-1", "z", "b", "g9", "A"].map(str::to_owned).to_vec();
        subsequence(known, 0..3)
    };
    let credential = (proptest::option::of(groups()), proptest::option::weighted(0.3, bounds()));
    (subject, groups(), credential, circumstances()).prop_map(
        |(subject, groups, (granting, bounds), circumstances)| Caller {
            granting,
            bounds,
            circumstances,
            ..Caller::new(subject, groups)
        },
    )
}

/// Around the conditions of [`conditions`].
fn circumstances() -> impl Strategy<Value = Circumstances> {
    let at = select(&["2026-01-01T00:00:00Z", "2026-06-30T23:59:59Z", "2026-07-01T00:00:00Z"][..])
        .prop_map(|text| text.parse::<Timestamp>().unwrap());
    let address = select(&["10.1.2.3", "10.2.0.1", "::ffff:10.1.0.1", "fd00::1"][..])
        .prop_map(|text| text.parse::<IpAddr>().unwrap());
    let kinds = Credential::ALL.into_iter().chain([Credential::Anonymous]).collect::<Vec<_>>();
    let (at, address) = (known(at), known(address));
    (at, address, known(select(kinds))).prop_map(|(at, address, credential)| Circumstances {
        at,
        address,
        credential,
    })
}

/// Mostly known.
fn known<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.9, of)
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let date = || select(&["", "", "2026-01-01", "2026-07-01", "2026-07-01T02:00:00+02:00"][..]);
    let networks = select(&["", "", "10.0.0.0/8", "10.1.0.0/16 fd00::/8", "10.2.0.1", "::/0"][..]);
    let kinds = select(&["", "", "user", "service federated", "peer user"][..]);
    let owned = |words: &str| words.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    (date(), date(), networks, kinds).prop_map(move |(starts, expires, networks, kinds)| {
        // One that ends before it starts is a mistake.
        let starts = if starts.is_empty() || expires.is_empty() { starts } else { "2025-01-01" };
        Conditions {
            starts: owned(starts).pop(),
            expires: owned(expires).pop(),
            networks: owned(networks),
            kinds: owned(kinds),
        }
    })
}

fn bounds() -> impl Strategy<Value = Arc<Bounds>> {
    let images = select(
        &[
            "**",
            "**",
            "**:*",
            "a/**",
            "**:v*",
            "*/**:{v1,*-1}",
            "a",
            "b/*",
            "{a,ab}/b",
            "a/*:v?",
            "?:x",
            "a/**:rc-*",
        ][..],
    );
    let actions =
        select(&["all", "all", "pull", "pull push", "inspect", "create attach", "delete"][..])
            .prop_map(str::split_whitespace);
    (vec(images, 1..4), actions).prop_map(|(images, actions)| {
        let images = images.into_iter().map(str::to_owned).collect();
        Arc::new(Bounds::new(images, actions).unwrap())
    })
}

/// What a credential made of another one leaves away. Bits that are set stay.
#[derive(Debug, Clone)]
struct Narrowing {
    groups: Option<Vec<String>>,
    bounds: Option<Arc<Bounds>>,
    images: u8,
    actions: u8,
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    let groups =
        subsequence(["g0", "g1", "g2", "a", "x-1", "z", "b"].map(str::to_owned).to_vec(), 0..4);
    let bits = || prop_oneof![1 => Just(u8::MAX), 2 => any::<u8>()];
    (proptest::option::of(groups), proptest::option::of(bounds()), bits(), bits())
        .prop_map(|(groups, bounds, images, actions)| Narrowing { groups, bounds, images, actions })
}

impl Narrowing {
    fn of(&self, whole: &Caller) -> Caller {
        let granting = match (&whole.granting, &self.groups) {
            (Some(whole), Some(narrow)) => {
                Some(whole.iter().filter(|group| narrow.contains(group)).cloned().collect())
            }
            (whole, narrow) => whole.clone().or(narrow.clone()),
        };
        let bounds = match &whole.bounds {
            Some(bounds) => Some(self.part(bounds)),
            None => self.bounds.clone(),
        };
        Caller { granting, bounds, ..whole.clone() }
    }

    fn part(&self, bounds: &Arc<Bounds>) -> Arc<Bounds> {
        let kept = |bits: u8, index: usize| bits >> index & 1 == 1;
        let images = bounds.images().iter().enumerate().filter(|(at, _)| kept(self.images, *at));
        let actions = bounds.actions().enumerate().filter(|(at, _)| kept(self.actions, *at));
        let part = Bounds::new(
            images.map(|(_, image)| image.clone()).collect(),
            actions.map(|(_, action)| action.to_string()),
        );
        part.map_or_else(|_| Arc::clone(bounds), Arc::new)
    }
}

pub(crate) fn in_tags(answer: &Tags<'_>, tag: Option<&Tag>) -> bool {
    match (answer, tag) {
        (Tags::All, _) => true,
        (Tags::None, _) => false,
        (Tags::Some(filter), Some(tag)) => filter.allows(tag),
        (Tags::Some(filter), None) => filter.includes_untagged(),
    }
}

pub(crate) fn question() -> impl Strategy<Value = (Caller, Action, RepositoryName)> {
    let repository = vec(select(&["a", "b", "ab"][..]), 1..4)
        .prop_map(|segments| RepositoryName::new(&segments.join("/")).unwrap());
    (caller(), select(&Action::ALL[..]), repository)
}

/// Untagged, and tags of every kind that the patterns tell apart.
pub(crate) fn tags() -> Vec<Option<Tag>> {
    let tags = [
        "v1",
        "v10",
        "rc-1",
        "a-1",
        "A-1",
        "b-22",
        "g0-1",
        "x",
        "1.2.3",
        "v2.1",
        "2.1.0-rc.1",
        "1.2-a",
    ];
    let tags = tags.into_iter().map(|tag| Some(Tag::new(tag).unwrap()));
    tags.chain([None]).collect()
}

pub(crate) fn compile(text: &str) -> Policy {
    match Policy::compile(&sources(&[("policy.yaml", text)])) {
        Ok(compiled) => compiled.policy,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

fn may(
    policy: &Policy,
    caller: &Caller,
    action: Action,
    repository: &RepositoryName,
    tag: Option<&Tag>,
) -> bool {
    policy.decide(caller, action, policy::Image { repository, tag }).is_allowed()
}

/// How many questions are asked of each policy. Each is asked for every one of [`tags`].
const QUESTIONS: usize = 60;

/// As many policies as make 100,000 decisions, each question and tag being one decision.
/// `PORTCULLIS_PROPERTY_CASES` is another number of decisions.
fn policies() -> u32 {
    let decisions = std::env::var("PORTCULLIS_PROPERTY_CASES").map_or(100_000, |text| {
        text.parse::<usize>().expect("PORTCULLIS_PROPERTY_CASES has to be a number")
    });
    u32::try_from(decisions.div_ceil(QUESTIONS * tags().len())).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(policies()))]

    #[test]
    fn decisions_are_those_of_the_reference(
        document in document(),
        questions in vec(question(), QUESTIONS),
    ) {
        let policy = compile(&document.yaml());
        for (caller, action, repository) in &questions {
            prop_assert_eq!(policy.groups_of(caller), document.groups_of(caller));
            for tag in tags() {
                let tag = tag.as_ref();
                let image = policy::Image { repository, tag };
                let decision = policy.decide(caller, *action, image);
                let expected =
                    document.decide(caller, action.as_str(), repository.as_str(), tag.map(Tag::as_str));
                let context = format!(
                    "{caller:?} {action} {repository}:{tag:?}\n{expected:?}\n{}\n{}",
                    decision.reason(), document.yaml()
                );
                prop_assert_eq!(decision.is_allowed(), expected.is_allowed(), "{}", context);
                let rules = expected.deciding();
                let told = decision.rule().map(|rule| rule.name);
                prop_assert_eq!(told, rules.first().map(String::as_str), "{}", context);
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(policies().div_ceil(3)))]

    #[test]
    fn tags_agree_with_decisions(
        document in document(),
        questions in vec((question(), circumstances()), QUESTIONS),
    ) {
        let policy = compile(&document.yaml());
        for ((caller, action, repository), circumstances) in &questions {
            let answer = policy.tags(caller, *action, repository);
            for tag in tags() {
                let expected = may(&policy, caller, *action, repository, tag.as_ref());
                let told = in_tags(&answer, tag.as_ref());
                prop_assert_eq!(told, expected, "{:?} {:?}\n{}", caller, tag, document.yaml());
                if expected {
                    prop_assert!(policy.grants_any(caller, *action, repository));
                    // Whoever asks for a token may do so in other circumstances.
                    let elsewhere = Caller { circumstances: *circumstances, ..caller.clone() };
                    prop_assert!(policy.grants_ever(&elsewhere, *action, repository));
                }
            }
        }
    }

    #[test]
    fn narrowing_never_gains_anything(
        document in document(),
        questions in vec((question(), narrowing()), QUESTIONS),
    ) {
        let administrators = r#"administrators: ["group:g1", "group:a", "user:b"]"#;
        let policy = compile(&format!("{}{administrators}\n", document.yaml()));
        for ((whole, action, repository), narrowing) in &questions {
            let narrowed = narrowing.of(whole);
            let context = format!("{whole:?}\n{narrowed:?}\n{action} {repository}\n{}", document.yaml());
            let (most, least) = (
                policy.tags(whole, *action, repository),
                policy.tags(&narrowed, *action, repository),
            );
            prop_assert!(!matches!(least, Tags::All) || matches!(most, Tags::All), "{}", context);
            for tag in tags() {
                let tag = tag.as_ref();
                let image = policy::Image { repository, tag };
                let (before, after) =
                    (policy.decide(whole, *action, image), policy.decide(&narrowed, *action, image));
                prop_assert!(!after.is_allowed() || before.is_allowed(), "{}", context);
                prop_assert!(!in_tags(&least, tag) || in_tags(&most, tag), "{}", context);
                // A denial stays what it is, with the same rule as its reason.
                if let (false, Some(denial)) = (before.is_allowed(), before.rule()) {
                    prop_assert!(!after.is_allowed());
                    prop_assert_eq!(after.rule(), Some(denial), "{}", context);
                }
            }
            prop_assert!(
                !policy.grants_any(&narrowed, *action, repository)
                    || policy.grants_any(whole, *action, repository),
                "{}", context
            );
            prop_assert!(!policy.is_administrator(&narrowed) || policy.is_administrator(whole));
            prop_assert_eq!(policy.groups_of(&narrowed), policy.groups_of(whole));
        }
    }

    #[test]
    fn the_order_of_rules_and_files_means_nothing(
        document in document(),
        questions in vec(question(), QUESTIONS),
        split in 0..12_usize,
        group in 0..7_usize,
    ) {
        let policy = compile(&document.yaml());
        let mut first = document.clone();
        first.rules.reverse();
        let rest = first.rules.split_off(split.min(first.rules.len()));
        let groups = document.groups.keys().nth(group).map(|name| first.groups.split_off(name));
        let second = Document { groups: groups.unwrap_or_default(), rules: rest };
        let files = [("b.yaml", second.yaml()), ("a.yaml", first.yaml())];
        let files = files.map(|(path, text)| SourceFile { path: path.into(), text });
        let shuffled = Policy::compile(&files).unwrap().policy;
        for (caller, action, repository) in &questions {
            for tag in tags() {
                let image = policy::Image { repository, tag: tag.as_ref() };
                let one = policy.decide(caller, *action, image);
                let other = shuffled.decide(caller, *action, image);
                prop_assert_eq!(one.is_allowed(), other.is_allowed());
                prop_assert_eq!(one.rule().map(|rule| rule.name), other.rule().map(|rule| rule.name));
                // Where a rule is named, so is its file; the nearest miss is named without.
                if one.rule().is_none() {
                    prop_assert_eq!(one.reason(), other.reason());
                }
            }
        }
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[ -~\n]{0,200}") {
        let _ = Policy::compile(&sources(&[("policy.yaml", &text)]));
    }

    #[test]
    fn no_damage_to_a_policy_makes_the_compiler_or_its_report_panic(
        document in document(),
        at in any::<proptest::sample::Index>(),
        damage in "[\\[\\]{}:,&*!|>'\"%@`#?é\t -]{0,4}",
        cut in any::<bool>(),
    ) {
        let text = document.yaml();
        let at = at.index(text.len() + 1);
        let (before, after) = text.split_at(at);
        let text = if cut { format!("{before}{damage}") } else { format!("{before}{damage}{after}") };
        if let Err(errors) = Policy::compile(&sources(&[("policy.yaml", &text)])) {
            prop_assert!(errors.has_errors());
            prop_assert!(errors.iter().all(|error| error.position.is_some_and(|at| at.line >= 1 && at.column >= 1)));
            prop_assert!(!errors.render(true).is_empty());
        }
    }
}

/// The generators have to make what the properties are about.
#[test]
fn the_generated_questions_are_answered_in_every_way() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = (document(), vec(question(), QUESTIONS));
    let (mut allowed, mut denied, mut unmentioned, mut some, mut narrowed) = (0, 0, 0, 0, 0);
    let mut beyond = 0;
    for _ in 0..100 {
        let (document, questions) = strategy.new_tree(&mut runner).unwrap().current();
        let policy = compile(&document.yaml());
        for (caller, action, repository) in &questions {
            some += usize::from(matches!(policy.tags(caller, *action, repository), Tags::Some(_)));
            for tag in tags() {
                let image = policy::Image { repository, tag: tag.as_ref() };
                let decision = policy.decide(caller, *action, image);
                match (decision.is_allowed(), decision.rule()) {
                    (true, _) => allowed += 1,
                    (false, Some(_)) => denied += 1,
                    (false, None) => unmentioned += 1,
                }
                let whole = Caller { granting: None, ..caller.clone() };
                narrowed += usize::from(
                    !decision.is_allowed() && policy.decide(&whole, *action, image).is_allowed(),
                );
                let unbound = Caller { bounds: None, ..caller.clone() };
                beyond += usize::from(
                    !decision.is_allowed() && policy.decide(&unbound, *action, image).is_allowed(),
                );
            }
        }
    }
    assert!(beyond > 50, "{beyond}");
    assert!(
        allowed > 500 && denied > 500 && unmentioned > 500 && some > 100 && narrowed > 50,
        "{allowed} {denied} {unmentioned} {some} {narrowed}"
    );
}
