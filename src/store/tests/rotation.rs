use super::*;

const ROTATED: Rotation = Rotation::Rotated;

async fn rotate(store: &Arc<dyn Store>, from: u8, to: u8, now: Timestamp) -> Rotation {
    store.rotate(token(from), token(to), now).await.unwrap()
}

/// A store with a family whose first token is 1.
async fn with_token(store: &Arc<dyn Store>) -> Family {
    let family = family();
    store.add_family(&family, Some(token(1))).await.unwrap();
    family
}

async fn revoked_at(store: &Arc<dyn Store>, family: &Family) -> Option<Timestamp> {
    store.family(&family.id).await.unwrap().unwrap().revoked_at
}

#[tokio::test]
async fn each_token_is_exchanged_for_the_next() {
    each(async |store| {
        let family = with_token(&store).await;
        for step in 1..6 {
            assert_eq!(rotate(&store, step, step + 1, at(step.into())).await, ROTATED);
        }
        for known in 1..=6 {
            assert_eq!(store.family_of(token(known)).await.unwrap().unwrap(), family);
        }
        assert_eq!(store.family_of(token(7)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_token_answers_the_same_until_its_successor_is_used() {
    each(async |store| {
        with_token(&store).await;
        for seconds in [0, 29, 31, 9_000] {
            assert_eq!(rotate(&store, 1, 2, at(seconds)).await, ROTATED);
        }
        assert_eq!(rotate(&store, 2, 3, at(9_000)).await, ROTATED);
    })
    .await;
}

#[tokio::test]
async fn the_overlap_begins_with_the_first_use_of_the_successor() {
    each(async |store| {
        let family = with_token(&store).await;
        rotate(&store, 1, 2, at(0)).await;
        rotate(&store, 2, 3, at(100)).await;
        // Using it again does not move the beginning.
        rotate(&store, 2, 3, at(120)).await;
        assert_eq!(rotate(&store, 1, 2, after(at(130), -1)).await, ROTATED);
        assert_eq!(revoked_at(&store, &family).await, None);
        assert_eq!(rotate(&store, 1, 2, at(130)).await, Rotation::Reused { now: true });
        assert_eq!(revoked_at(&store, &family).await, Some(at(130)));
    })
    .await;
}

#[tokio::test]
async fn an_older_token_revokes_even_within_the_overlap() {
    each(async |store| {
        let family = with_token(&store).await;
        rotate(&store, 1, 2, at(0)).await;
        rotate(&store, 2, 3, at(1)).await;
        assert_eq!(rotate(&store, 1, 2, at(2)).await, ROTATED);
        rotate(&store, 3, 4, at(3)).await;
        assert_eq!(rotate(&store, 1, 2, at(4)).await, Rotation::Reused { now: true });
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked, ended(&[&family]));
    })
    .await;
}

#[tokio::test]
async fn reuse_is_told_once_and_ends_all_that_descends() {
    each(async |store| {
        let family = with_token(&store).await;
        let child = child_of(&family);
        add(&store, &child).await;
        rotate(&store, 1, 2, at(0)).await;
        rotate(&store, 2, 3, at(0)).await;
        assert_eq!(rotate(&store, 1, 2, at(60)).await, Rotation::Reused { now: true });
        assert_eq!(rotate(&store, 1, 2, at(61)).await, Rotation::Reused { now: false });
        // These are no reuse, but their family is over.
        assert_eq!(rotate(&store, 2, 3, at(61)).await, Rotation::Gone);
        assert_eq!(rotate(&store, 3, 4, at(61)).await, Rotation::Gone);
        assert_eq!(revoked_at(&store, &child).await, Some(at(60)));
        let revoked = store.changes(Sequence(0)).await.unwrap().revoked;
        assert_eq!(revoked, ended(&[&family, &child]));
    })
    .await;
}

#[tokio::test]
async fn there_is_nothing_to_exchange_where_nothing_holds() {
    each(async |store| {
        assert_eq!(rotate(&store, 1, 2, at(0)).await, Rotation::Gone);
        let login = Family { kind: FamilyKind::Login, ..family() };
        store.add_family(&login, Some(token(10))).await.unwrap();
        assert_eq!(rotate(&store, 10, 11, at(0)).await, Rotation::Gone);
        let idle = Family { idle: Some(Duration::from_secs(60)), ..family() };
        store.add_family(&idle, Some(token(20))).await.unwrap();
        assert_eq!(rotate(&store, 20, 21, at(60)).await, Rotation::Gone);
        assert_eq!(rotate(&store, 20, 21, at(59)).await, ROTATED);
        let family = with_token(&store).await;
        assert_eq!(rotate(&store, 1, 2, at(10_000)).await, Rotation::Gone);
        store.revoke(&revocation(&family.id), at(1)).await.unwrap();
        assert_eq!(rotate(&store, 1, 2, at(2)).await, Rotation::Gone);
        assert_eq!(revoked_at(&store, &family).await, Some(at(1)));
    })
    .await;
}

#[tokio::test]
async fn another_key_of_the_gate_leaves_one_lineage() {
    each(async |store| {
        let family = with_token(&store).await;
        rotate(&store, 1, 2, at(0)).await;
        // The key was exchanged, and the answer with 2 was lost: 3 takes its place.
        assert_eq!(rotate(&store, 1, 3, at(1)).await, ROTATED);
        assert_eq!(rotate(&store, 2, 9, at(2)).await, Rotation::Gone);
        assert_eq!(store.family_of(token(2)).await.unwrap(), None);
        assert_eq!(rotate(&store, 3, 4, at(2)).await, ROTATED);
        // One that was used is not replaced. Nothing is stolen, so nothing is revoked.
        assert_eq!(rotate(&store, 1, 5, at(3)).await, Rotation::Gone);
        assert_eq!(rotate(&store, 1, 3, at(3)).await, ROTATED);
        assert_eq!(revoked_at(&store, &family).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_goes_back_revokes_nothing() {
    each(async |store| {
        with_token(&store).await;
        rotate(&store, 1, 2, at(100)).await;
        rotate(&store, 2, 3, at(100)).await;
        assert_eq!(rotate(&store, 1, 2, at(0)).await, ROTATED);
    })
    .await;
}
