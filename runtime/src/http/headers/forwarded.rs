//! The address of a client behind proxies that the settings trust.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, header};

use crate::config::{EgressRules, Proxies};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Proxies whose header with the address of the client is believed.
pub(crate) struct TrustedProxies {
    addresses: EgressRules,
    header: HeaderName,
    uses_protocol: bool,
}

impl TrustedProxies {
    /// Returns `None` if no proxy is trusted.
    pub(crate) fn new(Proxies { trusted, forwarded, protocol }: &Proxies) -> Option<Box<Self>> {
        let header = if *forwarded { header::FORWARDED } else { X_FORWARDED_FOR };
        let uses_protocol = *protocol;
        let addresses = || EgressRules::of_hosts(trusted);
        (!trusted.is_empty()).then(|| Box::new(Self { addresses: addresses(), header, uses_protocol }))
    }

    /// Returns true if connections from this address begin with a header of the PROXY protocol.
    pub(crate) fn announces_clients(&self, peer: SocketAddr) -> bool {
        self.uses_protocol && self.addresses.lists_address(peer.ip())
    }

    /// Returns the address of the client. Each proxy appends the address from which it received the request, so the last one that
    /// is not that of a trusted proxy is the client's. Everything before it may be invented.
    pub(crate) fn client_of(&self, peer: SocketAddr, headers: &HeaderMap) -> SocketAddr {
        let mut client = peer;
        for line in headers.get_all(&self.header).iter().rev() {
            for entry in line.to_str().unwrap_or_default().rsplit(',') {
                if !self.addresses.lists_address(client.ip()) {
                    return client;
                }
                let address = match self.header == X_FORWARDED_FOR {
                    true => parse(entry),
                    false => forwarded_for(entry).and_then(parse),
                };
                // A proxy may hide the address (RFC 7239, section 6). Then it is the nearest that is known.
                let Some(address) = address else { return client };
                client = address;
            }
        }
        client
    }
}

/// Returns the value of `for` in an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim_ascii().eq_ignore_ascii_case("for").then(|| value.trim_ascii().trim_matches('"'))
    })
}

/// Parses an address with or without a port, which is 0 then.
fn parse(text: &str) -> Option<SocketAddr> {
    let text = text.trim_ascii();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    Some(SocketAddr::new(address.parse::<IpAddr>().ok()?, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(forwarded: bool, peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "127.0.0.1", "fd00::/8"].map(str::to_owned).into();
        let proxies = TrustedProxies::new(&Proxies { trusted, forwarded, protocol: false }).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            let name = if forwarded { header::FORWARDED } else { X_FORWARDED_FOR };
            headers.append(name, line.parse().unwrap());
        }
        proxies.client_of(SocketAddr::new(peer.parse().unwrap(), 9), &headers).to_string()
    }

    #[test]
    fn the_last_address_that_is_not_trusted_is_the_client() {
        for (peer, lines, expected) in [
            // Not behind a proxy: what it claims does not matter.
            ("203.0.113.1", &["198.51.100.7"][..], "203.0.113.1:9"),
            ("10.0.0.1", &[], "10.0.0.1:9"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7:0"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7:4711"),
            // The client has invented the first.
            ("10.0.0.1", &["127.0.0.1, 198.51.100.7"], "198.51.100.7:0"),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.7"], "198.51.100.7:0"),
            // Through two proxies.
            ("127.0.0.1", &["198.51.100.7, 10.1.2.3"], "198.51.100.7:0"),
            // Within the network: the first of them.
            ("10.0.0.1", &["10.0.0.3,10.0.0.2"], "10.0.0.3:0"),
            ("10.0.0.1", &["2001:db8::1"], "[2001:db8::1]:0"),
            ("10.0.0.1", &["[2001:db8::1]:80"], "[2001:db8::1]:80"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7:0"),
            ("10.0.0.1", &["unknown"], "10.0.0.1:9"),
            ("10.0.0.1", &["198.51.100.7, unknown"], "10.0.0.1:9"),
            ("10.0.0.1", &["198.51.100.7, , "], "10.0.0.1:9"),
            ("10.0.0.1", &["'; drop"], "10.0.0.1:9"),
        ] {
            assert_eq!(client(false, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_standard_header_is_read_if_the_settings_say_so() {
        for (line, expected) in [
            ("for=198.51.100.7", "198.51.100.7:0"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "[2001:db8:cafe::17]:4711"),
            ("for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http", "198.51.100.17:0"),
            ("proto=https;host=a;for=198.51.100.7", "198.51.100.7:0"),
            ("for=_hidden", "10.0.0.1:9"),
            ("for=unknown", "10.0.0.1:9"),
            ("198.51.100.7", "10.0.0.1:9"),
        ] {
            assert_eq!(client(true, "10.0.0.1", &[line]), expected, "{line}");
        }
        // The other header, which the client may have sent, does not count.
        let trusted = vec!["10.0.0.0/8".to_owned()];
        let proxies = TrustedProxies::new(&Proxies { trusted, forwarded: true, protocol: false }).unwrap();
        let headers = HeaderMap::from_iter([(X_FORWARDED_FOR, "198.51.100.7".parse().unwrap())]);
        let peer = "10.0.0.1:9".parse().unwrap();
        assert_eq!(proxies.client_of(peer, &headers), peer);
    }
}
