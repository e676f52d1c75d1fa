//! What is denied costs as many questions to the registry as what is not there, and is told alike.

use super::*;
use crate::content::samples::image_about;

/// Each reads or deletes a part of it, in another way.
const PARTS: &str = r#"
rules:
  - {name: tags, subjects: ["user:tags"], images: ["team/app:v*"], allow: [pull, push, delete]}
  - {name: reads, subjects: ["user:reads"], images: ["team/app:v*"], allow: [pull, push]}
  - {name: janitor, subjects: ["user:reads", "user:janitor"], images: ["team/app:v*"], allow: [delete]}
  - {name: all-but, subjects: ["user:all-but"], images: ["team/app"], allow: [all]}
  - {name: cleans-but, subjects: ["user:cleans-but"], images: ["team/app"], allow: [delete]}
  - {name: mixed, subjects: ["user:mixed"], images: ["team/app"], allow: [pull, push]}
  - {name: mixed-deletes, subjects: ["user:mixed"], images: ["team/app:v*"], allow: [delete]}
  - name: but-dev
    subjects: ["user:all-but", "user:cleans-but", "user:mixed"]
    images: ["team/app:dev*"]
    deny: [pull, push, attach, delete]
"#;

const WHO: [&str; 6] = ["tags", "reads", "janitor", "all-but", "cleans-but", "mixed"];

impl World {
    /// What is told by a gate that knows nothing, and how much it asked.
    async fn cold(
        &self,
        who: &str,
        request: &str,
        manifest: Option<&Sample>,
    ) -> (String, Vec<String>) {
        let settings = Settings { linger: DAY, ..Settings::default() };
        let inventory = Inventory::new(settings, Arc::new(Forgetful));
        let who = user(who);
        for own in ["own config", "own layer"] {
            inventory.saw_push(&repository("team/app"), &who.caller.subject, &blob(own), self.now);
        }
        let before = self.fake.lines().len();
        let question = Question { inventory: &inventory, ..self.question(&who) };
        let operation = self.operation(request);
        let outcome = match manifest {
            None => authorize(question, operation.clone()).await,
            Some(sample) => match put_manifest(question, operation.clone()).await {
                Ok(pending) => pending.judge(sample.bytes.clone().into(), None).await,
                Err(refusal) => Err(refusal),
            },
        };
        let told = self.told(&who, &operation, &outcome);
        (told, self.fake.lines().split_off(before))
    }
}

#[tokio::test]
async fn to_ask_for_what_is_denied_costs_what_it_costs_to_find_nothing() {
    let mut world = World::new().await;
    world.policy = policy(PARTS);
    for way in ["DELETE team/app/manifests/", "GET team/app/referrers/"] {
        for who in WHO {
            let (nothing, asked) = world.cold(who, &format!("{way}NOTHING"), None).await;
            assert!(nothing.starts_with('4'), "{who}, {way}: {nothing}");
            for denied in ["DEV", "DEV-MULTI", "HIDDEN"] {
                let (told, seen) = world.cold(who, &format!("{way}{denied}"), None).await;
                assert_eq!(told, nothing, "{who}, {way}{denied}");
                // A child of a denied index, once asked for, need not be looked at below it.
                let saved = usize::from(denied == "HIDDEN");
                let counts = [seen.len(), asked.len()];
                let is_same = counts[0] == counts[1] || counts[0] + saved == counts[1];
                assert!(is_same, "{who}, {way}{denied}:\n{seen:#?}\n{asked:#?}");
            }
        }
    }
}

