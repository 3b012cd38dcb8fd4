//! Decides who answers a request whose head has arrived: a flow, the shell itself, or the fallback.

use std::rc::Rc;
use std::time::Instant;

use http::header;
use zerver_engine::{Failure, Response};
use zerver_trace::Outcome;

use super::alias_route::AliasUse;
use crate::execution::active_request::{ActiveRequest, PendingResponse};
#[cfg(feature = "metrics")]
use crate::http::endpoints::metrics_endpoint;
use crate::http::endpoints::service_endpoints::{
    OwnEndpoint, STATUS_PATH, health, is_status_poll, own_endpoint,
};
use crate::http::headers::trace_context::TraceContext;
use crate::http::rejection::Rejection;
use crate::http::request_check::{HeadRules, Routed, check};
use crate::server::service::Service;
use crate::server::workers::worker::Worker;

/// The route that a request has taken.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    /// Number of the flow.
    pub(crate) flow: Option<u16>,
    alias: Option<Box<AliasUse>>,
}

impl Matched {
    /// Adds what the client of an alias must know to the response.
    #[inline]
    pub(crate) fn add_headers(&self, pending: &mut PendingResponse) {
        if let Some(alias) = &self.alias {
            alias.add_headers(&mut pending.response.headers);
        }
    }
}

/// Destination of a request.
pub(in crate::http) enum Route {
    /// The flow with this number, which is set in the request. Also contains the trace context.
    Flow(u16, TraceContext),
    /// The service that answers what no flow takes.
    Fallback,
    /// No step runs. Contains the response, and the time at which it was ready.
    Answered(PendingResponse, Instant),
}

/// Checks the head of a request, and finds its flow.
pub(in crate::http) fn route(
    active: &mut ActiveRequest,
    worker: &Rc<Worker>,
    rules: HeadRules,
    matched: &mut Matched,
) -> Route {
    let service = &*worker.service;
    if rules.only_flow.is_none() && active.request().is_some_and(|request| is_status_poll(request)) {
        let response = match &service.health_path {
            Some(_) => health(worker, true, false),
            None => Failure::not_found("path", STATUS_PATH).to_response(),
        };
        active.skip_recording();
        return Route::Answered(PendingResponse::whole(response), Instant::now());
    }
    let checked =
        active.request().map_or(Err(Rejection::PathNotFound), |request| check(request, service, rules));
    let rejected = |active: &mut ActiveRequest, rejection| {
        let (pending, end) = reject(active, service, &rejection);
        Route::Answered(pending, end)
    };
    // The host of a mounted flow has rules of its own.
    let browser = service.browser.as_ref().filter(|_| !rules.is_host_checked);
    match checked {
        Ok(Routed::Flow(flow, context, alias)) => {
            matched.alias = alias;
            let uri = active.request().map(|request| &request.uri);
            let redirect = matched.alias.as_ref().zip(uri).and_then(|(alias, uri)| alias.redirect(uri));
            if let Some(response) = redirect {
                return answered(active, response);
            }
            let number = flow.number();
            if let Some(check) = &service.url_secrets
                && let Some(query) = active.request().and_then(|request| request.uri.query())
            {
                check.check(&flow.info().name, query, &service.secrets);
            }
            active.set_flow(flow);
            if let Some(browser) = browser
                && let Some(Err(rejection)) = active.request().map(|request| browser.check(request))
            {
                return rejected(active, rejection);
            }
            if !service.readiness.is_ready() {
                return rejected(active, Rejection::NotReady);
            }
            Route::Flow(number, context)
        }
        Ok(Routed::Options(allow)) => {
            let preflight = browser
                .zip(active.request())
                .and_then(|(browser, request)| browser.preflight(request, &allow));
            let response = match preflight {
                Some(Ok(response)) => response,
                Some(Err(rejection)) => return rejected(active, rejection),
                None => {
                    let mut response = Response::no_content();
                    response.headers.insert(header::ALLOW, allow);
                    response
                }
            };
            answered(active, response)
        }
        Err(Rejection::PathNotFound) if let Some(own_endpoint) = own_endpoint(active, service) => {
            let response = match own_endpoint {
                OwnEndpoint::Health { is_local, is_liveness } => health(worker, is_local, is_liveness),
                OwnEndpoint::Catalog => service.documents.catalog(),
                OwnEndpoint::OpenApi => service.documents.openapi(),
                #[cfg(feature = "metrics")]
                OwnEndpoint::Metrics(headers) => metrics_endpoint::answer(worker, &headers),
            };
            active.skip_recording();
            Route::Answered(PendingResponse::whole(response), Instant::now())
        }
        Err(Rejection::PathNotFound | Rejection::MethodNotAllowed(_)) if service.fallback.is_some() => {
            Route::Fallback
        }
        Err(rejection) => rejected(active, rejection),
    }
}

/// Ends a request that needs no step with this response.
fn answered(active: &mut ActiveRequest, response: Response) -> Route {
    active.watch.tick();
    let end = active.watch.now();
    Route::Answered(active.answer(response, Outcome::Done).unwrap_or_else(missing_response), end)
}

/// Rejects a request before any step runs. Returns the response, and the time at which it was ready.
pub(in crate::http) fn reject(
    active: &mut ActiveRequest,
    service: &Service,
    rejection: &Rejection,
) -> (PendingResponse, Instant) {
    let flow = active.flow().cloned();
    let (response, outcome) = match active.request() {
        Some(request) => rejection.response(request, flow.as_deref(), service),
        None => return (missing_response(), active.watch.now()),
    };
    active.watch.tick();
    let end = active.watch.now();
    (active.answer(response, outcome).unwrap_or_else(missing_response), end)
}

/// Response to a request that should have one but does not.
pub(in crate::http) fn missing_response() -> PendingResponse {
    PendingResponse::whole(Failure::internal("request").to_response())
}
