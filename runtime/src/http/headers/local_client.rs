//! Detects requests that clearly come from this machine. Only they may read internal data of the service and choose
//! their own class.
//!
//! A connection from this machine is not enough. A proxy opens one for any client, and a browser for any page: a page
//! whose name was made to resolve to this machine can even read the responses (DNS rebinding).

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Uri, Version, header};
use zerver_engine::Request;

use super::host_header;

/// Words in the names of headers that only an intermediary adds: kinds of intermediaries, what they know about the
/// client, and names of vendors.
const INTERMEDIARY_WORDS: [&str; 40] = [
    "addr",
    "akamai",
    "amz",
    "amzn",
    "appengine",
    "arr",
    "azure",
    "cdn",
    "cf",
    "clientip",
    "cloud",
    "cluster",
    "connecting",
    "edge",
    "envoy",
    "fastly",
    "fly",
    "goog",
    "gfe",
    "haproxy",
    "hops",
    "incap",
    "ip",
    "lb",
    "nf",
    "nginx",
    "ngrok",
    "original",
    "pomerium",
    "remote",
    "render",
    "rewrite",
    "ssl",
    "sucuri",
    "tailscale",
    "tls",
    "traefik",
    "varnish",
    "vercel",
    "via",
];

/// Prefixes of further such words.
const INTERMEDIARY_PREFIXES: [&str; 2] = ["forward", "prox"];

/// Header names that contain none of these words. The last five are added by a browser to a request from a page of
/// another origin.
const FOREIGN_NAMES: [&str; 12] = [
    "early-data",
    "front-end-https",
    "x-host",
    "x-real",
    "x-request-start",
    "x-scheme",
    "x-url-scheme",
    "access-control-request-headers",
    "access-control-request-method",
    "access-control-request-private-network",
    "origin",
    "ping-from",
];

/// Header with the relation between the page that caused a request and its target (W3C Fetch Metadata, section 2.3).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn is_local_client(request: &Request) -> bool {
    let is_loopback = request.peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    // nginx uses HTTP/1.0 to its upstreams by default, and then adds no header that would give it away.
    let is_old_version = matches!(request.version, Version::HTTP_09 | Version::HTTP_10);
    is_loopback
        && !is_old_version
        && host_header::host_name(request).is_some_and(is_this_machine)
        && !request.headers.iter().any(|(name, value)| is_foreign(name, value, request))
}

/// Returns true if a header shows that the request was forwarded, or that a page of another origin caused it.
fn is_foreign(name: &HeaderName, value: &HeaderValue, request: &Request) -> bool {
    if *name == FETCH_SITE {
        // `none` means that the user has typed the address.
        return !matches!(value.as_bytes(), b"none" | b"same-origin");
    }
    if *name == header::REFERER {
        let page = value.to_str().ok().and_then(|page| page.parse::<Uri>().ok());
        let is_same_origin = |page: &Uri| {
            page.authority().is_some_and(|authority| host_header::is_for(request, authority.as_str()))
        };
        return !page.is_some_and(|page| is_same_origin(&page));
    }
    let is_intermediary = |word: &str| {
        INTERMEDIARY_WORDS.contains(&word)
            || INTERMEDIARY_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
    };
    FOREIGN_NAMES.contains(&name.as_str()) || name.as_str().split(['-', '_']).any(is_intermediary)
}

