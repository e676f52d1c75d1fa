mod catalog;
mod large;
mod referrers;
mod tags;

use std::sync::Arc;

use http_body_util::BodyExt as _;
use oci::{Digest, RepositoryName, Tag};
use policy::{Bounds, Caller, Subject};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::content::samples::{Sample, image, image_about, index, signature};
use crate::inventory::Settings;
use crate::proxy::sample_gate::{forward, gate};
use crate::proxy::{Gate, Limits};
use crate::upstream::fake::{Asked, Fake, Reply};

const POLICY: &str = r#"
rules:
  - {name: whole, subjects: ["user:whole"], images: ["**"], allow: [pull]}
  - {name: tags, subjects: ["user:tags"], images: ["a/app:v*", "c/app:v*"], allow: [pull]}
  - {name: but, subjects: ["user:but"], images: ["a/app"], allow: [pull]}
  - {name: but-dev, subjects: ["user:but"], images: ["a/app:dev*"], deny: [pull]}
  - {name: strict, subjects: ["user:strict"], images: ["a/app"], allow: [pull]}
  - {name: strict-but, subjects: ["user:strict"], images: ["a/app:sha256-*"], deny: [pull]}
"#;

struct World {
    gate: Arc<Gate>,
    fake: Fake,
    _folder: TempDir,
}

impl World {
    async fn new(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(Settings::default(), script).await
    }

    async fn with(
        settings: Settings,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::under(POLICY, settings, script).await
    }

    async fn under(
        policy: &str,
        settings: Settings,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let fake = Fake::start(script).await;
        let (gate, folder) = gate(policy, fake.upstream(), Limits::default(), settings);
        Self { gate, fake, _folder: folder }
    }

    /// Status, link and body of the answer, or the refusal; in place of a cursor stands `*`. Of `whole on a/app:v*` the credential
    /// reaches only so far.
    async fn list(&self, who: &str, request: &str) -> String {
        let told = self.list_as_it_is(who, request).await;
        match told.split_once("cursor=") {
            Some((before, after)) => {
                format!("{before}cursor=*{}", &after[after.find('>').unwrap()..])
            }
            None => told,
        }
    }

    /// Follows the links, and gives what each page shows.
    async fn pages(&self, who: &str, request: &str) -> Vec<Vec<String>> {
        let (mut pages, mut request) = (Vec::new(), request.to_owned());
        loop {
            assert!(pages.len() < 1000, "the pages have no end: {pages:?}");
            let told = self.list_as_it_is(who, &request).await;
            let (head, body) = told.split_once('{').unwrap_or_else(|| panic!("{told}"));
            let body: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
            let entries = ["tags", "repositories", "manifests"].iter().find_map(|it| body.get(it));
            let entries = entries.unwrap().as_array().unwrap().iter();
            let text =
                |entry: &Value| entry.get("digest").unwrap_or(entry).as_str().unwrap().to_owned();
            pages.push(entries.map(text).collect());
            match next_of(head) {
                Some(next) => request = next,
                None => return pages,
            }
        }
    }

    /// The same with its cursor.
    async fn list_as_it_is(&self, who: &str, request: &str) -> String {
        let response = match self.answer(who, request).await {
            Ok(response) => response,
            Err(refusal) => return format!("{} {refusal}", refusal.status().as_u16()),
        };
        let mut told = response.status().as_u16().to_string();
        if let Some(link) = response.headers().get(LINK) {
            told.push_str(&format!(" {}", link.to_str().unwrap()));
        }
        let length = response.headers().get("content-length").cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if request.starts_with("HEAD ") {
            assert_eq!(body, "");
            return format!("{told} of {}", length.unwrap().to_str().unwrap());
        }
        format!("{told} {}", String::from_utf8(body.to_vec()).unwrap())
    }

    async fn answer(&self, who: &str, request: &str) -> Result<Response<Body>, Refusal> {
        let (name, images) = who.split_once(" on ").unzip();
        let bounds = images.map(|images| {
            let images = images.split(' ').map(str::to_owned).collect();
            Arc::new(Bounds::new(images, ["pull"]).unwrap())
        });
        let subject = Subject::User(name.unwrap_or(who).to_owned());
        let caller = Caller { bounds, ..Caller::new(subject, Vec::new()) };
        forward(&self.gate, caller, request, async |mut forwarding, operation| {
            answer(&mut forwarding, operation).await
        })
        .await
    }
}

/// The request for the page that a link leads to.
fn next_of(told: &str) -> Option<String> {
    let (_, link) = told.split_once("</v2/")?;
    Some(format!("GET {}", link.split_once('>')?.0))
}

