//! Subjects as policy files write them: `user:alice`, `group:backend`, `anyone`.

use std::fmt;

use document::{Mistake, did_you_mean, nearest};

use crate::path::PathPattern;

/// Whom a rule speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubjectPattern {
    /// `user:NAME`
    User(PathPattern),
    /// `service:NAME`
    Service(PathPattern),
    /// `peer:GATE/NAME`, over the gate and the name as one path.
    Peer(PathPattern),
    /// `group:NAME`
    Group(PathPattern),
    /// Users and services.
    Authenticated,
    /// Everybody, peers and anonymous callers included.
    Anyone,
}

const PREFIXES: [&str; 4] = ["user", "service", "group", "peer"];
const WORDS: [&str; 2] = ["authenticated", "anyone"];

impl SubjectPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, Mistake> {
        let Some((prefix, name)) = text.split_once(':') else {
            return match text {
                "authenticated" => Ok(Self::Authenticated),
                "anyone" => Ok(Self::Anyone),
                _ => Err(without_prefix(text)),
            };
        };
        if !PREFIXES.contains(&prefix) {
            let help = nearest(prefix, PREFIXES).map_or_else(
                || "subjects begin with `user:`, `service:`, `group:` or `peer:`".to_owned(),
                |near| format!("did you mean `{near}:{name}`?"),
            );
            return Err(Mistake::new(format!("unknown kind of subject `{prefix}:`")).help(help));
        }
        check_name(prefix, name)?;
        let pattern = PathPattern::of_name(name);
        match prefix {
            "user" => Ok(Self::User(pattern)),
            "service" => Ok(Self::Service(pattern)),
            "group" => Ok(Self::Group(pattern)),
            _ if name.contains('/') => Ok(Self::Peer(pattern)),
            _ => Err(Mistake::new(format!("`{text}` names a gate but nobody behind it"))
                .help(format!("write `peer:{name}/NAME`, or `peer:{name}/**` for everybody"))),
        }
    }
}

/// As policy files write it.
impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Peer(name) => write!(f, "peer:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Authenticated => f.write_str("authenticated"),
            Self::Anyone => f.write_str("anyone"),
        }
    }
}

fn without_prefix(text: &str) -> Mistake {
    let anyone = ["anonymous", "everyone", "everybody", "anybody", "all", "*", "**"];
    let help = if anyone.contains(&text) {
        "did you mean `anyone`?".to_owned()
    } else {
        did_you_mean(text, WORDS)
            .unwrap_or_else(|| format!("write `user:{text}`, `service:{text}` or `group:{text}`"))
    };
    Mistake::new(format!("`{text}` does not say what kind of subject it is")).help(help)
}

fn check_name(prefix: &str, name: &str) -> Result<(), Mistake> {
    let refuse = |message: String, help: &str| Err(Mistake::new(message).help(help));
    if name.is_empty() {
        return refuse(format!("nobody is named after `{prefix}:`"), "`*` is any name");
    }
    if name != name.trim() || name.chars().any(char::is_control) {
        return refuse(
            format!("`{prefix}:{}` has white space around its name", name.escape_debug()),
            "write the name right after the colon",
        );
    }
    for segment in name.split('/') {
        if segment.is_empty() {
            return refuse(
                format!("a part of the name in `{prefix}:{name}` is empty"),
                "a name has no `/` at its ends, and no two in a row",
            );
        }
        if segment.contains("**") && segment != "**" {
            return refuse(
                format!("`**` has to be a whole part of the name in `{prefix}:{name}`"),
                "`*` is anything up to the next `/`, `**` any number of parts",
            );
        }
    }
    Ok(())
}
