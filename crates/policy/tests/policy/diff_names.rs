//! Whom a comparison tells who has a name in an image alone.

use insta::assert_snapshot;

use jiff::Timestamp;
use policy::compare;

use crate::diff::shown;
use crate::properties::compile;

#[test]
fn whom_only_an_image_names_is_told() {
    let changed = |allow: &str, deny: &str| {
        let policy = |more: &str| {
            compile(&format!(
                "groups: {{qa: external, web: external}}\nrules:\n  - {{name: own, subjects: [authenticated], images: ['{allow}'], \
                 allow: [pull]}}\n{more}"
            ))
        };
        let rule = format!(
            "  - {{name: no, subjects: [authenticated], images: ['{deny}'], deny: [pull]}}\n"
        );
        shown(&policy(""), &policy(&rule))
    };
    assert_snapshot!(changed("home/${user}/**", "home/bob/**"), @"user:bob may no longer pull home/bob/** [own -> no]");
    assert_snapshot!(changed("home/${user}/**", "home/b*/**"), @"users such as user:b may no longer pull home/${user}/** [own -> no]");
    assert_snapshot!(changed("home/x-${user}", "home/*-bob"), @"users such as user:bob may no longer pull home/x-${user} [own -> no]");
    assert_snapshot!(changed("home:${user}-*", "home:bob-1"), @"user:bob may no longer pull home:bob-1 [own -> no]");
    assert_snapshot!(changed("team/${group}", "team/web"), @"authenticated in group:web may no longer pull team/web [own -> no]");
    assert_snapshot!(changed("home/${user}/**", "home/x/**"), @"user:x may no longer pull home/x/** [own -> no]");
    assert_snapshot!(changed("${user}/${user}/**", "bob/**"), @"user:bob may no longer pull ${user}/${user}/** [own -> no]");
    // Where nobody's name matters, nobody is told by it.
    assert_snapshot!(changed("home/${user}/**", "home/**"), @"user:** may no longer pull home/${user}/** [own -> no]");
}

/// What a denial of some images changes where others are allowed.
fn denied(rules: &str, images: &str) -> String {
    let policy = |more: &str| {
        compile(&format!("groups: {{qa: external, web: external}}\nrules:\n{rules}{more}"))
    };
    let denial =
        format!("  - {{name: no, subjects: [anyone], images: [{images}], deny: [pull]}}\n");
    shown(&policy(""), &policy(&denial))
}

fn own(subject: &str, images: &str) -> String {
    format!("  - {{name: own, subjects: ['{subject}'], images: ['{images}'], allow: [pull]}}\n")
}

#[test]
fn a_name_that_fits_two_patterns_in_two_places_is_told() {
    let own = |images: &str| own("authenticated", images);
    assert_snapshot!(denied(&own("${user}/${user}"), "'a*/*b'"), @"users such as user:ab may no longer pull ${user}/${user} [own -> no]");
    assert_snapshot!(denied(&own("${user}/x/${user}"), "'*-a/*/b*'"), @"users such as user:b-a may no longer pull ${user}/x/${user} [own -> no]");
    assert_snapshot!(denied(&own("${group}/${group}:v1"), "'a?/?b'"), @"authenticated in group:ab may no longer pull ${group}/${group}:v1 [own -> no]");
    assert_snapshot!(denied(&own("home/${user}:${user}-*"), "'home/a*:*b-1'"), @"users such as user:a may no longer pull home/${user}:${user}-* within home/a*:*b-1 [own -> no]");
}

