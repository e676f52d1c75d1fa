//! Lists of tokens that are longer than a page.

use super::*;

/// The comments on a page, in its order.
fn comments(page: &Page) -> Vec<String> {
    let cells = page.text.split(r#"<td class="told">"#).skip(1);
    cells.map(|cell| cell.split('<').next().unwrap().to_owned()).collect()
}

/// Where the page says that there is more.
fn more(page: &Page) -> Option<String> {
    let (before, _) = page.text.split_once(r#"">More tokens</a>"#)?;
    Some(before.rsplit('"').next().unwrap().replace("&#38;", "&"))
}

#[tokio::test]
async fn tokens_that_end_soon_come_first_however_many_there_are() {
    let (mut browser, _) = Browser::of_alice().await;
    let make = async |who, comment: &str, hours: usize| {
        let creation = json!({"expires": format!("{hours}h"), "comment": comment}).to_string();
        browser.scene.create(As::User(who), &creation).await
    };
    // What was made first, and would come last in the order of making.
    make("alice", "soon", 1).await;
    make("bob", "theirs", 2).await;
    for number in 0..120 {
        make("alice", &format!("later {number:03}"), 500 - number).await;
        browser.scene.wait(1);
    }
    let first = browser.get("/ui/tokens").await;
    let mut found = comments(&first);
    assert_eq!((found.len(), found[0].as_str()), (100, "soon"));
    assert_eq!(found[2], "later 119", "behind the session, which ends after a week");
    let second = browser.get(&more(&first).unwrap()).await;
    assert!(second.text.contains("Back to those that end first"), "{}", second.text);
    assert_eq!(more(&second), None);
    found.extend(comments(&second));
    let expected = (0..120).rev().map(|number| format!("later {number:03}"));
    assert_eq!(found.split_off(2), Vec::from_iter(expected));
    // Whoever revokes one goes on where they were.
    let cursor = more(&first).unwrap();
    let cursor = cursor.strip_prefix("/ui/tokens?cursor=").unwrap();
    let id = second.text.split(r#"name="id" value=""#).nth(1).unwrap().split('"').next().unwrap();
    let page = browser.send("/ui/tokens/revoke", &[("id", id), ("cursor", cursor)]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{}", page.text);
    assert_eq!(page.header(LOCATION), format!("/ui/tokens?cursor={cursor}"));
    browser.sign_in("root", PASSWORD).await;
    let all = browser.get("/ui/tokens?everybody=yes").await;
    assert_eq!(comments(&all)[..2], ["soon", "theirs"]);
    let rest = browser.get(&more(&all).unwrap()).await;
    assert!(rest.text.contains("Tokens of everybody"), "{}", rest.text);
    let wrong = browser.get("/ui/tokens?cursor=x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.text);
}
