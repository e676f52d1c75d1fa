//! Push: blobs in every way that they can come, given up, and mounted.

use super::pushing::Pushed;
use super::step::{Step, step};
use super::{APP, OTHER};
use crate::support::images::{Blob, sha256};

const UPLOADS: &str = "/blobs/uploads/";

pub(super) fn steps() -> Vec<Step> {
    [nothing(), whole(), in_chunks(), given_up(), mounts()].into_iter().flatten().collect()
}

fn nothing() -> Vec<Step> {
    vec![
        step("the API is there", "GET", "/v2/", &[200]),
        step(
            "a repository that nobody made has no blob",
            "GET",
            format!("{APP}/blobs/{}", absent()),
            &[404],
        ),
        step("nor a manifest", "GET", format!("{APP}/manifests/v1"), &[404]),
        step("nor tags", "GET", format!("{APP}/tags/list"), &[404]),
    ]
}

fn absent() -> String {
    sha256(b"never pushed")
}

fn whole() -> Vec<Step> {
    let blob = Pushed::new().blob;
    let (digest, bytes) = (&blob.digest, &blob.bytes);
    let other = Blob::new("", b"in one request".to_vec());
    vec![
        step("an absent blob is looked for", "HEAD", format!("{APP}/blobs/{digest}"), &[404]),
        step("an absent blob is fetched", "GET", format!("{APP}/blobs/{digest}"), &[404]),
        step("an upload begins", "POST", uploads(), &[202]).keeps("whole"),
        step("it ends with all of the blob", "PUT", format!("@whole?digest={digest}"), &[201])
            .octets(&**bytes),
        step("the blob is there", "HEAD", format!("{APP}/blobs/{digest}"), &[200]),
        step(
            "a blob comes in one request",
            "POST",
            format!("{APP}{UPLOADS}?digest={}", other.digest),
            &[201, 202],
        )
        .octets(&*other.bytes),
        step(
            "in one request under a wrong digest",
            "POST",
            format!("{APP}{UPLOADS}?digest={}", absent()),
            &[202, 400],
        )
        .octets(&*other.bytes),
        step(
            "in one request under no digest",
            "POST",
            format!("{APP}{UPLOADS}?digest=sha256:short"),
            &[400],
        )
        .octets(&*other.bytes),
        step("an upload for a wrong digest begins", "POST", uploads(), &[202]).keeps("wrong"),
        step("it ends under a wrong digest", "PUT", format!("@wrong?digest={}", absent()), &[400])
            .octets(&**bytes),
        step("an upload for no digest begins", "POST", uploads(), &[202]).keeps("none"),
        step("it ends under what is no digest", "PUT", "@none?digest=sha256:short", &[400])
            .octets(&**bytes),
        step(
            "it ends under an unknown algorithm",
            "PUT",
            "@none?digest=md5:d41d8cd98f00b204e9800998ecf8427e",
            &[400],
        )
        .octets(&**bytes),
        step("it ends without any digest", "PUT", "@none", &[400]).octets(&**bytes),
        step("an upload of nothing begins", "POST", uploads(), &[202]).keeps("empty"),
        step("it ends with nothing", "PUT", format!("@empty?digest={}", sha256(b"")), &[201]),
        step("a blob is pushed again: the upload begins", "POST", uploads(), &[202]).keeps("again"),
        step(
            "a blob is pushed again: the upload ends",
            "PUT",
            format!("@again?digest={digest}"),
            &[201],
        )
        .octets(&**bytes),
        step(
            "a blob is not pushed to its own address",
            "PUT",
            format!("{APP}/blobs/{digest}"),
            &[404, 405],
        )
        .octets(&**bytes),
    ]
}

fn uploads() -> String {
    format!("{APP}{UPLOADS}")
}

fn chunk(name: &'static str, target: &str, bytes: &[u8], range: &str) -> Step {
    step(name, "PATCH", target, &[202]).octets(bytes).header("content-range", range)
}

