//! Makes the body of a streamed response. This runs on the effect runtime and owns the request; the server that sends the body
//! receives its items through a bounded channel, so that neither waits for the steps of other requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use zerver_engine::Response;
use zerver_trace::{LogLevel, Name};

use super::active_request::{ActiveRequest, PendingResponse};
use super::ending_driver::EndingDriver;
use super::streamed_body::{StreamReceiver, StreamResult};
use super::web_socket;
use crate::effects::interpreter::EffectContext;
use crate::effects::stream::{self, StreamMessage, StreamOutput};
use crate::http::begin_stream;
use crate::server::service::WorkerService;
use crate::time::nanos;

/// Time without an item after which an endless stream gets a comment. Proxies close connections that are idle for longer; the
/// standard suggests this interval (WHATWG HTML, section 9.2.7).
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A comment of an event stream.
const COMMENT: &[u8] = b":\n\n";

/// Limit for a stream that has none: a year.
const NO_LIMIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Time for which a stream must have waited for the client altogether for the trace to say so.
const LONG_WAIT: Duration = Duration::from_millis(10);

/// Returns the response of a request whose steps have ended. If it is streamed, starts to make its body, or to run its session if
/// the request `has_connection`. Returns `None` if there is no response.
pub(crate) fn respond(
    mut active: ActiveRequest,
    context: EffectContext,
    has_connection: bool,
) -> Option<PendingResponse> {
    let Some(mut response) = active.streamed_response().cloned() else { return active.finish() };
    let service = Arc::clone(active.service());
    if response.stream.as_ref().is_some_and(|stream| stream.web_socket_rules().is_some()) {
        return match web_socket::begin(&active, &service, &mut response, has_connection) {
            Ok((output, receiver)) => Some(start(active, &service, response, context, output, receiver)),
            Err(failure) => {
                if let Some((job, _)) = active.job() {
                    job.refuse_stream(&failure);
                }
                active.finish()
            }
        };
    }
    let length = response.stream.as_ref().and_then(|stream| stream.known_length());
    let is_endless = response.stream.as_ref().is_some_and(|stream| stream.format().is_endless);
    let encoder = begin_stream(&mut response, active.coding);
    // The length of what is compressed is not known.
    let sent_length = length.filter(|_| encoder.is_none());
    let (output, messages) = stream::channel(length, encoder, service.sink.is_some());
    let receiver = StreamReceiver::new(messages, sent_length, is_endless);
    Some(start(active, &service, response, context, output, receiver))
}

fn start(
    mut active: ActiveRequest,
    service: &Arc<WorkerService>,
    response: Response,
    mut context: EffectContext,
    output: StreamOutput,
    (result_tx, receiver): (oneshot::Sender<StreamResult>, StreamReceiver),
) -> PendingResponse {
    let service = Arc::clone(service);
    let (is_endless, is_upgrade) = (receiver.is_endless, receiver.is_upgrade);
    context.stream = Some(output.clone());
    active.begin_stream_task(output.clone());
    let runtime = Arc::clone(&service.effect_runtime);
    // A session closes its socket by itself when the service stops.
    let mut stopping = (is_endless && !is_upgrade).then(|| runtime.stopping());
    runtime.handle_for(active.thread()).spawn(async move {
        let (base_ns, mut is_stopped) = (active.base_ns, false);
        if let Some((job, watch)) = active.job() {
            let until_ns = watch.tick().saturating_add(nanos(NO_LIMIT));
            let mut driver = EndingDriver::new((job, watch), &service, &context, base_ns, until_ns);
            let ends_early = async {
                let Some(to) = output.channel() else { return };
                match &mut stopping {
                    None => to.closed().await,
                    Some(stopping) => {
                        tokio::select! {
                            () = to.closed() => {}
                            _ = stopping.wait_for(|is_stopping| *is_stopping) => {}
                            () = send_heartbeats(&output, to) => {}
                        }
                    }
                }
            };
            is_stopped = tokio::select! {
                biased;
                () = driver.stream() => false,
                () = ends_early => true,
            };
            if is_stopped {
                driver.stop_stream();
            }
        }
        #[cfg(feature = "websocket")]
        if let Some(session) = output.session() {
            // What a session that failed has exchanged is not among its output, because there is none.
            let has_failed = active
                .job()
                .and_then(|(job, _)| job.outcome())
                .is_some_and(|(outcome, _)| *outcome != zerver_trace::Outcome::Done);
            if is_stopped || has_failed {
                record_line(&mut active, session.summary());
            }
        }
        // That is how an endless stream ends. The outcome does not tell: the response may be that of a failure.
        let is_complete = output.is_finished() || is_stopped && is_endless && !is_upgrade;
        end(active, &output, result_tx, is_complete).await;
    });
    PendingResponse { stream: Some(receiver), ..PendingResponse::whole(response) }
}

/// Passes on how the stream has ended, with the capture.
async fn end(
    mut active: ActiveRequest,
    output: &StreamOutput,
    result_tx: oneshot::Sender<StreamResult>,
    is_complete: bool,
) {
    record_waits(&mut active, output);
    let delivery = active.finish().and_then(|pending| pending.delivery);
    if let Some(to) = output.channel() {
        if let Some(end) = output.take_end().filter(|_| is_complete) {
            let _ = to.send(StreamMessage::Item(end)).await;
        }
        let _ = to.send(StreamMessage::End).await;
    }
    // If the client has left, this drops the capture, which records that the response was not delivered.
    let _ = result_tx.send(StreamResult { delivery, is_complete });
}

/// Records how long the stream waited for the client, if it was long.
fn record_waits(active: &mut ActiveRequest, output: &StreamOutput) {
    let (waits, waited) = output.waits();
    if waited < LONG_WAIT {
        return;
    }
    let times = if waits == 1 { "once".to_owned() } else { format!("{waits} times") };
    record_line(active, format!("waited for the client {times}, for {waited:.1?} altogether"));
}

fn record_line(active: &mut ActiveRequest, line: String) {
    if let Some((job, watch)) = active.job()
        && let Some(call) = job.last_call()
    {
        job.record_log_line(call, watch.now_ns(), LogLevel::Info, Name::from("zerver::stream"), line);
    }
}

/// Sends a comment whenever nothing else was sent for a while. Ends when the client has left.
async fn send_heartbeats(output: &StreamOutput, to: &mpsc::Sender<StreamMessage>) {
    let mut last = Instant::now();
    loop {
        tokio::time::sleep_until((last + HEARTBEAT).into()).await;
        last = output.last_sent().map_or(last, |sent| sent.max(last));
        if last.elapsed() >= HEARTBEAT {
            last = Instant::now();
            // If items wait for the client, it needs no comment.
            if let Err(mpsc::error::TrySendError::Closed(_)) =
                to.try_send(StreamMessage::Item(Bytes::from_static(COMMENT)))
            {
                return;
            }
        }
    }
}
