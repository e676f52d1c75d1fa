//! A world from a seed: contents, rules, people, and what happened.

use std::collections::BTreeMap;
use std::fmt;

use super::content::{BlobName, Library, Name, Recipe, What};
use super::random::Random;
use super::registry::Manners;

pub(super) const REPOSITORIES: [&str; 3] = ["a/app", "a/lib", "b/app"];
const TAGS: [&str; 6] = ["v1", "v2", "dev-1", "dev-2", "rc.1", "prod"];
const TYPES: [&str; 2] = ["application/vnd.example.signature", "application/vnd.example.sbom"];

/// Everything about one world. What was dropped from it leaves the rest as it is.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) manners: Manners,
    pub(super) contents: BTreeMap<Name, Recipe>,
    pub(super) rules: Vec<Rule>,
    pub(super) people: Vec<Person>,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) allow: bool,
    pub(super) subjects: Vec<&'static str>,
    pub(super) images: Vec<String>,
    pub(super) actions: Vec<&'static str>,
    pub(super) except: Vec<String>,
}

/// Who asks, and with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Person {
    /// As policy writes it.
    pub(super) subject: &'static str,
    /// Images and actions beyond which the token does not reach.
    pub(super) bounds: Option<(Vec<String>, Vec<&'static str>)>,
    /// What the token was asked for at the token endpoint: repositories with actions as Docker
    /// calls them; and the catalogue.
    pub(super) access: Option<(Vec<Scope>, bool)>,
}

/// A repository with actions as Docker calls them.
pub(super) type Scope = (&'static str, Vec<&'static str>);

impl Person {
    pub(super) fn new(subject: &'static str) -> Self {
        Self { subject, bounds: None, access: None }
    }

    /// Whom no rule but its own speaks of: it may do everything.
    pub(super) fn root() -> Self {
        Self::new("user:root")
    }
}

/// A tag, or the fallback tag of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TagName {
    Plain(&'static str),
    Fallback(Name, &'static str),
}

impl TagName {
    /// As it is written; none where its manifest was dropped, or goes by a hash that no such tag
    /// can hold.
    pub(super) fn text(&self, library: &Library) -> Option<String> {
        match self {
            Self::Plain(text) => Some((*text).to_owned()),
            Self::Fallback(name, ending) => {
                let digest = library.named(*name)?.digest.to_string();
                digest.strip_prefix("sha256:").map(|hex| format!("sha256-{hex}{ending}"))
            }
        }
    }
}

/// Something that happened. Without a person it happened behind the gate's back.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) who: Option<Person>,
    pub(super) repository: &'static str,
    pub(super) what: Act,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    /// A manifest with all that it names, under these tags.
    Push(Name, Vec<TagName>),
    Untag(TagName),
    Delete(Name),
    /// Somebody reads a tag; by `HEAD`, or with such an `Accept`.
    Look(TagName, bool, Accept),
}

/// What a client says that it understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accept {
    /// It says nothing.
    Silent,
    All,
    /// An old docker.
    DockerImage,
    OciIndex,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let contents = contents(&mut random);
        let people = people(&mut random);
        let names: Vec<Name> = contents.keys().copied().collect();
        let count = random.between(2, 12);
        let steps = (0..count).map(|_| step(&mut random, &names, &people)).collect();
        Self {
            seed,
            manners: manners(&mut random),
            rules: rules(&mut random),
            contents,
            people,
            steps,
        }
    }

    /// The policy file.
    pub(super) fn policy(&self) -> String {
        let root = r#"  - {name: root, subjects: ["user:root"], images: ["**"], allow: [all]}"#;
        let mut text = format!("rules:\n{root}\n");
        for (place, rule) in self.rules.iter().enumerate() {
            text.push_str(&format!("  - {{name: r{place}, {rule}}}\n"));
        }
        text
    }
}

fn manners(random: &mut Random) -> Manners {
    Manners {
        referrers: random.chance(60),
        filters: random.chance(50),
        page: random.chance(60).then(|| random.between(1, 3)),
        unsorted: random.chance(25),
        converts: random.chance(30),
        mixes: false,
    }
}

fn contents(random: &mut Random) -> BTreeMap<Name, Recipe> {
    let count = random.between(2, 12);
    let mut made: BTreeMap<Name, Recipe> = BTreeMap::new();
    for name in 0..count {
        let flat: Vec<Name> = (0..name).filter(|&other| depth(&made, other) < 3).collect();
        let recipe = recipe(random, name, &flat);
        made.insert(name, recipe);
    }
    made
}

