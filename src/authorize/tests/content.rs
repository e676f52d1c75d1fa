//! What the tests decide about.

use std::collections::BTreeMap;

use super::*;

/// What is in `team/app`.
pub(super) struct Content {
    /// `v1`: an index of two.
    pub(super) multi: Sample,
    pub(super) amd: Sample,
    pub(super) arm: Sample,
    /// `v2` and `v2.0`.
    pub(super) two: Sample,
    /// The signature of `two`, by its subject.
    pub(super) signature: Sample,
    /// At the fallback tag of `two`.
    pub(super) cosigned: Sample,
    /// `dev`.
    pub(super) dev: Sample,
    /// The signature of `dev`, by its subject.
    pub(super) dev_signature: Sample,
    /// `dev-multi`: an index of `hidden` and `arm`.
    pub(super) dev_multi: Sample,
    pub(super) hidden: Sample,
    /// `v3` and `dev-3`.
    pub(super) three: Sample,
    /// Without a tag.
    pub(super) loose: Sample,
}

impl Content {
    pub(super) fn new() -> Self {
        let (amd, arm) = (image("amd", &["base"]), image("arm", &["base"]));
        let hidden = image("hidden", &["hidden layer"]);
        let two = image("two", &["base", "two layer"]);
        let dev = image("dev", &["base", "dev layer"]);
        Self {
            multi: index(&[&amd, &arm]),
            signature: signature("signature of two", Some(&two.digest)),
            cosigned: signature("cosigned two", None),
            dev_signature: signature("signature of dev", Some(&dev.digest)),
            dev_multi: index(&[&hidden, &arm]),
            three: image("three", &[]),
            loose: image("loose", &[]),
            amd,
            arm,
            two,
            dev,
            hidden,
        }
    }

    pub(super) fn fallback(&self) -> String {
        self.fallback_of(&self.two)
    }

    pub(super) fn fallback_of(&self, image: &Sample) -> String {
        format!("{}.sig", image.digest.to_string().replace(':', "-"))
    }

    /// By the names that the tests use.
    pub(super) fn named(&self) -> BTreeMap<&'static str, Digest> {
        let mut named = BTreeMap::from([
            ("MULTI", &self.multi.digest),
            ("AMD", &self.amd.digest),
            ("ARM", &self.arm.digest),
            ("TWO", &self.two.digest),
            ("SIGNATURE", &self.signature.digest),
            ("COSIGNED", &self.cosigned.digest),
            ("DEV", &self.dev.digest),
            ("DEV-SIGNATURE", &self.dev_signature.digest),
            ("DEV-MULTI", &self.dev_multi.digest),
            ("HIDDEN", &self.hidden.digest),
            ("THREE", &self.three.digest),
            ("LOOSE", &self.loose.digest),
        ])
        .into_iter()
        .map(|(name, digest)| (name, digest.clone()))
        .collect::<BTreeMap<_, _>>();
        named.insert("BASE-LAYER", blob("base"));
        named.insert("DEV-LAYER", blob("dev layer"));
        named.insert("SIGNED", blob("signature of two"));
        named.insert("NOTHING", blob("nothing"));
        named.insert("OWN", blob("own"));
        named
    }

    pub(super) fn shelf(&self) -> Shelf {
        let app = "team/app";
        Shelf::default()
            .tagged(app, "v1", &self.multi)
            .untagged(app, &self.amd)
            .untagged(app, &self.arm)
            .tagged(app, "v2", &self.two)
            .tagged(app, "v2.0", &self.two)
            .untagged(app, &self.signature)
            .tagged(app, &self.fallback(), &self.cosigned)
            .tagged(app, "dev", &self.dev)
            .untagged(app, &self.dev_signature)
            .tagged(app, "dev-multi", &self.dev_multi)
            .untagged(app, &self.hidden)
            .tagged(app, "v3", &self.three)
            .tagged(app, "dev-3", &self.three)
            .untagged(app, &self.loose)
    }

    pub(super) fn learn(&self, inventory: &Inventory, now: Timestamp) {
        let app = repository("team/app");
        for sample in [
            &self.multi,
            &self.amd,
            &self.arm,
            &self.two,
            &self.signature,
            &self.cosigned,
            &self.dev,
            &self.dev_signature,
            &self.dev_multi,
            &self.hidden,
            &self.three,
            &self.loose,
        ] {
            inventory.saw_manifest(&app, &sample.digest, &sample.manifest);
            inventory.attest(&app, &sample.digest);
        }
        let fallback = self.fallback();
        for (name, sample) in [
            ("v1", &self.multi),
            ("v2", &self.two),
            ("v2.0", &self.two),
            (&fallback, &self.cosigned),
            ("dev", &self.dev),
            ("dev-multi", &self.dev_multi),
            ("v3", &self.three),
            ("dev-3", &self.three),
        ] {
            inventory.saw_tag(&app, &Tag::new(name).unwrap(), &sample.digest, now);
        }
    }
}
