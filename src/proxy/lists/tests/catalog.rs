use super::*;

/// Two pages of repositories, and the tags of two of them.
pub(super) fn two_pages(asked: &Asked) -> Reply {
    match asked.target.as_str() {
        "/v2/_catalog?n=1000" => Reply::new(200, r#"{"repositories":["b/app","A","a/app"]}"#)
            .with("link", next("/v2/_catalog?n=1000&last=b%2Fapp")),
        "/v2/_catalog?n=1000&last=b%2Fapp" => {
            Reply::new(200, r#"{"repositories":["c/app","d/app"]}"#)
        }
        "/v2/a/app/tags/list?n=1000" => tag_list(r#"["dev","v1"]"#),
        "/v2/c/app/tags/list?n=1000" => tag_list(r#"["dev"]"#),
        _ => Reply::new(404, "{}"),
    }
}

#[tokio::test]
async fn the_catalogue_shows_what_has_something_to_read() {
    let world = World::new(two_pages).await;
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
    let world = World::new(two_pages).await;
    let first =
        r#"200 </v2/_catalog?n=1&last=a%2Fapp&cursor=*>; rel="next" {"repositories":["a/app"]}"#;
    assert_eq!(world.list("whole", "GET _catalog?n=1").await, first);
    let all = ["a/app", "b/app", "c/app", "d/app"];
    for n in 1..6 {
        let pages = world.pages("whole", &format!("GET _catalog?n={n}")).await;
        assert_eq!(pages.concat(), all, "{n}");
        assert!(pages.iter().all(|page| !page.is_empty()), "{n}: {pages:?}");
    }
    let after = world.list("whole", "GET _catalog?last=b/app").await;
    assert_eq!(after, r#"200 {"repositories":["c/app","d/app"]}"#);
    // What is hidden and comes later makes no further page.
    let last = r#"200 {"repositories":["a/app"]}"#;
    assert_eq!(world.list("but", "GET _catalog?n=1").await, last);
    assert_eq!(world.list("whole", "GET _catalog?n=0").await, r#"200 {"repositories":[]}"#);
}

/// Many repositories, and of each third one a tag that anybody may read.
async fn many(count: usize) -> World {
    let names: Vec<_> = (0..count).map(|number| format!("c/app{number:04}")).collect();
    let names = serde_json::to_string(&names).unwrap();
    let policy = r#"
rules:
  - {name: tags, subjects: ["user:tags"], images: ["c/*:v*"], allow: [pull]}
"#;
    World::under(policy, Settings::default(), move |asked| {
        let path = asked.target.split('?').next().unwrap();
        match path.strip_prefix("/v2/c/app").and_then(|rest| rest.get(..4)) {
            Some(number) if number.parse::<usize>().unwrap() % 3 == 0 => {
                tag_list(r#"["dev","v1"]"#)
            }
            Some(_) => tag_list(r#"["dev"]"#),
            None => Reply::new(200, format!(r#"{{"repositories":{names}}}"#)),
        }
    })
    .await
}

#[tokio::test]
async fn thousands_of_repositories_do_not_cost_thousands_of_requests() {
    let world = many(900).await;
    let mut request = "GET _catalog".to_owned();
    let mut shown = Vec::new();
    loop {
        let before = world.fake.asked().len();
        let told = world.list_as_it_is("tags", &request).await;
        let cost = world.fake.asked().len() - before;
        assert!(cost <= 256 + 1 + 7, "{cost}");
        let body = told.split_once('{').unwrap().1;
        let body: Value = serde_json::from_str(&format!("{{{body}")).unwrap();
        shown.extend(body["repositories"].as_array().unwrap().clone());
        match next_of(&told) {
            Some(next) => request = next,
            None => break,
        }
    }
    assert_eq!(shown.len(), 300, "pages are shorter, and nothing is missing");
    assert!(shown.is_sorted_by_key(|name| name.as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn a_page_of_the_catalogue_costs_what_it_shows() {
    let world = many(900).await;
    let told = world.list("tags", "GET _catalog?n=2").await;
    assert!(told.ends_with(r#"{"repositories":["c/app0000","c/app0003"]}"#), "{told}");
    let cost = world.fake.asked().len();
    assert!(cost <= 10, "{cost}");
}

#[tokio::test]
async fn a_list_of_tags_that_is_fresh_is_not_asked_for_again() {
    let world = many(60).await;
    let first = world.pages("tags", "GET _catalog").await;
    assert_eq!((first.concat().len(), world.fake.asked().len()), (20, 61));
    assert_eq!(world.pages("tags", "GET _catalog").await, first);
    assert_eq!(world.fake.asked().len(), 62, "the catalogue itself alone");
}

#[tokio::test]
async fn a_registry_without_a_catalogue_is_not_one_with_nothing_in_it() {
    let world = World::new(|_| Reply::new(404, "{}")).await;
    let told = world.list("whole", "GET _catalog").await;
    assert_eq!(told, "404 the registry has no catalogue");
}
