use super::*;

const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

fn digest(byte: u8) -> String {
    format!("sha256:{}", format!("{byte:02x}").repeat(32))
}

fn part(media_type: &str, byte: u8) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{byte}}}"#, digest(byte))
}

fn image(config: &str, layers: &[&str]) -> String {
    let layers: Vec<_> = (2..).zip(layers).map(|(byte, layer)| part(layer, byte)).collect();
    let (config, layers) = (part(config, 1), layers.join(","));
    format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layers}]}}"#)
}

/// `body` with further keys, each followed by a comma.
fn with(keys: &str, body: &str) -> String {
    format!("{{{keys}{}", &body[1..])
}

fn index() -> String {
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, part(OCI_IMAGE, 7))
}

fn parse(body: &str) -> Result<Manifest, String> {
    parse_as(body, None)
}

fn parse_as(body: &str, content_type: Option<&str>) -> Result<Manifest, String> {
    Manifest::parse(body.as_bytes(), content_type).map_err(|error| error.to_string())
}

fn references(manifest: &Manifest) -> Vec<String> {
    manifest.references().map(ToString::to_string).collect()
}

#[test]
fn an_image_names_its_configuration_and_layers() {
    let manifest = parse(&image(IMAGE_CONFIG, &[LAYER, LAYER])).unwrap();
    assert_eq!(manifest.media_type, ManifestType::OciImage);
    assert_eq!(references(&manifest), [digest(1), digest(2), digest(3)]);
    assert_eq!(manifest.layers[1].size, 3);
    assert_eq!(manifest.layers[1].media_type, LAYER);
}

#[test]
fn an_index_names_its_children_with_their_platforms() {
    let child = part(OCI_IMAGE, 7).replace(
        r#""size":7"#,
        r#""size":7,"platform":{"architecture":"arm64","os":"linux","variant":null,"os.version":"1"}"#,
    );
    let body = format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#);
    let manifest = parse(&body).unwrap();
    assert_eq!(manifest.kind(), Kind::Index);
    assert_eq!(references(&manifest), [digest(7)]);
    let platform = manifest.children[0].platform.as_ref().unwrap();
    assert_eq!((platform.os.as_str(), platform.architecture.as_str()), ("linux", "arm64"));
    assert_eq!(platform.variant, "");
}

