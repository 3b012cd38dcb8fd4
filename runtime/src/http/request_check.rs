//! Checks the head of a request before anything runs: its size, host, framing and route.

use std::sync::Arc;

use http::{HeaderValue, Method, header};
use zerver_engine::{Flow, Request};

use super::headers::header_scan::{HeaderValues, ScannedHeaders};
use super::headers::host_header;
use super::headers::trace_context::TraceContext;
use super::rejection::Rejection;
use super::routing::{AliasUse, RouteMatch};
use crate::config::Limits;
use crate::server::service::Service;

/// Maximum number of headers of a request.
const MAX_HEADERS: usize = 100;

/// Destination of a valid request.
pub(super) enum Routed {
    /// A flow, the trace context of the request, and the alias that it has used.
    Flow(Arc<Flow>, TraceContext, Option<Box<AliasUse>>),
    /// The HTTP shell itself, which answers `OPTIONS` with the allowed methods.
    Options(HeaderValue),
}

/// Rules for the head of a request, which depend on the server that received it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadRules {
    /// True if that server accepts a request without a host.
    pub(super) is_host_checked: bool,
    /// Number of the only flow that may take the request.
    pub(super) only_flow: Option<u16>,
}

impl HeadRules {
    /// Rules for a request that this service has received itself.
    pub(super) const ANY: Self = Self { is_host_checked: false, only_flow: None };
}

pub(super) fn check(request: &mut Request, service: &Service, rules: HeadRules) -> Result<Routed, Rejection> {
    let headers = ScannedHeaders::new(&request.headers);
    check_sizes(request, headers.bytes, &service.limits)?;
    if !rules.is_host_checked || !service.allowed_hosts.is_empty() {
        host_header::check(request, &headers.host, &service.allowed_hosts).map_err(Rejection::Host)?;
    }
    if let HeaderValues { first: Some(encoding), is_repeated } = headers.transfer_encoding
        && (is_repeated || !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Err(Rejection::TransferEncoding);
    }
    let context = TraceContext::new(&headers.traceparent, &request.headers);
    if !request.uri.path().starts_with('/')
        && (request.method != Method::OPTIONS || request.uri.path() != "*")
    {
        return Err(Rejection::Target);
    }
    let mounted = rules.only_flow.and_then(|flow| service.scheduler.flows.get(usize::from(flow)));
    match service.router.find(&request.method, request.uri.path()) {
        RouteMatch::Flow(flow, ..) if mounted.is_some_and(|mounted| mounted.number() != flow.number()) => {
            Err(Rejection::mounted_elsewhere(mounted))
        }
        RouteMatch::Flow(flow, params, alias) => {
            request.params = params;
            Ok(Routed::Flow(Arc::clone(flow), context, alias))
        }
        RouteMatch::Options(allow) => Ok(Routed::Options(allow.clone())),
        RouteMatch::MethodNotAllowed(allow) => Err(Rejection::MethodNotAllowed(allow.clone())),
        RouteMatch::NotFound if mounted.is_some() => Err(Rejection::mounted_elsewhere(mounted)),
        RouteMatch::NotFound => Err(Rejection::PathNotFound),
        RouteMatch::InvalidParam => Err(Rejection::InvalidParam),
    }
}

fn check_sizes(request: &Request, header_bytes: usize, limits: &Limits) -> Result<(), Rejection> {
    let target = request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > limits.target_bytes {
        return Err(Rejection::TargetTooLong(limits.target_bytes));
    }
    if header_bytes > limits.header_bytes {
        return Err(Rejection::HeadersTooLarge(limits.header_bytes));
    }
    // hyper counts the headers of HTTP/1. In HTTP/2 a cookie may be split, and still counts as one header (RFC 9113,
    // section 8.2.3).
    if request.headers.len() > MAX_HEADERS {
        let pieces = request.headers.get_all(header::COOKIE).iter().count();
        if request.headers.len() - pieces.saturating_sub(1) > MAX_HEADERS {
            return Err(Rejection::TooManyHeaders(limits.header_bytes));
        }
    }
    Ok(())
}
