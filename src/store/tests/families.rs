use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;

/// With something in every field, times to the millisecond, and texts that would break out of
/// careless quotes.
fn full() -> Family {
    Family {
        kind: FamilyKind::Login,
        grant: Grant {
            subject: Subject::Peer {
                gate: "eu".to_owned(), name: "user:o'brien \"☃\"".to_owned()
            },
            kind: Kind::Peer,
            via: Some("eu".to_owned()),
            asserted: vec!["a'b".to_owned(), "c\"d\\".to_owned(), "é,f".to_owned()],
            groups: Some(vec![]),
            bounds: Some(Arc::new(
                Bounds::new(vec!["team/**".to_owned(), "a:1.*".to_owned()], ["push", "pull"])
                    .unwrap(),
            )),
            auth_time: after(at(-5), 123),
        },
        audience: Some("gate-b.example:5443".to_owned()),
        access_ttl: Duration::from_millis(90_001),
        made_at: after(at(0), 1),
        made_by: "local:0".to_owned(),
        comment: "'; DROP TABLE families; -- %s $1 ?1 \u{1f600}\n".to_owned(),
        parent: Some(id()),
        ends_at: after(at(10_000), 999),
        idle: Some(Duration::from_millis(2_592_000_001)),
        last_use: Some(LastUse { at: after(at(7), 7), from: "2001:db8::1".parse().unwrap() }),
        revoked_at: None,
        ..family()
    }
}

#[tokio::test]
async fn a_family_is_kept_as_it_is() {
    each(async |store| {
        for family in [full(), family()] {
            add(&store, &family).await;
            assert_eq!(store.family(&family.id).await.unwrap(), Some(family));
        }
        assert_eq!(store.family(&id()).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_name_and_a_token_are_taken_once() {
    each(async |store| {
        let (one, other) = (family(), family());
        store.add_family(&one, Some(token(1))).await.unwrap();
        store.add_family(&one, Some(token(2))).await.unwrap_err();
        store.add_family(&other, Some(token(1))).await.unwrap_err();
        // It happens as a whole or not at all.
        assert_eq!(store.family(&other.id).await.unwrap(), None);
        assert_eq!(store.family_of(token(2)).await.unwrap(), None);
        assert_eq!(store.family_of(token(1)).await.unwrap(), Some(one));
    })
    .await;
}

async fn ids(store: &Arc<dyn Store>, query: FamilyQuery) -> Vec<TokenId> {
    let families = store.families(&query).await.unwrap();
    families.into_iter().map(|family| family.id).collect()
}

#[tokio::test]
async fn pages_hold_each_family_once_the_latest_first() {
    each(async |store| {
        let mut families: Vec<_> = (0..23).map(|n| family_of(alice(), n / 5)).collect();
        for family in &families {
            add(&store, family).await;
        }
        families.sort_by_key(|family| (family.made_at, family.id.clone()));
        families.reverse();
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let query = FamilyQuery { after, limit: 4, ..FamilyQuery::default() };
            let page = store.families(&query).await.unwrap();
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            after = Some((last.made_at, last.id.clone()));
            found.extend(page);
        }
        assert_eq!(found, families);
    })
    .await;
}

#[tokio::test]
async fn pages_hold_each_family_once_those_that_end_soon_first() {
    each(async |store| {
        // What was made first ends last, and some end at the same moment.
        let ending = |n: i64| Family { ends_at: at(1000 - n / 5), ..family_of(alice(), n) };
        let mut families: Vec<_> = (0..23).map(ending).collect();
        for family in &families {
            add(&store, family).await;
        }
        families.sort_by_key(|family| (family.ends_at, family.id.clone()));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let order = FamilyOrder::Ends;
            let query = FamilyQuery { order, after, limit: 4, ..FamilyQuery::default() };
            let page = store.families(&query).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.ends_at, last.id.clone()));
            found.extend(page);
        }
        assert_eq!(found, families);
    })
    .await;
}

#[tokio::test]
async fn a_query_narrows() {
    each(async |store| {
        let plain = family_of(alice(), 3);
        let bobs = family_of(Subject::User("bob".to_owned()), 2);
        let other = Family { audience: Some("b.example".to_owned()), ..family_of(alice(), 1) };
        let over = Family { ends_at: at(5), ..family() };
        for family in [&plain, &bobs, &other, &over] {
            add(&store, family).await;
        }
        let [plain, bobs, other, over] = [plain, bobs, other, over].map(|family| family.id);
        let all = FamilyQuery { limit: 10, ..FamilyQuery::default() };
        let of_alice = FamilyQuery { subject: Some(alice()), ..all.clone() };
        let holding = FamilyQuery { holding_at: Some(at(5)), ..all.clone() };
        let for_others = FamilyQuery { for_others: true, ..all.clone() };
        let everything = [plain.clone(), bobs.clone(), other.clone(), over.clone()];
        assert_eq!(ids(&store, all.clone()).await, everything);
        assert_eq!(ids(&store, of_alice).await, [plain.clone(), other.clone(), over]);
        assert_eq!(ids(&store, holding).await, [plain.clone(), bobs, other.clone()]);
        assert_eq!(ids(&store, for_others).await, std::slice::from_ref(&other));
        let both = FamilyQuery { after: Some((at(3), plain)), subject: Some(alice()), ..all };
        assert_eq!(ids(&store, FamilyQuery { limit: 1, ..both }).await, [other]);
    })
    .await;
}

