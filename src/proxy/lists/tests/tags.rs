use super::*;

#[tokio::test]
async fn tags_are_shown_as_far_as_they_may_be_read() {
    let world = World::new(pages).await;
    // In order within each page of the upstream.
    let all = r#"200 {"name":"a/app","tags":["dev","v10","v2","V1","dev-2","v1"]}"#;
    assert_eq!(world.list("whole", "GET a/app/tags/list").await, all);
    let versions = r#"200 {"name":"a/app","tags":["v10","v2","v1"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list").await, versions);
    let but = r#"200 {"name":"a/app","tags":["v10","v2","V1","v1"]}"#;
    assert_eq!(world.list("but", "GET a/app/tags/list").await, but);
    assert_eq!(world.list("tags", "HEAD a/app/tags/list").await, "200 of 41");
}

#[tokio::test]
async fn pages_name_only_what_may_be_read() {
    let world = World::new(pages).await;
    let first = r#"200 </v2/a/app/tags/list?n=2&last=v2&cursor=*>; rel="next" {"name":"a/app","tags":["v10","v2"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=2").await, first);
    let told = world.list_as_it_is("tags", "GET a/app/tags/list?n=2").await;
    let asked = world.fake.asked().len();
    let second = world.list("tags", &next_of(&told).unwrap()).await;
    assert_eq!(second, r#"200 {"name":"a/app","tags":["v1"]}"#);
    let lines = world.fake.lines().split_off(asked);
    assert_eq!(lines, ["GET /v2/a/app/tags/list?at=2"], "it goes on where it was");
    // Whoever says a name alone gets what comes after it, on every page of the upstream. A name
    // that is hidden, or does not exist, is a place in the order like any other.
    let after = r#"200 {"name":"a/app","tags":["v10","v2","v1"]}"#;
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=5&last=dev").await, after);
    assert_eq!(world.list("tags", "GET a/app/tags/list?last=dez").await, after);
    assert_eq!(world.pages("tags", "GET a/app/tags/list?n=1&last=v1").await, [["v10"], ["v2"]]);
    let none = r#"200 {"name":"a/app","tags":[]}"#;
    for query in ["n=0", "last=zzz", "n=3&last=v2", "n=0&last=zzz"] {
        assert_eq!(world.list("tags", &format!("GET a/app/tags/list?{query}")).await, none);
    }
    // What is hidden and comes later makes no further page.
    assert_eq!(world.list("tags", "GET a/app/tags/list?n=3").await, after, "there is no more");
}

#[tokio::test]
async fn pages_together_show_each_tag_once_whatever_their_size() {
    let world = World::new(pages).await;
    let all = ["dev", "v10", "v2", "V1", "dev-2", "v1"];
    for n in 1..8 {
        let pages = world.pages("whole", &format!("GET a/app/tags/list?n={n}")).await;
        assert_eq!(pages.concat(), all, "{n}");
        assert!(pages.iter().rev().skip(1).all(|page| page.len() == n), "{n}: {pages:?}");
        assert!(pages.iter().all(|page| !page.is_empty()), "{n}: {pages:?}");
        let pages = world.pages("tags", &format!("GET a/app/tags/list?n={n}")).await;
        assert_eq!(pages.concat(), ["v10", "v2", "v1"], "{n}");
    }
}

#[tokio::test]
async fn a_page_is_bounded_whatever_is_asked_for() {
    // Not in order, as docker-registry gives them.
    let names: Vec<_> = (0..10_001).rev().map(|number| format!("v{number:05}")).collect();
    let names = serde_json::to_string(&names).unwrap();
    let world = World::new(move |_| tag_list(&names)).await;
    for query in ["", "?n=4000000000", "?n=10001"] {
        let told = world.list("tags", &format!("GET a/app/tags/list{query}")).await;
        let bounded = r#"200 </v2/a/app/tags/list?n=10000&last=v09999&cursor=*>; rel="next" {"name":"a/app","tags":["v00000","v00001","#;
        assert!(told.starts_with(bounded) && told.ends_with(r#""v09999"]}"#), "{query}");
    }
    let pages = world.pages("tags", "GET a/app/tags/list").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10_000, 1]);
}

#[tokio::test]
async fn a_repository_without_a_visible_tag_is_as_one_that_is_absent() {
    let world = World::new(|asked| match asked.target.as_str() {
        "/v2/a/app/tags/list?n=1000" => tag_list(r#"["dev"]"#),
        "/v2/c/app/tags/list?n=1000" => tag_list("null"),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let absent = "404 repository name not known to registry";
    for query in ["", "?n=0", "?n=2", "?last=a", "?n=5&last=zzz"] {
        for (who, repository) in
            [("tags", "a/app"), ("but", "a/app"), ("tags", "c/app"), ("tags", "b/app")]
        {
            let told = world.list(who, &format!("GET {repository}/tags/list{query}")).await;
            assert_eq!(told, absent, "{who} {repository}{query}");
        }
    }
    assert_eq!(world.list("whole", "GET b/app/tags/list").await, absent);
    let empty = r#"200 {"name":"c/app","tags":[]}"#;
    assert_eq!(world.list("whole", "GET c/app/tags/list").await, empty);
}

/// `v1` is an image, and so is what `dev` points at; both have a signature beside them.
#[tokio::test]
async fn what_is_attached_to_an_image_is_shown_with_it() {
    let (app, hidden) = (image("app", &[]), image("hidden", &[]));
    let beside = |image: &Sample, ending: &str| {
        format!("{}{ending}", image.digest.to_string().replace(':', "-"))
    };
    let tags = [&beside(&app, ".sig"), &beside(&hidden, ".sig"), "v1", "dev"];
    let tags = serde_json::to_string(&tags).unwrap();
    // Nothing more is to be had than what the gate knows.
    let world = World::new(move |asked| match asked.target.contains("/tags/list") {
        true => tag_list(&tags),
        false => Reply::new(404, "{}"),
    })
    .await;
    let here = RepositoryName::new("a/app").unwrap();
    for (tag, sample) in [("v1", &app), ("dev", &hidden)] {
        world.gate.inventory.saw_manifest(&here, &sample.digest, &sample.manifest);
        let tag = Tag::new(tag).unwrap();
        world.gate.inventory.saw_tag(&here, &tag, &sample.digest, world.gate.clock.now());
    }
    let shown = world.pages("tags", "GET a/app/tags/list?n=1").await;
    assert_eq!(shown, [[beside(&app, ".sig")], ["v1".to_owned()]]);
    assert_eq!(world.pages("whole", "GET a/app/tags/list").await.concat().len(), 4);
}

#[tokio::test]
async fn an_upstream_that_refuses_the_size_is_asked_without_one() {
    let world = World::new(|asked| match asked.target.as_str() {
        "/v2/a/app/tags/list?n=1000" => Reply::new(400, "n is too large"),
        "/v2/a/app/tags/list" => tag_list(r#"["v2","v1"]"#),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let pages = world.pages("tags", "GET a/app/tags/list?n=1").await;
    assert_eq!(pages, [["v1"], ["v2"]]);
    assert_eq!(world.fake.asked().len(), 3, "it is not asked again");
}

#[tokio::test]
async fn an_upstream_that_cuts_a_list_and_does_not_say_so_is_asked_for_all_of_it() {
    let names = |count: usize| {
        let names: Vec<_> = (0..count).map(|number| format!("v{number:04}")).collect();
        serde_json::to_string(&names).unwrap()
    };
    let world = World::new(move |asked| match asked.target.as_str() {
        "/v2/a/app/tags/list?n=1000" => tag_list(&names(1000)),
        "/v2/a/app/tags/list" => tag_list(&names(1002)),
        _ => Reply::new(404, "{}"),
    })
    .await;
    let pages = world.pages("tags", "GET a/app/tags/list?n=600").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [600, 402]);
}
