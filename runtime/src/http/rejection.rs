//! Reasons to reject a request before any step runs, and the responses to them.

use std::sync::Arc;

use http::{HeaderValue, StatusCode, header};
use zerver_engine::{Failure, FailureKind, Flow, Request, Response};
use zerver_trace::Outcome;

use super::headers::host_header::HostError;
use crate::server::service::Service;

/// Reason for which a request is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rejection {
    Host(HostError),
    /// The bytes are not an HTTP request. Contains hyper's description of the error.
    Malformed(String),
    /// There are too many headers, or they exceed hyper's own limits. Contains the limit in bytes.
    TooManyHeaders(usize),
    /// The `transfer-encoding` is not `chunked` alone.
    TransferEncoding,
    /// The target is not a path.
    Target,
    TargetTooLong(usize),
    HeadersTooLarge(usize),
    PathNotFound,
    /// Another server serves a flow at a path that its route does not match. Contains the name and the route of the flow.
    MountedElsewhere(String, String),
    /// Contains the allowed methods.
    MethodNotAllowed(HeaderValue),
    InvalidParam,
    /// The service has not finished starting.
    NotReady,
    BodyTooLarge(usize),
    BodyTooSlow,
    BodyBroken,
    /// The body has a coding that this service cannot read.
    #[cfg(feature = "compression")]
    UnsupportedEncoding,
    /// The body is not of the coding that the request names.
    #[cfg(feature = "compression")]
    BodyMalformed(&'static str),
    /// A browser has sent the request on behalf of another site.
    CrossOrigin,
    /// A browser asks on behalf of a site that may not read responses.
    Origin,
}

impl Rejection {
    pub(super) fn mounted_elsewhere(flow: Option<&Arc<Flow>>) -> Self {
        let info = flow.map(|flow| flow.info());
        let name = info.map(|info| info.name.clone()).unwrap_or_default();
        let route = info.map(|info| format!("{} {}", info.method, info.pattern)).unwrap_or_default();
        Self::MountedElsewhere(name, route)
    }

    pub(super) fn response(
        &self,
        request: &Request,
        flow: Option<&Flow>,
        service: &Service,
    ) -> (Response, Outcome) {
        let failure = self.failure(request);
        // The service may render the failure as it likes, but the status and the headers that HTTP requires stay.
        let mut response = service.render(flow, &failure, request).status(self.status());
        if let Self::MethodNotAllowed(allow) = self {
            response.headers.insert(header::ALLOW, allow.clone());
        }
        #[cfg(feature = "compression")]
        if *self == Self::UnsupportedEncoding {
            response.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("zstd, br, gzip"));
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
            Self::PathNotFound | Self::MountedElsewhere(..) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::CrossOrigin | Self::Origin => StatusCode::FORBIDDEN,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            #[cfg(feature = "compression")]
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            #[cfg(feature = "compression")]
            Self::BodyMalformed(_) => StatusCode::BAD_REQUEST,
            Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn failure(&self, request: &Request) -> Failure {
        let too_large = |subject, limit: &usize| {
            Failure::new(FailureKind::TooLarge, subject).message(format!("more than {limit} bytes"))
        };
        match self {
            Self::Host(error) => Failure::invalid("host").message(match error {
                HostError::Missing => "the header is missing",
                HostError::Repeated => "the header is repeated",
                HostError::Malformed => "not a host and a port",
                HostError::AuthorityMismatch => "differs from :authority",
                HostError::NotAllowed => "this host is not served here",
            }),
            Self::Malformed(reason) => Failure::invalid("request").message(format!("not HTTP: {reason}")),
            Self::TooManyHeaders(limit) => Failure::new(FailureKind::TooLarge, "headers")
                .message(format!("more than {limit} bytes, or more than 100 headers")),
            Self::TransferEncoding => {
                Failure::invalid("transfer-encoding").message("only chunked is supported")
            }
            Self::Target => Failure::invalid("target").message("not a path"),
            Self::TargetTooLong(limit) => too_large("target", limit),
            Self::HeadersTooLarge(limit) => too_large("headers", limit),
            Self::PathNotFound => Failure::not_found("path", request.uri.path()),
            Self::MountedElsewhere(flow, route) => {
                Failure::not_found("path", request.uri.path()).message(format!(
                    "the flow {flow} is mounted here, but its route is {route}; mount it at that path, or nest it so that \
                     the prefix is removed"
                ))
            }
            Self::MethodNotAllowed(allow) => Failure::invalid("method")
                .key(&request.method)
                .message(format!("allowed: {}", allow.to_str().unwrap_or_default())),
            Self::InvalidParam => {
                Failure::invalid("path").message("a parameter is not percent-encoded UTF-8 without NUL")
            }
            Self::NotReady => Failure::unavailable("service").message("not ready yet"),
            Self::BodyTooLarge(limit) => too_large("body", limit),
            Self::BodyTooSlow => Failure::new(FailureKind::Timeout, "body").message("arrived too slowly"),
            Self::CrossOrigin => Failure::forbidden("origin").message(
                "a page of another origin has made the browser send this request; csrf.trusted lists those that may",
            ),
            Self::Origin => Failure::forbidden("origin")
                .message("pages of this origin may not use this service; cors.origins lists those that may"),
            Self::BodyBroken => Failure::invalid("body").message("incomplete, or not HTTP"),
            #[cfg(feature = "compression")]
            Self::UnsupportedEncoding => {
                Failure::invalid("content-encoding").message("only one of zstd, br and gzip is supported")
            }
            #[cfg(feature = "compression")]
            Self::BodyMalformed(coding) => Failure::invalid("body").message(format!("is not {coding}")),
        }
    }
}
