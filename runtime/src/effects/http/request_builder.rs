//! Builds requests and the effects that perform them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_engine::{Call, Effect, EffectError, EffectKind, Failure};

use super::header::Header;
use super::reply::Reply;
use super::request::Request;

/// Builds a request. One of the methods that return an [`Effect`] completes it, and a step returns that effect.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until it is completed and a step returns the effect"]
pub struct RequestBuilder {
    request: Request,
    timeout: Option<Duration>,
    /// Failure to serialize the body.
    failure: Option<Failure>,
}

impl RequestBuilder {
    pub(super) fn new(method: String, url: String) -> Self {
        let request = Request {
            method,
            url,
            headers: Vec::new(),
            body: Bytes::new(),
            body_limit: None,
            idempotent: false,
        };
        Self { request, timeout: None, failure: None }
    }

    /// Adds a header. If HTTP does not allow the name or the value, the effect fails as `invalid`.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request.headers.push(Header::new(name, Bytes::copy_from_slice(value.as_ref())));
        self
    }

    /// Adds `idempotency-key` with a value that identifies this call: the id of the request and the number of the call,
    /// such as `019aa4c2-.../3`. It is the same in all attempts, so that a target that knows the header performs the call
    /// once, and [`Effect::retry`](zerver_engine::Effect::retry) may repeat a POST. The trace contains that the key was
    /// sent; its value follows from the trace.
    ///
    /// To use a key of your own, add the header.
    pub fn idempotent(mut self) -> Self {
        self.request.idempotent = true;
        self
    }

    /// Adds `authorization: Bearer <token>` (RFC 6750).
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Adds a query parameter, encoded as in a form.
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        let url = &mut self.request.url;
        // A fragment is never sent to a server.
        url.truncate(url.find('#').unwrap_or(url.len()));
        url.push(if url.contains('?') { '&' } else { '?' });
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, &value.to_string());
        url.push_str(&query.finish());
        self
    }

    /// Sets the body to this value as JSON.
    pub fn json_body<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.request.body = body.into(),
            Err(error) => self.failure = Some(Failure::internal("http").because(&error)),
        }
        self.default_header("content-type", "application/json")
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets the time limit, from the start of the effect to the end of the reply's body. Without it, only the deadline
    /// of the incoming request applies.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the maximum length of the reply's body, in bytes, instead of the limit of the client.
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.request.body_limit = Some(bytes);
        self
    }

    /// Completes with the reply, whatever its status.
    pub fn send(self) -> Effect<Reply> {
        self.complete(|_, reply| Ok(reply.clone()))
    }

    /// Completes with the JSON body of a 2xx reply. Any other status, and a body that is not a `T`, fails as
    /// `bad_upstream`.
    pub fn json<T: DeserializeOwned + Send + 'static>(self) -> Effect<T> {
        self.default_header("accept", "application/json").complete(|target, reply| {
            reply.check_success(target)?;
            reply.parse_json(target)
        })
    }

    /// Completes like [`json`](Self::json), but with `None` for a 404.
    pub fn json_or_none<T: DeserializeOwned + Send + 'static>(self) -> Effect<Option<T>> {
        self.default_header("accept", "application/json").complete(|target, reply| {
            if reply.status == 404 {
                return Ok(None);
            }
            reply.check_success(target)?;
            reply.parse_json(target).map(Some)
        })
    }

    /// Completes with the body of a 2xx reply as text. Any other status, and a body that is not UTF-8, fails as
    /// `bad_upstream`.
    pub fn text(self) -> Effect<String> {
        self.complete(|target, reply| {
            reply.check_success(target)?;
            reply.parse_text(target)
        })
    }

    /// Completes without a value if the status is 2xx. Any other status fails as `bad_upstream`.
    pub fn ok(self) -> Effect<()> {
        self.complete(|target, reply| reply.check_success(target))
    }

    fn default_header(self, name: &str, value: &str) -> Self {
        if self.request.headers.iter().any(|header| header.name == name) {
            return self;
        }
        self.header(name, value)
    }

    fn complete<T: Send + 'static>(
        self,
        read: impl Fn(&str, &Reply) -> Result<T, Failure> + Send + 'static,
    ) -> Effect<T> {
        if let Some(failure) = self.failure {
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
