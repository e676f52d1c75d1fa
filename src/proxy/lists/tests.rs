use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use http_body_util::BodyExt as _;
use policy::{Bounds, Caller, Subject};
use tempfile::TempDir;

use super::*;
use crate::authorize::Question;
use crate::content::samples::{Sample, image, signature};
use crate::identity::{Ceiling, Principal};
use crate::inventory::Settings;
use crate::proxy::exchange::Exchange;
use crate::proxy::headers::Forwarded;
use crate::proxy::sample_gate::gate;
use crate::proxy::{Gate, Limits};
use crate::upstream::fake::{Asked, Fake, Reply};

const POLICY: &str = r#"
rules:
  - {name: whole, subjects: ["user:whole"], images: ["**"], allow: [pull]}
  - {name: tags, subjects: ["user:tags"], images: ["a/app:v*", "c/app:v*"], allow: [pull]}
  - {name: but, subjects: ["user:but"], images: ["a/app"], allow: [pull]}
  - {name: but-dev, subjects: ["user:but"], images: ["a/app:dev*"], deny: [pull]}
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
        let fake = Fake::start(script).await;
        let (gate, folder) = gate(POLICY, fake.upstream(), Limits::default(), settings);
        Self { gate, fake, _folder: folder }
    }

    /// Status, link and body of the answer, or the refusal. Of `whole on a/app:v*` the credential
    /// reaches only so far.
    async fn list(&self, who: &str, request: &str) -> String {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let operation = Operation::parse(method, &format!("/v2/{path}"), query).unwrap();
        let (name, images) = who.split_once(" on ").unzip();
        let bounds = images.map(|images| {
            let images = images.split(' ').map(str::to_owned).collect();
            Arc::new(Bounds::new(images, ["pull"]).unwrap())
        });
        let subject = Subject::User(name.unwrap_or(who).to_owned());
        let caller = Caller { bounds, ..Caller::new(subject, Vec::new()) };
        let principal = Principal { caller, ceiling: Ceiling::Unlimited, token_id: None };
        let (head, ()) = http::Request::get("/").body(()).unwrap().into_parts();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let gate = &self.gate;
        let mut exchange = Exchange::new(Arc::clone(gate), "r1", address, &head, Instant::now());
        let policy = gate.policy.current().policy.clone();
        let question = Question {
            policy: &policy,
            inventory: &gate.inventory,
            upstream: &gate.upstream,
            locks: &gate.locks,
            seal: &gate.seal,
            principal: &principal,
            now: gate.clock.now(),
            max_requests: gate.inventory.settings().max_requests,
        };
        let mut forwarding = Forwarding {
            gate,
            question,
            head: &head,
            forwarded: Forwarded { address, request_id: "r1" },
            exchange: &mut exchange,
            is_unconditional: false,
        };
        let response = match answer(&mut forwarding, operation).await {
            Ok(response) => response,
            Err(refusal) => return format!("{} {refusal}", refusal.status().as_u16()),
        };
        let mut told = response.status().as_u16().to_string();
        if let Some(link) = response.headers().get(LINK) {
            told.push_str(&format!(" {}", link.to_str().unwrap()));
        }
        let length = response.headers().get("content-length").cloned();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        if method == "HEAD" {
            assert_eq!(body, "");
            return format!("{told} of {}", length.unwrap().to_str().unwrap());
        }
        format!("{told} {}", String::from_utf8(body.to_vec()).unwrap())
    }
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
        "/v2/a/app/tags/list" => {
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
async fn tags_are_shown_as_far_as_they_may_be_read() {
    let world = World::new(pages).await;
    let all = r#"200 {"name":"a/app","tags":["V1","dev","dev-2","v1","v10","v2"]}"#;
    assert_eq!(world.list("whole", "GET a/app/tags/list").await, all);
    let versions = r#"200 {"name":"a/app","tags":["v1","v10","v2"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list").await, versions);
    let but = r#"200 {"name":"a/app","tags":["V1","v1","v10","v2"]}"#;
    assert_eq!(world.list("but", "GET a/app/tags/list").await, but);
    assert_eq!(world.list("tags", "HEAD a/app/tags/list").await, "200 of 41");
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
    let world = World::new(catalog_pages).await;
    let told = world.list(bound, "GET _catalog").await;
    assert_eq!(told, r#"200 {"repositories":["a/app"]}"#);
    let told = world.list("whole on c/app d/*:*", "GET _catalog").await;
    assert_eq!(told, r#"200 {"repositories":["c/app"]}"#, "d/app has no tags");
}

#[tokio::test]
async fn pages_name_only_what_may_be_read() {
    let world = World::new(pages).await;
    let first = r#"200 </v2/a/app/tags/list?n=2&last=v10>; rel="next" {"name":"a/app","tags":["v1","v10"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=2").await, first);
    let second = r#"200 {"name":"a/app","tags":["v2"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=2&last=v10").await, second);
    // A last name that is hidden, or does not exist, is a place in the order like any other.
    let after = r#"200 {"name":"a/app","tags":["v1","v10","v2"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=5&last=dev").await, after);
    assert_eq!(world.list("tags", "GET a/app/tags/list?last=dez").await, after);
    let none = r#"200 {"name":"a/app","tags":[]}"#;
    for query in ["n=0", "last=zzz", "n=3&last=v2"] {
        assert_eq!(world.list("tags", &format!("GET a/app/tags/list?{query}")).await, none);
    }
    let whole = r#"200 {"name":"a/app","tags":["v1","v10","v2"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=3").await, whole, "there is no more");
}

#[tokio::test]
async fn a_page_is_bounded_whatever_is_asked_for() {
    let names: Vec<_> = (0..10_001).map(|number| format!("v{number:05}")).collect();
    let names = serde_json::to_string(&names).unwrap();
    let world = World::new(move |_| tag_list(&names)).await;
    let told = world.list("tags", "GET a/app/tags/list?n=4000000000").await;
    let bounded = r#"200 </v2/a/app/tags/list?n=10000&last=v09999>; rel="next" "#;
    assert!(told.starts_with(bounded) && told.ends_with(r#""v09999"]}"#));
}

#[tokio::test]
async fn a_repository_without_a_visible_tag_is_as_one_that_is_absent() {
    let world = World::new(|asked| match asked.target.as_str() {
        "/v2/a/app/tags/list" => tag_list(r#"["dev"]"#),
        "/v2/c/app/tags/list" => tag_list("null"),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let absent = "404 repository name not known to registry";
    assert_eq!(world.list("tags", "GET a/app/tags/list").await, absent);
    assert_eq!(world.list("but", "GET a/app/tags/list").await, absent);
    assert_eq!(world.list("tags", "GET c/app/tags/list").await, absent);
    assert_eq!(world.list("tags", "GET b/app/tags/list").await, absent);
    assert_eq!(world.list("whole", "GET b/app/tags/list").await, absent);
    let empty = r#"200 {"name":"c/app","tags":[]}"#;
    assert_eq!(world.list("whole", "GET c/app/tags/list").await, empty);
}

#[tokio::test]
async fn a_list_that_the_upstream_does_not_give_is_not_made_up() {
    for reply in [
        Reply::new(500, "{}"),
        Reply::new(401, "{}"),
        Reply::new(200, r#"{"tags":["v1"]"#),
        Reply::new(200, r#"{"tags":["v1"]}"#).broken(),
        tag_list(r#"["v1"]"#).with("link", "v2; rel=next"),
    ] {
        let world = World::new(move |_| reply.clone()).await;
        for request in ["GET a/app/tags/list", "GET _catalog"] {
            let told = world.list("whole", request).await;
            assert!(told.starts_with("502 "), "{told}");
        }
    }
}

#[tokio::test]
async fn a_list_without_an_end_costs_so_much_and_no_more() {
    let settings = Settings { max_requests: 3, ..Settings::default() };
    let endless = |asked: &Asked| {
        Reply::new(200, r#"{"tags":["v1"],"repositories":["a/app"],"manifests":[]}"#)
            .with("link", next(&asked.target))
    };
    let world = World::with(settings, endless).await;
    let digest = image("x", &[]).digest;
    for request in ["a/app/tags/list", "_catalog", &format!("a/app/referrers/{digest}")] {
        let told = world.list("whole", &format!("GET {request}")).await;
        assert!(told.starts_with("503 "), "{told}");
    }
    assert!(world.fake.asked().len() <= 3 + 3 + 4);
}

#[tokio::test]
async fn half_a_list_is_no_list() {
    let broken = |asked: &Asked| match asked.target.as_str() {
        "/v2/a/app/tags/list" => {
            tag_list(r#"["v1"]"#).with("link", next("/v2/a/app/tags/list?at=1"))
        }
        _ => Reply::new(404, "{}"),
    };
    let world = World::new(broken).await;
    let told = world.list("whole", "GET a/app/tags/list").await;
    assert!(told.starts_with("502 "), "{told}");
}

/// Two pages of repositories, and the tags of two of them.
fn catalog_pages(asked: &Asked) -> Reply {
    match asked.target.as_str() {
        "/v2/_catalog?n=1000" => Reply::new(200, r#"{"repositories":["a/app","A","b/app"]}"#)
            .with("link", next("/v2/_catalog?n=1000&last=b%2Fapp")),
        "/v2/_catalog?n=1000&last=b%2Fapp" => {
            Reply::new(200, r#"{"repositories":["c/app","d/app"]}"#)
        }
        "/v2/_catalog?n=1000&last=a%2Fapp" => {
            Reply::new(200, r#"{"repositories":["b/app","c/app","d/app"]}"#)
        }
        "/v2/a/app/tags/list" => tag_list(r#"["dev","v1"]"#),
        "/v2/c/app/tags/list" => tag_list(r#"["dev"]"#),
        _ => Reply::new(404, "{}"),
    }
}

#[tokio::test]
async fn the_catalogue_shows_what_has_something_to_read() {
    let world = World::new(catalog_pages).await;
    let all = r#"200 {"repositories":["a/app","b/app","c/app","d/app"]}"#;
    assert_eq!(world.list("whole", "GET _catalog").await, all);
    let first = r#"200 {"repositories":["a/app"]}"#;
    assert_eq!(world.list("tags", "GET _catalog").await, first, "no tag of c/app");
    assert_eq!(world.list("but", "GET _catalog").await, first, "its untagged content");
    assert_eq!(world.list("nobody", "GET _catalog").await, r#"200 {"repositories":[]}"#);
    assert_eq!(world.list("whole", "HEAD _catalog").await, "200 of 50");
}

#[tokio::test]
async fn the_catalogue_has_pages_of_its_own() {
    let world = World::new(catalog_pages).await;
    let first = r#"200 </v2/_catalog?n=1&last=a/app>; rel="next" {"repositories":["a/app"]}"#;
    assert_eq!(world.list("whole", "GET _catalog?n=1").await, first);
    let rest =
        r#"200 </v2/_catalog?n=2&last=c/app>; rel="next" {"repositories":["b/app","c/app"]}"#;
    assert_eq!(world.list("whole", "GET _catalog?n=2&last=a/app").await, rest);
    // The page is full where the upstream's ends, and there is more behind it.
    let even =
        r#"200 </v2/_catalog?n=2&last=b/app>; rel="next" {"repositories":["a/app","b/app"]}"#;
    assert_eq!(world.list("whole", "GET _catalog?n=2").await, even);
    // What is hidden and comes later makes no further page.
    let last = r#"200 {"repositories":["a/app"]}"#;
    assert_eq!(world.list("but", "GET _catalog?n=1").await, last);
    assert_eq!(world.list("whole", "GET _catalog?n=0").await, r#"200 {"repositories":[]}"#);
}

/// `app` is tagged `v1`; what it has as referrers is in the upstream alone.
async fn with_referrers(referrers: &[&Sample], app: &Sample) -> World {
    let entries: Vec<_> = referrers
        .iter()
        .map(|sample| json!({"mediaType": sample.media_type(), "digest": sample.digest.to_string(), "size": 1}))
        .chain([json!({"digest": "none"}), json!(7)])
        .collect();
    let (one, two) = entries.split_at(1);
    let page = |entries: &[Value]| {
        Reply::new(200, json!({"schemaVersion": 2, "manifests": entries}).to_string())
    };
    let target = format!("/v2/a/app/referrers/{}", app.digest);
    let more = format!("{target}?more=1");
    let first = page(one).with("link", next(&more)).with("oci-filters-applied", "artifactType");
    let second = page(two);
    let held: Vec<Sample> = referrers.iter().map(|&sample| sample.clone()).collect();
    let world = World::new(move |asked| match asked.target.as_str() {
        at if at == target => first.clone(),
        at if at == more => second.clone(),
        at => held
            .iter()
            .find(|sample| at.ends_with(&sample.digest.to_string()))
            .map_or(Reply::new(404, "{}"), Reply::manifest),
    })
    .await;
    let here = RepositoryName::new("a/app").unwrap();
    world.gate.inventory.saw_manifest(&here, &app.digest, &app.manifest);
    let v1 = Tag::new("v1").unwrap();
    world.gate.inventory.saw_tag(&here, &v1, &app.digest, world.gate.clock.now());
    world
}

#[tokio::test]
async fn referrers_are_shown_as_far_as_they_may_be_read() {
    let app = image("config", &["layer"]);
    let (one, two) = (signature("one", Some(&app.digest)), signature("two", Some(&app.digest)));
    let sneaky = crate::content::samples::image_about("secret", &["layer 2"], Some(&app.digest));
    let other = signature("other", Some(&image("other", &[]).digest));
    let world = with_referrers(&[&one, &sneaky, &other, &two], &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    let shown = |told: &str| {
        assert!(told.starts_with(r#"200 {"manifests":["#), "{told}");
        [&one, &sneaky, &other, &two].map(|sample| told.contains(&sample.digest.to_string()))
    };
    assert_eq!(shown(&world.list("whole", &request).await), [true, true, true, true]);
    assert_eq!(shown(&world.list("tags", &request).await), [true, false, false, true]);
    let bound = world.list("whole on a/app:v1", &request).await;
    assert_eq!(shown(&bound), [true, false, false, true]);
    assert_eq!(shown(&world.list("nobody", &request).await), [false; 4]);
}

#[tokio::test]
async fn an_upstream_without_referrers_says_so_itself() {
    let world = World::new(|_| Reply::new(404, "not here")).await;
    let request = format!("GET a/app/referrers/{}", image("x", &[]).digest);
    assert_eq!(world.list("whole", &request).await, "404 not here");
    let world = World::new(|_| Reply::new(200, r#"{"manifests":7}"#)).await;
    assert!(world.list("whole", &request).await.starts_with("502 "));
}

#[tokio::test]
async fn a_cursor_that_the_gate_did_not_give_out_is_refused() {
    let world = World::new(pages).await;
    for request in ["GET a/app/tags/list?cursor=x", "GET _catalog?cursor=x"] {
        assert!(world.list("whole", request).await.starts_with("400 "));
    }
    assert_eq!(world.fake.asked().len(), 0);
}