#[tokio::test]
async fn to_name_what_is_denied_costs_what_it_costs_to_name_nothing() {
    let mut world = World::new().await;
    world.policy = policy(PARTS);
    for who in ["tags", "reads", "all-but", "mixed"] {
        for (denied, absent) in [
            (image("own config", &["dev layer"]), image("own config", &["nothing"])),
            (image("dev", &["own layer"]), image("nothing", &["own layer"])),
            (image("dev", &["dev layer", "hidden layer"]), image("0", &["nothing", "else"])),
            (index(&[&world.content.dev]), index(&[&image("never", &["pushed"])])),
        ] {
            let put = "PUT team/app/manifests/v9";
            let (told, seen) = world.cold(who, put, Some(&denied)).await;
            let (nothing, asked) = world.cold(who, put, Some(&absent)).await;
            let start = "404 MANIFEST_BLOB_UNKNOWN: the manifest names ";
            assert!(told.starts_with(start), "{who}: {told}");
            assert!(nothing.starts_with(start), "{who}: {nothing}");
            assert_eq!(seen.len(), asked.len(), "{who}:\n{seen:#?}\n{asked:#?}");
        }
    }
}

#[tokio::test]
async fn what_nobody_denies_and_no_tag_holds_is_named_deleted_and_asked_about_by_who_may() {
    let mut world = World::new().await;
    world.policy = policy(PARTS);
    let (told, _) = world.cold("all-but", "DELETE team/app/manifests/LOOSE", None).await;
    assert_eq!(told, "plain, lock alone");
    let (told, _) = world.cold("cleans-but", "DELETE team/app/manifests/LOOSE", None).await;
    assert_eq!(told, "plain, lock alone");
    let (told, _) = world.cold("all-but", "GET team/app/referrers/LOOSE", None).await;
    assert_eq!(told, "plain");
    let names_loose = index(&[&world.content.loose]);
    let (told, _) = world.cold("all-but", "PUT team/app/manifests/v9", Some(&names_loose)).await;
    assert_eq!(told, "manifest, lock shared, by CALLER");
}

#[tokio::test]
async fn who_may_attach_to_nothing_cannot_ask_by_a_subject_what_is_there() {
    let mut world = World::new().await;
    world.policy = policy(PARTS);
    let dev = &world.content.dev.digest;
    let about = |subject: &Digest| image_about("own config", &["own layer"], Some(subject));
    for who in ["tags", "reads", "mixed"] {
        let put = "PUT team/app/manifests/v9";
        let (denied, seen) = world.cold(who, put, Some(&about(dev))).await;
        let (nothing, asked) = world.cold(who, put, Some(&about(&blob("nothing")))).await;
        assert!(denied.starts_with("403 DENIED: attach of team/app@DEV is denied"), "{denied}");
        assert_eq!(denied.replace("DEV", "NOTHING"), nothing, "{who}");
        assert_eq!((seen, asked), (Vec::new(), Vec::new()), "{who}");
    }
}

#[tokio::test]
async fn the_tags_that_forbid_a_delete_are_looked_at_several_at_a_time_and_each_manifest_once() {
    let world = World::new().await;
    // So many images that nobody knows, two tags on each.
    let hidden: Vec<_> = (0..40).map(|n| image(&format!("hidden {n}"), &["base"])).collect();
    let mut shelf = world.shelf.lock().unwrap().clone();
    for (n, image) in hidden.iter().enumerate() {
        shelf = shelf.tagged("team/app", &format!("dev-a{n}"), image);
        shelf = shelf.tagged("team/app", &format!("dev-b{n}"), image);
    }
    *world.shelf.lock().unwrap() = shelf;
    assert_eq!(
        world.ask(&user("h-delete"), "DELETE team/app/manifests/TWO").await,
        "plain, lock alone"
    );
    let looks = |line: &&String| line.starts_with("GET") && line.contains("/manifests/sha256:");
    let lines = world.fake.lines();
    let looks: Vec<_> = lines.iter().filter(looks).collect();
    assert_eq!(looks.len(), hidden.len(), "{looks:#?}");
    let connections: std::collections::HashSet<_> =
        world.fake.asked().iter().map(|asked| asked.connection).collect();
    assert!(connections.len() > 1, "one after the other");
    // A manifest never changes.
    let before = world.fake.lines().len();
    world.ask(&user("h-delete"), "DELETE team/app/manifests/TWO").await;
    let again = world.fake.lines().split_off(before);
    assert!(!again.iter().any(|line| line.contains("/manifests/sha256:")), "{again:#?}");
}