/// Returns true if a name always means this machine, regardless of DNS.
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

    fn request_from(peer: &str, headers: &[(&'static str, &str)]) -> Request {
        let peer = Some(peer.parse().unwrap());
        let empty = Request { peer, version: Version::HTTP_11, ..Request::get("/metrics") };
        headers.iter().fold(empty, |request, (name, value)| request.with_header(name, value))
    }

    #[test]
    fn a_request_is_local_only_if_it_cannot_come_from_elsewhere() {
        let check = |peer: &str, headers: &[(&'static str, &str)], expected: bool| {
            assert_eq!(is_local_client(&request_from(peer, headers)), expected, "{peer} {headers:?}");
        };
        for host in ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "127.8.8.8", "[::1]:3000", "0.0.0.0:80"]
        {
            for peer in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
                check(peer, &[("host", host)], true);
            }
            check("10.0.0.1:9", &[("host", host)], false);
            for name in ["x-forwarded-for", "Forwarded", "via", "x-real-ip", "x-forwarded-host", "origin"] {
                check("127.0.0.1:9", &[("host", host), (name, "")], false);
                check("127.0.0.1:9", &[("host", host), (name, "null")], false);
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
    fn a_header_of_an_intermediary_makes_a_request_foreign() {
        let check = |name: &'static str, expected: bool| {
            let headers = [("host", "localhost"), (name, "203.0.113.9")];
            assert_eq!(is_local_client(&request_from("127.0.0.1:9", &headers)), expected, "{name}");
        };
        for name in [
            "CF-Connecting-IP",
            "CF-Ray",
            "CF-IPCountry",
            "CDN-Loop",
            "True-Client-IP",
            "X-Forwarded-Proto",
            "X-Forwarded-Port",
            "X-Forwarded-Prefix",
            "X-Forwarded-Anything",
            "X-Forwarded",
            "Forwarded-For",
            "X-Client-IP",
            "X-Cluster-Client-IP",
            "X-ProxyUser-IP",
            "X-Remote-Addr",
            "Remote-User",
            "Client-IP",
            "Fastly-Client-IP",
            "Fastly-SSL",
            "Fly-Client-IP",
            "Fly-Region",
            "X-Envoy-External-Address",
            "X-Envoy-Internal",
            "X-Original-Forwarded-For",
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Amzn-Trace-Id",
            "X-Amz-Cf-Id",
            "X-Azure-ClientIP",
            "X-Azure-Ref",
            "X-ARR-SSL",
            "X-AppEngine-Country",
            "X-Varnish",
            "X-Cloud-Trace-Context",
            "X-Vercel-Id",
            "X-NF-Client-Connection-IP",
            "Proxy-Connection",
            "Proxy-Authorization",
            "WL-Proxy-Client-IP",
            "X-NginX-Proxy",
            "Akamai-Origin-Hop",
            "Incap-Client-IP",
            "X-Sucuri-ClientIP",
            "Tailscale-User-Login",
            "Early-Data",
            "Max-Forwards",
            "Front-End-Https",
            "X-Real_IP",
            "Ping-From",
            "Access-Control-Request-Method",
        ] {
            check(name, false);
        }
        for name in [
            "Accept",
            "Authorization",
            "Cookie",
            "Content-Type",
            "User-Agent",
            "X-Class",
            "X-Client-Version",
            "X-Request-Id",
            "Traceparent",
            "Tracestate",
            "Idempotency-Key",
            "X-Zip",
            "X-Relay",
            "X-Service",
            "Sec-Fetch-Mode",
            "Cache-Control",
            "If-None-Match",
            "X-Description",
            "X-Shipping",
        ] {
            check(name, true);
        }
    }

    #[test]
    fn a_request_from_a_page_of_another_origin_is_not_local() {
        let check = |name: &'static str, value: &str, expected: bool| {
            let headers = [("host", "localhost:3000"), (name, value)];
            assert_eq!(is_local_client(&request_from("127.0.0.1:9", &headers)), expected, "{name}: {value}");
        };
        check("sec-fetch-site", "none", true);
        check("sec-fetch-site", "same-origin", true);
        for site in ["same-site", "cross-site", "", "None", "none, none"] {
            check("sec-fetch-site", site, false);
        }
        let twice =
            [("host", "localhost"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(!is_local_client(&request_from("127.0.0.1:9", &twice)));
        check("referer", "http://localhost:3000/metrics", true);
        check("referer", "http://LOCALHOST:3000", true);
        for page in ["http://localhost:4000/", "https://evil.example/localhost:3000", "/metrics", "", "null"]
        {
            check("referer", page, false);
        }
    }

    #[test]
    fn a_target_in_absolute_form_takes_precedence_over_the_header() {
        let mut request = request_from("127.0.0.1:9", &[("host", "localhost")]);
        request.uri = Uri::from_static("http://evil.example/metrics");
        assert!(!is_local_client(&request));
        request.uri = Uri::from_static("http://localhost/metrics");
        assert!(is_local_client(&request));
        request.version = Version::HTTP_10;
        assert!(!is_local_client(&request));
    }
}
