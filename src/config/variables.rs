//! `${VAR}` in values.

use document::{Mistake, Node, Problems, Value};

/// Replaces `${VAR}` in every value below `node` by what `variable` knows, and `$$` by one dollar
/// sign. Keys stay as they are.
pub(super) fn expand(
    node: &mut Node,
    variable: &dyn Fn(&str) -> Option<String>,
    problems: &mut Problems,
) {
    match &mut node.value {
        Value::Null | Value::Broken => {}
        Value::Text(text) => match expanded(text, variable) {
            Ok(new) => *text = new,
            Err(mistake) => problems.at(node.place, mistake),
        },
        Value::List(nodes) => {
            for node in nodes {
                expand(node, variable, problems);
            }
        }
        Value::Map { entries, .. } => {
            for entry in entries {
                expand(&mut entry.value, variable, problems);
            }
        }
    }
}

fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, Mistake> {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            done.push('$');
            rest = after;
        } else if let Some((name, after)) =
            after.strip_prefix('{').and_then(|after| after.split_once('}'))
            && is_name(name)
        {
            let value = variable(name).ok_or_else(|| {
                Mistake::new(format!("the environment variable `{name}` is not set"))
                    .help("set it for the gate's process, or write the value here")
            })?;
            done.push_str(&value);
            rest = after;
        } else {
            return Err(Mistake::new("a lone dollar sign")
                .help("write `${NAME}` for an environment variable, `$$` for a dollar sign"));
        }
    }
    done.push_str(rest);
    Ok(done)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_doubled_dollar_signs_are_replaced_once() {
        let variable = |name: &str| (name == "A").then(|| "x${A}$".to_owned());
        for (text, expected) in [
            ("plain", "plain"),
            ("${A}", "x${A}$"),
            ("1${A}2$$3", "1x${A}$2$3"),
            ("$$", "$"),
            ("$${A}", "${A}"),
        ] {
            assert_eq!(expanded(text, &variable).as_deref(), Ok(expected), "{text}");
        }
        for text in ["$", "$A", "${", "${}", "${a b}", "${1}", "a$", "${B}"] {
            assert!(expanded(text, &variable).is_err(), "{text}");
        }
    }
}
