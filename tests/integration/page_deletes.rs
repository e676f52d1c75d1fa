//! Deleting images from the pages, in front of a real registry.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::browser::{Browser, DESK};
use crate::support::client::{Answer, Ask, Client};
use crate::support::gate::{Gate, Setup, password_of};
use crate::support::images::{Image, Index};
use crate::support::process::wait_for;
use crate::support::registry::Registry;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const POLICY: &str = r#"
rules:
  - {name: ci, subjects: ["user:ci"], images: ["**"], allow: [all]}
  - {name: maintains, subjects: ["user:mia"], images: ["prod/**"], allow: [all]}
  - {name: reads, subjects: ["user:rita"], images: ["prod/**"], allow: [pull]}
  - {name: develops, subjects: ["user:devon"], images: ["prod/api:dev-*"], allow: [all]}
"#;

const USERS: [(&str, &[&str]); 4] = [("ci", &[]), ("mia", &[]), ("rita", &[]), ("devon", &[])];

/// Somebody who signed in, without a browser.
struct Session {
    client: Client,
    origin: String,
    cookie: String,
    form_token: String,
}

impl Session {
    fn of(gate: &Gate, name: &str) -> Self {
        let client = gate.anonymous();
        let origin = format!("https://{}", gate.name());
        let mut session = Self { client, origin, cookie: String::new(), form_token: String::new() };
        let form = [("username", name), ("password", &password_of(name)), ("next", "/")];
        let signed_in = session.post("/ui/sign-in", &form).expect(303);
        let cookie = signed_in.header("set-cookie").unwrap();
        session.cookie = cookie.split(';').next().unwrap().to_owned();
        let page = session.get("/ui/start").expect(200).text();
        let (_, rest) = page.split_once(r#"name="form_token" value=""#).unwrap();
        session.form_token = rest.split('"').next().unwrap().to_owned();
        session
    }

    fn get(&self, path: &str) -> Answer {
        let ask = Ask { headers: &[("cookie", &self.cookie)], ..Ask::default() };
        self.client.send("GET", path, &ask)
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields).append_pair("form_token", &self.form_token);
        let form = form.finish();
        let ask = Ask {
            headers: &[("cookie", &self.cookie), ("origin", &self.origin)],
            ..Ask::body("application/x-www-form-urlencoded", form.as_bytes())
        };
        self.client.send("POST", path, &ask)
    }

    fn delete(&self, image: &str) -> Answer {
        self.post("/ui/image/delete", &[("ref", image)])
    }
}

fn scene() -> (Scene, Image) {
    let scene = Scene::new(POLICY, &USERS);
    let image = Image::docker("release");
    let ci = scene.client("ci");
    ci.push("prod/api", "v1", &image);
    ci.push("secret/plans", "v1", &Image::docker("plans"));
    (scene, image)
}

/// The records of deletions by somebody.
fn deletions(records: &[Value], subject: &str) -> Vec<Value> {
    let are =
        |record: &&Value| record["operation"] == "manifest_delete" && record["subject"] == subject;
    records.iter().filter(are).cloned().collect()
}

#[test]
fn a_reader_has_no_button_and_is_refused_and_nothing_changes() {
    let (scene, image) = scene();
    let rita = Session::of(&scene.gate, "rita");
    let page = rita.get("/ui/image?ref=prod/api:v1").expect(200).text();
    assert!(!page.contains("/ui/image/delete"), "{page}");
    let page = rita.get("/ui/image/delete?ref=prod/api:v1").expect(200).text();
    assert!(page.contains("delete of prod/api:v1 is denied"), "{page}");
    assert!(!page.contains("<form method=\"post\" action=\"/ui/image/delete\""), "{page}");
    let digest = format!("prod/api@{}", image.digest());
    let (answers, asked) = scene.recorder.during(|| {
        [
            rita.delete("prod/api:v1"),
            rita.delete(&digest),
            scene.gate.basic("rita").delete("/api/v1/image?ref=prod/api:v1"),
        ]
    });
    for answer in answers {
        let text = answer.expect(403).text();
        assert!(text.contains("is denied: no rule allows user:rita"), "{text}");
    }
    assert!(asked.iter().all(|seen| seen.method != "DELETE"), "{asked:?}");
    assert_eq!(scene.stored("prod/api", "v1").as_deref(), Some(image.digest()));
    // Denials are there before their answers.
    let records = deletions(&scene.gate.audit(), "user:rita");
    assert_eq!(records.len(), 3, "{records:?}");
    assert!(records.iter().all(|record| record["decision"] == "deny" && record["status"] == 403));
}

#[test]
fn w4_a_hidden_image_is_deleted_as_one_that_is_not_there() {
    let (scene, _) = scene();
    let rita = Session::of(&scene.gate, "rita");
    let api = scene.gate.basic("rita");
    for ask in [
        &(|name: &str| rita.delete(name)) as &dyn Fn(&str) -> Answer,
        &|name| rita.get(&format!("/ui/image/delete?ref={name}")),
        &|name| api.delete(&format!("/api/v1/image?ref={name}")),
        &|name| api.get(&format!("/api/v1/image/deletion?ref={name}")),
    ] {
        let hidden = ask("secret/plans:v1");
        assert_eq!(hidden.status, 404, "{}", hidden.text());
        let hidden = hidden.shape("secret/plans:v1");
        assert_eq!(hidden, ask("secret/plans:v2").shape("secret/plans:v2"));
        assert_eq!(hidden, ask("secret/none:v1").shape("secret/none:v1"));
    }
    assert!(scene.stored("secret/plans", "v1").is_some());
}

