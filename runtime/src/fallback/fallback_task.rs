//! Has the fallback answer a request, on the effect runtime. The worker of the connection passes on what arrives and what is sent.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use http::StatusCode;
use http_body::Body as _;
use tokio::sync::oneshot;
use zerver_engine::{Failure, Response};
use zerver_trace::{FailureInfo, FailureKind, Outcome};

use super::fallback_body::FallbackBody;
use super::fallback_service::AnyBody;
use crate::effects::stream::{self, RequestBody, StreamMessage, StreamOutput};
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::execution::streamed_body::{StreamReceiver, StreamResult};
use crate::server::service::WorkerService;

/// Has the fallback answer a request with this body. Dropping the future cancels it. Returns `None` if the service stops.
pub(crate) async fn answer(mut active: ActiveRequest, body: RequestBody) -> Option<PendingResponse> {
    let (mut head_tx, head_rx) = oneshot::channel();
    let service = Arc::clone(active.service());
    active.begin_ending_task();
    let request = request_of(&active, body)?;
    let runtime = service.effect_runtime.handle_for(active.thread()).clone();
    runtime.spawn(async move {
        let Some(fallback) = &service.fallback else { return };
        // Called within the task, so that its panic is not one of the worker.
        let called = AssertUnwindSafe(async { fallback.call(request).await }).catch_unwind();
        let called = tokio::select! {
            biased;
            called = called => called,
            // The request is recorded as one whose client has left.
            () = head_tx.closed() => return,
        };
        let outcome = match called {
            Ok(Ok(response)) => return send(response, active, &service, head_tx).await,
            Ok(Err(error)) => Outcome::Failed(failed("service", &*error)),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().map(ToString::to_string);
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
                let message = text.unwrap_or_else(|| "a panic without a message".to_owned());
                Outcome::Panicked { step: 0, message }
            }
        };
        active.watch.tick();
        let response = Failure::internal("service").to_response();
        let _ = head_tx.send(active.answer(response, outcome));
    });
    head_rx.await.ok().flatten()
}

/// Returns the request as the fallback takes it. The address of the client, the id of the request and the time at which it
/// arrived are among its extensions.
fn request_of(active: &ActiveRequest, body: RequestBody) -> Option<http::Request<FallbackBody>> {
    let request = active.shared_request()?;
    let mut forwarded = http::Request::new(FallbackBody(body));
    *forwarded.method_mut() = request.method.clone();
    *forwarded.uri_mut() = request.uri.clone();
    *forwarded.version_mut() = request.version;
    *forwarded.headers_mut() = request.headers.clone();
    forwarded.extensions_mut().insert(active.id);
    if let Some(peer) = request.peer {
        forwarded.extensions_mut().insert(peer);
    }
    Some(forwarded)
}

/// Sends the head of a response, and then its body, piece by piece.
async fn send(
    response: http::Response<AnyBody>,
    mut active: ActiveRequest,
    service: &WorkerService,
    head_tx: oneshot::Sender<Option<PendingResponse>>,
) {
    let (parts, body) = response.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        active.watch.tick();
        let outcome =
            Outcome::Failed(failed("service", &"a fallback cannot take the connection of its client"));
        let _ = head_tx.send(active.answer(Failure::internal("service").to_response(), outcome));
        return;
    }
    let length = body.size_hint().exact();
    // The answer to HEAD announces the length of a body that it does not have.
    let announced = parts.headers.get(http::header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let head = Response { headers: parts.headers, ..Response::new(parts.status) };
    if length == Some(0) {
        // A server takes nothing of such a body.
        active.watch.tick();
        let pending = active.answer(head, Outcome::Done);
        let _ = head_tx.send(pending.map(|pending| PendingResponse { announced, ..pending }));
        return;
    }
    // The server checks the length that the service has announced.
    let (output, messages) = stream::channel(None, None, service.sink.is_some());
    let (result_tx, receiver) = StreamReceiver::new(messages, length, false);
    active.begin_stream_task(output.clone());
    let pending =
        PendingResponse { announced, stream: Some(receiver), ..PendingResponse::whole(head.clone()) };
    if head_tx.send(Some(pending)).is_err() {
        return;
    }
    let Some(to) = output.channel() else { return };
    let sent = tokio::select! {
        biased;
        sent = send_body(body, &output) => Some(sent),
        () = to.closed() => None,
    };
    active.watch.tick();
    let (outcome, is_complete) = match sent {
        Some(Ok(())) => (Outcome::Done, true),
        Some(Err(failure)) => (Outcome::Failed(failure), false),
        None => (Outcome::ClientLeft { step: 0 }, false),
    };
    let delivery = active.answer(head, outcome).and_then(|pending| pending.delivery);
    let _ = to.send(StreamMessage::End).await;
    let _ = result_tx.send(StreamResult { delivery, is_complete });
}

async fn send_body(mut body: AnyBody, output: &StreamOutput) -> Result<(), FailureInfo> {
    loop {
        let frame = AssertUnwindSafe(std::future::poll_fn(|cx| body.as_mut().poll_frame(cx))).catch_unwind();
        match frame.await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => output.pass_on(data).await,
                Err(frame) => {
                    if let (Ok(trailers), Some(to)) = (frame.into_trailers(), output.channel()) {
                        let _ = to.send(StreamMessage::Trailers(trailers)).await;
                    }
                }
            },
            Ok(Some(Err(error))) => return Err(failed("response body", &*error)),
            Err(_) => return Err(failed("response body", &"it panicked")),
        }
    }
}

fn failed(what: &'static str, error: &(impl std::fmt::Display + ?Sized)) -> FailureInfo {
    FailureInfo {
        kind: FailureKind::Internal,
        what: what.into(),
        key: String::new(),
        message: error.to_string(),
        step: None,
        call: None,
        causes: Vec::new(),
    }
}
