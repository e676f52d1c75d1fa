//! Questions to the gate, and whether its answers are those of the reference.

use std::collections::{BTreeMap, BTreeSet};

use oci::{Algorithm, Digest};
use serde_json::Value;

use super::generate::{self, Accept, Person, REPOSITORIES, World};
use super::history::{History, manifest};
use super::random::Random;
use super::reference::Reference;
use super::registry::{Registry, Said};
use super::routes::Expected;
use super::scene::{Answer, Ask};
use crate::content::digest;
use crate::upstream::fake::Asked;

/// What is asked, by whom.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) person: Person,
    pub(super) route: Route,
    head: bool,
    accept: Accept,
    /// A part of a blob.
    range: bool,
    /// The client has it already.
    has_it: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Route {
    Tag(&'static str, String),
    Manifest(&'static str, Digest),
    Blob(&'static str, Digest),
    Tags(&'static str, Option<usize>),
    Catalog(Option<usize>),
    Referrers(&'static str, Digest, Option<&'static str>),
    Mount(&'static str, &'static str, Digest),
}

/// Where the gate's answer is another than the reference's.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    /// Of one sort are those that probably have one cause.
    pub(super) sort: String,
    pub(super) told: String,
}

/// A digest that nothing has.
pub(super) fn nothing() -> Digest {
    digest(Algorithm::Sha256, b"this is nowhere")
}

/// Every question that there is about a world, in any order.
pub(super) fn questions(world: &World, registry: &Registry, random: &mut Random) -> Vec<Question> {
    let mut questions = Vec::new();
    let root = Person::root();
    for person in world.people.iter().chain([&root]) {
        let mut ask = |route: Route, random: &mut Random| {
            // The one who may do everything is asked little: the answers are the registry's.
            if *person == root && !random.chance(15) {
                return;
            }
            questions.push(Question {
                person: person.clone(),
                route,
                head: random.chance(35),
                accept: generate::accept(random),
                range: random.chance(25),
                has_it: random.chance(20),
            });
        };
        for repository in REPOSITORIES {
            let held = registry.held(repository);
            if held.is_none() && random.chance(70) {
                continue;
            }
            let tags: Vec<String> =
                held.into_iter().flat_map(|held| held.tags.keys().cloned()).collect();
            let absent = random.pick(&["v1", "prod", "absent"]).to_owned();
            for tag in tags.into_iter().chain([absent]) {
                ask(Route::Tag(repository, tag), random);
            }
            let nothing = nothing();
            for digest in registry.library.manifests.keys().chain([&nothing]) {
                let is_here = held.is_some_and(|held| held.manifests.contains(digest));
                if !is_here && random.chance(90) {
                    continue;
                }
                ask(Route::Manifest(repository, digest.clone()), random);
                if random.chance(40) {
                    let wanted = random.chance(30).then_some("application/vnd.example.sbom");
                    ask(Route::Referrers(repository, digest.clone(), wanted), random);
                }
            }
            for digest in registry.library.blobs.keys().chain([&nothing]) {
                let is_here = held.is_some_and(|held| held.blobs.contains(digest));
                if !is_here && random.chance(90) {
                    continue;
                }
                ask(Route::Blob(repository, digest.clone()), random);
                if random.chance(20) {
                    let to = random.pick(&REPOSITORIES);
                    ask(Route::Mount(to, repository, digest.clone()), random);
                }
            }
            let n = random.chance(70).then(|| random.between(1, 4));
            ask(Route::Tags(repository, n), random);
        }
        let n = random.chance(70).then(|| random.between(1, 3));
        ask(Route::Catalog(n), random);
    }
    random.shuffle(&mut questions);
    questions
}

impl Question {
    fn ask(&self) -> Ask {
        let read = if self.head { "HEAD" } else { "GET" };
        let target = |target: String| Ask { method: "GET", target, ..Ask::default() };
        let mut ask = match &self.route {
            Route::Tag(repository, tag) => manifest(read, repository, tag, self.accept),
            Route::Manifest(repository, digest) => {
                manifest(read, repository, &digest.to_string(), self.accept)
            }
            Route::Blob(repository, digest) => {
                Ask { method: read, ..target(format!("/v2/{repository}/blobs/{digest}")) }
            }
            Route::Tags(repository, n) => target(format!("/v2/{repository}/tags/list{}", page(*n))),
            Route::Catalog(n) => target(format!("/v2/_catalog{}", page(*n))),
            Route::Referrers(repository, digest, wanted) => {
                let wanted = wanted.map(|wanted| format!("?artifactType={wanted}"));
                let wanted = wanted.unwrap_or_default();
                target(format!("/v2/{repository}/referrers/{digest}{wanted}"))
            }
            Route::Mount(to, from, digest) => Ask {
                method: "POST",
                ..target(format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}"))
            },
        };
        if let (Route::Manifest(_, digest) | Route::Blob(_, digest), true) =
            (&self.route, self.has_it)
        {
            ask.headers.push(("if-none-match", format!("\"{digest}\"")));
        } else if let (Route::Blob(..), true) = (&self.route, self.range) {
            ask.headers.push(("range", "bytes=2-5".to_owned()));
        }
        ask
    }

    fn expected(&self, reference: &Reference<'_>) -> Expected {
        match &self.route {
            Route::Tag(repository, tag) => reference.tag(repository, tag, self.head),
            Route::Manifest(repository, digest) => {
                reference.manifest(repository, digest, self.head)
            }
            Route::Blob(repository, digest) => reference.blob(repository, digest, self.head),
            Route::Tags(repository, _) => reference.tags(repository),
            Route::Catalog(_) => reference.catalog(),
            Route::Referrers(repository, digest, wanted) => {
                reference.referrers(repository, digest, *wanted)
            }
            Route::Mount(to, from, digest) => reference.mount(to, from, digest),
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match &self.route {
            Route::Tag(..) => "tag",
            Route::Manifest(..) => "manifest",
            Route::Blob(..) => "blob",
            Route::Tags(..) => "tags",
            Route::Catalog(..) => "catalog",
            Route::Referrers(..) => "referrers",
            Route::Mount(..) => "mount",
        }
    }
}

fn page(n: Option<usize>) -> String {
    n.map(|n| format!("?n={n}")).unwrap_or_default()
}

/// What was found out by asking.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) differences: Vec<Difference>,
    pub(super) asked: usize,
    /// Questions to which there was more than one right answer.
    pub(super) unsure: usize,
    /// Questions that were answered with content.
    pub(super) served: usize,
    /// 404 by person, repository and kind: what is hidden, and what is nowhere, must look alike.
    absences: BTreeMap<(Person, &'static str, &'static str), BTreeSet<Vec<u8>>>,
}

impl Findings {
    /// Asks, and compares.
    pub(super) async fn compare(&mut self, history: &mut History<'_>, question: &Question) {
        let ask = question.ask();
        let answer = history.send(&question.person, &ask).await;
        let mut pages = vec![answer.clone()];
        while let Some(next) = next(&pages[pages.len() - 1]).filter(|_| pages.len() < 50) {
            let ask = Ask { target: next, ..ask.clone() };
            pages.push(history.send(&question.person, &ask).await);
        }
        let principal = history.scene.principal(&question.person).await;
        let policy = history.scene.policy();
        let mut registry = history.scene.registry.lock().unwrap();
        let reference = Reference {
            registry: &registry,
            policy: &policy,
            person: &principal,
            memory: &history.memory,
        };
        let expected = question.expected(&reference);
        let itself = registry.answer(&asked(&ask));
        let whole = Ask { headers: without_condition(&ask), ..ask.clone() };
        let whole = registry.answer(&asked(&whole));
        self.asked += 1;
        self.unsure += usize::from(matches!(expected, Expected::AnyOf(_)));
        self.served += usize::from(answer.status < 300);
        self.note_absence(question, &expected, &answer);
        let compared = Compared {
            question,
            answer: &answer,
            pages: &pages,
            itself: &itself,
            whole: &whole,
            registry: &registry,
        };
        if let Some(wrong) = compared.wrong(&expected) {
            let headers: Vec<_> = ask.headers.iter().map(|(n, v)| format!("{n}: {v}")).collect();
            let told = format!(
                "{}: {} {} [{}]\n  expected {expected:?}\n  answered {} {:?}\n  {wrong}",
                question.person,
                ask.method,
                ask.target,
                headers.join(", "),
                answer.status,
                String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)]),
            );
            let sort =
                format!("{}, {} in place of {}", question.kind(), answer.status, brief(&expected));
            self.differences.push(Difference { sort, told: registry.library.call(&told) });
        }
    }

    /// Denied and absent must be told in the same words to whoever may not know which it is.
    fn note_absence(&mut self, question: &Question, expected: &Expected, answer: &Answer) {
        let (repository, digest) = match &question.route {
            Route::Manifest(repository, digest) | Route::Blob(repository, digest) => {
                (*repository, digest)
            }
            _ => return,
        };
        let counts = *expected == Expected::Hidden || *digest == nothing();
        if question.head || answer.status != 404 || !counts {
            return;
        }
        let bodies = self
            .absences
            .entry((question.person.clone(), repository, question.kind()))
            .or_default();
        if bodies.insert(answer.body.to_vec()) && bodies.len() == 2 {
            let bodies: Vec<_> = bodies.iter().map(|body| String::from_utf8_lossy(body)).collect();
            self.differences.push(Difference {
                sort: format!("{}, absent and denied differ", question.kind()),
                told: format!(
                    "{}: {} in {repository}: what is denied and what is absent look different: {}",
                    question.person,
                    question.kind(),
                    bodies.join(" and ")
                ),
            });
        }
    }
}

