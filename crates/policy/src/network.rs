//! IP networks.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An IP network such as `10.20.0.0/16`; an address alone is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// It is not `ADDRESS` or `ADDRESS/BITS`.
    #[error("not an IP network: write it as `10.20.0.0/16` or `fd00::/8`")]
    Syntax,
    /// The address goes on behind the prefix, so one of them is a mistake.
    #[error("an address inside a network: the network itself is `{0}`")]
    HostBits(Network),
}

impl Network {
    /// Its first address and its last.
    pub(crate) fn ends(&self) -> (IpAddr, IpAddr) {
        let last = match self.first {
            IpAddr::V4(v4) => IpAddr::V4(
                (v4.to_bits() | u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0)).into(),
            ),
            IpAddr::V6(v6) => IpAddr::V6(
                (v6.to_bits() | u128::MAX.checked_shr(self.prefix.into()).unwrap_or(0)).into(),
            ),
        };
        (self.first, last)
    }

    /// Whether `address` lies in it. An IPv4 address that came mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4()
            && bits(address) & mask(address, self.prefix) == bits(self.first)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork::Syntax)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width && !digits.starts_with('+'))
                .ok_or(InvalidNetwork::Syntax)?,
        };
        let network = bits(address) & mask(address, prefix);
        if network == bits(address) {
            return Ok(Self { first: address, prefix });
        }
        Err(InvalidNetwork::HostBits(Self { first: from_bits(address, network), prefix }))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// The address of the family of `like` that has these bits.
fn from_bits(like: IpAddr, bits: u128) -> IpAddr {
    match (like, u32::try_from(bits)) {
        (IpAddr::V4(_), Ok(bits)) => IpAddr::V4(bits.into()),
        _ => IpAddr::V6(bits.into()),
    }
}

/// Ones where the network part of an address of the family of `like` is.
fn mask(like: IpAddr, prefix: u8) -> u128 {
    match like {
        IpAddr::V4(_) => u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0).into(),
        IpAddr::V6(_) => u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_shares_its_prefix() {
        for (network, inside, outside) in [
            ("10.20.0.0/16", "10.20.255.1", "10.21.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("fd00::/8", "fdff::1", "fe00::"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "::ffff:11.0.0.0"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn an_address_that_goes_on_behind_its_prefix_is_refused_with_the_network() {
        let error = "10.20.3.4/16".parse::<Network>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "an address inside a network: the network itself is `10.20.0.0/16`"
        );
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/+8", "10.0.0.0/", "a/8"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork::Syntax), "{text}");
        }
    }
}
