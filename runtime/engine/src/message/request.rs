//! Requests as steps see them. They are read by the shell of the runtime, not here.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version, header};
use serde::de::DeserializeOwned;
use smallvec::SmallVec;
use zerver_trace::{Message, MessagePart};

use super::parts::{visit_headers, visit_headers_and_body, visit_request_line};
use super::received_body::ReceivedBody;
use crate::failure::Failure;

/// Path parameters: name and decoded value.
pub type Params = SmallVec<[(Arc<str>, String); 2]>;

/// An HTTP request with its whole body. A built-in slot.
///
/// ```
/// use zerver_engine::Request;
///
/// let request = Request::get("/todos?limit=5").with_header("authorization", "Bearer t1");
/// assert_eq!(request.query_as("limit"), Ok(Some(5)));
/// assert_eq!(request.bearer(), Some("t1"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Target: path and query, and also scheme and authority in HTTP/2 and in absolute form.
    pub uri: Uri,
    /// HTTP version.
    pub version: Version,
    /// Headers.
    pub headers: HeaderMap,
    /// Body. Empty if an effect reads it.
    pub body: Bytes,
    /// The received part of a body that an effect reads, of a flow with a
    /// [streamed body](crate::FlowDef::streamed_body).
    pub received: Option<ReceivedBody>,
    /// Path parameters, decoded.
    pub params: Params,
    /// Address of the client's end of the connection.
    pub peer: Option<SocketAddr>,
}

impl Request {
    /// Creates a GET request without headers and body, for tests.
    ///
    /// # Panics
    /// If `target` is not a request target.
    pub fn get(target: &str) -> Self {
        let uri = match target.parse() {
            Ok(uri) => uri,
            Err(error) => panic!("not a request target: {target:?}: {error}"),
        };
        Self { uri, ..Self::default() }
    }

    /// Adds a header, for tests.
    ///
    /// # Panics
    /// If HTTP does not allow the name or the value.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        match value.parse() {
            Ok(value) => drop(self.headers.append(name, value)),
            Err(error) => panic!("not a header value: {value:?}: {error}"),
        }
        self
    }

    /// Sets the body, for tests.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Adds a path parameter, for tests.
    #[must_use]
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params.push((name.into(), value.to_owned()));
        self
    }

    /// Returns the first header of this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the token of an `authorization: Bearer` header (RFC 6750). The case of the scheme does not matter (RFC
    /// 9110).
    pub fn bearer(&self) -> Option<&str> {
        self.credentials("Bearer")
    }

    /// Returns the credentials of an `authorization` header with this scheme, such as the token of `Authorization: Token
    /// ..`. The case of the scheme does not matter.
    pub fn credentials(&self, scheme: &str) -> Option<&str> {
        let value = self.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (used, credentials) = value.split_once(' ')?;
        used.eq_ignore_ascii_case(scheme).then(|| credentials.trim_ascii())
    }

    /// Returns the path parameter of this name, decoded.
    pub fn param_str(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| &**n == name).map(|(_, value)| value.as_str())
    }

    /// Parses the path parameter of this name.
    ///
    /// # Errors
    /// `not_found` if it does not parse, since no resource has such a path.
    pub fn param<T: FromStr>(&self, name: &'static str) -> Result<T, Failure> {
        let text = self.param_str(name).unwrap_or_default();
        text.parse().map_err(|_| Failure::not_found(name, text))
    }

    /// Returns the first query parameter of this name, decoded.
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.uri.query()?.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Parses the first query parameter of this name. Returns `None` if there is none.
    ///
    /// # Errors
    /// `invalid` if it does not parse.
    pub fn query_as<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, Failure> {
        let Some(text) = self.query(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Failure::invalid(name).key(text))
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// `invalid body`, with the position and the reason.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::invalid("body").message(format!("not the expected JSON: {error}")))
    }

    /// Returns the scheme and authority that the client used, as `http://host:port`.
    pub fn origin(&self) -> String {
        let host = self.uri.authority().map(http::uri::Authority::as_str).or_else(|| self.header("host"));
        format!("{}://{}", self.uri.scheme_str().unwrap_or("http"), host.unwrap_or("localhost"))
    }
}

impl Message for Request {
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        visit_request_line(&self.method, &self.uri, self.version, self.peer, visit);
        match &self.received {
            None => visit_headers_and_body(&self.headers, &self.body, body_limit, visit),
            Some(received) => {
                visit_headers(&self.headers, visit);
                received.visit(body_limit, visit);
            }
        }
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}
