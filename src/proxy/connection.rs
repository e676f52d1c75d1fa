//! What a request's connection says about its client.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;

use crate::config::Network;

/// One accepted connection.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    /// The other end.
    pub(super) peer: SocketAddr,
    /// Whether TLS protects it.
    pub(super) tls: bool,
    /// Keeps the worker from ending while something of the connection goes on, such as a write
    /// whose client went away.
    pub(super) _alive: Arc<()>,
}

impl Connection {
    /// The client's address: the other end, or, if that is a trusted proxy, the last address of
    /// `X-Forwarded-For` that is not one. Whoever is not trusted cannot choose its own.
    pub(super) fn client(&self, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let mut client = self.peer.ip().to_canonical();
        if !is_trusted(client) {
            return client;
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        for line in lines {
            let Ok(line) = line.to_str() else { return client };
            for address in line.rsplit(',') {
                let Ok(address) = address.trim().parse::<IpAddr>() else { return client };
                client = address.to_canonical();
                if !is_trusted(client) {
                    return client;
                }
            }
        }
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn client(peer: &str, lines: &[&'static str]) -> String {
        let trusted: Vec<Network> = vec!["10.0.0.0/8".parse().unwrap()];
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        Connection { peer, tls: true, _alive: Arc::default() }
            .client(&headers, &trusted)
            .to_string()
    }

    #[test]
    fn only_a_trusted_proxy_names_the_client() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("::ffff:10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
    }

    #[test]
    fn what_the_client_wrote_itself_does_not_count() {
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9"]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, garbage"]), "10.0.0.1");
    }
}
