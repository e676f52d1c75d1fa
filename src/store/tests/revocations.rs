use super::*;

async fn state(store: &Arc<dyn Store>, families: &[&Family]) -> Vec<Option<Timestamp>> {
    let mut state = Vec::new();
    for family in families {
        state.push(store.family(&family.id).await.unwrap().unwrap().revoked_at);
    }
    state
}

#[tokio::test]
async fn a_family_ends_with_all_that_descend_from_it() {
    each(async |store| {
        let (family, other) = (family(), family());
        let child = child_of(&family);
        let grandchild = child_of(&child);
        for family in [&grandchild, &family, &child, &other] {
            add(&store, family).await;
        }
        assert_eq!(store.revoke(&revocation(&child.id), at(1)).await.unwrap(), 2);
        assert_eq!(store.revoke(&revocation(&family.id), after(at(2), 5)).await.unwrap(), 1);
        assert_eq!(store.revoke(&revocation(&family.id), at(3)).await.unwrap(), 0);
        let expected = [Some(after(at(2), 5)), Some(at(1)), Some(at(1)), None];
        assert_eq!(state(&store, &[&family, &child, &grandchild, &other]).await, expected);
        let changes = store.changes(Sequence(0)).await.unwrap();
        let expected = [ended(&[&child, &grandchild]), ended(&[&family])].concat();
        assert_eq!((changes.revoked, changes.services), (expected, None));
    })
    .await;
}

#[tokio::test]
async fn an_access_token_ends_with_what_was_made_with_it() {
    each(async |store| {
        let jti = id();
        let child = Family { parent: Some(jti.clone()), ..family() };
        let grandchild = child_of(&child);
        add(&store, &child).await;
        add(&store, &grandchild).await;
        assert_eq!(store.revoke(&revocation(&jti), at(1)).await.unwrap(), 2);
        let mut revoked = store.changes(Sequence(0)).await.unwrap().revoked;
        assert_eq!(revoked.remove(0), Revoked::Id { id: jti, until: at(500) });
        assert_eq!(revoked, ended(&[&child, &grandchild]));
    })
    .await;
}

#[tokio::test]
async fn what_is_revoked_again_reaches_as_far_as_the_furthest() {
    each(async |store| {
        let id = id();
        let until = |seconds| Revocation::Id { id: id.clone(), until: at(seconds) };
        for seconds in [100, 300, 200] {
            assert_eq!(store.revoke(&until(seconds), at(0)).await.unwrap(), 0);
        }
        let subject = |seconds| Revocation::Subject(alice(), at(seconds));
        for seconds in [10, 30, 20] {
            store.revoke(&subject(seconds), at(0)).await.unwrap();
        }
        let expected =
            [Revoked::Id { id: id.clone(), until: at(300) }, Revoked::Subject(alice(), at(30))];
        assert_eq!(store.changes(Sequence(0)).await.unwrap().revoked, expected);
    })
    .await;
}

#[tokio::test]
async fn only_families_that_held_are_counted() {
    each(async |store| {
        let expired = Family { ends_at: at(5), ..family() };
        // With a token of this one an upload may still go on.
        let just_expired = Family { ends_at: at(6), ..family() };
        let holding = Family { ends_at: at(100_000), ..family() };
        let idle =
            Family { id: family().id, idle: Some(Duration::from_secs(5)), ..holding.clone() };
        let all = [&expired, &just_expired, &idle, &holding];
        for family in all {
            add(&store, family).await;
        }
        assert_eq!(store.revoke(&Revocation::Everything(at(5)), at(86_405)).await.unwrap(), 1);
        // A late word of its use must not bring back the one that was not used for long.
        let late = LastUse { at: at(4), from: "127.0.0.1".parse().unwrap() };
        store.used(&[(idle.id.clone(), late)]).await.unwrap();
        let expected = [None, Some(at(86_405)), Some(at(86_405)), Some(at(86_405))];
        assert_eq!(state(&store, &all).await, expected);
    })
    .await;
}

