//! Alternatives in the text of a pattern: `team/{a,b}` is `team/a` and `team/b`.

use document::Mistake;

/// Alternatives multiply; a list that long belongs into several patterns.
pub(crate) const MAX_ALTERNATIVES: usize = 256;

/// Writes `{a,b}` out: one text for each choice.
pub(crate) fn alternatives(text: &str) -> Result<Vec<String>, Mistake> {
    let mut open = vec![text.to_owned()];
    let mut done = Vec::new();
    while let Some(text) = open.pop() {
        let Some((before, choices, after)) = first_braces(&text)? else {
            done.push(text);
            continue;
        };
        if open.len() + done.len() + choices.len() > MAX_ALTERNATIVES {
            return Err(too_many());
        }
        // Backwards, so that they are taken off in the order in which they are written.
        open.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
    }
    Ok(done)
}

type Braces<'a> = (&'a str, Vec<&'a str>, &'a str);

/// The first `{a,b}` that is no variable: what is before it, its choices, what is after it.
fn first_braces(text: &str) -> Result<Option<Braces<'_>>, Mistake> {
    let opening = text.char_indices().find(|&(index, char)| {
        char == '{' && !text.get(..index).is_some_and(|before| before.ends_with('$'))
    });
    let Some((start, _)) = opening else { return Ok(None) };
    let before = text.get(..start).unwrap_or_default();
    let inside = text.get(start + 1..).unwrap_or_default();
    let mut depth = 0_usize;
    let mut choices = Vec::new();
    let mut from = 0;
    for (index, char) in inside.char_indices() {
        match char {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                choices.push(inside.get(from..index).unwrap_or_default());
                from = index + 1;
                if char == '}' {
                    return Ok(Some((before, choices, inside.get(from..).unwrap_or_default())));
                }
            }
            _ => {}
        }
    }
    Err(Mistake::new("a `{` without its `}`"))
}

pub(crate) fn too_many() -> Mistake {
    Mistake::new(format!("the alternatives make more than {MAX_ALTERNATIVES} patterns"))
        .help("write several patterns, or use `*`")
}

#[cfg(test)]
mod tests {
    use crate::image_pattern::ImagePattern;

    #[test]
    fn alternatives_are_written_out_in_order() {
        let written = |text| {
            let patterns = ImagePattern::parse(text).unwrap();
            patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(written("team/{a,b}/{c,d}"), "team/a/c team/a/d team/b/c team/b/d");
        assert_eq!(written("app:{v{1,2},latest}"), "app:v1 app:v2 app:latest");
        assert_eq!(written("{home/${user},app:x}"), "home/${user} app:x");
        assert_eq!(written("app{,-test}"), "app app-test");
    }

    #[test]
    fn alternatives_cannot_multiply_without_bound() {
        let error = ImagePattern::parse(&"{a,b}".repeat(20)).unwrap_err();
        assert!(error.render(false).contains("256"), "{}", error.render(false));
    }
}
