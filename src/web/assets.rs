//! What pages are drawn with. All of it is in the program.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// A file that pages name.
struct Asset {
    name: String,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    /// It is named by its content, so a browser may keep it for ever.
    fn new(stem: &str, ending: &str, media_type: &'static str, content: &'static str) -> Self {
        let hash = digest::digest(&digest::SHA256, content.as_bytes());
        let hash: String = hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("{stem}.{hash}.{ending}"), media_type, content }
    }
}

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("style", "css", "text/css; charset=utf-8", include_str!("assets/style.css"))
});
static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("page", "js", "text/javascript; charset=utf-8", include_str!("assets/page.js"))
});
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")));

/// Where the style sheet is.
pub(super) fn style() -> &'static str {
    &STYLE.name
}

/// Where the script is.
pub(super) fn script() -> &'static str {
    &SCRIPT.name
}

/// Where the icon is.
pub(super) fn icon() -> &'static str {
    &ICON.name
}

pub(super) async fn serve(Path(name): Path<String>) -> Response {
    let asset = [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name);
    let Some(asset) = asset else { return StatusCode::NOT_FOUND.into_response() };
    let headers =
        [(CONTENT_TYPE, asset.media_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, asset.content).into_response()
}
