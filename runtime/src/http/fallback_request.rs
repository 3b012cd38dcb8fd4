//! A request that the fallback answers.

use std::rc::Rc;
use std::time::Instant;

use zerver_engine::ReceivedBody;

use super::body_pump;
use super::rejection::Rejection;
use super::request_source::RequestSource;
use super::routing::{missing_response, reject};
use crate::effects::stream::body_channel;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
use crate::fallback;
use crate::server::workers::worker::Worker;

/// Has the fallback answer a request.
pub(super) async fn answer_by_fallback(
    slot: &mut Option<ActiveRequest>,
    worker: &Rc<Worker>,
    source: RequestSource<'_>,
) -> (PendingResponse, Instant) {
    let Some(mut active) = slot.take() else { return (missing_response(), Instant::now()) };
    active.set_fallback();
    if let (Some(browser), RequestSource::Connection(..)) = (&worker.service.browser, &source)
        && let Some(Err(rejection)) = active.request().map(|request| browser.check(request))
    {
        source.abandon();
        return reject(&mut active, &worker.service, &rejection);
    }
    if !worker.service.readiness.is_ready() {
        source.abandon();
        return reject(&mut active, &worker.service, &Rejection::NotReady);
    }
    let received = ReceivedBody::default();
    if let Some(request) = active.request() {
        request.received = Some(received.clone());
    }
    let (sender, unread) = body_channel(u64::MAX, received);
    match source {
        // The body may still arrive while the response is sent.
        RequestSource::Connection(conn, body) => {
            let (worker, conn) = (Rc::clone(worker), Rc::clone(conn));
            tokio::task::spawn_local(async move {
                body_pump::pump(body, sender, &worker.service.limits, &conn).await;
            });
        }
        source => match source.stream_body(sender, u64::MAX, &worker.service.limits) {
            Ok(pump) => pump.await,
            Err(rejection) => return reject(&mut active, &worker.service, &rejection),
        },
    }
    let pending = match unread.take() {
        Some(body) => fallback::answer(active, body).await,
        None => None,
    };
    (pending.unwrap_or_else(missing_response), Instant::now())
}
