//! The axum service with [fastrace](https://docs.rs/fastrace): the spans of [`axum_otlp`](super::axum_otlp), collected and
//! handed to a reporter that only counts them. What recording costs before anything is encoded or sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace::local::LocalSpan;
use fastrace::prelude::SpanContext;

use super::axum_server;
use super::memory::{Memory, parse_auth, verify_roles};

/// Counts spans.
#[derive(Clone, Default)]
struct Count(Arc<AtomicU64>);

impl Reporter for Count {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.0.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }
}

async fn show(
    State(memory): State<Arc<Memory>>,
    Path(id): Path<u64>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let root = Span::root("GET /v1/todos/{id}", SpanContext::random()).with_properties(|| {
        [
            ("otel.kind", "server".to_owned()),
            ("http.request.method", "GET".to_owned()),
            ("http.route", "/v1/todos/{id}".to_owned()),
            ("url.path", uri.path().to_owned()),
            ("server.address", host),
        ]
    });
    let _root = root.set_local_parent();
    let response = steps(&memory, &headers, id).unwrap_or_else(IntoResponse::into_response);
    root.add_property(|| ("http.response.status_code", response.status().as_str().to_owned()));
    response
}

/// Runs the parts of the handler, each in a span. The token is a secret and not part of one.
fn steps(memory: &Memory, headers: &HeaderMap, id: u64) -> Result<Response, StatusCode> {
    let token = {
        let _span = LocalSpan::enter_with_local_parent("parse_auth").with_property(|| ("slot", "AuthHeader"));
        parse_auth(headers)?
    };
    let claims = {
        let span = LocalSpan::enter_with_local_parent("lookup_user")
            .with_properties(|| [("effect.kind", "kv"), ("effect.key", "user")]);
        let claims = memory.lookup_user(token);
        let span = span.with_property(|| ("effect.outcome", found(claims.is_ok())));
        let claims = claims?;
        let _span = span.with_properties(|| {
            [("claims.sub", claims.sub.clone()), ("claims.roles", format!("{:?}", claims.roles))]
        });
        claims
    };
    {
        let _span = LocalSpan::enter_with_local_parent("verify_roles").with_property(|| ("role", "admin"));
        verify_roles(&claims)?;
    }
    let todo = {
        let span = LocalSpan::enter_with_local_parent("load_todo")
            .with_properties(|| [("effect.kind", "kv"), ("effect.key", "todo")]);
        let todo = memory.load_todo(id);
        let span = span.with_property(|| ("effect.outcome", found(todo.is_ok())));
        let todo = todo?;
        let _span = span.with_properties(|| {
            [
                ("todo.id", id.to_string()),
                ("todo.title", todo.title.clone()),
                ("todo.completed", todo.completed.to_string()),
                ("todo.order", todo.order.to_string()),
            ]
        });
        todo
    };
    let _span = LocalSpan::enter_with_local_parent("render_todo")
        .with_property(|| ("content_type", "application/json"));
    Ok(Json(todo).into_response())
}

const fn found(is_found: bool) -> &'static str {
    if is_found { "found" } else { "not found" }
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let count = Count::default();
    fastrace::set_reporter(count.clone(), Config::default());
    axum_server::run(Router::new().route("/v1/todos/{id}", get(show)).with_state(Memory::new()), ready)?;
    fastrace::flush();
    match count.0.load(Ordering::Relaxed) {
        0 => Err("no span was collected".to_owned()),
        _ => Ok(()),
    }
}
