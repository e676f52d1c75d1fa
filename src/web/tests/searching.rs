//! Looking for images.

use std::collections::BTreeMap;

use jiff::Timestamp;
use oci::{RepositoryName, Tag};

use super::*;
use crate::content::samples::{index, signature};
use crate::inventory::Lesson;
use crate::release::{Description, Flag, KeptFinding, KeptReport};

/// Tags that the registry has, and that the gate has learned of.
pub(super) async fn taught(browser: &Browser, tags: &[(&str, &str, &Sample)]) {
    let at = Timestamp::from_second(browser.scene.now().as_second()).unwrap();
    let mut lessons = Vec::new();
    for &(repository, tag, sample) in tags {
        {
            let mut shelf = browser.scene.shelf.lock().unwrap();
            *shelf = std::mem::take(&mut *shelf).tagged(repository, tag, sample);
        }
        let repository: RepositoryName = repository.parse().unwrap();
        let (tag, digest) = (Tag::new(tag).unwrap(), sample.digest.clone());
        let facts = Arc::new((&sample.manifest).into());
        lessons.push((repository.clone(), Lesson::Manifest { digest: digest.clone(), facts }));
        lessons.push((repository, Lesson::Tag { tag, digest, at }));
    }
    let state = &browser.scene.api.issue.state;
    state.ask(move |store| async move { store.learn(&lessons, at).await }).await.unwrap();
    state.look().await.unwrap();
}

