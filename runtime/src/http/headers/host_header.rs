//! Checks the host of a request (RFC 9112, section 3.2; RFC 9113, section 8.3.1): there must be exactly one, and it
//! must be valid and allowed.

use std::net::Ipv6Addr;

use http::uri::Authority;
use http::{Uri, Version, header};
use zerver_engine::Request;

use super::header_scan::HeaderValues;

/// Error in the host of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostError {
    Missing,
    Repeated,
    Malformed,
    /// HTTP/2's `:authority` and `host` differ.
    AuthorityMismatch,
    NotAllowed,
}

/// Checks the host of a request. An empty list of `allowed` names allows all.
pub(crate) fn check(
    request: &Request,
    hosts: &HeaderValues<'_>,
    allowed: &[String],
) -> Result<(), HostError> {
    if hosts.is_repeated {
        return Err(HostError::Repeated);
    }
    let host = match hosts.first {
        Some(value) => Some(value.to_str().ok().filter(|host| is_valid(host)).ok_or(HostError::Malformed)?),
        None => None,
    };
    let host = match (request.version, authority(&request.uri), host) {
        (Version::HTTP_2, Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            return Err(HostError::AuthorityMismatch);
        }
        (_, Some(authority), _) if !is_valid(authority) => return Err(HostError::Malformed),
        (Version::HTTP_2, Some(authority), _) => Some(authority),
        (Version::HTTP_09 | Version::HTTP_10, authority, host) => authority.or(host),
        (_, _, None) => return Err(HostError::Missing),
        // A target in absolute form takes precedence over the header.
        (_, authority, Some(host)) => authority.or(Some(host)),
    };
    if allowed.is_empty() {
        return Ok(());
    }
    match host.map(name) {
        Some(name) if allowed.iter().any(|a| a.eq_ignore_ascii_case(name)) => Ok(()),
        _ => Err(HostError::NotAllowed),
    }
}

fn authority(uri: &Uri) -> Option<&str> {
    uri.authority().map(Authority::as_str)
}

/// Returns true for a name or an address, with or without a port. Characters that RFC 3986 allows in a name but that no
/// real name contains are rejected.
fn is_valid(host: &str) -> bool {
    let (is_name_valid, rest) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address.parse::<Ipv6Addr>().is_ok(), rest),
        None => {
            let (name, rest) = host.split_at(host.find(':').unwrap_or(host.len()));
            let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'~');
            (!name.is_empty() && name.bytes().all(is_unreserved), rest)
        }
    };
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    is_name_valid && (rest.is_empty() || rest == ":" || rest.strip_prefix(':').is_some_and(is_port))
}

/// Name of the host that a request is for, without the port.
pub(crate) fn host_name(request: &Request) -> Option<&str> {
    host_and_port(request).map(name)
}

/// Returns true if a request is for exactly this host and port.
pub(crate) fn is_for(request: &Request, host: &str) -> bool {
    host_and_port(request).is_some_and(|requested| requested.eq_ignore_ascii_case(host))
}

fn host_and_port(request: &Request) -> Option<&str> {
    let header = || request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority(&request.uri).or_else(header)
}

/// Removes the port from a host.
fn name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::super::header_scan::ScannedHeaders;
    use super::*;

    #[test]
    fn only_a_name_or_an_address_with_an_optional_port_is_valid() {
        let check = |host: &str, valid: bool| assert_eq!(is_valid(host), valid, "{host:?}");
        for host in ["a", "a.example:80", "127.0.0.1:3000", "[::1]:80", "[::1]", "a:", "A_b.c"] {
            check(host, true);
        }
        for host in [
            "", ":80", "a:b", "a:+80", "a:99999", "a b", "user@a", "a/b", "a?b", "a,b", "a:80:80", "[::1",
            "::1",
        ] {
            check(host, false);
        }
    }

    #[test]
    fn a_host_is_allowed_by_name_whatever_its_port() {
        let check_name = |host: &str, result: Result<(), HostError>| {
            let mut request = Request::get("/").with_header("host", host);
            request.version = Version::HTTP_11;
            let hosts = ScannedHeaders::new(&request.headers).host;
            assert_eq!(
                check(&request, &hosts, &["a.example".to_owned(), "[::1]".to_owned()]),
                result,
                "{host}"
            );
        };
        check_name("a.example", Ok(()));
        check_name("A.EXAMPLE:3000", Ok(()));
        check_name("[::1]:80", Ok(()));
        check_name("a.example.evil", Err(HostError::NotAllowed));
        check_name("evil", Err(HostError::NotAllowed));
    }
}
