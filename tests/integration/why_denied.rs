//! From what a client prints to why it was denied: on a page, for whoever sent the request.

use crate::support::browser::{Browser, DESK};
use crate::support::client::{Ask, Credentials, basic};
use crate::support::ctr::Containerd;
use crate::support::docker::Docker;
use crate::support::gate::password_of;
use crate::support::images::Image;
use crate::support::podman::Podman;
use crate::support::process::Said;
use crate::support::scene::Scene;
use crate::support::skopeo::Skopeo;

const RULE: &str = "production-is-not-for-pulling";
const POLICY: &str = r#"
administrators: ["user:root"]
rules:
  - name: the-team-works-here
    subjects: ["user:alice", "user:bob"]
    images: ["team/**"]
    allow: [pull, push]
  - name: production-is-not-for-pulling
    subjects: [anyone]
    images: ["team/app:prod"]
    deny: [pull]
"#;

fn scene() -> Scene {
    let scene = Scene::new(POLICY, &[("alice", &[]), ("bob", &[]), ("root", &[])]);
    scene.client("alice").push("team/app", "prod", &Image::docker("why"));
    scene
}

/// The id in what a client printed, as somebody would find it there.
#[track_caller]
fn id_in(said: &Said) -> String {
    let text = format!("{}{}", said.out, said.err);
    let (_, rest) = text.split_once("(request ").unwrap_or_else(|| panic!("no id in {text}"));
    rest.split(')').next().unwrap().to_owned()
}

fn sign_in(browser: &Browser, name: &str) {
    browser.fill("Name", name);
    browser.fill("Password or token", &password_of(name));
    browser.press("Sign in");
    browser.says(&format!("user:{name}"));
}

const QUESTION: &str = "Why was this denied? Paste the message, or the request id in it";

#[test]
fn what_docker_printed_leads_to_the_reason_for_its_user_and_for_nobody_else() {
    let scene = scene();
    let docker = Docker::start(&scene.gate);
    docker.login("alice").ok();
    let said = docker.pull("team/app:prod").refused(RULE);
    let id = id_in(&said);
    let printed = said.err.lines().last().unwrap().trim();

    let browser = Browser::start(&scene.gate, DESK);
    sign_in(&browser, "alice");
    browser.fill(QUESTION, printed);
    browser.press("Explain");
    browser.says(&format!("Request {id} denied"));
    for words in [RULE, "team/app:prod", "user:alice", "docker/", "manifest_read"] {
        browser.says(words);
    }
    browser.press("Sign out");
    browser.says("Password or token");

    sign_in(&browser, "bob");
    let page = |id: &str| {
        browser.open(&format!("/ui/denial?id={id}"));
        browser.says("There is no request");
        browser.text().replace(id, "…")
    };
    let (process, _) = id.split_once('-').unwrap();
    assert_eq!(page(&id), page(&format!("{process}-987654321")));
    browser.open("/ui/admin/audit");
    browser.says("You may not do this");
    browser.open("/");
    browser.press("Sign out");
    browser.says("Password or token");

    sign_in(&browser, "root");
    browser.open(&format!("/ui/denial?id={id}"));
    browser.says(RULE);
    browser.press("The same person");
    browser.says("The newest records");
    browser.says("team/app:prod");
    browser.fill("Words in any field", "no-such-word");
    browser.press("Search");
    browser.says("That is all that is kept");
}

#[test]
fn skopeo_podman_and_ctr_print_the_id_that_is_in_the_trail() {
    let scene = scene();
    let saids = [
        Skopeo::signed_in(&scene.gate, "alice").inspect_raw("team/app:prod").refused(RULE),
        Podman::signed_in(&scene.gate, "alice").pull("team/app:prod").refused(RULE),
        Containerd::start(&scene.gate).pull("alice", "team/app:prod").refused(RULE),
    ];
    for said in &saids {
        let id = id_in(said);
        let found = scene.gate.basic("alice").get(&format!("/api/v1/denial?id={id}")).expect(200);
        let request = &found.json()["request"];
        assert_eq!(request["rule"]["name"], RULE, "{}", found.text());
        assert_eq!(request["rule"]["line"], 8, "{}", found.text());
        assert_eq!(request["image"], "team/app:prod");
    }
}

#[test]
fn w4_a_request_id_of_somebody_else_is_answered_as_one_that_never_was() {
    let scene = scene();
    let denied = scene.client("alice").get("/v2/team/app/manifests/prod").expect(403);
    let id = denied.header("x-request-id").unwrap();
    assert!(denied.message().contains(id) && denied.reason.contains(id), "{denied:?}");
    let (process, _) = id.split_once('-').unwrap();
    let absent = format!("{process}-987654321");
    let ask = |who: &str, id: &str| scene.gate.basic(who).get(&format!("/api/v1/denial?id={id}"));
    ask("alice", id).expect(200);
    ask("root", id).expect(200);
    assert_eq!(ask("bob", id).expect(404).shape(id), ask("bob", &absent).shape(&absent));
    // Nor does a cursor of the administrators, or the trail itself.
    let page = scene.gate.basic("root").get("/api/v1/audit?limit=1").expect(200).json();
    let cursor = page["cursor"].as_str().unwrap();
    let path = format!("/api/v1/denial?id={id}&cursor={cursor}");
    scene.gate.basic("bob").get(&path).expect(400);
    let refused = scene.gate.basic("bob").get("/api/v1/audit").expect(403);
    // That has a name, too, which whoever was refused may ask about.
    let id = refused.json()["request_id"].as_str().unwrap().to_owned();
    assert_eq!(refused.header("x-request-id"), Some(&*id));
    assert_eq!(ask("bob", &id).expect(200).json()["request"]["event"], "api.denied");
}

#[test]
fn w1_what_a_client_calls_itself_is_read_and_not_run() {
    let scene = scene();
    let agent = "<img src=x onerror=alert(1)>";
    let headers =
        [("user-agent", agent), ("authorization", &*basic("alice", &password_of("alice")))];
    let client = scene.gate.anonymous().with(Credentials::None);
    client.send("GET", "/v2/team/app/manifests/prod", &Ask::headers(&headers)).expect(403);
    let browser = Browser::start(&scene.gate, DESK);
    sign_in(&browser, "root");
    browser.open("/ui/admin/audit?q=onerror");
    browser.says("team/app:prod");
    let images = browser.measure("return document.images.length");
    assert_eq!(images, serde_json::json!(0));
    let text = browser.measure("return document.querySelector('#records').textContent");
    assert!(text.as_str().unwrap().contains(agent), "{text}");
}
