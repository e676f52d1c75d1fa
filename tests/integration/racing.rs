//! Many writers at one tag at once: they take turns, and the audit trail tells in which order.

use std::collections::HashMap;
use std::thread;

use serde_json::Value;

use crate::support::images::Image;
use crate::support::scene::Scene;

/// cora may create and not overwrite, so that of all that push one wins until somebody deletes.
const POLICY: &str = r#"
rules:
  - name: creator
    subjects: [user:cora]
    images: ["team/app"]
    allow: [pull, create]
  - name: cleaner
    subjects: [user:dora]
    images: ["team/app"]
    allow: [pull, delete]
"#;

#[test]
fn fifty_that_put_and_delete_take_turns_and_the_audit_trail_tells_the_order() {
    const WRITERS: usize = 25;
    let scene = Scene::new(POLICY, &[("cora", &[]), ("dora", &[])]);
    let (cora, dora) = (scene.client("cora"), scene.client("dora"));
    let images: Vec<_> = (0..WRITERS).map(|n| Image::oci(&format!("racer {n}"))).collect();
    for image in &images {
        image.blobs().for_each(|blob| drop(cora.push_blob("team/app", blob).expect(201)));
    }
    let delete = |image: &Image| dora.delete(&format!("/v2/team/app/manifests/{}", image.digest()));
    // Each has its token before it races.
    delete(&images[0]).expect(404);
    let answers: Vec<_> = thread::scope(|scope| {
        let (cora, delete) = (&cora, &delete);
        let racers: Vec<_> = images
            .iter()
            .flat_map(|image| {
                let put =
                    scope.spawn(move || cora.put_manifest("team/app", "race", &image.manifest));
                [put, scope.spawn(move || delete(image))]
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let statuses: HashMap<_, _> = answers
        .iter()
        .map(|answer| (answer.header("x-request-id").unwrap().to_owned(), answer.status))
        .collect();
    assert_eq!(statuses.len(), 2 * WRITERS);
    let of = |record: &Value| statuses.get(record["request_id"].as_str().unwrap_or_default());

    // What was answered stands in the trail.
    let ended = scene.gate.requests(|all| all.iter().filter_map(of).count() == statuses.len());
    for record in ended.iter().filter(|record| of(record).is_some()) {
        assert_eq!(record["status"].as_u64().unwrap() as u16, *of(record).unwrap(), "{record}");
    }
    // What was about to be done was written while its turn lasted: done again in that order, each
    // step is right, and what is left at the end is what is there.
    let mut tag: Option<String> = None;
    let mut turns = 0;
    for record in scene.gate.audit().iter().filter(|record| record["status"].is_null()) {
        let Some(status) = of(record) else { continue };
        turns += 1;
        let text = |field: &str| record[field].as_str().unwrap_or_default().to_owned();
        match (record["subject"].as_str().unwrap(), status) {
            ("user:cora", 201) => {
                assert_eq!(tag, None, "who may only create has moved the tag: {record}");
                tag = Some(text("digest"));
            }
            ("user:dora", 202) => {
                tag.take_if(|digest| *digest == text("reference"));
            }
            ("user:dora", 404) => {
                assert_ne!(tag, Some(text("reference")), "what is there was not found: {record}");
            }
            other => panic!("{other:?}: {record}"),
        }
    }
    let count = |status| statuses.values().filter(|found| **found == status).count();
    assert_eq!(turns, WRITERS + count(201));
    assert!(count(201) > 0 && count(201) + count(403) == WRITERS, "{statuses:?}");
    assert_eq!(scene.stored("team/app", "race"), tag);
}