#[test]
fn a_name_that_fits_a_pattern_of_subjects_and_one_of_images_is_told() {
    assert_snapshot!(denied(&own("user:*-x", "home/${user}"), "'home/a*'"), @"users such as user:a-x may no longer pull home/${user} [own -> no]");
    assert_snapshot!(denied(&own("group:*-x", "team/${group}"), "'team/a*'"), @r"
    groups such as group:a and group:*-x may no longer pull team/${group} [own -> no]
    groups such as group:a-x may no longer pull team/${group} [own -> no]
    ");
    let nested =
        "  - {name: n, subjects: ['group:all'], images: ['home/${user}'], allow: [pull]}\n";
    let policy =
        |more: &str| compile(&format!("groups: {{all: ['user:*-x']}}\nrules:\n{nested}{more}"));
    let denial = "  - {name: no, subjects: [anyone], images: ['home/a*'], deny: [pull]}\n";
    assert_snapshot!(shown(&policy(""), &policy(denial)), @"users such as user:a-x may no longer pull home/${user} [n -> no]");
}

#[test]
fn a_name_that_an_expression_or_a_range_tells_apart_is_told() {
    let own = |images: &str| own("authenticated", images);
    assert_snapshot!(denied(&own("home/${user}"), "{repository: {regex: 'home/[a-c]+'}}"), @"users such as user:a may no longer pull home/${user} [own -> no]");
    assert_snapshot!(denied(&own("**/${user}/z"), "{repository: {regex: '(a/x|b/y)c*/z'}}"), @r#"
    users such as user:x may no longer pull **/${user}/z within {repository: {regex: "(a/x|b/y)c*/z"}} [own -> no]
    users such as user:y may no longer pull **/${user}/z within {repository: {regex: "(a/x|b/y)c*/z"}} [own -> no]
    "#);
    assert_snapshot!(denied(&own("home/x:${user}"), "{repository: home/x, tag: {regex: 'b+'}}"), @r#"users such as user:b may no longer pull home/x:${user} within {repository: "home/x", tag: {regex: "b+"}} [own -> no]"#);
}

#[test]
fn a_name_that_is_made_up_for_everybody_is_not_one_that_images_name() {
    let own = own("authenticated", "home/${user}/**");
    assert_snapshot!(denied(&own, "'home/x*/**'"), @"users such as user:x may no longer pull home/${user}/** [own -> no]");
    assert_snapshot!(denied(&own, "'home/?/**'"), @"users such as user:x may no longer pull home/${user}/** [own -> no]");
}

#[test]
fn a_group_of_the_name_of_a_user_is_told() {
    let rules = own("authenticated", "${user}/a");
    assert_snapshot!(denied(&rules, "'${group}/*'"), @r"
    user:qa in group:qa may no longer pull ${user}/a [own -> no]
    user:web in group:web may no longer pull ${user}/a [own -> no]
    users such as user:x in group:* may no longer pull ${user}/a [own -> no]
    ");
    assert_snapshot!(denied(&rules, "'${group}/*', 'b*/**'"), @r"
    user:qa in group:qa may no longer pull ${user}/a [own -> no]
    user:web in group:web may no longer pull ${user}/a [own -> no]
    users such as user:b may no longer pull ${user}/a [own -> no]
    users such as user:bx may no longer pull ${user}/a [own -> no]
    users such as user:by may no longer pull ${user}/a [own -> no]
    users such as user:x in group:* may no longer pull ${user}/a [own -> no]
    ");
}

#[test]
fn names_beside_wildcards_that_are_not_gone_through_are_owned_up_to() {
    let rules = own("authenticated", "home/${user}")
        + "  - {name: g, subjects: [authenticated], images: ['team/${group}'], allow: [pull]}\n"
        + "  - {name: d, subjects: [anyone], images: ['team/b*'], deny: [pull]}\n";
    let limits = |images: &str| {
        let denial =
            format!("  - {{name: no, subjects: [anyone], images: ['{images}'], deny: [pull]}}\n");
        let [old, new] = ["", &denial].map(|more| {
            compile(&format!("groups: {{qa: external, web: external}}\nrules:\n{rules}{more}"))
        });
        let limits = compare(&old, &new, Timestamp::UNIX_EPOCH).limits;
        limits.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(limits("home/*${group}"), @"home/*${group}: other patterns tell the names that its variable stands for apart in too many ways, or by versions of which a name is a part; looked at as far as 200000000 steps go");
    assert_snapshot!(limits("home/${group}"), @"");
}