/// The images in the list of a page.
fn listed(page: &Page) -> Vec<&str> {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let links = page.text.split(r#"href="/ui/image?ref="#).skip(1);
    links.map(|rest| rest.split('"').next().unwrap()).collect()
}

/// The choices of a page, and how many each has.
fn choices(page: &Page) -> Vec<&str> {
    let (_, rest) = page.text.split_once(r#"<nav class="facets""#).unwrap();
    let links = rest.split("</nav>").next().unwrap().split("<a class=\"chip\"").skip(1);
    links.map(|rest| rest.split_once('>').unwrap().1.split("</a>").next().unwrap()).collect()
}

pub(super) async fn labelled(browser: &Browser, sample: &Sample, key: &str, value: &str) {
    let labels = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let described = [(sample.digest.clone(), Description { labels, ..Description::default() })];
    let state = &browser.scene.api.issue.state;
    state.ask(move |store| async move { store.describe(&described).await }).await.unwrap();
    state.look().await.unwrap();
}

pub(super) async fn flagged(browser: &Browser, sample: &Sample) {
    let flag = Flag {
        repository: "prod/api".parse().unwrap(),
        digest: sample.digest.clone(),
        name: "tested".to_owned(),
        by: "user:qa".parse().unwrap(),
        from: None,
        at: browser.scene.now(),
        reason: None,
        link: None,
        expires_at: None,
    };
    let state = &browser.scene.api.issue.state;
    state.ask(move |store| async move { store.set_flag(&flag).await }).await.unwrap();
    state.look().await.unwrap();
}

/// A report of an image, with a finding in each of these packages: names and package URLs.
async fn reported(browser: &Browser, repository: &str, sample: &Sample, found: &[(&str, &str)]) {
    looked_into(browser, repository, sample, found, true).await;
}

/// By a scanner that may have recognized nothing in it.
async fn looked_into(
    browser: &Browser,
    repository: &str,
    sample: &Sample,
    found: &[(&str, &str)],
    recognized: bool,
) {
    let findings = found.iter().map(|(name, purl)| {
        let finding = json!({
            "id": format!("CVE-2026-{}", name.len()), "severity": "high",
            "package": {"name": name, "version": "1.0", "purl": purl},
        });
        KeptFinding {
            finding: serde_json::from_value(finding).unwrap(),
            first_seen: browser.scene.now(),
        }
    });
    let report = KeptReport {
        repository: repository.parse().unwrap(),
        digest: sample.digest.clone(),
        uploader: "service:ci/scan".parse().unwrap(),
        uploader_groups: Vec::new(),
        format: reports::Format::Trivy,
        scanner: reports::Scanner { name: "Trivy".to_owned(), version: None, database: None },
        made_at: browser.scene.now(),
        received_at: browser.scene.now(),
        recognized,
        findings: findings.collect(),
    };
    let state = &browser.scene.api.issue.state;
    assert!(state.ask(move |store| async move { store.keep_report(&report).await }).await.unwrap());
    state.look().await.unwrap();
}

#[tokio::test]
async fn only_what_may_be_read_is_found_and_counted() {
    let (browser, api) = Browser::of_alice().await;
    let other = image("other", &["o"]);
    taught(&browser, &[("prod/api", "v1", &api), ("secret/api", "v1", &other)]).await;
    for query in ["/?q=api", "/?q=v1", "/?flag=&q=pi", "/?updated=day"] {
        assert_eq!(listed(&browser.get(query).await), ["prod/api:v1"], "{query}");
    }
    let page = browser.get("/").await;
    assert!(page.text.contains(">prod/api</a>") && !page.text.contains("secret"), "{}", page.text);
    assert!(choices(&page).contains(&"no report · 1"), "{:?}", choices(&page));
    assert_eq!(listed(&browser.get("/?q=secret").await), [""; 0]);
}

#[tokio::test]
async fn what_is_found_is_narrowed_by_gates_and_flags() {
    let (browser, api) = Browser::of_alice().await;
    let second = image("second", &["s"]);
    taught(&browser, &[("prod/api", "v1", &api), ("prod/api", "v2", &second)]).await;
    flagged(&browser, &second).await;
    assert_eq!(listed(&browser.get("/?q=api").await), ["prod/api:v1", "prod/api:v2"]);
    assert_eq!(listed(&browser.get("/?q=api&verdict=held").await), ["prod/api:v1"]);
    assert_eq!(listed(&browser.get("/?q=api&verdict=passed").await), ["prod/api:v2"]);
    assert_eq!(listed(&browser.get("/?q=api&verdict=not+known").await), [""; 0]);
    assert_eq!(listed(&browser.get("/?q=api&flag=tested").await), ["prod/api:v2"]);
    assert_eq!(listed(&browser.get("/?flag=tested&verdict=held").await), [""; 0]);
    let page = browser.get("/?q=api&flag=tested").await;
    let expected = ["held", "not known", "passed", "no gate", "no report · 1", "tested · 1 ×"];
    assert_eq!(choices(&page)[..6], expected);
}

#[tokio::test]
async fn a_label_finds_an_image_for_those_who_may_look_inside_it() {
    let (mut browser, api) = Browser::of_alice().await;
    let second = image("second", &["s"]);
    let both = index(&[&second]);
    taught(
        &browser,
        &[("prod/api", "v1", &api), ("prod/api", "parts", &second), ("prod/api", "v2", &both)],
    )
    .await;
    labelled(&browser, &api, "team", "payments").await;
    labelled(&browser, &second, "team", "payments").await;
    // Neither has passed the gate, so nobody without `inspect` may look into it.
    let page = browser.get("/?q=payments").await;
    assert_eq!(listed(&page), [""; 0]);
    // Nothing on the page tells that a label fits: it is that of a label which nobody has.
    let nobody = browser.get("/?q=paymentz").await;
    let alike = |page: &Page| page.text.replace("payments", "paymentz");
    assert_eq!(alike(&page), alike(&nobody));
    flagged(&browser, &second).await;
    for query in ["/?q=payments", "/?q=label:team=payments", "/?q=team%3Dpayments"] {
        let page = browser.get(query).await;
        // The index holds nothing else, and passes with it.
        assert_eq!(listed(&page), ["prod/api:parts", "prod/api:v2"], "{query}");
        assert_eq!(page.text.matches("label team=payments<").count(), 2, "{}", page.text);
        assert!(page.text.contains("what fits by a label alone is only here"), "{}", page.text);
    }
    let page = browser.get("/?q=api").await;
    assert!(!page.text.contains(">label ") && !page.text.contains("by a label alone"));
    // Administrators know of all images, and see what is in one only where a rule lets them.
    browser.cookie = None;
    assert_eq!(browser.sign_in("root", PASSWORD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(listed(&browser.get("/?q=payments").await), [""; 0]);
    assert_eq!(listed(&browser.get("/?q=api").await).len(), 3);
}

#[tokio::test]
async fn no_way_on_leads_to_images_that_a_label_finds_and_that_are_closed() {
    let (browser, api) = Browser::of_alice().await;
    let second = image("second", &["s"]);
    let names: Vec<_> = (0..50).map(|number| format!("release-{number}")).collect();
    let mut tags: Vec<_> = names.iter().map(|tag| ("prod/api", tag.as_str(), &api)).collect();
    tags.push(("prod/api", "other", &second));
    taught(&browser, &tags).await;
    labelled(&browser, &second, "part-of", "release").await;
    let page = browser.get("/?q=release").await;
    assert_eq!(listed(&page).len(), 50);
    assert!(page.text.contains("50 fit") && !page.text.contains("Look further"), "{}", page.text);
    flagged(&browser, &second).await;
    let page = browser.get("/?q=release").await;
    assert!(page.text.contains("Look further"), "{}", page.text);
    assert_eq!(listed(&browser.get("/?q=release&from=50").await), ["prod/api:other"]);
}

#[tokio::test]
async fn what_the_registry_does_not_tell_is_not_known_and_not_unreported() {
    let (browser, api) = Browser::of_alice().await;
    taught(&browser, &[("prod/api", "v1", &api)]).await;
    browser.scene.shelf.lock().unwrap().go_down();
    let page = browser.get("/?q=api").await;
    assert_eq!(listed(&page), ["prod/api:v1"]);
    assert!(page.text.contains("not known: the registry does not answer"), "{}", page.text);
    assert!(!page.text.contains(">no report<"), "{}", page.text);
    // What gates say of it is not known either, and may be looked for.
    assert_eq!(listed(&browser.get("/?q=api&verdict=not+known").await), ["prod/api:v1"]);
    assert_eq!(listed(&browser.get("/?q=api&verdict=held").await), [""; 0]);
}

#[tokio::test]
async fn a_vulnerability_is_looked_up_and_narrows_names() {
    let (browser, api) = Browser::of_alice().await;
    let second = image("second", &["s"]);
    taught(&browser, &[("prod/api", "v1", &api), ("prod/api", "v2", &second)]).await;
    let page = browser.get("/?q=CVE-2021-44228").await;
    assert_eq!(page.header(LOCATION), "/ui/vulnerability?id=CVE-2021-44228");
    let page = browser.get("/?q=package:zlib").await;
    assert_eq!(page.header(LOCATION), "/ui/vulnerability?id=package:zlib");
    let report = json!({
        "SchemaVersion": 2, "CreatedAt": "2026-01-01T00:00:00Z", "ArtifactName": "api",
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "debian", "Name": "12"}, "RepoDigests": [format!("x@{}", second.digest)]},
        "Results": [{"Target": "api", "Class": "lang-pkgs", "Type": "jar", "Vulnerabilities": [
            {"VulnerabilityID": "CVE-2021-44228", "PkgName": "log4j", "InstalledVersion": "2.14.0",
             "Severity": "CRITICAL"},
        ]}],
    });
    let path = "/image/report?ref=prod/api:v2";
    let answer = browser.scene.ask(As::User("alice"), Method::PUT, path, &report.to_string()).await;
    assert!(answer.status.is_success(), "{}", answer.json());
    browser.scene.api.issue.state.look().await.unwrap();
    for query in ["/?q=api+CVE-2021-44228", "/?q=api+package:log4j", "/?severity=critical"] {
        assert_eq!(listed(&browser.get(query).await), ["prod/api:v2"], "{query}");
    }
    assert_eq!(listed(&browser.get("/?q=api+CVE-2021-1").await), [""; 0]);
    let page = browser.get("/?q=log4j").await;
    assert!(page.text.contains(r#"href="/ui/vulnerability?id=package:log4j""#), "{}", page.text);
}

#[tokio::test]
async fn a_package_is_found_by_its_name_in_any_case_and_by_its_package_url() {
    let (browser, api) = Browser::of_alice().await;
    let second = image("second", &["s"]);
    taught(&browser, &[("prod/api", "v1", &api), ("prod/api", "v2", &second)]).await;
    let zlib = ("zlib1g", "pkg:deb/debian/zlib1g@1%3A1.2.13?arch=amd64&distro=debian-12");
    reported(&browser, "prod/api", &api, &[zlib]).await;
    let others = [("PyYAML", "pkg:pypi/PyYAML@5.3"), ("zlib1g", "pkg:npm/%40x/zlib1g@1")];
    reported(&browser, "prod/api", &second, &others).await;
    let digest = |sample: &Sample| format!("prod/api@{}", sample.digest);
    for (word, expected) in [
        ("pkg:deb/debian/zlib1g", &api),
        ("pkg:deb/debian/zlib1g@1:1.2.13?arch=arm64", &api),
        ("pkg:npm/@x/zlib1g", &second),
        ("package:pyyaml", &second),
        ("pkg:pypi/pyyaml@5.3", &second),
    ] {
        let tag = if std::ptr::eq(expected, &api) { "prod/api:v1" } else { "prod/api:v2" };
        let query = form_urlencoded::byte_serialize(word.as_bytes()).collect::<String>();
        assert_eq!(listed(&browser.get(&format!("/?q=api+{query}")).await), [tag], "{word}");
        // Alone, it leads to a page of its own.
        let alone = browser.get(&format!("/?q={query}")).await;
        let page = browser.get(alone.header(LOCATION)).await;
        assert!(page.text.contains(&digest(expected)), "{word}: {}", page.text);
    }
    for none in ["pkg:deb/debian/zlib1g@2", "pkg:npm/zlib1g", "package:zlib"] {
        assert_eq!(listed(&browser.get(&format!("/?q=api+{none}")).await), [""; 0], "{none}");
        let page = browser.get(&format!("/ui/vulnerability?id={none}")).await;
        assert!(!page.text.contains("/ui/image?ref="), "{none}: {}", page.text);
    }
    // Also among the images with a vulnerability.
    let path = "/images?cve=CVE-2026-6&package=";
    for (package, count) in [("pkg:npm/@x/zlib1g", 1), ("ZLIB1G", 2), ("pkg:npm/zlib1g", 0)] {
        let listed = browser.scene.get(As::User("alice"), &format!("{path}{package}")).await.json();
        assert_eq!(listed["images"].as_array().unwrap().len(), count, "{package}");
    }
    let page = browser.get("/?q=PyYAML").await;
    let link = r#"href="/ui/vulnerability?id=package:pyyaml""#;
    assert!(page.text.contains(link), "{}", page.text);
}

#[tokio::test]
async fn nothing_tells_of_findings_in_images_that_one_may_not_see() {
    let (browser, api) = Browser::of_alice().await;
    let other = image("other", &["o"]);
    taught(&browser, &[("prod/api", "v1", &api), ("secret/api", "v1", &other)]).await;
    reported(&browser, "secret/api", &other, &[("log4j", "pkg:maven/a/log4j@2")]).await;
    for path in [
        "/?q=log4j",
        "/?q=api+package:log4j",
        "/?q=api+pkg:maven/a/log4j",
        "/?q=api+CVE-2026-5",
        "/ui/vulnerability?id=package:log4j",
        "/ui/vulnerability?id=pkg:maven/a/log4j",
        "/ui/vulnerability?id=CVE-2026-5",
    ] {
        let page = browser.get(path).await;
        let nobody = browser.get(&path.replace("log4j", "log5j").replace("26-5", "26-6")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let told = page.text.replace("log4j", "log5j").replace("26-5", "26-6");
        assert_eq!(told, nobody.text, "{path}");
    }
}

#[tokio::test]
async fn no_list_tells_by_its_end_of_images_that_one_may_not_see() {
    let (browser, api) = Browser::of_alice().await;
    let other = image("other", &["o"]);
    let hidden = ["a", "b", "c"].map(|tag| ("secret/api", tag, &other));
    taught(
        &browser,
        &[&[("prod/api", "v1", &api), ("prod/api", "v2", &api)], &hidden[..]].concat(),
    )
    .await;
    reported(&browser, "secret/api", &other, &[("log4j", "pkg:maven/a/log4j@2")]).await;
    let page = async |who: &str, query: &str| {
        let page = browser.scene.get(As::User(who), &format!("/images?{query}")).await.json();
        (page["images"].as_array().unwrap().len(), page["cursor"].as_str().map(str::to_owned))
    };
    for query in ["cve=CVE-2026-5&limit=1", "package=log4j&limit=1", "q=secret&limit=1", "limit=2"]
    {
        let (shown, cursor) = page("alice", query).await;
        assert_eq!((shown, cursor), (if query == "limit=2" { 2 } else { 0 }, None), "{query}");
    }
    // Whoever may see the rest is led to it.
    let (mut all, mut cursor) = (0, String::new());
    loop {
        let (shown, next) = page("root", &format!("limit=1{cursor}")).await;
        all += shown;
        let Some(next) = next else { break };
        assert_eq!(shown, 1);
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all, 5);
    assert_eq!(page("root", "cve=CVE-2026-5&limit=1").await, (1, None));
}

#[tokio::test]
async fn nothing_recognized_is_not_nothing_found() {
    let (browser, api) = Browser::of_alice().await;
    taught(&browser, &[("prod/api", "v1", &api)]).await;
    looked_into(&browser, "prod/api", &api, &[], false).await;
    let page = browser.get("/?q=api").await;
    assert!(page.text.contains(">no report<") && !page.text.contains(">nothing found<"));
    assert_eq!(listed(&browser.get("/?severity=none").await), [""; 0]);
    let row = browser.get("/ui/repository?name=prod/api").await;
    assert!(!row.text.contains(">nothing found<"), "{}", row.text);
}

#[tokio::test]
async fn more_findings_than_can_be_looked_for_at_once_are_refused() {
    let (browser, _) = Browser::of_alice().await;
    let names = |count| (0..count).map(|number| format!("CVE-2026-{number:04}"));
    let query = |count| format!("/?q=api+{}", names(count).collect::<Vec<_>>().join("+"));
    assert_eq!(browser.get(&query(16)).await.status, StatusCode::OK);
    let page = browser.get(&query(17)).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    let told = "name at most 16 vulnerabilities and packages at once";
    assert!(page.text.contains(told), "{}", page.text);
    // The same one twice is one.
    let page = browser.get(&format!("/?q=api{}", "+CVE-2026-1".repeat(17))).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn nothing_was_found_in_an_index_where_each_platform_has_a_report() {
    let (browser, amd64) = Browser::of_alice().await;
    let (arm64, signed) = (image("arm64", &["b"]), signature("signed", None));
    let both = index(&[&amd64, &arm64, &signed]);
    let tags = [("amd64", &amd64), ("arm64", &arm64), ("signed", &signed), ("both", &both)];
    taught(&browser, &tags.map(|(tag, sample)| ("prod/api", tag, sample))).await;
    reported(&browser, "prod/api", &amd64, &[]).await;
    let page = browser.get("/?q=both").await;
    assert!(page.text.contains(">no report<") && !page.text.contains(">nothing found<"));
    assert!(choices(&page).contains(&"no report · 1"), "{:?}", choices(&page));
    assert_eq!(listed(&browser.get("/?q=api&severity=none").await), ["prod/api:amd64"]);
    reported(&browser, "prod/api", &arm64, &[]).await;
    let page = browser.get("/?q=both").await;
    assert!(page.text.contains(">nothing found<"), "{}", page.text);
    assert!(choices(&page).contains(&"none · 1"), "{:?}", choices(&page));
}

#[tokio::test]
async fn what_the_page_of_an_image_prints_finds_it() {
    let (browser, api) = Browser::of_alice().await;
    let (first, second) = (image("first", &["f"]), image("second", &["s"]));
    let both = index(&[&first, &second]);
    let tags = [("v1", &api), ("first", &first), ("index", &both), ("old", &second)];
    taught(&browser, &tags.map(|(tag, sample)| ("prod/api", tag, sample))).await;
    for (query, expected) in [
        ("gate.example/prod/api:v1".to_owned(), ["prod/api:v1"].as_slice()),
        ("https://gate.example/prod/api:v1".to_owned(), &["prod/api:v1"]),
        (format!("gate.example/prod/api@{}", api.digest), &["prod/api:v1"]),
        (format!("prod/api:v1@{}", api.digest), &["prod/api:v1"]),
        (format!("prod/api@{}", first.digest), &["prod/api:first", "prod/api:index"]),
        (format!("prod/app@{}", first.digest), &[]),
        (format!("secret/app@{}", api.digest), &[]),
    ] {
        assert_eq!(listed(&browser.get(&format!("/?q={query}")).await), expected, "{query}");
    }
    // One without a tag is not in the list, and has a page.
    let lone = image("lone", &["l"]);
    {
        let mut shelf = browser.scene.shelf.lock().unwrap();
        *shelf = std::mem::take(&mut *shelf).tagged("prod/api", "lone", &lone);
    }
    let page = browser.get(&format!("/?q=gate.example/prod/api@{}", lone.digest)).await;
    assert_eq!(page.header(LOCATION), format!("/ui/image?ref=prod/api@{}", lone.digest));
}

#[tokio::test]
async fn results_go_on_where_the_page_ended() {
    let (browser, api) = Browser::of_alice().await;
    let names: Vec<_> = (0..120).map(|number| format!("t{number:03}")).collect();
    let tags: Vec<_> = names.iter().map(|tag| ("prod/many", tag.as_str(), &api)).collect();
    taught(&browser, &tags).await;
    let mut found: Vec<String> = Vec::new();
    let mut next = Some("/?q=many".to_owned());
    while let Some(path) = next {
        let page = browser.get(&path).await;
        found.extend(listed(&page).into_iter().map(str::to_owned));
        next = page.text.split_once(r#"<a class="button" href=""#).map(|(_, rest)| {
            rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&")
        });
    }
    let expected: Vec<_> = names.iter().map(|tag| format!("prod/many:{tag}")).collect();
    assert_eq!(found, expected);
}
