//! Responses to malformed requests. They get an id and a trace like any other request, but the trace contains only the
//! error.

use std::rc::Rc;
use std::time::Instant;

use http::{Method, StatusCode, Uri};
use zerver_engine::Request;

use super::connection_state::Connection;
use super::in_flight_guard::InFlightGuard;
use crate::http::outgoing_response::OutgoingResponse;
use crate::http::rejection::Rejection;
use crate::http::request_handler::receive;
use crate::http::response_body::ResponseBody;
use crate::http::routing::reject;
use crate::server::workers::worker::Worker;
use crate::time::Stopwatch;

/// Builds the response to a request that hyper rejected with this status and error. The bytes of the request are not
/// recorded, because secrets in them cannot be identified.
pub(crate) fn answer(
    worker: &Worker,
    conn: &Rc<Connection>,
    status: StatusCode,
    error: &hyper::Error,
) -> http::Response<ResponseBody> {
    let in_flight = InFlightGuard::begin(conn);
    worker.thread_status.count_malformed();
    let request = Request {
        // Neither a method that a client would use nor a path.
        method: Method::from_bytes(b"-").unwrap_or_default(),
        uri: Uri::from_static("*"),
        peer: Some(conn.peer()),
        ..Request::default()
    };
    let limits = &worker.service.limits;
    let rejection = match status {
        StatusCode::URI_TOO_LONG => Rejection::TargetTooLong(limits.target_bytes),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Rejection::TooManyHeaders(limits.header_bytes),
        _ => Rejection::Malformed(error.to_string()),
    };
    let mut active = receive(worker, Stopwatch::since(Instant::now()), request);
    let (pending, end) = reject(&mut active, &worker.service, &rejection);
    let conn = in_flight.end(end);
    let date = worker.date.at(worker.clock.wall(end).0.unix_ns);
    OutgoingResponse { pending, id: active.id, date, is_head: false, is_http2: false, close: true }
        .into_http(conn)
}
