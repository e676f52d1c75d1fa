//! Pages over a registry with many images: that they show what is there, and what they take.
//!
//! There are few images, unless `PORTCULLIS_FIGURES` says how many tags each of 350 repositories is
//! to have. Then what was measured is printed, a JSON object a line (docs/performance.md).

use std::time::{Duration, Instant};

use jiff::Timestamp;
use oci::{RepositoryName, Tag};
use reports::{Finding, Format, Package, Scanner, Severity, Status, VulnerabilityId};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::inventory::Lesson;
use crate::release::{Description, Flag, KeptFinding, KeptReport};
use crate::state::{State, sample};
use crate::store::StoreUrl;
use crate::store::tests::postgres_server::Postgres;
use crate::upstream::fake::Shelf;

/// Alice reads all repositories, bob tags of them: of each of his it has to be asked by itself.
const POLICY: &str = r#"
flags: {tested: {}}
rules:
  - {name: reads, subjects: ["user:alice"], images: ["**"], allow: [pull]}
  - {name: reads-versions, subjects: ["user:bob"], images: ["**:v*"], allow: [pull]}
gates:
  - {name: production, images: ["backend-00*/**"], require: {flags: [tested]}}
"#;

/// How many repositories have a gate.
const GATED: usize = 10;

/// In half of the images.
const COMMON: &str = "CVE-2021-44228";

/// In one image, which has so many findings.
const RARE: &str = "CVE-2026-1000";
const MOST_FINDINGS: usize = 1500;

const ROUNDS: usize = 10;

/// The most images on a page of a search.
const ON_A_PAGE: usize = 50;

struct Size {
    repositories: usize,
    tags: usize,
    is_measured: bool,
}

impl Size {
    fn asked_for() -> Self {
        let tags = std::env::var("PORTCULLIS_FIGURES").ok().and_then(|text| text.parse().ok());
        match tags {
            Some(tags) => Self { repositories: 350, tags, is_measured: true },
            None => Self { repositories: 12, tags: 6, is_measured: false },
        }
    }

    fn images(&self) -> usize {
        self.repositories * self.tags
    }
}

fn repository(number: usize) -> RepositoryName {
    RepositoryName::new(&format!("backend-{number:03}/app")).unwrap()
}

fn finding(id: &str, package: &str, first_seen: Timestamp) -> KeptFinding {
    let finding = Finding {
        id: VulnerabilityId::new(id).unwrap(),
        aliases: Vec::new(),
        package: Package {
            name: package.to_owned(),
            version: "1.2.3-4+deb12u1".to_owned(),
            purl: Some(format!("pkg:deb/debian/{package}@1.2.3-4%2Bdeb12u1?arch=amd64")),
            kind: Some("debian".to_owned()),
            ..Package::default()
        },
        layer: None,
        severity: Severity::High,
        severity_source: Some("nvd".to_owned()),
        cvss: Vec::new(),
        fixed_in: vec!["1.2.4".to_owned()],
        status: Status::Fixed,
        title: Some(format!("{id}: something may be written past its end")),
        description: Some("Something is written past its end. ".repeat(12)),
        links: vec![format!("https://advisories.example/{id}")],
        weaknesses: vec!["CWE-787".to_owned()],
        published: None,
    };
    KeptFinding { finding, first_seen }
}

/// Of every second image.
fn report(number: usize, sample: &Sample, of: RepositoryName, now: Timestamp) -> KeptReport {
    let mut findings = vec![
        finding(COMMON, "liblog", now),
        finding(&format!("CVE-2025-{}", number % 500), "zlib1g", now),
    ];
    if number == 0 {
        let more = (findings.len()..MOST_FINDINGS)
            .map(|index| finding(&format!("{RARE}{index:04}"), &format!("package-{index}"), now));
        findings.extend(more);
    }
    KeptReport {
        repository: of,
        digest: sample.digest.clone(),
        uploader: "service:ci/scan".parse().unwrap(),
        uploader_groups: Vec::new(),
        format: Format::Trivy,
        scanner: Scanner { name: "Trivy".to_owned(), version: None, database: None },
        made_at: now,
        received_at: now,
        recognized: true,
        findings,
    }
}

/// All images have a label, half of them a report, a third a flag.
async fn fill(state: &State, size: &Size, shelf: &mut Shelf, now: Timestamp) {
    for number in 0..size.repositories {
        let name = repository(number);
        let (mut lessons, mut described) = (Vec::new(), Vec::new());
        for tag in 0..size.tags {
            let number = number * size.tags + tag;
            let sample = image(&number.to_string(), &["a"]);
            let tag = Tag::new(&format!("v{tag:04}")).unwrap();
            *shelf = std::mem::take(shelf).tagged(name.as_str(), tag.as_str(), &sample);
            let digest = sample.digest.clone();
            let labels = [("org.example.team", format!("crew-{}", number % 100))];
            let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
            described.push((digest.clone(), Description { labels, ..Description::default() }));
            let facts = Arc::new((&sample.manifest).into());
            let manifest = Lesson::Manifest { digest: digest.clone(), facts };
            let tag = Lesson::Tag { tag, digest: digest.clone(), at: now };
            lessons.extend([manifest, tag].map(|lesson| (name.clone(), lesson)));
            if number.is_multiple_of(2) {
                let report = report(number, &sample, name.clone(), now);
                state.ask(|store| async move { store.keep_report(&report).await }).await.unwrap();
            }
            if number.is_multiple_of(3) {
                let flag = Flag {
                    repository: name.clone(),
                    digest,
                    name: "tested".to_owned(),
                    by: "user:qa".parse().unwrap(),
                    from: None,
                    at: now,
                    reason: None,
                    link: None,
                    expires_at: None,
                };
                state.ask(|store| async move { store.set_flag(&flag).await }).await.unwrap();
            }
        }
        state.ask(|store| async move { store.learn(&lessons, now).await }).await.unwrap();
        state.ask(|store| async move { store.describe(&described).await }).await.unwrap();
    }
    state.look().await.unwrap();
}

