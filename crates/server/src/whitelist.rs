//! Who may call the admin operations, by address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::ops::RangeInclusive;

/// Addresses that may call admin operations. Loopback always may; an empty list allows nothing else.
#[derive(Clone, Default)]
pub struct Whitelist {
    text: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Network { address: IpAddr, prefix: u8 },
    Range(RangeInclusive<Ipv4Addr>),
}

/// An entry that is none.
#[derive(Debug, thiserror::Error)]
pub enum WhitelistError {
    /// A network whose length is not a number its address has room for.
    #[error("whitelist entry {entry:?}: the length of the network must be 0 to {most}")]
    Prefix {
        /// The entry.
        entry: String,
        /// 32 or 128.
        most: u8,
    },
    /// A range that is not two IPv4 addresses in order.
    #[error("whitelist entry {entry:?}: a range is two IPv4 addresses, the lower first, as in 10.0.0.1:10.0.0.9")]
    Range {
        /// The entry.
        entry: String,
    },
    /// A name that has no address now.
    #[error(
        "whitelist entry {entry:?} is no address, network (10.0.0.0/8) or range (low:high), and no host of that name was found"
    )]
    Unresolved {
        /// The entry.
        entry: String,
        /// What the resolver said.
        source: std::io::Error,
    },
}

impl fmt::Debug for Whitelist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Whitelist").field(&self.text).finish()
    }
}

impl Whitelist {
    /// Reads a comma-separated list of addresses, networks, IPv4 ranges `low:high` and host names. Names are looked up now and never
    /// again, so this may block.
    ///
    /// # Errors
    /// The first entry that is none of these.
    pub fn resolve(text: &str) -> Result<Whitelist, WhitelistError> {
        let mut entries = Vec::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            entries.extend(read_entry(entry)?);
        }
        Ok(Whitelist { text: text.to_owned(), entries })
    }

    /// Whether `peer` may call admin operations.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        peer.is_loopback() || self.entries.iter().any(|entry| entry.holds(peer))
    }
}

fn read_entry(entry: &str) -> Result<Vec<Entry>, WhitelistError> {
    if let Ok(address) = entry.parse::<IpAddr>() {
        return Ok(vec![single(address)]);
    }
    if let Some((address, prefix)) = entry.split_once('/')
        && let Ok(address) = address.parse::<IpAddr>()
    {
        let most = bits(address);
        let prefix = prefix.parse().ok().filter(|prefix| *prefix <= most);
        let prefix = prefix.ok_or_else(|| WhitelistError::Prefix { entry: entry.to_owned(), most })?;
        return Ok(vec![Entry::Network { address, prefix }]);
    }
    if let Some((low, high)) = entry.split_once(':') {
        return match (low.trim().parse(), high.trim().parse()) {
            (Ok(low), Ok(high)) if low <= high => Ok(vec![Entry::Range(low..=high)]),
            _ => Err(WhitelistError::Range { entry: entry.to_owned() }),
        };
    }
    let addresses = (entry, 0)
        .to_socket_addrs()
        .map_err(|source| WhitelistError::Unresolved { entry: entry.to_owned(), source })?;
    Ok(addresses.map(|address| single(address.ip())).collect())
}

fn single(address: IpAddr) -> Entry {
    let address = address.to_canonical();
    Entry::Network { address, prefix: bits(address) }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

impl Entry {
    fn holds(&self, peer: IpAddr) -> bool {
        match (self, peer) {
            (Entry::Network { address: IpAddr::V4(network), prefix }, IpAddr::V4(peer)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                network.to_bits() & mask == peer.to_bits() & mask
            }
            (Entry::Network { address: IpAddr::V6(network), prefix }, IpAddr::V6(peer)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                network.to_bits() & mask == peer.to_bits() & mask
            }
            (Entry::Range(range), IpAddr::V4(peer)) => range.contains(&peer),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used)]
    use super::*;

    fn allows(list: &str, peer: &str) -> bool {
        Whitelist::resolve(list).unwrap().allows(peer.parse().unwrap())
    }

    #[test]
    fn an_empty_list_means_loopback_only() {
        for (peer, allowed) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(allows("", peer), allowed, "{peer}");
        }
    }

    #[test]
    fn addresses_networks_and_ranges_allow_exactly_themselves() {
        let list = "10.1.2.3, 192.168.0.0/16,172.16.0.5:172.16.0.7,fd00::/8,2001:db8::1";
        for peer in [
            "10.1.2.3",
            "192.168.255.1",
            "172.16.0.5",
            "172.16.0.6",
            "172.16.0.7",
            "fd12::9",
            "2001:db8::1",
            "::ffff:10.1.2.3",
        ] {
            assert!(allows(list, peer), "{peer}");
        }
        for peer in ["10.1.2.4", "192.169.0.1", "172.16.0.4", "172.16.0.8", "fe80::1", "2001:db8::2"] {
            assert!(!allows(list, peer), "{peer}");
        }
        assert!(allows("0.0.0.0/0", "8.8.8.8") && !allows("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn a_host_name_is_looked_up() {
        assert!(Whitelist::resolve("localhost").is_ok());
    }

    #[test]
    fn what_is_no_entry_is_refused_by_name() {
        for (list, part) in
            [("10.0.0.0/33", "0 to 32"), ("10.0.0.9:10.0.0.1", "lower first"), ("no.such.host.invalid", "no host")]
        {
            let error = Whitelist::resolve(list).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(list), "{error}");
        }
    }
}
