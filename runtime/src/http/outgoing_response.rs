//! Conversion of a response to what hyper sends.

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
    pub(super) answer: PendingResponse,
    pub(super) id: RequestId,
    pub(super) date: HeaderValue,
    pub(super) is_head: bool,
    pub(super) is_http2: bool,
    pub(super) close: bool,
}

impl OutgoingResponse {
    /// The response as hyper wants it, on this connection.
    pub(super) fn into_http(self, conn: Rc<Connection>) -> http::Response<ResponseBody> {
        let Self { answer: PendingResponse { response, delivery }, id, date, is_head, is_http2, close } =
            self;
        let Response { mut status, mut headers, mut body } = response;
        // An informational status is none to end with.
        if status.is_informational() {
            status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        // To look is cheaper than to take away what is hardly ever there.
        let is_framing =
            |name: &HeaderName| [header::TRANSFER_ENCODING, header::CONTENT_LENGTH].contains(name);
        if headers.keys().any(is_framing) {
            headers.remove(header::TRANSFER_ENCODING);
            headers.remove(header::CONTENT_LENGTH);
        }
        headers.insert(REQUEST_ID, request_ids::header_value(id));
        headers.entry(header::DATE).or_insert(date);
        if close {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if is_head {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            body = Bytes::new();
        } else if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            body = Bytes::new();
        }
        let payload = match is_http2 && !body.is_empty() {
            true => ResponseBody::framed(body, conn, delivery),
            false => ResponseBody::whole(body, conn, delivery),
        };
        let mut response = http::Response::new(payload);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
