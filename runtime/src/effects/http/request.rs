//! Requests to others, as data.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use ::http::Uri;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerver_engine::{Call, Effect, EffectError, EffectKind, Failure};
use zerver_trace::Value;

use super::{Reply, body, identity};

/// A request to send: the effect of kind `http`.
///
/// It is recorded with its headers; the recorder seals those that hold credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The URL, with its query.
    pub url: String,
    /// The headers, in their order.
    pub headers: Vec<Header>,
    /// The body; empty where there is none.
    #[serde(with = "body")]
    pub body: Bytes,
    /// The longest body of a reply, in bytes; none means what the client allows.
    pub body_limit: Option<u64>,
}

/// One header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The name, in lower case.
    pub name: String,
    /// The value.
    #[serde(with = "body")]
    pub value: Bytes,
}

impl Header {
    /// A header with its name in lower case.
    pub fn new(name: &str, value: impl Into<Bytes>) -> Self {
        Self { name: name.to_ascii_lowercase(), value: value.into() }
    }
}

impl EffectKind for Request {
    const KIND: &'static str = "http";
    type Output = Reply;

    /// Method, host and path. What the query says is left out: it may be secret. So is all of a URL that is none.
    fn summary(&self) -> String {
        Target(self).to_string()
    }

    fn output_summary(reply: &Reply) -> String {
        format!("{}, {} bytes", reply.status, reply.body.len())
    }

    /// Host and port.
    fn target(&self) -> Option<Cow<'_, str>> {
        authority(&self.url)
    }

    /// Those of RFC 9110, section 9.2.2, and any with an `idempotency-key`.
    fn is_idempotent(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE")
            || self.headers.iter().any(|header| header.name == "idempotency-key")
    }

    /// All of it but how it is written: the order of URL parameters and of headers with different names, how the
    /// parameters and the host are encoded, white space and the order of keys in a JSON body.
    fn identity(&self) -> Option<Value> {
        identity::of(self)
    }

    fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(reply.status, 408 | 429 | 502 | 503 | 504)
    }
}

/// Host and port of a URL, in lower case; none of one that no client sends.
fn authority(url: &str) -> Option<Cow<'_, str>> {
    let (scheme, rest) = url.split_once("://")?;
    let usual = if scheme.eq_ignore_ascii_case("https") { "443" } else { "80" };
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
    Some(Cow::Owned(if has_port { lower } else { format!("{lower}:{usual}") }))
}

/// What a request is called in a line and in an error.
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

/// A request that is being put together. It does nothing until a step returns what it ends in.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until a step returns the effect it ends in"]
pub struct RequestBuilder {
    request: Request,
    timeout: Option<Duration>,
    invalid: Option<Failure>,
}

impl RequestBuilder {
    pub(super) fn new(method: String, url: String) -> Self {
        let request = Request { method, url, headers: Vec::new(), body: Bytes::new(), body_limit: None };
        Self { request, timeout: None, invalid: None }
    }

    /// The same with one more header. A name or value which HTTP does not allow makes the effect fail, as `invalid`.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request.headers.push(Header::new(name, Bytes::copy_from_slice(value.as_ref())));
        self
    }

    /// The same with `authorization: Bearer ..` (RFC 6750).
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The same with one more query parameter, which is encoded as in a form.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        let url = &mut self.request.url;
        // The fragment is for whoever shows a page; it is not sent.
        url.truncate(url.find('#').unwrap_or(url.len()));
        url.push(if url.contains('?') { '&' } else { '?' });
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, &value.to_string());
        url.push_str(&query.finish());
        self
    }

    /// The same with this value as its body, in JSON.
    pub fn json_body<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.request.body = body.into(),
            Err(error) => self.invalid = Some(Failure::internal("http").because(&error)),
        }
        self.default_header("content-type", "application/json")
    }

    /// The same with this body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// The same with so much time, from the moment it begins to the end of the reply's body. Without it, it has as
    /// long as the request it belongs to.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same where the body of the reply may have so many bytes, instead of what the client allows.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.request.body_limit = Some(bytes);
        self
    }

    /// Gives the reply, whatever its status.
    pub fn send(self) -> Effect<Reply> {
        self.end(|_, reply| Ok(reply.clone()))
    }

    /// Gives what the body of a 2xx says in JSON. Any other status, and a body that does not fit, is `bad_upstream`.
    pub fn json<T: DeserializeOwned + Send + 'static>(self) -> Effect<T> {
        self.default_header("accept", "application/json").end(|target, reply| {
            reply.successful(target)?;
            reply.json_of(target)
        })
    }

    /// The same, but a 404 gives none.
    pub fn json_or_none<T: DeserializeOwned + Send + 'static>(self) -> Effect<Option<T>> {
        self.default_header("accept", "application/json").end(|target, reply| {
            if reply.status == 404 {
                return Ok(None);
            }
            reply.successful(target)?;
            reply.json_of(target).map(Some)
        })
    }

    /// Gives the body of a 2xx as text. Any other status, and a body that is not UTF-8, is `bad_upstream`.
    pub fn text(self) -> Effect<String> {
        self.end(|target, reply| {
            reply.successful(target)?;
            reply.text_of(target)
        })
    }

    /// Gives nothing but that the status was 2xx. Any other is `bad_upstream`.
    pub fn ok(self) -> Effect<()> {
        self.end(|target, reply| reply.successful(target))
    }

    fn default_header(self, name: &str, value: &str) -> Self {
        if self.request.headers.iter().any(|header| header.name == name) {
            return self;
        }
        self.header(name, value)
    }

    fn end<T: Send + 'static>(
        self,
        read: impl Fn(&str, &Reply) -> Result<T, Failure> + Send + 'static,
    ) -> Effect<T> {
        if let Some(failure) = self.invalid {
            return Effect::fail(failure);
        }
        let target = self.request.summary();
        let mut call = Call::new(self.request);
        if let Some(timeout) = self.timeout {
            call = call.timeout(timeout);
        }
        Effect::from_call::<Request>(call, move |reply: Result<&Reply, EffectError>| match reply {
            Ok(reply) => read(&target, reply),
            Err(error) => Err(Failure::from_effect(Request::KIND, &error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_request_asks_is_its_host_and_port() {
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
    fn what_may_be_sent_again_is_what_http_says() {
        let check = |method: &str, expected: bool| {
            let request = super::super::request(method, "http://host/").request;
            assert_eq!(request.is_idempotent(), expected, "{method}");
        };
        ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"].iter().for_each(|method| check(method, true));
        ["POST", "PATCH", "get", "QUERY"].iter().for_each(|method| check(method, false));
        let keyed = super::super::post("http://host/").header("Idempotency-Key", "1").request;
        assert!(keyed.is_idempotent());
        let is_temporary = |status| Request::is_temporary(&Reply::new(status));
        let temporary: Vec<_> = (100..600).filter(|&status| is_temporary(status)).collect();
        assert_eq!(temporary, [408, 429, 502, 503, 504]);
    }
}
