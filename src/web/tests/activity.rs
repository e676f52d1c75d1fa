//! Who pushed and pulled what, on the pages.

use jiff::{SignedDuration, Timestamp};
use oci::{RepositoryName, Tag};
use policy::Subject;

use super::*;
use crate::inventory::{Facts, Lesson};
use crate::state::Pulled;
use crate::store::Pushed;

fn here() -> RepositoryName {
    RepositoryName::new("prod/api").unwrap()
}

struct Pages {
    browser: Browser,
    one: Sample,
    two: Sample,
    began: Timestamp,
}

/// `v1` was moved from one image to the other, and `v2` and `v3` are on the first.
async fn pages() -> Pages {
    let (browser, _) = Browser::of_alice().await;
    let (one, two) = (image("one", &["a"]), image("two", &["b"]));
    {
        let mut shelf = browser.scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf)
            .tagged("prod/api", "v1", &two)
            .tagged("prod/api", "v2", &one)
            .tagged("prod/api", "v3", &one);
    }
    let began = browser.scene.now();
    let pages = Pages { browser, one, two, began };
    let at = |minutes| pages.at(minutes);
    let manifest = |sample: &Sample| Lesson::Manifest {
        digest: sample.digest.clone(),
        facts: Arc::new(Facts::from(&sample.manifest)),
    };
    let on = |tag: &str, sample: &Sample, minutes| Lesson::Tag {
        tag: Tag::new(tag).unwrap(),
        digest: sample.digest.clone(),
        at: at(minutes),
    };
    let push = |tags: &[&str], sample: &Sample, minutes| Pushed {
        repository: here(),
        digest: sample.digest.clone(),
        tags: tags.iter().map(|tag| Tag::new(tag).unwrap()).collect(),
        by: Subject::Service("<b>ci</b>".to_owned()),
        at: at(minutes),
    };
    let pushes = [push(&["v1", "v2", "v3"], &pages.one, -9), push(&["v1"], &pages.two, -5)];
    let lessons = [
        manifest(&pages.one),
        manifest(&pages.two),
        on("v1", &pages.one, -9),
        on("v1", &pages.two, -5),
        on("v2", &pages.one, -9),
        on("v3", &pages.one, -9),
    ];
    let lessons: Vec<_> = lessons.into_iter().map(|lesson| (here(), lesson)).collect();
    for (repository, lesson) in &lessons {
        pages.browser.scene.api.images.inventory.apply(repository, lesson);
    }
    let (state, now) = (&pages.browser.scene.issue.state, at(0));
    state.ask(move |store| async move { store.learn(&lessons, now).await }).await.unwrap();
    pushes.into_iter().for_each(|push| state.note_push(push));
    state.write_pushes().await.unwrap();
    state.look().await.unwrap();
    pages
}

impl Pages {
    fn at(&self, minutes: i64) -> Timestamp {
        self.began + SignedDuration::from_mins(minutes)
    }

    /// As it stands on a page.
    fn shown(&self, minutes: i64) -> String {
        shown::Moment::of(self.at(minutes)).to_string()
    }

    async fn pull(&self, groups: &[&str], of: &Sample, minutes: i64) {
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let state = &self.browser.scene.issue.state;
        state.note_pull(Pulled {
            repository: &here(),
            digest: &of.digest,
            tag: None,
            by: &Subject::User("carol".to_owned()),
            groups: &groups,
            at: self.at(minutes),
        });
        state.write_pulls(true).await.unwrap();
    }

    async fn get(&self, path: &str) -> String {
        let page = self.browser.get(path).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        page.text
    }

