//! An exchange on its way through the layer. Its owner decides how the request ends. Dropping it means that the client left, or that
//! the server gave up.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use tracing::Span;
use zerver_trace::{
    Answer, EffectError, EffectErrorKind, EndedRequest, FailureInfo, FailureKind, FlowInfo, Outcome,
    TypedValue,
};

use crate::body_prefix::BodyPrefix;
use crate::exchange::Exchange;
use crate::grpc_status;
use crate::messages::{HeaderList, RecordedResponse, header_list};
use crate::open_store::OpenStore;
use crate::spans;

/// Duration of a response's body from which it gets a row of its own, in nanoseconds.
const MIN_STREAM_NS: u64 = 1_000_000;

/// An exchange whose end is not recorded yet.
pub(crate) struct Tracked {
    store: Arc<OpenStore>,
    pub(crate) exchange: Arc<Exchange>,
    span: Span,
    /// `None` until there is a response.
    response: Option<Response>,
    has_ended: bool,
}

/// A response whose body is being sent.
struct Response {
    status: u16,
    headers: HeaderList,
    head_ns: u64,
    first_ns: Option<u64>,
    chunks: u64,
    body: BodyPrefix,
    /// Length of the body, if it is known before. `Some(0)` if the server will not take it.
    expected: Option<u64>,
}

impl Tracked {
    pub(crate) fn new(store: Arc<OpenStore>, exchange: Exchange) -> Self {
        let exchange = Arc::new(exchange);
        let span = spans::request_span(&exchange);
        Self { store, exchange, span, response: None, has_ended: false }
    }

    /// Runs code of the service. Its spans and events belong to the request. A panic ends the request and goes on.
    pub(crate) fn observe<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let result = {
            let _entered = self.span.enter();
            catch_unwind(AssertUnwindSafe(|| spans::within(&self.exchange, run)))
        };
        result.unwrap_or_else(|panic| {
            self.end(Outcome::Panicked { step: 0, message: message_of(&*panic).to_owned() }, false);
            resume_unwind(panic)
        })
    }

    /// Records the head of the response. `len` is the length of its body, if it is known.
    pub(crate) fn respond(&mut self, status: StatusCode, headers: &HeaderMap, len: Option<u64>) {
        let has_no_body = self.exchange.head.method == http::Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        self.response = Some(Response {
            status: status.as_u16(),
            headers: header_list(headers),
            head_ns: self.exchange.now_ns(),
            first_ns: None,
            chunks: 0,
            body: BodyPrefix::default(),
            expected: if has_no_body { Some(0) } else { len },
        });
    }

    /// Records a part of the response's body.
    pub(crate) fn sent(&mut self, chunk: &bytes::Bytes) {
        let limit = self.exchange.body_limit();
        if let Some(response) = &mut self.response {
            if response.first_ns.is_none() {
                response.first_ns = Some(self.exchange.now_ns());
            }
            response.chunks += 1;
            response.body.push(chunk, limit, true);
        }
    }

    /// Records the trailers of the response.
    pub(crate) fn sent_trailers(&mut self, trailers: &HeaderMap) {
        if let Some(response) = &mut self.response {
            response.headers.extend(header_list(trailers));
        }
    }

    /// Forgets the request, because it is recorded elsewhere.
    pub(crate) fn discard(&mut self) {
        self.has_ended = true;
    }

    /// Records that the response is complete.
    pub(crate) fn complete(&mut self) {
        self.end(Outcome::Done, false);
    }

    /// Records that the service failed, or the body of its response did.
    pub(crate) fn fail(&mut self, message: String) {
        let what = if self.response.is_some() { "response body" } else { "service" };
        let failure = FailureInfo {
            kind: FailureKind::Internal,
            what: what.into(),
            key: String::new(),
            message,
            step: None,
            call: None,
            causes: Vec::new(),
        };
        self.end(Outcome::Failed(failure), false);
    }

    fn end(&mut self, outcome: Outcome, is_undelivered: bool) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let response = self.response.take().map(|response| {
            self.add_stream(&response, &outcome, is_undelivered);
            let Response { status, headers, body, .. } = response;
            RecordedResponse { status, headers, body }
        });
        let failure =
            response.as_ref().filter(|_| outcome == Outcome::Done).and_then(grpc_status::failure_of);
        let outcome = failure.map_or(outcome, Outcome::Failed);
        let flow = self.flow(response.as_ref());
        let decide = |ended: &EndedRequest<'_>| self.store.decide(ended);
        let ended = self.exchange.end(&flow, response, outcome, is_undelivered, decide);
        if let Some((capture, kept)) = ended {
            self.store.accept(capture, kept);
        }
    }

    /// Adds a row for the body, unless it was sent at once.
    fn add_stream(&self, response: &Response, outcome: &Outcome, is_undelivered: bool) {
        let took_ns = self.exchange.now_ns().saturating_sub(response.head_ns);
        if response.chunks < 2 && took_ns < MIN_STREAM_NS {
            return;
        }
        let answer = match outcome {
            Outcome::Failed(failure) => {
                Answer::Err(EffectError::new(EffectErrorKind::Failed, failure.message.clone()))
            }
            _ if is_undelivered => Answer::Canceled,
            _ => Answer::Ok(
                Arc::new(StreamOutput { chunks: response.chunks, bytes: response.body.full_len }) as _,
            ),
        };
        let args = Arc::new(TypedValue("response body"));
        self.exchange.add_stream(response.head_ns, response.first_ns, args, answer);
    }

    /// Returns the flow. Without a route, only paths to which the service has an answer become flows.
    fn flow(&self, response: Option<&RecordedResponse>) -> Arc<FlowInfo> {
        let Exchange { head, route, .. } = &*self.exchange;
        let flows = &self.store.flows;
        if let Some(route) = route {
            return flows.of_route(&head.method, route.pattern(), |flows| self.store.declare(flows));
        }
        let is_unknown = response.is_none_or(|response| {
            matches!(response.status, 400..=499) || grpc_status::is_unimplemented(response)
        });
        match is_unknown {
            true => flows.unmatched(),
            false => flows.of_path(&head.method, head.uri.path(), |flows| self.store.declare(flows)),
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        match &self.response {
            None => self.end(Outcome::ClientLeft { step: 0 }, false),
            Some(response) => {
                // A server stops once it has the announced length, and takes no body where there is none.
                let is_whole = response.expected.is_some_and(|expected| response.body.full_len >= expected);
                self.end(Outcome::Done, !is_whole);
            }
        }
    }
}

/// Returns the message of a panic.
fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// Length of a body that was sent in parts.
struct StreamOutput {
    chunks: u64,
    bytes: u64,
}

impl zerver_trace::Recordable for StreamOutput {
    fn encode(&self, out: &mut zerver_trace::value::Encoder) -> Result<(), zerver_trace::ValueError> {
        out.put(&std::collections::BTreeMap::from([("bytes", self.bytes), ("chunks", self.chunks)]))
    }

    fn summary(&self) -> Option<String> {
        let Self { chunks, bytes } = self;
        Some(format!("{bytes} bytes in {chunks} {}", if *chunks == 1 { "chunk" } else { "chunks" }))
    }
}