#[test]
fn a_maintainer_deletes_an_image_and_it_is_gone_for_everybody() {
    let (scene, image) = scene();
    let ci = scene.client("ci");
    ci.put_manifest("prod/api", "latest", &image.manifest).expect(201);
    let browser = Browser::start(&scene.gate, DESK);
    browser.fill("Name", "mia");
    browser.fill("Password or token", &password_of("mia"));
    browser.press("Sign in");
    browser.fill("Repository, tag, label, digest, vulnerability or package", "prod/api v1");
    browser.press("Search");
    browser.press("v1");
    browser.says("Delete…");
    // The list of its repository leads there as well.
    browser.open("/ui/repository?name=prod/api");
    browser.press("Delete… v1");
    browser.says("2 tags");
    // This registry deletes by digest only, and nothing has gone yet.
    browser.press("Delete the tag");
    browser.says("deletes no tag by itself");
    assert_eq!(scene.stored("prod/api", "v1").as_deref(), Some(image.digest()));
    browser.press("Delete the image");
    browser.says("is deleted");
    assert_eq!(scene.stored("prod/api", "v1"), None);
    assert_eq!(scene.stored("prod/api", "latest"), None);
    wait_for("a search that finds it no more", Duration::from_secs(30), || {
        browser.open("/?q=prod/api");
        browser.text().contains("Nothing that you may see fits").then_some(())
    });
    let skopeo = Skopeo::signed_in(&scene.gate, "mia");
    skopeo.inspect_raw("prod/api:v1").failed();
    ci.get("/v2/prod/api/manifests/latest").expect(404);
    let records = scene.gate.requests(|records| {
        deletions(records, "user:mia").iter().any(|record| record["status"] == 202)
    });
    let record = deletions(&records, "user:mia").pop().unwrap();
    assert_eq!(record["decision"], "allow", "{record}");
    assert_eq!(
        (&record["repository"], &record["digest"]),
        (&json!("prod/api"), &json!(image.digest()))
    );
    assert!(record["user_agent"].as_str().unwrap().contains("Chrome"), "{record}");
    let intents = scene.gate.audit().into_iter().filter(|record| record["event"] == "intent");
    let intents = deletions(&intents.collect::<Vec<_>>(), "user:mia");
    assert!(intents.iter().any(|record| record["digest"] == image.digest()), "{intents:?}");
}

#[test]
fn what_may_not_go_as_a_whole_is_refused_and_the_page_tells_what_would_go() {
    let (scene, image) = scene();
    let ci = scene.client("ci");
    let index = Index::oci("both");
    ci.push_index("prod/api", "v2", &index);
    let child = &index.images[0];
    ci.put_manifest("prod/api", "dev-1", &child.manifest).expect(201);
    let devon = Session::of(&scene.gate, "devon");
    let page = devon.get("/ui/image/delete?ref=prod/api:dev-1").expect(200).text();
    // The tag is theirs; with the digest, the index of somebody else would lose it.
    assert!(page.contains("Delete the tag") && !page.contains("Delete the image"), "{page}");
    assert!(!page.contains(&index.manifest.digest), "{page}");
    let told = devon.delete(&format!("prod/api@{}", child.digest())).expect(403).text();
    assert!(told.contains("an index loses what it names"), "{told}");
    assert!(scene.stored("prod/api", child.digest()).is_some());
    let mia = Session::of(&scene.gate, "mia");
    let page = mia.get("/ui/image/delete?ref=prod/api:dev-1").expect(200).text();
    assert!(page.contains(&index.manifest.digest) && page.contains("breaks"), "{page}");
    // What the tag is by now was not on the page.
    let form = [("ref", "prod/api:v1"), ("digest", child.digest())];
    let told = mia.post("/ui/image/delete", &form).expect(409).text();
    assert!(told.contains(&format!("prod/api:v1 is {} by now", image.digest())), "{told}");
    assert!(scene.stored("prod/api", "v1").is_some());
}

#[test]
fn a_registry_that_deletes_nothing_is_told_on_the_page() {
    let registry = Registry::with_deletes(false);
    let upstream = format!("http://{}", registry.address());
    let gate = Setup::new(&upstream, POLICY).user("mia", &[]).start();
    let image = Image::oci("for ever");
    gate.client("mia").push("prod/api", "v1", &image);
    let mia = Session::of(&gate, "mia");
    let named = format!("prod/api@{}", image.digest());
    let told = mia.delete(&named).expect(409).text();
    assert!(told.contains("deleting is switched off in the registry"), "{told}");
    let told = gate.basic("mia").delete(&format!("/api/v1/image?ref={named}")).expect(409).text();
    assert!(told.contains("deleting is switched off in the registry"), "{told}");
    gate.client("mia").get("/v2/prod/api/manifests/v1").expect(200);
}

#[test]
fn names_that_are_none_reach_no_registry_and_come_back_as_text() {
    let (scene, _) = scene();
    let mia = Session::of(&scene.gate, "mia");
    let hostile = [
        "<img src=x onerror=alert(1)>",
        "prod/../secret/plans:v1",
        "../v2/secret/plans/manifests/v1",
        "prod/api:v1?x=/../..",
        "prod/api:v1\0",
        "prod/api",
        "",
        "prod/api:v1@sha256:00",
    ];
    let ((), asked) = scene.recorder.during(|| {
        for name in hostile {
            let told = mia.delete(name).expect(400).text();
            assert!(!told.contains("<img"), "{told}");
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("ref", name).finish();
            let told = mia.get(&format!("/ui/image/delete?{query}")).expect(400).text();
            assert!(!told.contains("<img"), "{told}");
        }
    });
    assert!(asked.is_empty(), "{asked:?}");
}