#[test]
fn a_subject_is_named_but_is_no_part() {
    let keys =
        format!(r#""subject":{},"artifactType":"application/vnd.example","#, part(OCI_IMAGE, 9));
    let manifest = parse(&with(&keys, &image(EMPTY, &[EMPTY]))).unwrap();
    assert_eq!(manifest.subject.as_ref().map(|s| s.digest.to_string()), Some(digest(9)));
    assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.example"));
    assert_eq!(references(&manifest), [digest(1), digest(2)]);
}

#[test]
fn header_body_and_shape_must_agree() {
    let types = [OCI_IMAGE, DOCKER_IMAGE, OCI_INDEX, DOCKER_LIST];
    for header in types.map(Some).into_iter().chain([None]) {
        for body in types.map(Some).into_iter().chain([None]) {
            for (shape, shape_types) in
                [(image(IMAGE_CONFIG, &[LAYER]), &types[..2]), (index(), &types[2..])]
            {
                let keys = body.map_or(String::new(), |body| format!(r#""mediaType":"{body}","#));
                let found = parse_as(&with(&keys, &shape), header).map(|m| m.media_type.as_str());
                let declared = header.or(body).unwrap_or(shape_types[0]);
                let agree = body.is_none_or(|body| body == declared)
                    && shape_types
                        .iter()
                        .any(|t| *t == declared || *t == DOCKER_LIST && declared == DOCKER_LIST);
                assert_eq!(found.as_deref().ok(), agree.then_some(declared), "{header:?} {body:?}");
            }
        }
    }
}

#[test]
fn parameters_and_case_of_a_content_type_say_nothing() {
    let header = Some("Application/vnd.OCI.image.manifest.v1+json ; charset=utf-8");
    assert!(parse_as(&image(IMAGE_CONFIG, &[]), header).is_ok());
}

#[test]
fn a_body_that_is_image_and_index_at_once_is_refused() {
    let layers = format!(r#""layers":[{}],"#, part(LAYER, 2));
    let config = format!(r#""config":{},"#, part(IMAGE_CONFIG, 2));
    for keys in [layers, config, r#""layers":[],"#.to_owned()] {
        for header in [None, Some(OCI_IMAGE), Some(OCI_INDEX)] {
            let error = parse_as(&with(&keys, &index()), header).unwrap_err();
            assert!(error.contains("ambiguous"), "{error}");
        }
    }
}

#[test]
fn keys_that_readers_would_merge_are_refused() {
    let body = image(IMAGE_CONFIG, &[LAYER]);
    for key in ["layers", "Layers", "LAYERS", "layer\u{17f}", "\\u006cayers", "Manifests", "config"]
    {
        let error = parse(&with(&format!(r#""{key}":[],"#), &body)).unwrap_err();
        assert!(error.contains("misspelling") || error.contains("twice"), "{key}: {error}");
    }
    let inside = [
        body.replacen(r#""digest""#, &format!(r#""Digest":"{}","digest""#, digest(8)), 1),
        body.replacen(r#""size""#, r#""size":1,"size""#, 1),
        index().replacen(r#""size":7"#, r#""size":7,"platform":{"os":"a","OS":"b"}"#, 1),
    ];
    for body in inside {
        assert!(parse(&body).is_err(), "{body}");
    }
    assert!(parse(&with(r#""x":1,"x":2,"#, &body)).unwrap_err().contains("twice"));
}

#[test]
fn annotations_may_have_any_keys() {
    let keys = r#""annotations":{"digest":"x","Digest":"y","layers":""},"#;
    assert!(parse(&with(keys, &image(IMAGE_CONFIG, &[]))).is_ok());
}

#[test]
fn an_object_of_thousands_of_keys_is_refused() {
    let keys: String = (0..1000).map(|n| format!(r#""k{n}":0,"#)).collect();
    assert!(parse(&with(&keys, &image(IMAGE_CONFIG, &[]))).unwrap_err().contains("64 keys"));
}

#[test]
fn schema_1_is_named_in_the_refusal() {
    let body = r#"{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[]}"#;
    let bodies = [
        body.to_owned(),
        with(r#""signatures":[],"#, &image(IMAGE_CONFIG, &[])),
        with(r#""fsLayers":[],"#, &image(IMAGE_CONFIG, &[])),
    ];
    for body in bodies {
        assert!(parse(&body).unwrap_err().contains("schema 1 is not supported"), "{body}");
    }
    let header = Some("application/vnd.docker.distribution.manifest.v1+prettyjws");
    assert!(parse_as(&image(IMAGE_CONFIG, &[]), header).unwrap_err().contains("schema 1"));
}

#[test]
fn what_real_clients_leave_out_or_write_as_null_is_accepted() {
    let config = part(IMAGE_CONFIG, 1);
    for body in [
        format!(r#"{{"schemaVersion":2,"config":{config}}}"#),
        format!(r#"{{"schemaVersion":2,"config":{config},"layers":null,"manifests":null}}"#),
        format!(
            r#"{{"schemaVersion":2,"config":{config},"layers":[],"subject":null,"mediaType":null}}"#
        ),
    ] {
        assert_eq!(
            parse(&body).map(|m| (m.kind(), m.layers.len())),
            Ok((Kind::Image, 0)),
            "{body}"
        );
    }
    for list in ["null", "[]"] {
        let body = format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":{list}}}"#);
        assert_eq!(parse(&body).map(|m| m.children.len()), Ok(0));
    }
}

#[test]
fn foreign_layers_are_told() {
    let foreign = part(LAYER, 2).replace(r#""size""#, r#""urls":["https://a/b"],"size""#);
    let plain = part(LAYER, 3).replace(r#""size""#, r#""urls":[],"size""#);
    let body = image(IMAGE_CONFIG, &[]).replace("[]", &format!("[{foreign},{plain}]"));
    let manifest = parse(&body).unwrap();
    assert_eq!(manifest.layers.iter().map(|l| l.has_urls).collect::<Vec<_>>(), [true, false]);
    assert_eq!(manifest.foreign(), manifest.layers.first());
    let near = parse(&image(IMAGE_CONFIG, &[]).replace("[]", &format!("[{plain}]"))).unwrap();
    assert_eq!(near.foreign(), None);
}

#[test]
fn what_cannot_be_judged_is_refused_and_says_where() {
    let good = image(IMAGE_CONFIG, &[LAYER, LAYER]);
    let cases = [
        (String::new(), "JSON"),
        ("[]".to_owned(), "JSON"),
        ("null".to_owned(), "JSON"),
        (format!("{good}{good}"), "JSON"),
        (good.replace("\"schemaVersion\":2,", ""), "schemaVersion"),
        (good.replace("Version\":2", "Version\":3"), "schemaVersion"),
        (r#"{"schemaVersion":2}"#.to_owned(), "ambiguous"),
        (r#"{"schemaVersion":2,"layers":[]}"#.to_owned(), "no `config`"),
        (
            with(r#""mediaType":"application/vnd.oci.artifact.manifest.v1+json","#, &good),
            "`mediaType`",
        ),
        (good.replace(&digest(3), "sha256:0"), "`layers[1]`"),
        (good.replace(&digest(3), &digest(3).to_uppercase()), "`layers[1]`"),
        (good.replace("\"size\":1", "\"size\":-1"), "`config`"),
        (good.replace("\"size\":1", "\"size\":99999999999999999999"), "JSON"),
        (good.replacen("\"mediaType\"", "\"x\"", 1), "no `mediaType`"),
    ];
    for (body, place) in cases {
        let error = parse(&body).unwrap_err();
        assert!(error.contains(place), "{body}: {error}");
    }
    let error = parse_as(&good, Some("application/json")).unwrap_err();
    assert!(error.contains("`Content-Type`"), "{error}");
}

#[test]
fn bytes_that_are_no_utf_8_are_refused_also_where_nothing_is_read() {
    let note = with(r#""annotations":{"a":"0"},"#, &image(IMAGE_CONFIG, &[]));
    assert!(parse(&note).is_ok());
    let mut bytes = note.into_bytes();
    let at = bytes.iter().position(|&byte| byte == b'0').unwrap();
    bytes[at] = 0xFF;
    let error = Manifest::parse(&bytes, None).unwrap_err().to_string();
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn deep_json_is_an_error_and_no_overflow() {
    for open in ["[", r#"{"a":"#, r#"{"config":"#] {
        assert!(parse(&open.repeat(100_000)).is_err());
    }
    let deep = format!(r#""x":{}{},"#, "[".repeat(100_000), "]".repeat(100_000));
    // Whether it is read over or refused is of no interest; that it returns is.
    let _ = parse(&with(&deep, &image(IMAGE_CONFIG, &[])));
}

#[test]
fn signatures_attestations_and_sboms_are_artifacts() {
    for (config, layers) in [
        (IMAGE_CONFIG, &[SIMPLE_SIGNING, SIMPLE_SIGNING][..]),
        (IMAGE_CONFIG, &["application/vnd.in-toto+json"]),
        (IMAGE_CONFIG, &["application/vnd.dsse.envelope.v1+json"]),
        (EMPTY, &["application/vnd.dev.sigstore.bundle.v0.3+json"]),
        (EMPTY, &["application/vnd.dev.sigstore.bundle+json;version=0.1"]),
        (EMPTY, &[EMPTY]),
        (EMPTY, &[]),
        ("application/vnd.cncf.notary.signature", &["application/jose+json"]),
        ("application/vnd.unknown.config.v1+json", &["application/spdx+json"]),
    ] {
        let manifest = parse(&image(config, layers)).unwrap();
        assert!(manifest.is_artifact_by_content(), "{config} {layers:?}");
    }
}

#[test]
fn images_indexes_and_unknown_content_are_no_artifacts() {
    for (config, layers) in [
        (IMAGE_CONFIG, &[][..]),
        (IMAGE_CONFIG, &[LAYER]),
        (EMPTY, &[LAYER]),
        (EMPTY, &["application/spdx+json", LAYER]),
        (EMPTY, &["application/vnd.docker.image.rootfs.diff.tar.gzip"]),
        (EMPTY, &["application/octet-stream"]),
        (EMPTY, &["application/vnd.oci.image.layer.v1.tar+gzip;application/spdx+json"]),
        ("application/vnd.example.config+json", &["application/spdx+json"]),
    ] {
        let keys = r#""artifactType":"application/spdx+json","#;
        let manifest = parse(&with(keys, &image(config, layers))).unwrap();
        assert!(!manifest.is_artifact_by_content(), "{config} {layers:?}");
    }
    assert!(!parse(&index()).unwrap().is_artifact_by_content());
}
