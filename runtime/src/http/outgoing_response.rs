//! Converts a response to the form that hyper sends.

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use zerver_engine::{RequestId, Response};

use super::connection::connection_state::Connection;
use super::connection::in_flight_guard::InFlightGuard;
use super::response_body::ResponseBody;
use crate::execution::active_request::PendingResponse;
use crate::execution::request_ids;
use crate::execution::streamed_body::StreamedBody;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A response on its way out.
pub(super) struct OutgoingResponse {
    pub(super) pending: PendingResponse,
    pub(super) id: RequestId,
    pub(super) date: HeaderValue,
    pub(super) is_head: bool,
    pub(super) is_http2: bool,
    pub(super) close: bool,
}

impl OutgoingResponse {
    /// Converts the response, and wraps its body for this connection.
    pub(super) fn into_http(self, conn: Rc<Connection>) -> http::Response<ResponseBody> {
        let Self { pending, id, date, is_head, is_http2, close } = self;
        let PendingResponse { response, delivery, announced, .. } = pending;
        finish(response, id, date, (is_head, announced), (is_http2, close)).map(|body| {
            match is_http2 && !body.is_empty() {
                true => ResponseBody::framed(body, conn, delivery),
                false => ResponseBody::whole(body, conn, delivery),
            }
        })
    }

    /// Converts the head of a response whose body is being made, or after which a session begins.
    pub(super) fn into_streamed_http(self, in_flight: InFlightGuard) -> http::Response<ResponseBody> {
        let Self { pending, id, date, is_head, is_http2, close } = self;
        let PendingResponse { response, stream, announced, .. } = pending;
        #[cfg(feature = "websocket")]
        let stream = match stream {
            Some(session) if session.is_upgrade => {
                let conn = in_flight.end(Instant::now());
                conn.set_session(session);
                return finish(response, id, date, (false, None), (is_http2, false))
                    .map(|body| ResponseBody::whole(body, conn, None));
            }
            stream => stream,
        };
        finish(response, id, date, (is_head && announced.is_some(), announced), (is_http2, close)).map(
            |body| match stream {
                Some(stream) => {
                    let is_endless = stream.is_endless;
                    ResponseBody::streamed(StreamedBody::new(stream), in_flight, is_endless, is_http2)
                }
                None => ResponseBody::whole(body, in_flight.end(Instant::now()), None),
            },
        )
    }
}

fn finish(
    response: Response,
    id: RequestId,
    date: HeaderValue,
    (is_head, announced): (bool, Option<u64>),
    (is_http2, close): (bool, bool),
) -> http::Response<Bytes> {
    let mut request_id = request_ids::header_value(id);
    // Never repeats, so it must not take the places of other headers in the table of HPACK (RFC 7541, section 6.2.3).
    request_id.set_sensitive(is_http2);
    let mut response = finish_head(response, request_id, is_head, announced);
    let headers = response.headers_mut();
    headers.entry(header::DATE).or_insert(date);
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Adds the headers that HTTP and zerver require. `announced` is the length for a HEAD request, if the response does not tell it. Returns a response whose body is to be sent as it is.
#[inline]
pub(crate) fn finish_head(
    response: Response,
    request_id: HeaderValue,
    is_head: bool,
    announced: Option<u64>,
) -> http::Response<Bytes> {
    let Response { mut status, mut headers, mut body, stream } = response;
    // A final response must not have an informational status.
    let is_upgrade = || stream.as_ref().is_some_and(|stream| stream.web_socket_rules().is_some());
    if status.is_informational() && !is_upgrade() {
        status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    // Checking first is cheaper than removing headers that are almost never present.
    let is_framing = |name: &HeaderName| [header::TRANSFER_ENCODING, header::CONTENT_LENGTH].contains(name);
    if headers.keys().any(is_framing) {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    headers.insert(REQUEST_ID, request_id);
    if is_head {
        let length = match &stream {
            None => announced.or(Some(body.len() as u64)),
            Some(stream) => stream.known_length(),
        };
        if let Some(length) = length {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        body = Bytes::new();
    } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        body = Bytes::new();
    }
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