/// From 1 to 6, so that layers are shared; now and then one that goes by its SHA-512.
fn blob(random: &mut Random) -> BlobName {
    let number = random.between(1, 6) as BlobName;
    if random.chance(10) { 90 + number } else { number }
}

/// How many indexes hold one another.
fn depth(made: &BTreeMap<Name, Recipe>, name: Name) -> usize {
    match &made[&name].what {
        What::Index { children } => {
            1 + children.iter().map(|&child| depth(made, child)).max().unwrap_or(0)
        }
        _ => 0,
    }
}

/// `flat` are those that an index may hold.
fn recipe(random: &mut Random, name: Name, flat: &[Name]) -> Recipe {
    let earlier: Vec<Name> = (0..name).collect();
    let blobs = |random: &mut Random, most: usize| {
        (0..random.between(1, most)).map(|_| blob(random)).collect::<Vec<_>>()
    };
    let kind = random.below(100);
    let (what, about) = if kind < 40 || flat.is_empty() {
        // The configuration is of this image alone, more often than not.
        let config = if random.chance(75) { 20 + name as BlobName } else { blob(random) };
        let layers = blobs(random, 3);
        (What::Image { config, layers }, 10)
    } else if kind < 70 {
        let config = random.chance(30).then(|| 20 + name as BlobName);
        let parts = vec![40 + random.between(0, 5) as BlobName];
        (What::Artifact { config, parts, artifact_type: random.pick(&TYPES) }, 75)
    } else {
        let children = match random.chance(10) {
            true => Vec::new(),
            false => random.some(flat, 3),
        };
        (What::Index { children }, 10)
    };
    let subject = (!earlier.is_empty() && random.chance(about)).then(|| random.pick(&earlier));
    Recipe { what, docker: random.chance(30), sha512: random.chance(7), subject }
}

fn people(random: &mut Random) -> Vec<Person> {
    let plain = ["anonymous", "user:alice", "user:bob", "service:ci"];
    let mut people = Vec::new();
    for _ in 0..3 {
        let mut person = Person::new(random.pick(&plain));
        if person.subject != "anonymous" && random.chance(30) {
            let patterns = images(random);
            let images = random.some(&patterns, 2);
            let actions = random.pick(&[vec!["pull"], vec!["pull", "push"], vec!["all"]]);
            person.bounds = Some((images, actions));
        }
        if random.chance(20) {
            let words = [vec!["pull"], vec!["pull", "push"], vec!["push"]];
            let asked = random.some(&REPOSITORIES, 2);
            let asked = asked.into_iter().map(|name| (name, random.pick(&words))).collect();
            person.access = Some((asked, random.chance(50)));
        }
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}

/// Patterns that rules and bounds may name.
fn images(random: &mut Random) -> Vec<String> {
    let repository = random.pick(&["a/app", "a/app", "a/lib", "b/app", "a/*", "**"]);
    let tags = ["", "", ":v*", ":v1", ":{dev-*,rc*}", ":prod", ":*", ":sha256-*", ":dev-*"];
    tags.iter().map(|tag| format!("{repository}{tag}")).collect()
}

fn rules(random: &mut Random) -> Vec<Rule> {
    let mut rules = Vec::new();
    // The first allows, or there would be little to see: some tags, or all but some tags.
    let subjects = subjects(random);
    let repository = random.pick(&["a/app", "a/app", "a/*", "**"]);
    let some = random.pick(&[":v*", ":{dev-*,rc*}", ":v1", ":*", ":{v1,prod}"]);
    let all_but = random.chance(50);
    let images = match all_but {
        true => vec![repository.to_owned()],
        false => vec![format!("{repository}{some}")],
    };
    let actions = random.pick(&[vec!["pull"], vec!["pull"], vec!["pull", "push"], vec!["all"]]);
    let by_exception = all_but && random.chance(25);
    let except = if by_exception { random.some(&EXCEPTIONS, 1) } else { Vec::new() };
    let except = except.into_iter().map(|text| (*text).to_owned()).collect();
    rules.push(Rule { allow: true, subjects: subjects.clone(), images, actions, except });
    if all_but && !by_exception && random.chance(85) {
        let images = vec![format!("{repository}{some}")];
        let actions = random.pick(&[vec!["pull"], vec!["all"]]);
        rules.push(Rule { allow: false, subjects, images, actions, except: Vec::new() });
    }
    for _ in 0..random.pick(&[0, 0, 1, 1, 2]) {
        rules.push(rule(random));
    }
    rules
}

fn subjects(random: &mut Random) -> Vec<&'static str> {
    match random.chance(80) {
        true => vec![random.pick(&["anyone", "anyone", "authenticated"])],
        false => random.some(&["user:alice", "user:bob", "service:ci"], 2),
    }
}

