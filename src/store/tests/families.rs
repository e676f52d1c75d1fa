use proptest::prelude::*;

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
