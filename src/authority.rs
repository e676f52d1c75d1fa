//! Host and port of an address.

use http::uri::Authority;

use crate::certificate::Host;

/// Whether `authority` is a host that can be looked up or connected to and perhaps a port, and
/// nothing else. `http` accepts more than that: user names, empty ports, ports of any text.
pub(crate) fn is_plain(authority: &Authority) -> bool {
    let host = authority.host();
    let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let Some(port) = authority.as_str().strip_prefix(host) else { return false };
    let is_number =
        |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok_and(|port| port != 0);
    name.parse::<Host>().is_ok()
        && (port.is_empty() || port.strip_prefix(':').is_some_and(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_authority_is_a_host_and_perhaps_a_port() {
        for text in ["gate", "gate.example:5443", "my_registry:5000", "127.0.0.1:1", "[::1]:80"] {
            assert!(is_plain(&text.parse().unwrap()), "{text}");
        }
        for text in ["u@gate", "u:p@gate:1", "gate:", "gate:x", "gate:0", "gate:65536", "a,b", "-a"]
        {
            assert!(!is_plain(&text.parse().unwrap()), "{text}");
        }
    }
}
