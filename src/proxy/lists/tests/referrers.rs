use super::*;

fn descriptor(sample: &Sample) -> Value {
    json!({
        "mediaType": sample.media_type(),
        "digest": sample.digest.to_string(),
        "size": 1,
        "artifactType": "application/x.signature",
    })
}

/// `app` is tagged `v1`; what it has as referrers is in the upstream alone.
async fn with_referrers(referrers: &[&Sample], app: &Sample) -> World {
    let entries: Vec<_> = referrers
        .iter()
        .map(|sample| descriptor(sample))
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
        at if at == more => second.clone(),
        at if at.split('?').next() == Some(&target) => first.clone(),
        at => held
            .iter()
            .find(|sample| at.ends_with(&sample.digest.to_string()))
            .map_or(Reply::new(404, "{}"), Reply::manifest),
    })
    .await;
    tagged(&world, app);
    world
}

fn tagged(world: &World, app: &Sample) {
    let here = RepositoryName::new("a/app").unwrap();
    world.gate.inventory.saw_manifest(&here, &app.digest, &app.manifest);
    let v1 = Tag::new("v1").unwrap();
    world.gate.inventory.saw_tag(&here, &v1, &app.digest, world.gate.clock.now());
}

#[tokio::test]
async fn referrers_are_shown_as_far_as_they_may_be_read() {
    let app = image("config", &["layer"]);
    let (one, two) = (signature("one", Some(&app.digest)), signature("two", Some(&app.digest)));
    let sneaky = image_about("secret", &["layer 2"], Some(&app.digest));
    let other = signature("other", Some(&image("other", &[]).digest));
    let world = with_referrers(&[&one, &sneaky, &other, &two], &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    let shown = |told: &str| {
        let begin = r#"200 {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":["#;
        assert!(told.starts_with(begin), "{told}");
        let body: Value = serde_json::from_str(told.strip_prefix("200 ").unwrap()).unwrap();
        let entries = body["manifests"].as_array().unwrap();
        [&one, &sneaky, &other, &two].map(|sample| entries.contains(&descriptor(sample)))
    };
    assert_eq!(shown(&world.list("whole", &request).await), [true, true, true, true]);
    assert_eq!(shown(&world.list("tags", &request).await), [true, false, false, true]);
    let bound = world.list("whole on a/app:v1", &request).await;
    assert_eq!(shown(&bound), [true, false, false, true]);
    assert_eq!(shown(&world.list("nobody", &request).await), [false; 4]);
    let length = world.list("tags", &request).await.len() - "200 ".len();
    let head = world.list("tags", &request.replace("GET", "HEAD")).await;
    assert_eq!(head, format!("200 of {length}"));
}

#[tokio::test]
async fn the_upstream_says_whether_it_chose_by_type() {
    let app = image("config", &[]);
    let one = signature("one", Some(&app.digest));
    let world = with_referrers(&[&one], &app).await;
    let request = format!("GET a/app/referrers/{}?artifactType=x%2Fy", app.digest);
    let response = world.answer("whole", &request).await.unwrap();
    assert_eq!(response.headers()["oci-filters-applied"], "artifactType");
    assert_eq!(response.headers()["content-type"], "application/vnd.oci.image.index.v1+json");
    let first = &world.fake.lines()[0];
    assert!(first.ends_with("?artifactType=x%2Fy"), "{first}");
}

/// A registry without the API, with an index of these at the fallback tag of `app`.
async fn with_fallback(attached: &[&Sample], app: &Sample) -> World {
    let tag = app.digest.to_string().replace(':', "-");
    let attached: Vec<Sample> = attached.iter().map(|&sample| sample.clone()).collect();
    let entries: Vec<_> = attached.iter().map(descriptor).collect();
    let body = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": entries,
    });
    let body = body.to_string();
    let world = World::new(move |asked| match asked.target.rsplit_once('/').unwrap() {
        ("/v2/a/app/manifests", reference) if reference == tag => Reply::new(200, body.clone())
            .with("content-type", "application/vnd.oci.image.index.v1+json"),
        ("/v2/a/app/manifests", reference) => attached
            .iter()
            .find(|sample| sample.digest.to_string() == reference)
            .map_or(Reply::new(404, "{}"), Reply::manifest),
        _ => Reply::new(404, "not here"),
    })
    .await;
    tagged(&world, app);
    world
}

