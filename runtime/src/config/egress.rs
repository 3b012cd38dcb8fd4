//! Rules for the hosts and addresses that a service may connect to, against requests that are forged by its clients (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Hosts and addresses that a service may connect to.
///
/// Without a list, a service may connect to any host. With one, a host must be in the list by its name, or the address
/// that its name resolves to must be in the list. Private, loopback and link-local addresses must be in the list
/// themselves: a name is not enough, because the owner of the name could let it resolve to such an address. The
/// addresses that the program gives to hosts ([`ClientBuilder::resolve`](crate::effects::http::ClientBuilder::resolve))
/// are not checked.
///
/// ```
/// use zerver::Egress;
///
/// let allow = ["*.example.com", "10.1.0.0/16"].map(str::to_owned).into();
/// let egress = Egress { allow, ..Egress::default() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Hosts (`api.example.com`, `*.example.com`, with or without a port) and address ranges (`10.0.0.0/8`). Default:
    /// none, which allows all.
    pub allow: Vec<String>,
    /// False to refuse private, loopback and link-local addresses that are not in the list. They are always refused if
    /// there is a list. Default: true, so that services in development can call each other.
    pub private: bool,
    /// Hosts that receive the `baggage` header of requests, which may contain what other services should not know. Default:
    /// none.
    pub baggage: Vec<String>,
}

impl Default for Egress {
    fn default() -> Self {
        Self { allow: Vec::new(), private: true, baggage: Vec::new() }
    }
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    Host {
        /// In lower case, without `*.`.
        name: String,
        is_wildcard: bool,
        port: Option<u16>,
    },
    Range {
        /// In the form of IPv6, as all addresses are compared.
        bits: u128,
        prefix: u32,
    },
}

impl Destination {
    /// Parses an entry.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, prefix)| (a, Some(prefix)));
        if let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>() {
            let len = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.map_or(Some(len), |prefix| prefix.parse().ok().filter(|p| *p <= len))?;
            return Some(Self::Range { bits: bits(address), prefix: prefix + 128 - len });
        }
        if prefix.is_some() {
            return None;
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let (name, is_wildcard) = host.strip_prefix("*.").map_or((host, false), |name| (name, true));
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let is_valid = !name.is_empty() && name.chars().all(is_name);
        is_valid.then(|| Self::Host { name: name.to_ascii_lowercase(), is_wildcard, port })
    }
}

/// The rules of an [`Egress`], ready to be applied.
#[derive(Debug, Clone, Default)]
pub(crate) struct EgressRules {
    allowed: Vec<Destination>,
    refuses_private: bool,
}

impl EgressRules {
    pub(crate) fn new(egress: &Egress) -> Self {
        let allowed: Vec<_> = egress.allow.iter().filter_map(|text| Destination::parse(text)).collect();
        // An entry that cannot be parsed must not turn the rules off.
        Self { refuses_private: !egress.private || !egress.allow.is_empty(), allowed }
    }

    /// Returns rules that list these hosts.
    pub(crate) fn of_hosts(hosts: &[String]) -> Self {
        let allowed = hosts.iter().filter_map(|text| Destination::parse(text)).collect();
        Self { allowed, refuses_private: true }
    }

    /// Returns true if everything is allowed.
    pub(crate) const fn is_open(&self) -> bool {
        !self.refuses_private
    }

    /// Returns true if a host may be called whatever its addresses are, except for private ones.
    fn is_host_allowed(&self, host: &str, port: u16) -> bool {
        self.allowed.is_empty() || self.lists_host(host, port)
    }

    /// Returns true if an entry names a host, or contains the address that the host is.
    pub(crate) fn lists(&self, host: &str, port: u16) -> bool {
        let address = || host.trim_matches(['[', ']']).parse().ok();
        self.lists_host(host, port) || address().is_some_and(|address| self.lists_address(address))
    }

