//! Responses, with the headers that all of them have.

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};

use super::body::ReplyBody;
use crate::reply::Reply;

/// Policy of the pages: nothing but our own style, script and requests, and no text can become script.
pub(crate) const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Adds the headers that every response has. There is none that would let another origin read it.
pub(super) fn into_response(reply: Reply) -> Response<ReplyBody> {
    let (status, content_type, body) = match &reply {
        Reply::Page(status, markup) => (*status, "text/html; charset=utf-8", whole(markup.0.as_bytes())),
        Reply::Asset(content_type, text) => {
            (StatusCode::OK, *content_type, ReplyBody::Whole(Some(Bytes::from_static(text.as_bytes()))))
        }
        Reply::SeeOther { .. } => (StatusCode::SEE_OTHER, "text/plain; charset=utf-8", whole(b"")),
        Reply::Events(_) => (StatusCode::OK, "text/event-stream", whole(b"")),
    };
    let body = match reply {
        Reply::Events(events) => {
            return with_headers(Response::new(ReplyBody::Events(events)), status, content_type);
        }
        Reply::SeeOther { to, set_cookie } => {
            let mut response = with_headers(Response::new(body), status, content_type);
            let headers = response.headers_mut();
            // The path is percent-encoded, so this never fails; a request is better answered in a wrong place than
            // not at all.
            let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
            headers.insert(LOCATION, to);
            if let Some(cookie) = set_cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
                headers.insert(SET_COOKIE, cookie);
            }
            return response;
        }
        Reply::Page(..) | Reply::Asset(..) => body,
    };
    with_headers(Response::new(body), status, content_type)
}

fn whole(bytes: &[u8]) -> ReplyBody {
    ReplyBody::Whole(Some(Bytes::copy_from_slice(bytes)))
}

fn with_headers(
    mut response: Response<ReplyBody>,
    status: StatusCode,
    content_type: &'static str,
) -> Response<ReplyBody> {
    *response.status_mut() = status;
    let headers: [(HeaderName, &'static str); 9] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`, with which browsers send `Origin: null` with forms.
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
        (CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
    }
    response
}
