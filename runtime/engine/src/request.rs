//! Requests, as steps see them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version, header};
use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use zerver_trace::{Message, MessagePart};

use crate::Failure;

/// The parameters of a path: name and decoded value.
pub type Params = SmallVec<[(Arc<str>, String); 2]>;

/// A request with its whole body. A slot which every flow has from the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The target as it came: path and query, and also scheme and authority in HTTP/2 or where it was in absolute form.
    pub uri: Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The parameters of the path, decoded.
    pub params: Params,
    /// Who connected.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// A request without headers and body, for tests.
    ///
    /// # Panics
    /// When `target` is no path.
    pub fn get(target: &str) -> Self {
        let uri = match target.parse() {
            Ok(uri) => uri,
            Err(error) => panic!("{target:?} is no request target: {error}"),
        };
        Self { uri, ..Self::default() }
    }

    /// The same with this header, for tests.
    ///
    /// # Panics
    /// When HTTP does not allow the name or the value.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        match value.parse() {
            Ok(value) => drop(self.headers.append(name, value)),
            Err(error) => panic!("{value:?} is no header value: {error}"),
        }
        self
    }

    /// The same with this body, for tests.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with this path parameter, for tests.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.into(), value.to_owned()));
        self
    }

    /// The first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of `authorization: Bearer ..` (RFC 6750; the scheme in any case, as RFC 9110 has it).
    pub fn bearer(&self) -> Option<&str> {
        const SCHEME: &str = "bearer ";
        let value = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_at_checked(SCHEME.len())?;
        scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
    }

    /// The path parameter of this name, decoded.
    pub fn param_str(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| &**n == name).map(|(_, value)| value.as_str())
    }

    /// The path parameter of this name as a type.
    ///
    /// # Errors
    /// `not_found` if it does not parse: the path names nothing.
    pub fn param<T: FromStr>(&self, name: &'static str) -> Result<T, Failure> {
        let text = self.param_str(name).unwrap_or_default();
        text.parse().map_err(|_| Failure::not_found(name, text))
    }

    /// The first query parameter of this name, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.uri.query()?.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The first query parameter of this name as a type; none if it is not there.
    ///
    /// # Errors
    /// `invalid` if it does not parse.
    pub fn query_as<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        let Some(text) = self.query(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Failure::invalid(name).key(text))
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// `invalid body`, with where and why.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::invalid("body").message(format!("not the JSON expected: {error}")))
    }

    /// The scheme and authority that the client used, as `http://host:port`.
    pub fn origin(&self) -> String {
        let host = self.uri.authority().map(http::uri::Authority::as_str).or_else(|| self.header("host"));
        format!("{}://{}", self.uri.scheme_str().unwrap_or("http"), host.unwrap_or("localhost"))
    }
}

impl Message for Request {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        to(MessagePart::Method(self.method.as_str()));
        to(MessagePart::Target(self.uri.path_and_query().map_or("/", |target| target.as_str())));
        if let (Some(scheme), Some(authority)) = (self.uri.scheme_str(), self.uri.authority()) {
            to(MessagePart::Origin(scheme, authority.as_str()));
        }
        to(MessagePart::Version(match self.version {
            Version::HTTP_09 => "HTTP/0.9",
            Version::HTTP_10 => "HTTP/1.0",
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_3 => "HTTP/3.0",
            _ => "HTTP/1.1",
        }));
        if let Some(peer) = self.peer {
            to(MessagePart::Address(peer));
        }
        tell_rest(&self.headers, &self.body, body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}

pub(crate) fn tell_rest(
    headers: &HeaderMap,
    body: &Bytes,
    body_limit: usize,
    to: &mut dyn FnMut(MessagePart<'_>),
) {
    for (name, value) in headers {
        to(match value.is_sensitive() {
            true => MessagePart::SecretHeader(name.as_str(), value.as_bytes()),
            false => MessagePart::Header(name.as_str(), value.as_bytes()),
        });
    }
    to(MessagePart::Body(&body[..body.len().min(body_limit)], body.len() as u64));
}