#[tokio::test]
async fn where_the_upstream_has_no_referrers_the_fallback_tag_tells_them() {
    let app = image("config", &["layer"]);
    let (one, two) = (signature("one", Some(&app.digest)), signature("two", None));
    let sneaky = image_about("secret", &["layer 2"], Some(&app.digest));
    let world = with_fallback(&[&one, &sneaky, &two], &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    let shown = world.pages("whole", &request).await.concat();
    assert_eq!(shown.len(), 3);
    let shown = world.pages("tags", &request).await.concat();
    assert_eq!(shown, [one.digest.to_string()], "an index with an image in it vouches for nothing");

    let world = with_fallback(&[&one, &two], &app).await;
    let shown = world.pages("tags", &request).await.concat();
    assert_eq!(shown.len(), 2, "all of it is attached");
    let other = world.answer("tags", &format!("{request}?artifactType=other")).await.unwrap();
    assert_eq!(other.headers()["oci-filters-applied"], "artifactType");
    let shown = |kind: &str| format!("{request}?artifactType=application%2Fx.{kind}");
    assert_eq!(world.pages("tags", &shown("signature")).await.concat().len(), 2);
    assert_eq!(world.pages("tags", &shown("sbom")).await.concat().len(), 0);
}

#[tokio::test]
async fn an_upstream_without_referrers_says_so_itself() {
    let world = World::new(|_| Reply::new(404, "not here")).await;
    let request = format!("GET a/app/referrers/{}", image("x", &[]).digest);
    assert_eq!(world.list("whole", &request).await, "404 not here");
    assert_eq!(world.fake.asked().len(), 2, "the fallback tag is looked for");
    // What stands at the tag may be no index.
    let app = image("app", &[]);
    let at_tag = app.clone();
    let world = World::new(move |asked| match asked.target.contains("/manifests/") {
        true => Reply::manifest(&at_tag),
        false => Reply::new(404, "not here"),
    })
    .await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    assert_eq!(world.list("whole", &request).await, "404 not here");
    let sha512 = format!("GET a/app/referrers/sha512:{}", "0a".repeat(64));
    assert_eq!(world.list("whole", &sha512).await, "404 not here");
    let world = World::new(|_| Reply::new(400, "a bad digest")).await;
    assert_eq!(world.list("whole", &request).await, "400 a bad digest");
}

#[tokio::test]
async fn a_fallback_tag_that_a_rule_denies_is_as_one_that_is_absent() {
    let app = image("config", &["layer"]);
    let one = signature("one", Some(&app.digest));
    let world = with_fallback(&[&one], &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    assert_eq!(world.pages("but", &request).await.concat().len(), 1);
    let asked = world.fake.asked().len();
    assert_eq!(world.list("strict", &request).await, "404 not here");
    assert_eq!(world.fake.asked().len() - asked, 2, "it costs the same");
}

#[tokio::test]
async fn many_referrers_come_in_pages() {
    let app = image("config", &[]);
    let attached: Vec<_> =
        (0..300).map(|number| signature(&number.to_string(), Some(&app.digest))).collect();
    let world = with_fallback(&attached.iter().collect::<Vec<_>>(), &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    let told = world.list("tags", &request).await;
    let begin = format!("200 </v2/a/app/referrers/{}?cursor=*>; rel=\"next\" ", app.digest);
    assert!(told.starts_with(&begin), "{told:.200}");
    let pages = world.pages("tags", &request).await;
    assert_eq!(pages.concat().len(), 300);
    let all: std::collections::BTreeSet<_> = pages.concat().into_iter().collect();
    assert_eq!(all.len(), 300, "each once");
}

#[tokio::test]
async fn an_index_may_list_what_is_no_manifest_of_an_artifact() {
    let app = image("config", &[]);
    let note = signature("note", Some(&app.digest));
    let inner = index(&[&note]);
    let world = with_fallback(&[&inner], &app).await;
    let request = format!("GET a/app/referrers/{}", app.digest);
    let digest: Digest = inner.digest.clone();
    assert_eq!(world.pages("whole", &request).await.concat(), [digest.to_string()]);
}