    /// Returns true if an entry contains an address.
    pub(crate) fn lists_address(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|destination| match destination {
            Destination::Range { bits: range, prefix } => {
                let shift = 128 - prefix;
                *prefix == 0 || bits(address) >> shift == range >> shift
            }
            Destination::Host { .. } => false,
        })
    }

    fn lists_host(&self, host: &str, port: u16) -> bool {
        self.allowed.iter().any(|destination| match destination {
            Destination::Host { name, is_wildcard, port: allowed } => {
                let is_same = match is_wildcard {
                    true => host.strip_suffix(name).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
                    false => host == name,
                };
                is_same && allowed.is_none_or(|allowed| allowed == port)
            }
            Destination::Range { .. } => false,
        })
    }

    /// Returns true if a host may be reached at this address. The name of the host is in lower case; an address that a URL
    /// contains is its own host.
    pub(crate) fn allows(&self, host: &str, port: u16, address: IpAddr) -> bool {
        if self.is_open() {
            return true;
        }
        self.lists_address(address) || (!is_private(address) && self.is_host_allowed(host, port))
    }

    /// Returns true if no address could make this host allowed, so that its name need not be resolved.
    pub(crate) fn refuses_host(&self, host: &str, port: u16) -> bool {
        let has_ranges = self.allowed.iter().any(|entry| matches!(entry, Destination::Range { .. }));
        !self.is_open() && !has_ranges && !self.is_host_allowed(host, port)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Returns true for addresses that no public host has: private, loopback, link-local and other special ones. An IPv4
/// address within an IPv6 address counts as such.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(v4) => is_private_v4(v4) || address.is_loopback() || address.is_unspecified(),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
            }
        },
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        // "This network", shared addresses (RFC 6598), protocol assignments, benchmarks, and reserved ones.
        || a == 0
        || (a == 100 && b & 0xc0 == 64)
        || (a, b, c) == (192, 0, 0)
        || (a == 198 && b & 0xfe == 18)
        || a >= 240
}

/// Returns the IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056).
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && (f == 0xffff || f == 0) => Some(of(g, h)),
        (0x64, 0xff9b) => Some(of(g, h)),
        (0x2002, _) => Some(of(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow: &[&str], private: bool) -> EgressRules {
        EgressRules::new(&Egress {
            allow: allow.iter().map(|text| (*text).to_owned()).collect(),
            private,
            ..Egress::default()
        })
    }

    fn allows(rules: &EgressRules, host: &str, address: &str) -> bool {
        rules.allows(host, 443, address.parse().unwrap())
    }

    #[test]
    fn everything_is_allowed_by_default() {
        let open = EgressRules::new(&Egress::default());
        assert!(
            open.is_open() && allows(&open, "localhost", "127.0.0.1") && EgressRules::default().is_open()
        );
    }

    #[test]
    fn private_addresses_are_refused_in_all_their_forms() {
        let closed = rules(&[], false);
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ] {
            assert!(!allows(&closed, "evil.example.com", address), "{address}");
        }
        for address in ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "100.128.0.1"] {
            assert!(allows(&closed, "example.com", address), "{address}");
        }
        let named = rules(&["10.1.0.0/16", "::1"], false);
        assert!(allows(&named, "db", "10.1.2.3") && allows(&named, "db", "::ffff:10.1.2.3"));
        assert!(allows(&named, "localhost", "::1") && !allows(&named, "db", "10.2.0.1"));
    }

    #[test]
    fn a_list_allows_hosts_by_name_and_addresses_by_range() {
        let list = rules(&["*.example.com", "api.other.com:443", "93.0.0.0/8"], true);
        let public = "8.8.8.8";
        for (host, expected) in [
            ("a.example.com", true),
            ("a.b.example.com", true),
            ("example.com", false),
            (".example.com", false),
            ("badexample.com", false),
            ("api.other.com", true),
            ("evil.com", false),
        ] {
            assert_eq!(allows(&list, host, public), expected, "{host}");
        }
        assert!(!list.allows("api.other.com", 80, public.parse().unwrap()));
        assert!(allows(&list, "evil.com", "93.1.1.1"), "its address is in the list");
        assert!(!allows(&list, "a.example.com", "127.0.0.1"), "the name may resolve to anything");
        assert!(!list.refuses_host("evil.com", 443) && rules(&["a.com"], true).refuses_host("evil.com", 443));
    }

    #[test]
    fn an_entry_is_a_host_or_a_range() {
        for text in ["", "*", "*.", "a b", "10.0.0.0/33", "a.com/8", "a.com:x", "::/129", "http://a.com"] {
            assert_eq!(Destination::parse(text), None, "{text}");
        }
        for text in ["localhost", "A.com", "*.a.com:8080", "10.0.0.1", "0.0.0.0/0", "fd00::/8", "[::1]"] {
            assert!(Destination::parse(text).is_some(), "{text}");
        }
    }
}
