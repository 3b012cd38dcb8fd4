//! Whether a request plainly comes from this machine: only then is it told what the service knows of itself, and believed
//! where it names its own class.
//!
//! A connection from this machine is not enough. A proxy opens it for anybody, and so does a browser for any page: one
//! whose name has been made to point here reads the answers (DNS rebinding).

use std::net::IpAddr;

use http::{HeaderName, Version, header};
use zerver_engine::Request;

use super::host;

/// What proxies add, and browsers where the page is of somebody else.
const MARKS: [HeaderName; 6] = [
    header::FORWARDED,
    header::VIA,
    header::ORIGIN,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

pub(crate) fn is_from_here(request: &Request) -> bool {
    let is_near = request.peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    // What nginx speaks to those behind it, where it is not told otherwise; it leaves no other mark then.
    let is_old = matches!(request.version, Version::HTTP_09 | Version::HTTP_10);
    let is_marked = MARKS.iter().any(|name| request.headers.contains_key(name));
    is_near && !is_old && !is_marked && host::named(request).is_some_and(is_this_machine)
}

/// Whether a name can mean no other machine, whatever the name service says.
fn is_this_machine(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback() || address.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(peer: &str, headers: &[(&'static str, &str)]) -> Request {
        let peer = Some(peer.parse().unwrap());
        let plain = Request { peer, version: Version::HTTP_11, ..Request::get("/metrics") };
        headers.iter().fold(plain, |request, (name, value)| request.with_header(name, value))
    }

    #[test]
    fn only_what_cannot_come_from_elsewhere_comes_from_here() {
        let check = |peer: &str, headers: &[(&'static str, &str)], expected: bool| {
            assert_eq!(is_from_here(&asked(peer, headers)), expected, "{peer} {headers:?}");
        };
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "127.8.8.8", "[::1]:3000", "0.0.0.0:80"]
        {
            for peer in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
                check(peer, &[("host", host)], true);
            }
            check("10.0.0.1:9", &[("host", host)], false);
            for mark in ["x-forwarded-for", "Forwarded", "via", "x-real-ip", "x-forwarded-host", "origin"] {
                check("127.0.0.1:9", &[("host", host), (mark, "")], false);
                check("127.0.0.1:9", &[("host", host), (mark, "null")], false);
            }
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.",
            "10.0.0.1",
            "[::2]",
            "127.1",
            "",
            "[::1",
        ] {
            check("127.0.0.1:9", &[("host", host)], false);
        }
        check("127.0.0.1:9", &[], false);
    }

    #[test]
    fn a_target_in_absolute_form_outweighs_the_header() {
        let mut request = asked("127.0.0.1:9", &[("host", "localhost")]);
        request.uri = http::Uri::from_static("http://evil.example/metrics");
        assert!(!is_from_here(&request));
        request.uri = http::Uri::from_static("http://localhost/metrics");
        assert!(is_from_here(&request));
        request.version = Version::HTTP_10;
        assert!(!is_from_here(&request));
    }
}
