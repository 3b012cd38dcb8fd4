//! What arrives and is no request: it has an answer, an id and a trace as all others, though there is nothing to say of it
//! but what is wrong.

use std::rc::Rc;
use std::time::Instant;

use http::{Method, StatusCode, Uri};
use zerver_engine::Request;

use super::connection_state::Conn;
use crate::http::rejection::Reject;
use crate::http::request_handler::{InFlight, Outgoing, refuse};
use crate::http::response_body::Payload;
use crate::server::worker::Worker;
use crate::time::Stopwatch;

/// The answer to what hyper would have refused with this status, because of this error. What had come of it is not
/// recorded: nobody knows what in it is a secret.
pub(crate) fn answer(
    worker: &Worker,
    conn: &Rc<Conn>,
    status: StatusCode,
    error: &hyper::Error,
) -> http::Response<Payload> {
    let in_flight = InFlight::begin(conn);
    worker.board.malformed();
    let request = Request {
        // No method of anybody, and no path.
        method: Method::from_bytes(b"-").unwrap_or_default(),
        uri: Uri::from_static("*"),
        peer: Some(conn.peer),
        ..Request::default()
    };
    let limits = &worker.service.limits;
    let reject = match status {
        StatusCode::URI_TOO_LONG => Reject::TargetTooLong(limits.target_bytes),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Reject::TooManyHeaders(limits.header_bytes),
        _ => Reject::NoRequest(error.to_string()),
    };
    let mut live = worker.receive(Stopwatch::since(Instant::now()), request);
    let (answer, end) = refuse(&mut live, &worker.service, &reject);
    let conn = in_flight.end(end);
    let date = worker.date.at(worker.clock.wall(end).0.unix_ns);
    Outgoing { answer, id: live.id, date, is_head: false, is_http2: false, close: true }.into_http(conn)
}
