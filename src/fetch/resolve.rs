//! What names stand for, and which of that is asked for documents.
//!
//! A name says nothing of where it leads, and whoever owns it changes that between two questions. So
//! the addresses are judged as they are connected to (threat W7).

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{Source, is_called_this_machine, is_on_the_link, is_this_machine};

/// As the system looks names up.
pub(super) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is put in its place by the client.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Leaves out the addresses to which such a name must not lead.
pub(super) struct Careful {
    pub(super) names: Arc<dyn Resolve>,
    pub(super) from: Source,
}

/// A name has no other addresses than those that are not asked.
#[derive(Debug, thiserror::Error)]
#[error("{name} leads to {address}, an address of this machine or its link, which is not asked")]
struct Nearby {
    name: String,
    address: IpAddr,
}

impl Source {
    /// No name leads to the addresses without routers, where virtual machines are told their secrets.
    /// To this machine, one that only a document has does not lead either.
    pub(super) fn may_ask(self, address: IpAddr) -> bool {
        match self {
            Self::Configuration => !is_on_the_link(address),
            Self::Document => !is_on_the_link(address) && !is_this_machine(address),
        }
    }
}

impl Resolve for Careful {
    fn resolve(&self, name: Name) -> Resolving {
        let (from, text) = (self.from, name.as_str().to_owned());
        let found = self.names.resolve(name);
        // Such an address was judged by its name. Here it is that of a proxy, which is the
        // environment's to choose.
        if is_called_this_machine(text.trim_end_matches('.')) {
            return found;
        }
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let (fit, nearby): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| from.may_ask(address.ip()));
            match (fit.is_empty(), nearby.first()) {
                (true, Some(address)) => {
                    let nearby = Nearby { name: text, address: address.ip() };
                    Err(Box::new(nearby) as Box<dyn Error + Send + Sync>)
                }
                _ => Ok(Box::new(fit.into_iter()) as Addrs),
            }
        })
    }
}