struct Measuring<'a> {
    engine: &'a str,
    size: &'a Size,
    browser: Browser,
    reader: &'a str,
}

impl Measuring<'_> {
    /// Measured from the request to its last byte; the first time apart, as the registry is asked then
    /// for what nobody has looked at yet.
    async fn page(&self, what: &str, path: &str) -> Page {
        let (mut times, mut last) = (Vec::new(), None);
        for _ in 0..if self.size.is_measured { ROUNDS } else { 1 } {
            let begun = Instant::now();
            let page = self.browser.get(path).await;
            times.push(begun.elapsed());
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text);
            last = Some(page);
        }
        if self.size.is_measured {
            let first = times.remove(0);
            times.sort();
            let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
            let told = json!({
                "engine": self.engine, "images": self.size.images(), "reader": self.reader,
                "page": what, "ms": milliseconds(times[times.len() / 2]),
                "first_ms": milliseconds(first),
            });
            println!("{told}");
        }
        last.unwrap()
    }

    /// A page with so many images.
    async fn lists(&self, what: &str, path: &str, images: usize) {
        let page = self.page(what, path).await;
        let shown = page.text.matches(r#"href="/ui/image?ref="#).count();
        assert_eq!(shown, images, "{path}: {}", page.text);
    }

    async fn searches(&self) {
        let (all, tags) = (self.size.images(), self.size.tags);
        let most = |images: usize| images.min(ON_A_PAGE);
        self.lists("nothing asked", "/", 0).await;
        self.lists("nothing fits", "/?q=xyzzyx", 0).await;
        self.lists("all fit", "/?q=app", most(all)).await;
        self.lists("one letter wrong", "/?q=bakcend-003", most(tags)).await;
        self.lists("by label", "/?q=label:crew-7", most(crew(self.size))).await;
        self.lists("with a flag", "/?flag=tested", most(all.div_ceil(3))).await;
        self.lists("by CVE in half of all", &format!("/?q=app+{COMMON}"), most(all / 2)).await;
        self.lists("by package in half of all", "/?q=app+package:liblog", most(all / 2)).await;
        let gated = GATED * tags;
        self.lists("held by a gate", "/?verdict=held", most(gated - gated.div_ceil(3))).await;
    }
}

/// How many images have a label that begins with `crew-7`, and are not held by the gate: a label is in
/// the image.
fn crew(size: &Size) -> usize {
    let is_held = |number: usize| number / size.tags < GATED && !number.is_multiple_of(3);
    let labelled = |number: &usize| format!("crew-{}", number % 100).starts_with("crew-7");
    (0..size.images()).filter(labelled).filter(|&number| !is_held(number)).count()
}

async fn over(engine: &str, state: Arc<State>, folder: TempDir) {
    let (size, now) = (Size::asked_for(), Timestamp::from_second(1_800_000_000).unwrap());
    let mut shelf = Shelf::default();
    fill(&state, &size, &mut shelf, now).await;
    let scene = Scene::on((state, folder), POLICY, false).await;
    *scene.shelf.lock().unwrap() = shelf;
    let router = router(Arc::clone(&scene.api));
    let browser = Browser { scene, router, cookie: None };
    let mut measuring = Measuring { engine, size: &size, browser, reader: "" };
    for reader in ["alice", "bob"] {
        measuring.reader = reader;
        measuring.browser.sign_in(reader, PASSWORD).await;
        measuring.searches().await;
    }
    measuring.browser.sign_in("alice", PASSWORD).await;
    measuring.reader = "alice";
    let of_one = "/ui/repository?name=backend-011/app";
    measuring.lists("a repository", of_one, size.tags.min(ON_A_PAGE)).await;
    let with_many = "/ui/image?ref=backend-000/app:v0000";
    let page = measuring.page("an image with 1,500 findings", with_many).await;
    let last = format!("{RARE}{:04}", MOST_FINDINGS - 1);
    assert!(page.text.contains(&last), "{}", page.text);
}

#[tokio::test]
async fn pages_show_what_is_there_in_sqlite() {
    let (state, folder) = sample::kept(Arc::new(Clock::start()));
    over("SQLite", state, folder).await;
}

#[tokio::test]
async fn pages_show_what_is_there_in_postgresql() {
    let server = Postgres::start();
    let url: StoreUrl = server.url().parse().unwrap();
    let state = sample::kept_at(url, Arc::new(Clock::start()));
    over("PostgreSQL", state, tempfile::tempdir().unwrap()).await;
}