    /// The tags in the order in which they are shown.
    async fn tags(&self, query: &str) -> Vec<String> {
        let text = self.get(&format!("/ui/repository?name=prod/api{query}")).await;
        let links = text.split(r#"<td class="tagname"><a href="/ui/image?ref=prod/api:"#).skip(1);
        links.map(|link| link.split('"').next().unwrap().to_owned()).collect()
    }
}

/// What stands between the rows of a table that name one thing and the next.
fn section<'t>(text: &'t str, id: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!(r#"<section class="card" id="{id}">"#)).unwrap();
    rest.split("</section>").next().unwrap()
}

#[tokio::test]
async fn a_repository_tells_who_pushed_and_to_administrators_who_pulled() {
    let mut pages = pages().await;
    let path = "/ui/repository?name=prod/api";
    let text = pages.get(path).await;
    assert!(text.contains(&pages.shown(-9)) && text.contains(&pages.shown(-5)), "{text}");
    assert!(text.contains("service:&#60;b&#62;ci&#60;/b&#62;") && !text.contains("<b>"), "{text}");
    assert!(text.contains("not yet") && !text.contains(&pages.shown(-2)), "{text}");
    pages.pull(&[], &pages.two.clone(), -2).await;
    let text = pages.get(path).await;
    assert!(text.contains(&pages.shown(-2)) && !text.contains("carol"), "{text}");
    pages.browser.sign_in("root", PASSWORD).await;
    let text = pages.get(path).await;
    assert!(text.contains("by user:carol"), "{text}");
}

#[tokio::test]
async fn tags_are_sorted_and_filtered_by_what_is_known_of_them() {
    let pages = pages().await;
    pages.pull(&[], &pages.one.clone(), -2).await;
    assert_eq!(pages.tags("").await, ["v1", "v2", "v3"]);
    assert_eq!(pages.tags("&order=desc").await, ["v3", "v2", "v1"]);
    assert_eq!(pages.tags("&sort=pushed").await, ["v1", "v2", "v3"]);
    assert_eq!(pages.tags("&sort=pushed&order=asc").await, ["v2", "v3", "v1"]);
    assert_eq!(pages.tags("&sort=pulled").await, ["v2", "v3", "v1"]);
    assert_eq!(pages.tags("&sort=pulled&order=asc").await, ["v2", "v3", "v1"], "not pulled");
    assert_eq!(pages.tags("&tag=3").await, ["v3"]);
    assert_eq!(pages.tags("&tag=4").await, [""; 0]);
    // All are held until one is flagged.
    assert_eq!(pages.tags("&verdict=passed").await, [""; 0]);
    let form = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", "set")];
    let page = pages.browser.send("/ui/image/flags", &form).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(pages.tags("&verdict=passed").await, ["v1"]);
    assert_eq!(pages.tags("&verdict=held&order=desc").await, ["v3", "v2"]);
    assert_eq!(pages.tags("&flag=tested").await, ["v1"]);
    assert_eq!(pages.tags("&sort=verdict").await, ["v2", "v3", "v1"]);
    assert_eq!(pages.tags("&sort=verdict&order=asc").await, ["v1", "v2", "v3"]);
    let text = pages.get("/ui/repository?name=prod/api&tag=v&sort=pushed").await;
    assert!(text.contains(r#"<th aria-sort="descending"><a href="/ui/repository?name=prod/api&#38;tag=v&#38;sort=pushed&#38;order=asc">Pushed</a>"#), "{text}");
    assert!(
        text.contains(
            r#"<th aria-sort="none"><a href="/ui/repository?name=prod/api&#38;tag=v">Tag</a>"#
        ),
        "{text}"
    );
}

#[tokio::test]
async fn a_repository_of_many_tags_is_shown_in_pages() {
    let pages = pages().await;
    let lessons = (0..101).map(|number| {
        let tag = Tag::new(&format!("w{number:03}")).unwrap();
        (here(), Lesson::Tag { tag, digest: pages.one.digest.clone(), at: pages.at(0) })
    });
    let lessons: Vec<_> = lessons.collect();
    let (state, now) = (&pages.browser.scene.issue.state, pages.at(0));
    state.ask(move |store| async move { store.learn(&lessons, now).await }).await.unwrap();
    state.look().await.unwrap();
    for sort in ["tag", "pushed", "size"] {
        let mut told = Vec::new();
        for page in 1..=3 {
            let some = pages.tags(&format!("&sort={sort}&page={page}")).await;
            assert_eq!(some.len(), if page < 3 { 50 } else { 4 }, "{sort} {page}");
            told.extend(some);
        }
        told.sort();
        told.dedup();
        assert_eq!(told.len(), 104, "{sort}");
        // Of what is not there the last page is shown.
        assert_eq!(pages.tags(&format!("&sort={sort}&page=99")).await.len(), 4, "{sort}");
    }
    let text = pages.get("/ui/repository?name=prod/api&page=2").await;
    assert!(text.contains("page 2 of 3"), "{text}");
    assert!(
        text.contains(r#"rel="next" href="/ui/repository?name=prod/api&#38;page=3""#),
        "{text}"
    );
    assert!(text.contains(r#"rel="prev" href="/ui/repository?name=prod/api""#), "{text}");
}

#[tokio::test]
async fn an_image_tells_where_its_tag_pointed_and_what_was_done_with_it() {
    let pages = pages().await;
    pages.pull(&[], &pages.two.clone(), -3).await;
    pages.pull(&[], &pages.two.clone(), -1).await;
    let text = pages.get("/ui/image?ref=prod/api:v1").await;
    let history = section(&text, "history");
    let (now, before) = history.split_once(&pages.shown(-9)).unwrap();
    assert!(now.contains(&pages.shown(-5)) && now.contains("pushed by service:"), "{history}");
    assert!(before.contains(&shown::short(&pages.one.digest)), "{history}");
    let activity = section(&text, "activity");
    for (minutes, what) in [(-5, "pushed"), (-3, "for the first time"), (-1, "pulled last")] {
        let (_, rest) = activity.split_once(&pages.shown(minutes)).unwrap();
        assert!(rest.contains(what), "{activity}");
    }
    assert!(!activity.contains("carol"), "{activity}");
    for what in ["set", "remove"] {
        let form = [("ref", "prod/api:v1"), ("flag", "tested"), ("do", what)];
        let page = pages.browser.send("/ui/image/flags", &form).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    }
    let text = pages.get("/ui/image?ref=prod/api:v1").await;
    assert!(section(&text, "activity").contains("flag tested taken away"), "{text}");
    let digest = &pages.two.digest;
    let text = pages.get(&format!("/ui/image?ref=prod/api@{digest}")).await;
    assert!(section(&text, "history").contains("never changes"), "{text}");
}

#[tokio::test]
async fn a_vulnerability_shows_first_what_a_group_pulled_last() {
    let mut pages = pages().await;
    let finding = json!({
        "VulnerabilityID": "CVE-2025-0001", "PkgName": "zlib1g", "InstalledVersion": "1",
        "Severity": "HIGH", "Title": HOSTILE, "Description": "it overflows",
        "PrimaryURL": "https://nvd.example/CVE-2025-0001",
        "References": ["javascript:alert(1)"],
    });
    for (tag, sample) in [("v1", &pages.two), ("v2", &pages.one)] {
        let id = sample.manifest.config.as_ref().unwrap().digest.to_string();
        let report = json!({
            "SchemaVersion": 2, "CreatedAt": "2025-11-01T00:00:00Z", "ArtifactName": "api",
            "ArtifactType": "container_image", "Metadata": {"ImageID": id},
            "Results": [{"Target": "debian", "Class": "os-pkgs", "Type": "debian",
                "Vulnerabilities": [finding]}],
        })
        .to_string();
        let path = format!("/image/report?ref=prod/api:{tag}");
        let who = As::User("alice");
        let sent = pages.browser.scene.ask(who, Method::PUT, &path, &report).await;
        assert_eq!(sent.status, StatusCode::OK, "{}", sent.text);
    }
    pages.pull(&["ops"], &pages.one.clone(), -3).await;
    pages.pull(&["ops", "secret-fleet"], &pages.two.clone(), -2).await;
    pages.pull(&["secret-fleet"], &pages.one.clone(), -1).await;
    let path = "/ui/vulnerability?id=cve-2025-0001";
    let text = pages.get(path).await;
    assert!(text.contains("it overflows") && text.contains(ESCAPED), "{text}");
    assert!(text.contains(r#"href="https://nvd.example/CVE-2025-0001""#), "{text}");
    assert!(!text.contains("javascript:") && !text.contains("secret-fleet"), "{text}");
    for tag in ["v1", "v2", "v3"] {
        assert!(text.contains(&format!(r#"href="/ui/image?ref=prod/api:{tag}""#)), "{text}");
    }
    assert!(text.contains("<option>ops</option>"), "{text}");
    let order = |text: &str| {
        let digests = [&pages.two, &pages.one].map(|it| text.find(&it.digest.to_string()));
        digests[0] < digests[1]
    };
    let ops = pages.get(&format!("{path}&group=ops")).await;
    assert!(order(&ops), "{ops}");
    assert!(ops.contains("Pulled by ops") && ops.contains("<option selected>ops"), "{ops}");
    let denied = pages.browser.get(&format!("{path}&group=secret-fleet")).await;
    assert_eq!(denied.status, StatusCode::FORBIDDEN, "{}", denied.text);
    pages.browser.sign_in("root", PASSWORD).await;
    let text = pages.get(&format!("{path}&group=secret-fleet")).await;
    let digests = [&pages.one, &pages.two].map(|sample| text.find(&sample.digest.to_string()));
    assert!(digests[0] < digests[1], "{text}");
}
