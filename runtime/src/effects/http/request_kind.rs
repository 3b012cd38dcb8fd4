//! Requests as a kind of effect: their summary, target, identity and idempotency.

use std::borrow::Cow;
use std::fmt;

use ::http::Uri;
use zerver_engine::EffectKind;
use zerver_trace::Value;

use super::reply::Reply;
use super::request::Request;
use super::request_identity;

impl EffectKind for Request {
    const KIND: &'static str = "http";
    type Output = Reply;

    /// Returns method, host and path. The query is omitted, since it may contain secrets; so is a URL that is invalid.
    fn summary(&self) -> String {
        Target(self).to_string()
    }

    fn output_summary(reply: &Reply) -> String {
        format!("{}, {} bytes", reply.status, reply.body.len())
    }

    /// Returns host and port.
    fn target(&self) -> Option<Cow<'_, str>> {
        authority(&self.url)
    }

    /// Returns true for the methods of RFC 9110, section 9.2.2, and for any request with an `idempotency-key`.
    fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
            || self.headers.iter().any(|header| header.name == "idempotency-key")
    }

    /// Returns the request without the details of its notation: the order of URL parameters and of headers with
    /// different names, the encoding of the parameters and the host, and white space and the order of keys in a JSON
    /// body.
    fn identity(&self) -> Option<Value> {
        request_identity::identity(self)
    }

    fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(reply.status, 408 | 429 | 502 | 503 | 504)
    }
}

/// Returns host and port of a URL in lower case. `None` if the URL has no host or contains credentials.
fn authority(url: &str) -> Option<Cow<'_, str>> {
    let (scheme, rest) = url.split_once("://")?;
    let default_port = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
    if has_port && !authority.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Borrowed(authority));
    }
    let lower = authority.trim_end_matches(':').to_ascii_lowercase();
    Some(Cow::Owned(if has_port { lower } else { format!("{lower}:{default_port}") }))
}

/// A request in one line, for summaries and errors.
struct Target<'a>(&'a Request);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Request { method, url, .. } = self.0;
        let uri: Option<Uri> = url.parse().ok();
        let Some((uri, host)) = uri.as_ref().and_then(|uri| Some((uri, uri.host()?))) else {
            return write!(f, "{method} of an invalid URL");
        };
        write!(f, "{method} {host}")?;
        if let Some(port) = uri.port_u16() {
            write!(f, ":{port}")?;
        }
        f.write_str(uri.path())?;
        if uri.query().is_some() { f.write_str("?..") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::Header;
    use super::*;

    fn request(method: &str) -> Request {
        let (method, url) = (method.to_owned(), "http://host/".to_owned());
        Request { method, url, headers: Vec::new(), body: Bytes::new(), body_limit: None }
    }

    #[test]
    fn the_target_of_a_request_is_its_host_and_port() {
        let check =
            |url: &str, expected: Option<&str>| assert_eq!(authority(url).as_deref(), expected, "{url}");
        check("http://idp.example.com:8080/verify?a=b:1", Some("idp.example.com:8080"));
        check("http://idp.example.com/verify", Some("idp.example.com:80"));
        check("https://IDP.example.com", Some("idp.example.com:443"));
        check("HTTPS://IDP.example.com:443?x", Some("idp.example.com:443"));
        check("https://[::1]/", Some("[::1]:443"));
        check("https://[::1]:9", Some("[::1]:9"));
        check("http://host:/", Some("host:80"));
        check("http://user:password@host/", None);
        check("http:///path", None);
        check("nothing", None);
        assert!(matches!(authority("http://host:1/"), Some(Cow::Borrowed(_))), "nothing is allocated");
    }

    #[test]
    fn a_request_is_idempotent_by_its_method_or_an_idempotency_key() {
        let check = |method: &str, expected: bool| {
            let request = request(method);
            assert_eq!(request.is_idempotent(), expected, "{method}");
        };
        ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].iter().for_each(|method| check(method, true));
        ["POST", "PATCH", "get", "QUERY"].iter().for_each(|method| check(method, false));
        let mut keyed = request("POST");
        keyed.headers.push(Header::new("Idempotency-Key", "1"));
        assert!(keyed.is_idempotent());
        let is_temporary = |status| Request::is_temporary(&Reply::new(status));
        let temporary: Vec<_> = (100..600).filter(|&status| is_temporary(status)).collect();
        assert_eq!(temporary, [408, 429, 502, 503, 504]);
    }
}
