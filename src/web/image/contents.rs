//! What an image is made of: its configuration and its layers.

use std::collections::BTreeMap;

use oci::{Descriptor, Digest, Manifest};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::super::shown::{short, size};
use crate::inventory::{fetch_blob, fetch_bytes};
use crate::service::api::image::named::Named;
use crate::service::api::image::show::Image;
use crate::service::api::{Api, Problem};

/// The longest configuration that is looked at, in bytes.
pub(super) const MAX_CONFIG: usize = 4 << 20;

/// The most steps, labels and variables that are shown.
const MAX_ROWS: usize = 500;

/// One platform's image; of an index, the first one's.
pub(super) struct Contents {
    /// Which of several it is.
    pub(super) platform: Option<String>,
    pub(super) config: Config,
    pub(super) layers: Vec<Layer>,
    /// What its manifest says of it.
    pub(super) annotations: Vec<(String, String)>,
}

/// What engines run it with.
#[derive(Default)]
pub(super) struct Config {
    pub(super) created: Option<String>,
    pub(super) architecture: String,
    pub(super) os: String,
    pub(super) author: String,
    pub(super) user: String,
    pub(super) workdir: String,
    pub(super) entrypoint: String,
    pub(super) command: String,
    pub(super) ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) environment: Vec<String>,
    pub(super) labels: Vec<(String, String)>,
}

/// A layer, or a step that made none.
pub(super) struct Layer {
    /// Its blob in short; none for a step that only changed the configuration.
    pub(super) digest: Option<String>,
    pub(super) size: String,
    /// Of the largest one, in percent.
    pub(super) share: u64,
    pub(super) command: String,
}

/// A configuration as it is written. What is of another type than it should be is passed over: it
/// is a stranger's.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    created: Lenient<String>,
    author: Lenient<String>,
    architecture: Lenient<String>,
    os: Lenient<String>,
    config: Lenient<WrittenConfig>,
    history: Lenient<Vec<Lenient<Step>>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct WrittenConfig {
    user: Lenient<String>,
    working_dir: Lenient<String>,
    entrypoint: Lenient<Vec<String>>,
    cmd: Lenient<Vec<String>>,
    env: Lenient<Vec<String>>,
    exposed_ports: Lenient<BTreeMap<String, IgnoredAny>>,
    volumes: Lenient<BTreeMap<String, IgnoredAny>>,
    labels: Lenient<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Step {
    created_by: Lenient<String>,
    comment: Lenient<String>,
    empty_layer: Lenient<bool>,
}

/// A value, or the empty one in the place of what is of another type.
#[derive(Default)]
struct Lenient<T>(T);

#[derive(Deserialize)]
#[serde(untagged)]
enum Either<T> {
    Wanted(T),
    Other(IgnoredAny),
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Ok(Self(match Either::deserialize(input)? {
            Either::Wanted(value) => value,
            Either::Other(_) => T::default(),
        }))
    }
}

impl Contents {
    /// Those of an image, or of the first platform of an index; none where nothing of it runs.
    pub(super) async fn of(
        api: &Api,
        named: &Named,
        image: &Image,
    ) -> Result<Option<Self>, Problem> {
        let Some(first) = image.platforms.first() else { return Ok(None) };
        let Ok(digest) = Digest::new(&first.digest) else { return Ok(None) };
        let upstream = &api.images.upstream;
        let Some(bytes) = fetch_bytes(upstream, &named.repository, &digest).await? else {
            return Ok(None);
        };
        let (bytes, content_type) = bytes;
        // It was understood before, and is what it was.
        let Ok(manifest) = Manifest::parse(&bytes, content_type.as_deref()) else {
            return Ok(None);
        };
        let Some(config) = &manifest.config else { return Ok(None) };
        let config = fetch_blob(upstream, &named.repository, &config.digest, MAX_CONFIG).await?;
        let written = config.as_deref().map(serde_json::from_slice::<Written>);
        let written = written.and_then(Result::ok).unwrap_or_default();
        let layers = layers(&manifest.layers, &written.history.0);
        let annotated: Annotated = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Some(Self {
            platform: image.platforms.get(1).and(first.platform.clone()),
            layers,
            config: Config::of(written),
            annotations: annotated.annotations.0.into_iter().take(MAX_ROWS).collect(),
        }))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Annotated {
    annotations: Lenient<BTreeMap<String, String>>,
}

impl Config {
    fn of(written: Written) -> Self {
        let config = written.config.0;
        let keys =
            |map: Lenient<BTreeMap<String, IgnoredAny>>| map.0.into_keys().take(MAX_ROWS).collect();
        Self {
            created: Some(written.created.0).filter(|created| !created.is_empty()),
            architecture: written.architecture.0,
            os: written.os.0,
            author: written.author.0,
            user: config.user.0,
            workdir: config.working_dir.0,
            entrypoint: words(&config.entrypoint.0),
            command: words(&config.cmd.0),
            ports: keys(config.exposed_ports),
            volumes: keys(config.volumes),
            environment: config.env.0.into_iter().take(MAX_ROWS).collect(),
            labels: config.labels.0.into_iter().take(MAX_ROWS).collect(),
        }
    }
}

impl Contents {
    /// What is said in pairs.
    pub(super) fn tables(&self) -> Vec<(&'static str, &[(String, String)])> {
        let all = [("Labels", &*self.config.labels), ("Annotations", &*self.annotations)];
        all.into_iter().filter(|(_, pairs)| !pairs.is_empty()).collect()
    }
}

impl Config {
    /// For what it was built.
    pub(super) fn platform(&self) -> String {
        format!("{}/{}", self.os, self.architecture)
    }