fn rule(random: &mut Random) -> Rule {
    let allow = random.chance(60);
    let words: &[&str] = match allow {
        true => &["pull", "pull", "pull", "push", "attach", "create", "delete", "all"],
        false => &["pull", "pull", "pull", "push", "overwrite", "all"],
    };
    let mut actions = random.some(words, 3);
    actions.dedup();
    let patterns = images(random);
    let except = if random.chance(15) { random.some(&EXCEPTIONS, 1) } else { Vec::new() };
    let except = except.into_iter().map(|text| (*text).to_owned()).collect();
    let images = random.some(&patterns, 2);
    Rule { allow, subjects: subjects(random), images, actions, except }
}

const EXCEPTIONS: [&str; 3] = ["**:v*", "a/app:dev-*", "a/lib"];

fn tag(random: &mut Random, names: &[Name]) -> TagName {
    match random.chance(25) {
        true => {
            TagName::Fallback(random.pick(names), random.pick(&["", "", ".sig", ".att", ".sbom"]))
        }
        false => TagName::Plain(random.pick(&TAGS)),
    }
}

fn step(random: &mut Random, names: &[Name], people: &[Person]) -> Step {
    let repository = random.pick(&["a/app", "a/app", "a/app", "a/lib", "b/app"]);
    let who = match random.below(100) {
        0..40 => None,
        40..75 => Some(Person::root()),
        _ => Some(random.pick(people)),
    };
    let what = match random.below(100) {
        0..65 => {
            let count = random.pick(&[0, 1, 1, 1, 2]);
            let tags = (0..count).map(|_| tag(random, names)).collect();
            Act::Push(random.pick(names), tags)
        }
        65..75 => Act::Untag(tag(random, names)),
        75..80 => Act::Delete(random.pick(names)),
        _ => Act::Look(tag(random, names), random.chance(40), accept(random)),
    };
    Step { who, repository, what }
}

pub(super) fn accept(random: &mut Random) -> Accept {
    random.pick(&[
        Accept::Silent,
        Accept::All,
        Accept::All,
        Accept::All,
        Accept::DockerImage,
        Accept::OciIndex,
    ])
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = if self.allow { "allow" } else { "deny" };
        let Self { subjects, images, actions, .. } = self;
        write!(f, "subjects: {subjects:?}, images: {images:?}, {effect}: {actions:?}")?;
        // No denial is about root, whoever else it is about.
        let everybody = subjects.iter().any(|subject| !subject.contains(':'));
        match (self.except.is_empty(), !self.allow && everybody) {
            (true, false) => Ok(()),
            (_, true) => write!(f, ", except: {{subjects: [\"user:root\"]}}"),
            (false, false) => write!(f, ", except: {{images: {:?}}}", self.except),
        }
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.subject)?;
        if let Some((images, actions)) = &self.bounds {
            write!(f, " bound to {} on {}", actions.join(","), images.join(" "))?;
        }
        if let Some((repositories, catalog)) = &self.access {
            for (name, actions) in repositories {
                write!(f, " for {name}:{}", actions.join(","))?;
            }
            write!(f, "{}", if *catalog { " for the catalogue" } else { " for no catalogue" })?;
        }
        Ok(())
    }
}

impl fmt::Display for TagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => f.write_str(text),
            Self::Fallback(name, ending) => write!(f, "sha256-<c{name}>{ending}"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Some(person) => write!(f, "{person} through the gate: ")?,
            None => write!(f, "outside: ")?,
        }
        let repository = self.repository;
        match &self.what {
            Act::Push(name, tags) => {
                let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
                write!(f, "push c{name} to {repository} as [{}]", tags.join(" "))
            }
            Act::Untag(tag) => write!(f, "delete {repository}:{tag}"),
            Act::Delete(name) => write!(f, "delete {repository}@c{name}"),
            Act::Look(tag, head, accept) => {
                let method = if *head { "HEAD" } else { "GET" };
                write!(f, "{method} {repository}:{tag}, accepting {accept:?}")
            }
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "world {}: {:?}", self.seed, self.manners)?;
        for (name, recipe) in &self.contents {
            writeln!(f, "  c{name} = {recipe}")?;
        }
        write!(f, "{}", self.policy())?;
        for person in &self.people {
            writeln!(f, "  person: {person}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        Ok(())
    }
}
