//! Requests that are answered before any step runs, and with what.

use http::{HeaderValue, StatusCode, header};
use zerver_engine::{Failure, FailureKind, Flow, Request, Response};
use zerver_trace::Outcome;

use super::headers::host_header::HostError;
use crate::server::service::Service;

/// Why a request gets no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rejection {
    Host(HostError),
    /// No request at all: what is wrong, in the words of hyper.
    Malformed(String),
    /// Too many headers, or too large for hyper's own limits.
    TooManyHeaders(usize),
    /// Another `transfer-encoding` than just `chunked`.
    TransferEncoding,
    /// No path, where one is needed.
    Target,
    TargetTooLong(usize),
    HeadersTooLarge(usize),
    PathNotFound,
    /// The methods that there are.
    MethodNotAllowed(HeaderValue),
    InvalidParam,
    /// The service is not ready for any flow.
    NotReady,
    BodyTooLarge(usize),
    BodyTooSlow,
    BodyBroken,
}

impl Rejection {
    pub(super) fn response(
        &self,
        request: &Request,
        flow: Option<&Flow>,
        service: &Service,
    ) -> (Response, Outcome) {
        let failure = self.failure(request);
        // The service decides how a failure looks; what HTTP demands stays.
        let mut response = service.render(flow, &failure, request).status(self.status());
        if let Self::MethodNotAllowed(allow) = self {
            response.headers.insert(header::ALLOW, allow.clone());
        }
        if *self == Self::NotReady {
            response.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        let mut reason = failure.to_string();
        reason.truncate(reason.floor_char_boundary(1024));
        (response, Outcome::Rejected { reason })
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Host(HostError::NotAllowed) => StatusCode::MISDIRECTED_REQUEST,
            Self::Host(_)
            | Self::Malformed(_)
            | Self::TransferEncoding
            | Self::Target
            | Self::InvalidParam
            | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::TargetTooLong(_) => StatusCode::URI_TOO_LONG,
            Self::HeadersTooLarge(_) | Self::TooManyHeaders(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::PathNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn failure(&self, request: &Request) -> Failure {
        let at_most = |what, bytes: &usize| {
            Failure::new(FailureKind::TooLarge, what).message(format!("more than {bytes} bytes"))
        };
        match self {
            Self::Host(error) => Failure::invalid("host").message(match error {
                HostError::Missing => "the header is missing",
                HostError::Doubled => "the header is repeated",
                HostError::Malformed => "not a host and a port",
                HostError::Contradicted => "differs from :authority",
                HostError::NotAllowed => "this host is not served here",
            }),
            Self::Malformed(why) => Failure::invalid("request").message(format!("not HTTP: {why}")),
            Self::TooManyHeaders(bytes) => Failure::new(FailureKind::TooLarge, "headers")
                .message(format!("more than {bytes} bytes, or more than 100 headers")),
            Self::TransferEncoding => {
                Failure::invalid("transfer-encoding").message("only chunked is supported")
            }
            Self::Target => Failure::invalid("target").message("not a path"),
            Self::TargetTooLong(bytes) => at_most("target", bytes),
            Self::HeadersTooLarge(bytes) => at_most("headers", bytes),
            Self::PathNotFound => Failure::not_found("path", request.uri.path()),
            Self::MethodNotAllowed(allow) => Failure::invalid("method")
                .key(&request.method)
                .message(format!("allowed: {}", allow.to_str().unwrap_or_default())),
            Self::InvalidParam => {
                Failure::invalid("path").message("a parameter is not percent-encoded UTF-8 without NUL")
            }
            Self::NotReady => Failure::unavailable("service").message("not ready yet"),
            Self::BodyTooLarge(bytes) => at_most("body", bytes),
            Self::BodyTooSlow => Failure::new(FailureKind::Timeout, "body").message("arrived too slowly"),
            Self::BodyBroken => Failure::invalid("body").message("incomplete, or not HTTP"),
        }
    }
}