#[tokio::test]
async fn the_latest_use_is_kept() {
    each(async |store| {
        let (family, unknown) = (family(), id());
        add(&store, &family).await;
        let used = |seconds, from: &str| LastUse { at: at(seconds), from: from.parse().unwrap() };
        for (last, kept) in [
            (used(5, "192.0.2.1"), used(5, "192.0.2.1")),
            (used(4, "192.0.2.2"), used(5, "192.0.2.1")),
            (used(6, "2001:db8::1"), used(6, "2001:db8::1")),
        ] {
            store.used(&[(unknown.clone(), last), (family.id.clone(), last)]).await.unwrap();
            let found = store.family(&family.id).await.unwrap().unwrap();
            assert_eq!(found, Family { last_use: Some(kept), ..family.clone() });
        }
        store.used(&[]).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    each(async |store| {
        let over = Family { ends_at: at(100), ..family() };
        let idle = Family { idle: Some(Duration::from_secs(100)), ..family() };
        let used = Family { idle: Some(Duration::from_secs(100)), ..family() };
        let (revoked, holding) = (family(), family());
        for (number, family) in (1..).zip([&over, &idle, &used, &revoked, &holding]) {
            store.add_family(family, Some(token(number))).await.unwrap();
        }
        let last = LastUse { at: at(1), from: "192.0.2.1".parse().unwrap() };
        store.used(&[(used.id.clone(), last)]).await.unwrap();
        store.revoke(&revocation(&revoked.id), at(1)).await.unwrap();
        let (ended_access, access) = (id(), id());
        for (id, until) in [(&ended_access, at(100)), (&access, at(101))] {
            store.revoke(&Revocation::Id { id: id.clone(), until }, at(1)).await.unwrap();
        }
        assert_eq!(store.purge(after(at(100), -1)).await.unwrap(), 0);
        assert_eq!(store.purge(at(100)).await.unwrap(), 3);
        for (number, kept) in (1..).zip([false, false, true, true, true]) {
            let family = store.family_of(token(number)).await.unwrap();
            assert_eq!(family.is_some(), kept, "{number}");
        }
        // Access tokens of the revoked one would hold until its end.
        let mut expected = ended(&[&revoked]);
        expected.push(Revoked::Id { id: access, until: at(101) });
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked, expected);
        assert_eq!(store.purge(at(10_000)).await.unwrap(), 4);
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked, []);
        let all = FamilyQuery { limit: 10, ..FamilyQuery::default() };
        assert_eq!(store.families(&all).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn revocations_of_subjects_and_of_everything_are_not_forgotten() {
    each(async |store| {
        for what in [Revocation::Subject(alice(), at(0)), Revocation::Everything(at(0))] {
            store.revoke(&what, at(0)).await.unwrap();
        }
        assert_eq!(store.purge(at(1_000_000)).await.unwrap(), 0);
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_others_descend_from_is_kept_as_long_as_they() {
    each(async |store| {
        let family = family();
        let idle = Family { idle: Some(Duration::from_secs(1)), ..child_of(&family) };
        let grandchild = child_of(&idle);
        for family in [&family, &idle, &grandchild] {
            add(&store, family).await;
        }
        assert_eq!(store.purge(at(100)).await.unwrap(), 0);
        assert_eq!(store.revoke(&revocation(&family.id), at(100)).await.unwrap(), 2);
        assert_eq!(store.purge(at(10_000)).await.unwrap(), 3);
    })
    .await;
}

/// Families that hold for various reasons, or not, at times around 0.
fn any_family() -> impl Strategy<Value = Family> {
    let offset = || -3_i64..3;
    (
        offset(),
        offset(),
        proptest::option::of(1_u64..4),
        proptest::option::of(offset()),
        any::<bool>(),
    )
        .prop_map(|(made, ends, idle, used, revoked)| Family {
            made_at: at(made),
            ends_at: at(ends),
            idle: idle.map(Duration::from_secs),
            last_use: used.map(|used| LastUse { at: at(used), from: [127, 0, 0, 1].into() }),
            revoked_at: revoked.then(|| at(2)),
            ..family()
        })
}

#[tokio::test]
async fn the_database_and_the_gate_agree_on_what_holds() {
    each(async |store| {
        let mut runner = proptest::test_runner::TestRunner::default();
        let mut families = Vec::new();
        for _ in 0..200 {
            let family = any_family().new_tree(&mut runner).unwrap().current();
            // A use may be known from the start, or be noted later.
            let last = family.last_use.filter(|last| last.at.as_second() % 2 == 0);
            let first =
                Family { last_use: family.last_use.filter(|_| last.is_none()), ..family.clone() };
            add(&store, &first).await;
            store
                .used(&last.map(|last| (family.id.clone(), last)).into_iter().collect::<Vec<_>>())
                .await
                .unwrap();
            families.push(family);
        }
        for now in (-4..5).map(at) {
            let query = FamilyQuery { holding_at: Some(now), limit: 200, ..FamilyQuery::default() };
            let mut found = ids(&store, query).await;
            found.sort();
            let holding = families.iter().filter(|family| family.holds(now).is_ok());
            let mut holding: Vec<_> = holding.map(|family| family.id.clone()).collect();
            holding.sort();
            assert_eq!(found, holding, "{now}");
        }
    })
    .await;
}