fn in_chunks() -> Vec<Step> {
    let blob = Blob::new("", (0..=255).collect());
    let (first, rest) = blob.bytes.split_at(100);
    let (second, third) = rest.split_at(100);
    let streamed = Blob::new("", b"streamed".to_vec());
    vec![
        step("a stream begins", "POST", uploads(), &[202]).keeps("stream"),
        step("a stream goes on", "PATCH", "@stream", &[202])
            .octets(&*streamed.bytes)
            .keeps("streamed"),
        step("a stream is asked after", "GET", "@streamed", &[204]).keeps("asked"),
        step("a stream ends", "PUT", format!("@asked?digest={}", streamed.digest), &[201]),
        step("an upload out of order begins", "POST", uploads(), &[202]).keeps("order"),
        step("its second chunk comes first", "PATCH", "@order", &[416])
            .octets(second)
            .header("content-range", "100-255"),
        step("an upload in chunks begins", "POST", uploads(), &[202]).keeps("chunks"),
        step("it is asked after before it has anything", "GET", "@chunks", &[204]).keeps("nothing"),
        chunk("its first chunk comes", "@nothing", first, "0-99").keeps("first"),
        step("it is asked how far it came", "GET", "@first", &[204]).keeps("far"),
        chunk("its second chunk comes", "@far", second, "100-199").keeps("second"),
        step("it is asked once more how far it came", "GET", "@second", &[204]).keeps("resumed"),
        step(
            "it ends with its third chunk",
            "PUT",
            format!("@resumed?digest={}", blob.digest),
            &[201],
        )
        .octets(third)
        .header("content-range", "200-255"),
        step("what came in chunks is whole", "GET", format!("{APP}/blobs/{}", blob.digest), &[200]),
        step("another upload in chunks begins", "POST", uploads(), &[202]).keeps("repeats"),
        chunk("one chunk of it comes", "@repeats", first, "0-99").keeps("repeated"),
        step("the same chunk comes again", "PATCH", "@repeated", &[416])
            .octets(first)
            .header("content-range", "0-99"),
    ]
}

fn given_up() -> Vec<Step> {
    let digest = absent();
    let unknown = format!("{APP}{UPLOADS}0a1b2c3d-0000-4000-8000-000000000000");
    vec![
        step("an upload to be given up begins", "POST", uploads(), &[202]).keeps("given-up"),
        step("it is given up", "DELETE", "@given-up", &[204]),
        step("what was given up is asked after", "GET", "@given-up", &[404]),
        step("what was given up goes on", "PATCH", "@given-up", &[404]).octets("late"),
        step("what was given up ends", "PUT", format!("@given-up?digest={digest}"), &[404])
            .octets("late"),
        step("it is given up again", "DELETE", "@given-up", &[404]),
        step("an upload that nobody began is asked after", "GET", &*unknown, &[404]),
        step("an upload that nobody began goes on", "PATCH", &*unknown, &[404]).octets("x"),
        step(
            "an upload that nobody began ends",
            "PUT",
            format!("{unknown}?digest={digest}"),
            &[404],
        )
        .octets("x"),
        step("an upload that nobody began is given up", "DELETE", &*unknown, &[404]),
    ]
}

fn mounts() -> Vec<Step> {
    let digest = Pushed::new().blob.digest;
    let mount = |query: String| format!("{OTHER}{UPLOADS}?{query}");
    vec![
        step(
            "a blob is not elsewhere yet",
            "HEAD",
            format!("{OTHER}/blobs/{}", Blob::new("", (0..=255).collect()).digest),
            &[200, 404],
        ),
        step(
            "a blob is mounted from elsewhere",
            "POST",
            mount(format!("mount={digest}&from=conform/app")),
            &[201],
        ),
        step("what was mounted is there", "HEAD", format!("{OTHER}/blobs/{digest}"), &[200]),
        step("what was mounted is whole", "GET", format!("{OTHER}/blobs/{digest}"), &[200]),
        step(
            "an absent blob is mounted",
            "POST",
            mount(format!("mount={}&from=conform/app", absent())),
            &[202],
        )
        .keeps("mount"),
        step("the upload in its place is given up", "DELETE", "@mount", &[204]),
        step(
            "a blob is mounted from an absent repository",
            "POST",
            mount(format!("mount={}&from=conform/absent", absent())),
            &[202],
        ),
        step(
            "a blob is mounted from wherever",
            "POST",
            mount(format!("mount={digest}")),
            &[201, 202],
        ),
        step(
            "a blob is mounted from no name",
            "POST",
            mount(format!("mount={digest}&from=NO//NAME")),
            &[202, 400],
        ),
        step(
            "no digest is mounted",
            "POST",
            mount("mount=sha256:short&from=conform/app".to_owned()),
            &[202, 400],
        ),
    ]
}
