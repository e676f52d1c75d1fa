//! `portcullis healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use document::Mistake;
use http::StatusCode;

use super::ConfigArgument;
use super::failure::{Exit, Failure};
use super::http_get;
use crate::config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// Container runtimes wait 30 s by default; a gate that needs 5 is not well.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    ask(reachable(config::management_address(&arguments.config.config)?))
}

fn ask(address: SocketAddr) -> Result<Exit, Failure> {
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
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use insta::assert_snapshot;

    use super::*;

    /// What is said of a gate that answers its one request like this.
    fn asked(answer: &'static str) -> (Exit, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let gate = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 1024];
            let length = stream.read(&mut head).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&head[..length]).into_owned()
        });
        let result = ask(address);
        let head = gate.join().unwrap();
        assert!(head.starts_with("GET /healthz HTTP/1.1\r\n"), "{head}");
        match result {
            Ok(exit) => (exit, String::new()),
            Err(failure) => {
                let text = failure.text(false).replace(&address.to_string(), "GATE");
                (failure.exit, text)
            }
        }
    }

    #[test]
    fn only_a_200_is_well() {
        assert_eq!(asked("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").0, Exit::Done);
        let (exit, text) = asked("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(exit, Exit::Denied);
        assert_snapshot!(text, @"error: the gate at GATE is not well: 503 Service Unavailable");
        let (exit, text) = asked("what?\r\n\r\n");
        assert_eq!(exit, Exit::Denied);
        assert_snapshot!(text, @"error: no HTTP answer from GATE: invalid HTTP version parsed");
    }

    #[test]
    fn a_gate_that_is_away_is_not_well() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(ask(free).unwrap_err().exit, Exit::Denied);
    }

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
