//! Converts a response to the form that hyper sends.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use zerver_engine::{RequestId, Response};

use super::connection::connection_state::Connection;
use super::response_body::ResponseBody;
use crate::execution::active_request::PendingResponse;
use crate::execution::request_ids;

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
        let Self { pending: PendingResponse { response, delivery }, id, date, is_head, is_http2, close } =
            self;
        let mut response = finish_head(response, id, is_head);
        let headers = response.headers_mut();
        headers.entry(header::DATE).or_insert(date);
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| match is_http2 && !body.is_empty() {
            true => ResponseBody::framed(body, conn, delivery),
            false => ResponseBody::whole(body, conn, delivery),
        })
    }
}

/// Adds the headers that HTTP and zerver require. Returns a response whose body is to be sent as it is.
#[inline]
pub(crate) fn finish_head(response: Response, id: RequestId, is_head: bool) -> http::Response<Bytes> {
    let Response { mut status, mut headers, mut body } = response;
    // A final response must not have an informational status.
    if status.is_informational() {
        status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    // Checking first is cheaper than removing headers that are almost never present.
    let is_framing = |name: &HeaderName| [header::TRANSFER_ENCODING, header::CONTENT_LENGTH].contains(name);
    if headers.keys().any(is_framing) {
        headers.remove(header::TRANSFER_ENCODING);
        headers.remove(header::CONTENT_LENGTH);
    }
    headers.insert(REQUEST_ID, request_ids::header_value(id));
    if is_head {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        body = Bytes::new();
    } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        body = Bytes::new();
    }
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