    /// What is said in a line.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("Entrypoint", self.entrypoint.clone()),
            ("Command", self.command.clone()),
            ("User", self.user.clone()),
            ("Folder", self.workdir.clone()),
            ("Ports", self.ports.join(", ")),
            ("Volumes", self.volumes.join(", ")),
            ("Author", self.author.clone()),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }
}

/// As in a Dockerfile.
fn words(words: &[String]) -> String {
    match words {
        [] => String::new(),
        words => serde_json::to_string(words).unwrap_or_default(),
    }
}

/// The layers with the steps that made them, in order. Steps tell themselves whether they made one;
/// where the numbers do not agree, which step made which is not known, and none is told.
fn layers(blobs: &[Descriptor], history: &[Lenient<Step>]) -> Vec<Layer> {
    let largest = blobs.iter().map(|blob| blob.size).max().unwrap_or_default().max(1);
    let layer = |blob: &Descriptor, command: String| Layer {
        digest: Some(short(&blob.digest)),
        size: size(blob.size),
        share: blob.size.saturating_mul(100) / largest,
        command,
    };
    let made = history.iter().filter(|step| !step.0.empty_layer.0).count();
    if made != blobs.len() {
        return blobs.iter().take(MAX_ROWS).map(|blob| layer(blob, String::new())).collect();
    }
    let mut blobs = blobs.iter();
    let steps = history.iter().filter_map(|Lenient(step)| {
        let command = command(step);
        match step.empty_layer.0 {
            true => Some(Layer { digest: None, size: String::new(), share: 0, command }),
            false => blobs.next().map(|blob| layer(blob, command)),
        }
    });
    steps.take(MAX_ROWS).collect()
}

/// What was done, without the words in which builders wrap it.
fn command(step: &Step) -> String {
    let text = step.created_by.0.trim();
    let text = text.strip_suffix("# buildkit").unwrap_or(text).trim_end();
    if let Some(instruction) = text.strip_prefix("/bin/sh -c #(nop)") {
        return instruction.trim_start().to_owned();
    }
    if let Some(line) = text.strip_prefix("/bin/sh -c ") {
        return format!("RUN {}", line.trim_start());
    }
    if let Some(line) = text.strip_prefix("RUN /bin/sh -c ") {
        return format!("RUN {}", line.trim_start());
    }
    if text.is_empty() { step.comment.0.clone() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(size: u64) -> Descriptor {
        Descriptor {
            media_type: String::new(),
            digest: Digest::new(&format!("sha256:{size:064x}")).unwrap(),
            size,
            platform: None,
            has_urls: false,
        }
    }

    fn told(blobs: &[Descriptor], history: &str) -> Vec<(Option<String>, u64, String)> {
        let history: Vec<Lenient<Step>> = serde_json::from_str(history).unwrap();
        let told = layers(blobs, &history).into_iter();
        told.map(|layer| (layer.digest.map(|_| layer.size), layer.share, layer.command)).collect()
    }

    #[test]
    fn each_layer_stands_beside_the_step_that_made_it() {
        let history = r##"[
            {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
            {"created_by": "/bin/sh -c #(nop)  ENV A=b", "empty_layer": true},
            {"created_by": "RUN /bin/sh -c make # buildkit"}
        ]"##;
        assert_eq!(
            told(&[blob(2000), blob(1000)], history),
            [
                (Some("2.00 kB".to_owned()), 100, "ADD file:1 in /".to_owned()),
                (None, 0, "ENV A=b".to_owned()),
                (Some("1.00 kB".to_owned()), 50, "RUN make".to_owned()),
            ]
        );
    }

    #[test]
    fn where_steps_and_layers_do_not_agree_no_step_is_told() {
        let shown = told(&[blob(10), blob(5)], r#"[{"created_by": "RUN a"}]"#);
        assert_eq!(
            shown,
            [
                (Some("10 B".to_owned()), 100, String::new()),
                (Some("5 B".to_owned()), 50, String::new())
            ]
        );
    }

    #[test]
    fn what_is_of_another_type_is_passed_over() {
        let written: Written = serde_json::from_str(
            r#"{"created": 7, "os": "linux", "history": "none",
                "config": {"User": ["root"], "Env": {"A": 1}, "Labels": {"a": "b"}, "Cmd": ["x", "y z"]}}"#,
        )
        .unwrap();
        let config = Config::of(written);
        assert_eq!((config.os.as_str(), config.user.as_str(), config.created), ("linux", "", None));
        assert_eq!(config.command, r#"["x","y z"]"#);
        assert_eq!(config.labels, [("a".to_owned(), "b".to_owned())]);
    }
}
