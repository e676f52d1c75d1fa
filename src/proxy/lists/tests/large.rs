//! A million tags, in one body without a length and in no order.

use super::*;

const COUNT: usize = 1_000_000;

/// How many names are in one piece.
const PIECE: usize = 1000;

/// The names in an order that is none; each hundredth is `v…`.
fn name(place: usize) -> String {
    // The step has no divisor in common with the count, so each number comes once.
    let number = place * 7_919 % COUNT;
    if number.is_multiple_of(100) { format!("v{number:06}") } else { format!("dev{number:06}") }
}

fn million(asked: &Asked) -> Reply {
    if !asked.target.starts_with("/v2/a/app/tags/list") {
        return Reply::new(404, "{}");
    }
    Reply::in_pieces(200, |piece| match piece {
        0 => Some(br#"{"name":"a/app","tags":[""#.to_vec()),
        piece if piece <= COUNT / PIECE => {
            let names = ((piece - 1) * PIECE..piece * PIECE).map(name);
            Some(names.map(|name| format!("{name}\",\"")).collect::<String>().into_bytes())
        }
        piece if piece == COUNT / PIECE + 1 => Some(br#"v"]}"#.to_vec()),
        _ => None,
    })
}

#[tokio::test]
async fn a_page_of_a_million_tags_is_the_first_in_order() {
    let world = World::new(million).await;
    let told = world.list("tags", "GET a/app/tags/list?n=3").await;
    let first = r#"200 </v2/a/app/tags/list?n=3&last=v000100&cursor=*>; rel="next" {"name":"a/app","tags":["v","v000000","v000100"]}"#;
    assert_eq!(told, first);
    assert_eq!(world.fake.asked().len(), 1);
}

#[tokio::test]
async fn a_million_tags_are_shown_in_pages_that_are_bounded() {
    let world = World::new(million).await;
    let told = world.list("tags", "GET a/app/tags/list").await;
    assert!(
        told.starts_with("200 </v2/a/app/tags/list?n=10000&last=v999800&cursor=*>"),
        "{told:.99}"
    );
    assert_eq!(told.matches(",\"v").count() + 1, 10_000);
    let last = world.list("tags", "GET a/app/tags/list?last=v999800&n=99999999999").await;
    assert_eq!(last, r#"200 {"name":"a/app","tags":["v999900"]}"#);
}
