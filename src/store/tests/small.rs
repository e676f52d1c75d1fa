use super::*;

fn policy(number: u8, files: Vec<u8>) -> KeptPolicy {
    KeptPolicy { sha256: [number; 32], loaded_at: at(number.into()), files }
}

#[tokio::test]
async fn the_policy_that_was_kept_last_is_the_one_there_is() {
    each(async |store| {
        assert_eq!(store.kept_policy().await.unwrap(), None);
        // Each with a time before the one of the last: clocks of replicas differ.
        for kept in [policy(3, vec![0, 1, 255]), policy(2, Vec::new()), policy(1, vec![7; 5 << 20])]
        {
            store.keep_policy(&kept).await.unwrap();
            assert_eq!(store.kept_policy().await.unwrap(), Some(kept));
        }
        // It is no change that anybody has to be told of.
        assert_eq!(store.changes(Sequence(0)).await.unwrap(), Changes::default());
        store.purge(at(1_000_000)).await.unwrap();
        assert!(store.kept_policy().await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn services_are_added_once_and_told_of_when_they_change() {
    each(async |store| {
        let names = ["ci/build", "Z", "ci/$+@", "é"];
        for name in names {
            assert!(store.add_service(name, after(at(1), 2)).await.unwrap());
        }
        assert!(!store.add_service("Z", at(9)).await.unwrap());
        let service = |name: &str, disabled| Service {
            name: name.to_owned(),
            disabled,
            made_at: after(at(1), 2),
        };
        // In the order of their bytes, whatever the language of the database is.
        let expected = ["Z", "ci/$+@", "ci/build", "é"].map(|name| service(name, false));
        assert_eq!(store.services().await.unwrap(), expected);
        let changes = store.changes(Sequence(0)).await.unwrap();
        assert_eq!(changes.services, Some(expected.to_vec()));
        assert_eq!(store.changes(changes.sequence).await.unwrap().services, None);
        assert!(!store.set_service_disabled("nobody", true).await.unwrap());
        assert!(store.set_service_disabled("Z", true).await.unwrap());
        let services = store.changes(changes.sequence).await.unwrap().services.unwrap();
        assert_eq!((services.len(), &services[0]), (4, &service("Z", true)));
        assert!(store.set_service_disabled("Z", false).await.unwrap());
        assert_eq!(store.services().await.unwrap(), expected);
    })
    .await;
}

#[tokio::test]
async fn the_highest_number_of_each_peer_is_remembered() {
    each(async |store| {
        assert_eq!(store.peer_sequence("eu").await.unwrap(), None);
        for (number, kept) in [(5, 5), (3, 5), (9, 9)] {
            store.set_peer_sequence("eu", Sequence(number)).await.unwrap();
            assert_eq!(store.peer_sequence("eu").await.unwrap(), Some(Sequence(kept)));
        }
        assert_eq!(store.peer_sequence("us").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_latest_time_is_remembered() {
    each(async |store| {
        assert_eq!(store.latest_time().await.unwrap(), None);
        for (time, kept) in [(at(5), at(5)), (at(3), at(5)), (after(at(5), 1), after(at(5), 1))] {
            store.set_latest_time(time).await.unwrap();
            assert_eq!(store.latest_time().await.unwrap(), Some(kept));
        }
    })
    .await;
}