#[tokio::test]
async fn a_subject_loses_what_began_by_then_to_the_second() {
    each(async |store| {
        let of = |subject, millis| {
            let mut family = family_of(subject, 0);
            family.grant.auth_time = after(at(10), millis);
            family
        };
        let before = of(alice(), 0);
        let same_second = of(alice(), 900);
        let next_second = of(alice(), 1000);
        let service = of(Subject::Service("alice".to_owned()), 0);
        for family in [&before, &same_second, &next_second, &service] {
            add(&store, family).await;
        }
        let revocation = Revocation::Subject(alice(), after(at(10), 500));
        assert_eq!(store.revoke(&revocation, at(11)).await.unwrap(), 2);
        let expected = [Some(at(11)), Some(at(11)), None, None];
        let families = [&before, &same_second, &next_second, &service];
        assert_eq!(state(&store, &families).await, expected);
        let mut revoked = store.changes(Sequence(0)).await.unwrap().revoked;
        assert_eq!(revoked.remove(0), Revoked::Subject(alice(), after(at(10), 500)));
        assert_eq!(revoked, ended(&[&before, &same_second]));
    })
    .await;
}

#[tokio::test]
async fn everything_ends_that_began_by_then() {
    each(async |store| {
        let old = family_of(alice(), 10);
        let new = family_of(alice(), 11);
        add(&store, &old).await;
        add(&store, &new).await;
        let everything = Revocation::Everything(at(10));
        assert_eq!(store.revoke(&everything, at(20)).await.unwrap(), 1);
        assert_eq!(state(&store, &[&old, &new]).await, [Some(at(20)), None]);
        let revoked = store.changes(Sequence(0)).await.unwrap().revoked;
        assert_eq!(revoked, [vec![Revoked::Everything(at(10))], ended(&[&old])].concat());
    })
    .await;
}

/// Making a token and revoking what it is made with may cross.
#[tokio::test]
async fn a_family_of_something_revoked_is_revoked_from_the_start() {
    each(async |store| {
        let (parent, jti) = (family(), id());
        add(&store, &parent).await;
        for what in [
            revocation(&parent.id),
            revocation(&jti),
            Revocation::Subject(Subject::User("bob".to_owned()), at(10)),
        ] {
            store.revoke(&what, at(10)).await.unwrap();
        }
        let since = store.changes(Sequence(0)).await.unwrap().sequence;
        let made_at = at(11);
        let child = Family { made_at, ..child_of(&parent) };
        let of_access = Family { parent: Some(jti.clone()), made_at, ..family() };
        let bobs = Family { made_at, ..family_of(Subject::User("bob".to_owned()), 10) };
        for family in [&child, &of_access, &bobs] {
            add(&store, family).await;
        }
        let fine = [family_of(Subject::User("bob".to_owned()), 11), family()];
        for family in &fine {
            add(&store, family).await;
        }
        let families = [&child, &of_access, &bobs, &fine[0], &fine[1]];
        let revoked = Some(made_at);
        assert_eq!(state(&store, &families).await, [revoked, revoked, revoked, None, None]);
        let mut told = store.changes(since).await.unwrap().revoked;
        told.sort_by_key(|revoked| format!("{revoked:?}"));
        assert_eq!(told, ended(&[&child, &of_access, &bobs]));
        store.revoke(&Revocation::Everything(at(20)), at(20)).await.unwrap();
        let late = family_of(Subject::User("carol".to_owned()), 20);
        add(&store, &late).await;
        assert_eq!(state(&store, &[&late]).await, [Some(at(20))]);
    })
    .await;
}

#[tokio::test]
async fn changes_are_what_came_after() {
    each(async |store| {
        assert_eq!(store.changes(Sequence(0)).await.unwrap(), Changes::default());
        let (one, two) = (id(), id());
        store.revoke(&revocation(&one), at(0)).await.unwrap();
        let first = store.changes(Sequence(0)).await.unwrap();
        assert_eq!(first.revoked, [Revoked::Id { id: one.clone(), until: at(500) }]);
        assert!(first.sequence > Sequence(0));
        let nothing = Changes { sequence: first.sequence, ..Changes::default() };
        assert_eq!(store.changes(first.sequence).await.unwrap(), nothing);
        store.revoke(&revocation(&two), at(0)).await.unwrap();
        let second = store.changes(first.sequence).await.unwrap();
        assert_eq!(second.revoked, [Revoked::Id { id: two, until: at(500) }]);
        // Whoever knows of more than there is knows another state: this one is older.
        let all = store.changes(Sequence(second.sequence.0 + 1)).await.unwrap();
        assert_eq!((all.sequence, all.revoked.len()), (second.sequence, 2));
    })
    .await;
}
