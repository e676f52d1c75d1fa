//! `portcullis healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use http::StatusCode;

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use super::http_get;
use crate::config;
use crate::document::Mistake;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// Container runtimes wait 30 s by default; a gate that needs 5 is not well.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let address = reachable(config::management_address(&arguments.config.config)?);
    let host = address.to_string();
    let asked = http_get::block_on(&host, PATIENCE, async {
        let stream = http_get::connect(address).await?;
        http_get::status(stream, &host, "/healthz", None).await
    });
    match asked {
        Ok(StatusCode::OK) => Ok(Exit::Done),
        Ok(status) => {
            let mistake = Mistake::new(format!("the gate at {host} is not well: {status}"));
            Err(Failure::new(Exit::Denied, &mistake))
        }
        Err(error) => Err(Failure::new(Exit::Denied, &Mistake::of(&error))),
    }
}

/// Where a listener on every address can be reached from this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_asked_on_loopback() {
        for (listen, asked) in [
            ("0.0.0.0:5480", "127.0.0.1:5480"),
            ("[::]:5480", "[::1]:5480"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }
}