fn tag_list(tags: &str) -> Reply {
    Reply::new(200, format!(r#"{{"name":"upstream","tags":{tags}}}"#))
}

fn next(target: &str) -> String {
    format!("<{target}>; rel=\"next\"")
}

/// Three pages of tags of `a/app`, not in order, and nothing else.
fn pages(asked: &Asked) -> Reply {
    match asked.target.as_str() {
        "/v2/a/app/tags/list?n=1000" => {
            tag_list(r#"["v2","dev","v10"]"#).with("link", next("/v2/a/app/tags/list?at=1"))
        }
        "/v2/a/app/tags/list?at=1" => {
            tag_list("null").with("link", next("http://there.example/v2/a/app/tags/list?at=2"))
        }
        "/v2/a/app/tags/list?at=2" => tag_list(r#"["V1","v1","not a tag","dev-2"]"#),
        _ => Reply::new(404, "{}"),
    }
}

#[tokio::test]
async fn lists_end_where_the_credential_does() {
    let world = World::new(pages).await;
    let bound = "whole on a/app:v* c/app:v*";
    for request in ["GET a/app/tags/list", "GET a/app/tags/list?n=2", "HEAD a/app/tags/list"] {
        assert_eq!(world.list(bound, request).await, world.list("tags", request).await);
    }
    let absent = world.list("whole on b/app", "GET a/app/tags/list").await;
    assert_eq!(absent, "404 repository name not known to registry");
    let world = World::new(catalog::two_pages).await;
    let told = world.list(bound, "GET _catalog").await;
    assert_eq!(told, r#"200 {"repositories":["a/app"]}"#);
    let told = world.list("whole on c/app d/*:*", "GET _catalog").await;
    assert_eq!(told, r#"200 {"repositories":["c/app"]}"#, "d/app has no tags");
}

#[tokio::test]
async fn a_list_that_the_upstream_does_not_give_is_not_made_up() {
    for reply in [
        Reply::new(500, "{}"),
        Reply::new(401, "{}"),
        Reply::new(302, "{}").with("location", "/v2/elsewhere"),
        Reply::new(200, r#"{"tags":["v1"]"#),
        Reply::new(200, r#"{"tags":["v1"],"repositories":["a/app"],"manifests":[]}"#).broken(),
        Reply::new(200, r#"{"tags":[7],"repositories":[{}],"manifests":7}"#),
        Reply::new(200, "").with("link", "v2; rel=next"),
        Reply::new(200, r#"{"tags":["v1"],"repositories":["a/app"],"manifests":[]}"#)
            .with("link", "v2; rel=next"),
    ] {
        let world = World::new(move |_| reply.clone()).await;
        let referrers = format!("GET a/app/referrers/{}", image("x", &[]).digest);
        for request in ["GET a/app/tags/list", "GET _catalog", &referrers] {
            let told = world.list("whole", request).await;
            assert!(told.starts_with("502 "), "{request}: {told}");
        }
    }
}

#[tokio::test]
async fn a_list_without_an_end_costs_so_much_and_no_more() {
    let body = r#"{"tags":["dev"],"repositories":["z/app"],"manifests":[]}"#;
    let endless = move |asked: &Asked| {
        let at: usize = asked.target.rsplit_once("at=").map_or(0, |(_, at)| at.parse().unwrap());
        let path = asked.target.split('?').next().unwrap();
        Reply::new(200, body).with("link", next(&format!("{path}?at={}", at + 1)))
    };
    let settings = Settings { max_requests: 3, ..Settings::default() };
    let world = World::with(settings, endless).await;
    let told = world.list("tags", "GET a/app/tags/list").await;
    assert!(told.starts_with("503 "), "whether there is one is not known: {told}");
    assert_eq!(world.fake.asked().len(), 3);
    // Where it can be told how far the gate came, the client may go on.
    let told = world.list("tags", "GET _catalog").await;
    let empty = r#"200 </v2/_catalog?n=10000&cursor=*>; rel="next" {"repositories":[]}"#;
    assert_eq!(told, empty);
    let told = world.list("whole", "GET a/app/tags/list").await;
    assert!(told.starts_with("200 </v2/a/app/tags/list?n=10000&last=dev&cursor=*>"), "{told}");
    assert_eq!(world.fake.asked().len(), 9);

    let circle = |asked: &Asked| Reply::new(200, "{}").with("link", next(&asked.target));
    let world = World::new(circle).await;
    for request in ["a/app/tags/list", "_catalog"] {
        let told = world.list("whole", &format!("GET {request}")).await;
        assert!(told.starts_with("502 "), "{told}");
    }
    assert_eq!(world.fake.asked().len(), 2);
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    let broken = |asked: &Asked| match asked.target.as_str() {
        "/v2/a/app/tags/list?n=1000" => {
            tag_list(r#"["v1"]"#).with("link", next("/v2/a/app/tags/list?at=1"))
        }
        _ => Reply::new(404, "{}"),
    };
    let world = World::new(broken).await;
    let told = world.list("whole", "GET a/app/tags/list").await;
    assert!(told.starts_with("502 "), "{told}");
}

#[tokio::test]
async fn a_cursor_is_for_one_reader_and_one_place_in_one_list() {
    let world = World::new(|asked| match asked.target.as_str() {
        "/v2/_catalog?n=1000" => Reply::new(200, r#"{"repositories":["a/app","c/app"]}"#),
        at if at.contains("/tags/list") => tag_list(r#"["v1","v2","v3"]"#),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let told = world.list_as_it_is("tags", "GET a/app/tags/list?n=1").await;
    let mine = next_of(&told).unwrap();
    let cursor = mine.split_once("cursor=").unwrap().1;
    let told = world.list("tags", &mine).await;
    assert!(told.ends_with(r#"{"name":"a/app","tags":["v2"]}"#), "{told}");
    let larger = world.list("tags", &mine.replace("n=1&", "n=7&")).await;
    assert!(larger.ends_with(r#"{"name":"a/app","tags":["v2","v3"]}"#), "{larger}");
    let asked = world.fake.asked().len();
    for (who, request) in [
        ("whole", mine.clone()),
        ("tags", mine.replace("a/app", "c/app")),
        ("tags", mine.replace("last=v1", "last=v2")),
        ("tags", mine.replace("last=v1&", "")),
        ("tags", mine.replace("cursor=", "cursor=A")),
        ("tags", format!("GET _catalog?last=v1&cursor={cursor}")),
        ("tags", format!("GET a/app/referrers/{}?cursor={cursor}", image("x", &[]).digest)),
        ("tags", "GET a/app/tags/list?cursor=x".to_owned()),
        ("whole", "GET _catalog?cursor=x".to_owned()),
    ] {
        let told = world.list(who, &request).await;
        assert!(told.starts_with("400 "), "{who} {request}: {told}");
    }
    assert_eq!(world.fake.asked().len(), asked, "the upstream is not asked");
}
