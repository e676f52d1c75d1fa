//! The parameters of a request.

use crate::bad_request::{BadRequest, ParameterFault, Undecodable};

/// Every parameter that some operation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Digest,
    DigestAlgorithm,
    Mount,
    From,
    Origin,
    Tag,
    N,
    Last,
    Cursor,
    ArtifactType,
    Ns,
}

impl Parameter {
    const ALL: [Self; 11] = [
        Self::Digest,
        Self::DigestAlgorithm,
        Self::Mount,
        Self::From,
        Self::Origin,
        Self::Tag,
        Self::N,
        Self::Last,
        Self::Cursor,
        Self::ArtifactType,
        Self::Ns,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Digest => "digest",
            Self::DigestAlgorithm => "digest-algorithm",
            Self::Mount => "mount",
            Self::From => "from",
            Self::Origin => "origin",
            Self::Tag => "tag",
            Self::N => "n",
            Self::Last => "last",
            Self::Cursor => "cursor",
            Self::ArtifactType => "artifactType",
            Self::Ns => "ns",
        }
    }

    /// The error for a value of this parameter.
    pub(crate) fn fault(self, fault: ParameterFault) -> BadRequest {
        BadRequest::Parameter { name: self.as_str(), fault }
    }
}

/// The parameters of one request that nobody has taken yet.
///
/// An operation takes those that it has; `finish` then refuses what is left. So a parameter that
/// nobody understands cannot be forgotten.
pub(crate) struct Query(Vec<(Parameter, String)>);

impl Query {
    /// Reads a raw query as HTML forms encode it. Only `tag` may stand there more than once.
    pub(crate) fn read(raw: &str) -> Result<Self, BadRequest> {
        let mut values = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).map_err(BadRequest::Query)?;
            let Some(parameter) = Parameter::ALL.into_iter().find(|p| p.as_str() == name) else {
                return Err(BadRequest::UnknownParameter { name: printable(name) });
            };
            if parameter != Parameter::Tag && values.iter().any(|(taken, _)| *taken == parameter) {
                return Err(BadRequest::RepeatedParameter { name: parameter.as_str() });
            }
            let value = decode(value)
                .map_err(|error| parameter.fault(ParameterFault::Undecodable(error)))?;
            values.push((parameter, value));
        }
        Ok(Self(values))
    }

    /// The value of a parameter, if it is there.
    pub(crate) fn take(&mut self, parameter: Parameter) -> Option<String> {
        let position = self.0.iter().position(|(other, _)| *other == parameter)?;
        Some(self.0.remove(position).1)
    }

    /// Every value of a parameter, in the order of the request.
    pub(crate) fn take_all(&mut self, parameter: Parameter) -> Vec<String> {
        let taken = self.0.extract_if(.., |(other, _)| *other == parameter);
        taken.map(|(_, value)| value).collect()
    }

    /// Refuses what no operation took.
    pub(crate) fn finish(self) -> Result<(), BadRequest> {
        match self.0.first() {
            None => Ok(()),
            Some((parameter, _)) => {
                Err(BadRequest::UnknownParameter { name: parameter.as_str().to_owned() })
            }
        }
    }
}

/// Decodes one name or value: `+` is a space, `%XX` a byte, and the whole is UTF-8.
fn decode(text: &str) -> Result<String, Undecodable> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    loop {
        rest = match rest {
            [] => return String::from_utf8(decoded).map_err(|_| Undecodable::Utf8),
            [b'+', tail @ ..] => {
                decoded.push(b' ');
                tail
            }
            [b'%', high, low, tail @ ..] => {
                decoded.push(hex(*high)? << 4 | hex(*low)?);
                tail
            }
            [b'%', ..] => return Err(Undecodable::Percent),
            [byte, tail @ ..] if may_stand_in_query(*byte) => {
                decoded.push(*byte);
                tail
            }
            _ => return Err(Undecodable::Character),
        };
    }
}

fn hex(digit: u8) -> Result<u8, Undecodable> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(Undecodable::Percent),
    }
}

/// RFC 3986 §3.4 without `;`, which older servers take for a second `&`.
fn may_stand_in_query(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$'()*,=:@/?".contains(&byte)
}

/// A name as an error may show it. What is long could be a secret that lost its name.
fn printable(name: String) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() <= 32 && name.bytes().all(is_plain) { name } else { "…".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_encoding_is_decoded_strictly() {
        assert_eq!(decode("a+b%2Bc%c3%A9").as_deref(), Ok("a b+cé"));
        for text in ["%", "%4", "%zz", "%+1", "a%"] {
            assert_eq!(decode(text), Err(Undecodable::Percent), "{text:?}");
        }
        for text in ["%ff", "%c3", "%c0%af", "%ed%a0%80"] {
            assert_eq!(decode(text), Err(Undecodable::Utf8), "{text:?}");
        }
        for text in ["a;b", "a b", "a\"", "a\\b", "a\0", "é", "a#b", "a<b", "{", "a\r\n"] {
            assert_eq!(decode(text), Err(Undecodable::Character), "{text:?}");
        }
    }

    #[test]
    fn a_parameter_that_nobody_took_is_an_error() {
        let mut query = Query::read("n=1&last=x").unwrap();
        assert_eq!(query.take(Parameter::N).as_deref(), Some("1"));
        assert_eq!(query.finish(), Err(BadRequest::UnknownParameter { name: "last".to_owned() }));
    }

    #[test]
    fn only_tags_may_repeat() {
        let mut query = Query::read("tag=a&&tag=b&").unwrap();
        assert_eq!(query.take_all(Parameter::Tag), ["a", "b"]);
        assert_eq!(query.finish(), Ok(()));
        for raw in ["n=1&n=1", "n=1&%6e=1", "digest=&digest", "ns=a&ns=b", "origin=a&origin=a"] {
            assert!(matches!(Query::read(raw), Err(BadRequest::RepeatedParameter { .. })), "{raw}");
        }
    }
}
