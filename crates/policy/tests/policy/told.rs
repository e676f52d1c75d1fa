//! Whether what a comparison tells is about a question, by the words alone.

use std::net::IpAddr;

use policy::{Action, Caller, Change, Image, Policy, Subject, When};

use crate::properties::compile;

/// A change as it is read.
pub(crate) struct Told<'c, 'p> {
    pub(crate) change: &'c Change<'p>,
    who: Vec<String>,
    not_who: Vec<String>,
    images: Vec<Matcher>,
    not_images: Vec<Matcher>,
}

/// A pattern as rules that allow take it, and as rules that deny do.
struct Matcher {
    allows: Policy,
    denies: Policy,
}

impl Matcher {
    fn new(pattern: &str) -> Self {
        let pattern = match pattern.starts_with("{repository: ") {
            true => pattern.to_owned(),
            false => format!("{pattern:?}"),
        };
        let rule = |effect: &str| {
            format!("{{name: {effect}, subjects: [anyone], images: [{pattern}], {effect}: [pull]}}")
        };
        let all = "{name: all, subjects: [anyone], images: [\"**\"], allow: [pull]}";
        Self {
            allows: compile(&format!("rules:\n  - {}\n", rule("allow"))),
            denies: compile(&format!("rules:\n  - {all}\n  - {}\n", rule("deny"))),
        }
    }

    fn matches(&self, caller: &Caller, image: Image<'_>) -> [bool; 2] {
        let is = |policy: &Policy| policy.decide(caller, Action::Pull, image).is_allowed();
        [is(&self.allows), !is(&self.denies)]
    }
}

impl<'c, 'p> Told<'c, 'p> {
    pub(crate) fn new(change: &'c Change<'p>) -> Self {
        let (who, not_who) = apart(&change.who);
        let (images, not_images) = apart(&change.images);
        let matchers = |texts: Vec<String>| texts.iter().map(|it| Matcher::new(it)).collect();
        let images = match images.starts_with("images such as ") {
            true => Vec::new(),
            false => images.split(" within ").map(str::to_owned).collect(),
        };
        Self {
            change,
            who: who.split(" in ").flat_map(|it| it.split(" and ")).map(str::to_owned).collect(),
            not_who,
            images: matchers(images),
            not_images: matchers(not_images),
        }
    }

    /// Whether the words say that this is decided otherwise. `caller` has its groups before the old
    /// policy and those before the new one; `always` are those that it has before both.
    pub(crate) fn is_about(
        &self,
        caller: &Caller,
        always: &[String],
        action: Action,
        image: Image<'_>,
    ) -> bool {
        let apart = Caller { groups: always.to_vec(), ..caller.clone() };
        let pattern = |all: &[Matcher], how: fn([bool; 2]) -> bool| -> Vec<bool> {
            all.iter().map(|it| how(it.matches(caller, image))).collect()
        };
        let is_apart = |text: &String| {
            let words = text.split(" in ").flat_map(|it| it.split(" and "));
            // Whom an example stands for is left out, too: it is not known who that is.
            let word =
                |word: &str| is(word.rsplit_once(" such as ").map_or(word, |it| it.1), &apart);
            words.into_iter().all(word)
        };
        self.change.actions.contains(&action)
            && self.who.iter().all(|word| is(word, caller))
            && !self.not_who.iter().any(is_apart)
            && pattern(&self.images, |[one, two]| one || two).iter().all(|it| *it)
            && !pattern(&self.not_images, |[one, two]| one && two).iter().any(|it| *it)
            && holds(&self.change.when, caller)
    }
}

/// `a except b, c`; a map has commas of its own.
fn apart(text: &str) -> (String, Vec<String>) {
    let Some((text, rest)) = text.split_once(" except ") else { return (text.into(), Vec::new()) };
    let rest = match rest.rsplit_once(" and ") {
        Some((rest, more)) if more.ends_with(" more") => rest,
        _ => rest,
    };
    let (mut all, mut depth) = (vec![String::new()], 0);
    for letter in rest.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().unwrap().push(letter);
    }
    (text.to_owned(), all.iter().map(|it| it.trim().to_owned()).collect())
}

fn is(word: &str, caller: &Caller) -> bool {
    match word {
        "anyone" => true,
        "anonymous" => caller.subject == Subject::Anonymous,
        _ if word.starts_with("users such as ") => matches!(caller.subject, Subject::User(_)),
        _ if word.starts_with("groups such as ") => !caller.groups.is_empty(),
        "authenticated" => matches!(caller.subject, Subject::User(_) | Subject::Service(_)),
        _ => match word.split_once(':').unwrap() {
            ("group", name) => caller.groups.iter().any(|group| glob(name, group)),
            _ => glob(word, &caller.subject.to_string()),
        },
    }
}

/// `**` is anything, `*` anything but `/`, and `a/**` is `a` too.
fn glob(pattern: &str, name: &str) -> bool {
    if let Some(rest) = pattern.strip_suffix("/**")
        && glob(rest, name)
    {
        return true;
    }
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(before) else { return false };
    let (rest, is_deep) = match rest.strip_prefix('*') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.filter(|at| is_deep || !name[..*at].contains('/')).any(|at| glob(rest, &name[at..]))
}

fn holds(when: &When, caller: &Caller) -> bool {
    let here = &caller.circumstances;
    let at = here.at.unwrap();
    let contains = |network: &str| network_contains(network, here.address.unwrap());
    let lies = |text: &String| match text.strip_prefix("outside ") {
        Some(all) => !all.split(" and ").any(contains),
        None => contains(text),
    };
    when.from.is_none_or(|from| from <= at)
        && when.until.is_none_or(|until| at < until)
        && (when.networks.is_empty() || when.networks.iter().any(lies))
        && (when.credentials.is_empty()
            || when.credentials.contains(&here.credential.unwrap().as_str()))
}

fn network_contains(network: &str, address: IpAddr) -> bool {
    let (base, bits) = network.split_once('/').unwrap_or((network, ""));
    let address = address.to_canonical();
    match (base.parse::<IpAddr>().unwrap().to_canonical(), address) {
        (IpAddr::V4(base), IpAddr::V4(it)) => {
            let bits = bits.parse().unwrap_or(32);
            (base.to_bits() ^ it.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(base), IpAddr::V6(it)) => {
            let bits = bits.parse().unwrap_or(128);
            (base.to_bits() ^ it.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}
