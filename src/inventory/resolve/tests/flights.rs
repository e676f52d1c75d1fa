//! Many who ask about one repository.

use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::*;

/// What is asked of the same upstream by somebody who has only this in common with others.
async fn ask(
    inventory: Inventory,
    upstream: Arc<Upstream>,
    digest: Digest,
    now: Timestamp,
) -> bool {
    let budget = Arc::new(Budget::new(2000));
    let sought = Sought {
        upstream: &upstream,
        repository: &repository(),
        digest: &digest,
        looks_at_it: true,
        budget: &budget,
        now,
    };
    let view = View { sight: &versions, includes_untagged: false };
    inventory.resolve(sought, view).await.unwrap()
}

fn each_once(world: &World, tags: usize) {
    let lines = world.fake.lines();
    for number in 0..tags {
        let end = format!("/manifests/v{number}");
        let times = lines.iter().filter(|line| line.ends_with(&end)).count();
        assert!(times <= 1, "{end}: {times}");
    }
    let lists = lines.iter().filter(|line| line.ends_with("/tags/list")).count();
    assert_eq!(lists, 1);
}

#[tokio::test]
async fn fifty_questions_are_one_flight() {
    let (shelf, images) = many_versions(30);
    let world = World::new(shelf).await;
    let mut asking = JoinSet::new();
    for number in 0..50 {
        let digest = match number % 2 {
            0 => images[number % 30].digest.clone(),
            _ => blob(&format!("layer {}", number % 30)),
        };
        asking.spawn(ask(world.inventory.clone(), Arc::clone(&world.upstream), digest, world.now));
    }
    assert!(asking.join_all().await.into_iter().all(|found| found));
    each_once(&world, 30);
    assert!(world.fake.connections() <= 8 + 2, "{}", world.fake.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_runtimes_of_their_own_share_a_flight() {
    let (shelf, images) = many_versions(30);
    let world = World::new(shelf).await;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let (inventory, upstream) = (world.inventory.clone(), Arc::clone(&world.upstream));
            let digests: Vec<_> = images.iter().map(|image| image.digest.clone()).collect();
            let now = world.now;
            thread::spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let mut asking = JoinSet::new();
                    for digest in digests.into_iter().skip(worker).step_by(4) {
                        asking.spawn(ask(inventory.clone(), Arc::clone(&upstream), digest, now));
                    }
                    asking.join_all().await.into_iter().all(|found| found)
                })
            })
        })
        .collect();
    for worker in workers {
        let found = tokio::task::spawn_blocking(|| worker.join().unwrap()).await.unwrap();
        assert!(found);
    }
    each_once(&world, 30);
}

#[tokio::test]
async fn a_flight_goes_on_when_nobody_waits_for_it() {
    let (shelf, images) = many_versions(20);
    let world = World::new(shelf).await;
    {
        let nothing = blob("nothing");
        let asking = std::pin::pin!(world.asks(&nothing, versions, false));
        // As soon as the first tags are asked for, the client goes away.
        tokio::select! {
            _ = asking => panic!("it was to take longer"),
            () = async {
                while world.fake.asked().len() < 4 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            } => {}
        }
    }
    // Whoever comes next waits for it, and asks for nothing again.
    assert!(world.reads(&images[19].digest).await);
    each_once(&world, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_flight_begins_where_the_runtime_of_the_first_has_ended() {
    let (shelf, images) = many_versions(20);
    let world = World::with(Settings::default(), shelf, |asked, reply| {
        match asked.headers.contains_key("x-never") {
            true => Reply::never(),
            false => reply,
        }
    })
    .await;
    let (inventory, upstream) = (world.inventory.clone(), Arc::clone(&world.upstream));
    let (digest, now) = (blob("nothing"), world.now);
    let begun = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let asking = tokio::spawn(ask(inventory, upstream, digest, now));
            tokio::time::sleep(Duration::from_millis(5)).await;
            asking.abort();
        });
    });
    tokio::task::spawn_blocking(|| begun.join().unwrap()).await.unwrap();
    assert!(world.reads(&images[19].digest).await);
}
