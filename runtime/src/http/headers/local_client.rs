//! Whether a request plainly comes from this machine: only then is it told what the service knows of itself, and believed
//! where it names its own class.
//!
//! A connection from this machine is not enough. A proxy opens it for anybody, and so does a browser for any page: one
//! whose name has been made to point here reads the answers (DNS rebinding).

use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Uri, Version, header};
use zerver_engine::Request;

use super::host_header;

/// Words in the names of headers that only something between client and service adds: what it is, what it saw of the
/// client, and the vendors that mark requests by their own names.
const WORDS: [&str; 40] = [
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

/// What such words begin with.
const BEGINNINGS: [&str; 2] = ["forward", "prox"];

/// Names that no such word tells. The second half is what a browser adds to a request from a page of another origin.
const NAMES: [&str; 12] = [
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

/// Where the page is that has a browser ask (W3C Fetch Metadata, section 2.3).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn is_local_client(request: &Request) -> bool {
    let is_near = request.peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    // What nginx speaks to those behind it, where it is not told otherwise; it leaves no other mark then.
    let is_old = matches!(request.version, Version::HTTP_09 | Version::HTTP_10);
    is_near
        && !is_old
        && host_header::named(request).is_some_and(is_this_machine)
        && !request.headers.iter().any(|(name, value)| is_mark(name, value, request))
}

/// Whether a header says that the request was forwarded, or that a page of another origin asks.
fn is_mark(name: &HeaderName, value: &HeaderValue, request: &Request) -> bool {
    if *name == FETCH_SITE {
        // `none` is what the user has typed.
        return !matches!(value.as_bytes(), b"none" | b"same-origin");
    }
    if *name == header::REFERER {
        let page = value.to_str().ok().and_then(|page| page.parse::<Uri>().ok());
        let is_own =
            |page: &Uri| page.authority().is_some_and(|at| host_header::is_for(request, at.as_str()));
        return !page.is_some_and(|page| is_own(&page));
    }
    let is_word =
        |word: &str| WORDS.contains(&word) || BEGINNINGS.iter().any(|beginning| word.starts_with(beginning));
    NAMES.contains(&name.as_str()) || name.as_str().split(['-', '_']).any(is_word)
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
            assert_eq!(is_local_client(&asked(peer, headers)), expected, "{peer} {headers:?}");
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
    fn whatever_forwards_a_request_marks_it() {
        let check = |name: &'static str, expected: bool| {
            let headers = [("host", "localhost"), (name, "203.0.113.9")];
            assert_eq!(is_local_client(&asked("127.0.0.1:9", &headers)), expected, "{name}");
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
    fn a_page_of_another_origin_is_not_here() {
        let check = |name: &'static str, value: &str, expected: bool| {
            let headers = [("host", "localhost:3000"), (name, value)];
            assert_eq!(is_local_client(&asked("127.0.0.1:9", &headers)), expected, "{name}: {value}");
        };
        check("sec-fetch-site", "none", true);
        check("sec-fetch-site", "same-origin", true);
        for site in ["same-site", "cross-site", "", "None", "none, none"] {
            check("sec-fetch-site", site, false);
        }
        let twice =
            [("host", "localhost"), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(!is_local_client(&asked("127.0.0.1:9", &twice)));
        check("referer", "http://localhost:3000/metrics", true);
        check("referer", "http://LOCALHOST:3000", true);
        for page in ["http://localhost:4000/", "https://evil.example/localhost:3000", "/metrics", "", "null"]
        {
            check("referer", page, false);
        }
    }

    #[test]
    fn a_target_in_absolute_form_outweighs_the_header() {
        let mut request = asked("127.0.0.1:9", &[("host", "localhost")]);
        request.uri = Uri::from_static("http://evil.example/metrics");
        assert!(!is_local_client(&request));
        request.uri = Uri::from_static("http://localhost/metrics");
        assert!(is_local_client(&request));
        request.version = Version::HTTP_10;
        assert!(!is_local_client(&request));
    }
}
