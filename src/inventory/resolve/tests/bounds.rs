//! Where a search ends without an answer.

use super::*;

/// Waits for something that happens beside.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain until {what}");
}

fn is_warm(world: &World) -> bool {
    world.inventory.0.warming.lock().unwrap().waiting() == 0
}

#[tokio::test]
async fn a_question_costs_so_many_requests_and_a_later_one_is_answered() {
    let (shelf, images) = many_versions(60);
    let settings = Settings { max_requests: 20, ..Settings::default() };
    let world = World::with(settings, shelf, |_, reply| reply).await;
    let bounded = world.asks(&blob("nothing"), versions, false).await.unwrap_err();
    assert!(matches!(&bounded, Undecided::Upstream(Error::Budget(20))), "{bounded}");
    assert!(bounded.is_bound() && bounded.retry_after() == Duration::from_secs(30));
    assert!(world.counted("bounded") && !world.counted("failed"));
    until("all tags were looked at", || is_warm(&world)).await;
    let asked = world.fake.asked().len();
    assert!(asked < 20 + 60 + 10, "what was found out is not asked again: {asked}");
    assert!(world.reads(&images[59].digest).await);
    assert_eq!(world.fake.asked().len(), asked, "it is known");
    assert!(!world.reads(&blob("nothing")).await);
    assert!(world.fake.asked().len() <= asked + 1, "nothing but the digest itself");
}

#[tokio::test]
async fn one_repository_at_a_time_is_warmed_and_each_once() {
    let (shelf, _) = many_versions(3);
    let settings = Settings { max_requests: 1, ..Settings::default() };
    let world = World::with(settings, shelf, |_, reply| reply).await;
    for _ in 0..20 {
        let _ = world.asks(&blob("nothing"), versions, false).await;
        assert!(world.inventory.0.warming.lock().unwrap().waiting() <= 1);
    }
    until("all tags were looked at", || is_warm(&world)).await;
    // Another runner may begin when the first is done.
    world.asks(&blob("other"), versions, false).await.unwrap();
    let connections = world.fake.connections();
    assert!(connections <= 9, "{connections}");
}

#[tokio::test]
async fn an_upstream_that_has_too_much_to_do_says_when_to_come_back() {
    for (status, header, after) in
        [(429, Some("7"), 7), (503, Some("4000"), 300), (500, None, 30), (429, Some("soon"), 30)]
    {
        let (shelf, _) = many_versions(3);
        let world = World::with(Settings::default(), shelf, move |asked, reply| {
            if !asked.target.ends_with("/v2") {
                return reply;
            }
            let reply = Reply::new(status, "{}");
            header.map_or(reply.clone(), |header| reply.with("retry-after", header))
        })
        .await;
        let failed = world.asks(&blob("nothing"), versions, false).await.unwrap_err();
        assert_eq!(failed.retry_after().as_secs(), after, "{failed}");
        assert!(world.counted("failed") && !world.counted("denied"));
        let refusal = crate::refusal::Refusal::from(failed);
        assert_eq!(refusal.status(), 503);
    }
}

#[tokio::test]
async fn a_wrong_answer_is_the_upstreams_fault_and_no_refusal() {
    let other = image("other", &[]);
    let named =
        Reply::new(200, image("this", &[]).bytes).with("docker-content-digest", &other.digest);
    let wrong = [
        ("/tags/list", Reply::new(200, "[1]")),
        ("/tags/list", Reply::new(400, "{}")),
        ("/manifests/v1", named),
        ("/manifests/v1", Reply::new(418, "{}")),
        ("/manifests/sha256:", Reply::manifest(&other)),
    ];
    for (at, answer) in wrong {
        let (shelf, _) = many_versions(3);
        let world = World::with(Settings::default(), shelf, move |asked, reply| {
            if asked.target.contains(at) { answer.clone() } else { reply }
        })
        .await;
        let failed = world.asks(&image("wanted", &[]).digest, versions, false).await;
        let refusal = crate::refusal::Refusal::from(failed.unwrap_err());
        assert_eq!(refusal.status(), 502);
    }
}

#[tokio::test]
async fn who_waits_too_long_is_told_and_others_go_on() {
    let (shelf, images) = many_versions(3);
    let is_stuck = Arc::new(Mutex::new(true));
    let stuck = Arc::clone(&is_stuck);
    let patience = Duration::from_millis(300);
    let settings = Settings { patience, ..Settings::default() };
    let world = World::with(settings, shelf, move |asked, reply| {
        match asked.target.ends_with("/tags/list") && *stuck.lock().unwrap() {
            true => Reply::never(),
            false => reply,
        }
    })
    .await;
    for _ in 0..2 {
        let slow = world.asks(&images[1].digest, versions, false).await.unwrap_err();
        assert!(matches!(slow, Undecided::Slow(_)), "{slow}");
    }
    *is_stuck.lock().unwrap() = false;
    world.fake.close_all();
    let mut found = false;
    for _ in 0..100 {
        found = matches!(world.asks(&images[1].digest, versions, false).await, Ok(true));
        if found {
            break;
        }
    }
    assert!(found);
}

#[tokio::test]
async fn indexes_that_are_nested_too_deep_are_an_error() {
    let mut nested = vec![image("deep", &["deep layer"])];
    for _ in 0..5 {
        let outer = index(&[nested.last().unwrap()]);
        nested.push(outer);
    }
    let shelf = |depth: usize| {
        let shelf = nested.iter().fold(Shelf::default(), |shelf, at| shelf.untagged(APP, at));
        shelf.tagged(APP, "v1", &nested[depth])
    };
    assert!(World::new(shelf(4)).await.reads(&blob("deep layer")).await);
    let world = World::new(shelf(5)).await;
    let failed = world.asks(&blob("deep layer"), versions, false).await.unwrap_err();
    assert!(matches!(&failed, Undecided::Upstream(Error::Wrong(_))), "{failed}");
}

#[tokio::test]
async fn a_walk_that_is_too_long_is_no_refusal() {
    let (shelf, _) = many_versions(1);
    let world = World::new(shelf).await;
    let exhausted = Undecided::from(crate::inventory::Exhausted);
    assert!(exhausted.is_bound());
    assert_eq!(crate::refusal::Refusal::from(exhausted).status(), 503);
    assert!(!world.reads(&blob("nothing")).await);
}
