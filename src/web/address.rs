//! Where pages are.

use form_urlencoded::Serializer;

/// More of what is on that page.
pub(super) fn vulnerability_more(id: &str, cursor: &str) -> String {
    with("/ui/vulnerability", &[("id", id), ("cursor", cursor)])
}

/// The page of a repository, as it is asked for.
pub(super) fn repository_view(asked: &[(&str, &str)]) -> String {
    with("/ui/repository", asked)
}

/// What was decided about a request, or where to look for it further back.
pub(super) fn denial_page(id: &str, cursor: Option<&str>) -> String {
    let pairs: Vec<_> = [("id", id)].into_iter().chain(cursor.map(|it| ("cursor", it))).collect();
    with("/ui/denial", &pairs)
}

/// What policy says of an action of somebody on an image.
pub(super) fn what_if_page(image: &str, subject: &str, action: &str) -> String {
    with("/ui/access", &[("ref", image), ("as", subject), ("action", action)])
}

/// Records of the audit trail, for administrators.
pub(super) fn audit_page(filters: &[(&str, &str)]) -> String {
    with("/ui/admin/audit", filters)
}

/// The same as a file.
pub(super) fn audit_export(filters: &[(&str, &str)], format: &str) -> String {
    let pairs: Vec<_> = filters.iter().copied().chain([("format", format)]).collect();
    with("/ui/admin/audit/export", &pairs)
}

fn with(path: &str, pairs: &[(&str, &str)]) -> String {
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    // These mean nothing in a query (RFC 3986, section 3.4), and people read the names of images.
    let query = query.replace("%2F", "/").replace("%3A", ":").replace("%40", "@");
    format!("{path}?{query}")
}

/// The page of an image, as `REPOSITORY:TAG` or `REPOSITORY@DIGEST`.
pub(crate) fn image_page(image: &str) -> String {
    with("/ui/image", &[("ref", image)])
}

/// Something of an image at another path, with more parameters.
pub(super) fn image_file<'m>(
    path: &str,
    image: &'m str,
    more: impl IntoIterator<Item = (&'m str, &'m str)>,
) -> String {
    let pairs: Vec<_> = [("ref", image)].into_iter().chain(more).collect();
    with(path, &pairs)
}

/// The search page, with what is asked of it.
pub(super) fn search_page(pairs: &[(&str, &str)]) -> String {
    with("/", pairs)
}

/// The page of a repository.
pub(super) fn repository_page(name: &str) -> String {
    with("/ui/repository", &[("name", name)])
}

/// The page of a vulnerability.
pub(super) fn vulnerability_page(id: &str) -> String {
    with("/ui/vulnerability", &[("id", id)])
}

/// Who may do what with an image; the subjects behind those that were shown.
pub(super) fn access_page(image: &str, cursor: &str) -> String {
    let cursor = Some(("cursor", cursor)).filter(|(_, cursor)| !cursor.is_empty());
    image_file("/ui/access", image, cursor)
}

/// What one subject may do with an image.
pub(super) fn access_to(image: &str, subject: &str) -> String {
    image_file("/ui/access", image, Some(("as", subject)))
}

/// What would go with an image, before it is deleted.
pub(super) fn delete_page(image: &str) -> String {
    with("/ui/image/delete", &[("ref", image)])
}

/// Tokens, from a place in the list on.
pub(super) fn tokens_page(everybody: bool, cursor: &str) -> String {
    let everybody = everybody.then_some(("everybody", "yes"));
    let cursor = Some(("cursor", cursor)).filter(|(_, cursor)| !cursor.is_empty());
    let pairs: Vec<_> = everybody.into_iter().chain(cursor).collect();
    if pairs.is_empty() { "/ui/tokens".to_owned() } else { with("/ui/tokens", &pairs) }
}

/// A line of a file of the policy in force.
pub(super) fn policy_line(file: &str, line: usize) -> String {
    let line = line.to_string();
    with("/ui/admin/policy/file", &[("name", file), ("line", &line)]) + "#L" + &line
}

/// All of it.
pub(super) fn policy_file(file: &str) -> String {
    with("/ui/admin/policy/file", &[("name", file)])
}

/// More of what the shadow policy would have decided differently.
pub(super) fn shadow_more(cursor: &str) -> String {
    with("/ui/admin/shadow", &[("cursor", cursor)])
}