fn brief(expected: &Expected) -> &'static str {
    match expected {
        Expected::Registry | Expected::Whole => "the registry's",
        Expected::Hidden => "404",
        Expected::Denied => "403",
        Expected::Scope => "401",
        Expected::Upload => "202",
        Expected::List(..) => "another list",
        Expected::AnyOf(_) => "any of several",
    }
}

struct Compared<'a> {
    question: &'a Question,
    answer: &'a Answer,
    pages: &'a [Answer],
    itself: &'a Said,
    whole: &'a Said,
    registry: &'a Registry,
}

impl Compared<'_> {
    /// What is wrong with the answer.
    fn wrong(&self, expected: &Expected) -> Option<String> {
        let status = |status: u16| {
            (self.answer.status != status).then(|| format!("{status} would be right"))
        };
        match expected {
            Expected::Registry => self.differs(self.itself),
            Expected::Whole => {
                self.differs(self.whole).filter(|_| self.differs(self.itself).is_some())
            }
            Expected::Hidden => status(404),
            Expected::Denied => status(403),
            Expected::Scope => status(401),
            Expected::Upload => status(202),
            Expected::List(surely, perhaps) => self.list(surely, perhaps),
            Expected::AnyOf(several) => {
                let wrong: Vec<_> = several.iter().map(|one| self.wrong(one)).collect();
                wrong.into_iter().collect::<Option<Vec<_>>>().map(|all| all.join(", or "))
            }
        }
    }

    fn differs(&self, said: &Said) -> Option<String> {
        if self.answer.status != said.status {
            return Some(format!("the registry itself answers {}", said.status));
        }
        if said.status >= 400 {
            return None;
        }
        for name in ["content-type", "docker-content-digest", "etag", "content-range"] {
            if said.header(name) != self.answer.header(name) {
                return Some(format!("`{name}` differs"));
            }
        }
        let length = said.body.len().to_string();
        let has_body = matches!(self.question.route, Route::Mount(..)) || said.status == 304;
        match self.question.head {
            _ if has_body => None,
            true if self.answer.header("content-length") != Some(&length) => {
                Some(format!("the length is {length}"))
            }
            false if self.answer.body != said.body => Some("the bytes differ".to_owned()),
            _ => None,
        }
    }

    /// All pages together, and each by itself.
    fn list(&self, surely: &BTreeSet<String>, perhaps: &BTreeSet<String>) -> Option<String> {
        let mut all: Vec<String> = Vec::new();
        for page in self.pages {
            if page.status != 200 {
                return Some(format!("a page is a {}", page.status));
            }
            let Ok(body) = serde_json::from_slice::<Value>(&page.body) else {
                return Some("a page is no JSON".to_owned());
            };
            let names = names(&body);
            let n = match &self.question.route {
                Route::Tags(_, n) | Route::Catalog(n) => *n,
                _ => None,
            };
            if n.is_some_and(|n| names.len() > n) {
                return Some("a page is too long".to_owned());
            }
            if let Some(link) = page.header("link")
                && let Some((_, last)) = link.split_once("last=")
                && let Some(last) = last.split(['&', '>']).next()
                && !names.contains(&last.replace("%2F", "/"))
            {
                return Some(format!("a link names {last}"));
            }
            all.extend(names);
        }
        let shown: BTreeSet<String> = all.iter().cloned().collect();
        if shown.len() != all.len() {
            return Some("an entry is shown twice".to_owned());
        }
        let missing: Vec<_> = surely.difference(&shown).collect();
        let more = shown.iter().filter(|name| !surely.contains(*name) && !perhaps.contains(*name));
        let more: Vec<_> = more.collect();
        if !missing.is_empty() || !more.is_empty() {
            return Some(format!("missing {missing:?}, too many {more:?}"));
        }
        let in_order = !matches!(self.question.route, Route::Referrers(..));
        if in_order && !self.registry.manners.unsorted && !all.is_sorted() {
            return Some("it is in no order".to_owned());
        }
        None
    }
}

/// Tags, repositories, or the digests of manifests.
fn names(body: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |key: &str| body[key].as_array().cloned().unwrap_or_default();
    let mut names: Vec<String> =
        [list("tags"), list("repositories")].concat().iter().filter_map(text).collect();
    names.extend(list("manifests").iter().filter_map(|entry| text(&entry["digest"])));
    names
}

/// Where the next page of a list is.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?;
    let (target, _) = link.strip_prefix('<')?.split_once('>')?;
    Some(target.to_owned())
}

fn without_condition(ask: &Ask) -> Vec<(&'static str, String)> {
    let headers = ask.headers.iter();
    headers.filter(|(name, _)| *name != "if-none-match").cloned().collect()
}

/// The same request, made to the registry.
fn asked(ask: &Ask) -> Asked {
    Asked {
        method: ask.method.to_owned(),
        target: ask.target.clone(),
        headers: ask.headers.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
        body: ask.body.clone(),
        connection: 0,
    }
}
