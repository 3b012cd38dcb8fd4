//! The axum service with the usual tracing: a span for each part, exported as OTLP by a batch processor, without sampling.
//! The spans contain what zerver records too: the parts, the keys of the maps, the outcomes, the user, the fields of the
//! todo.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Span, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::axum_server;
use super::memory::{Memory, parse_auth, verify_roles};

/// Number of spans of a served request.
pub(crate) const SPANS: u64 = 6;

/// Environment variable of the exporter for the URL of the collector.
pub(crate) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// Maximum number of spans waiting for export, so large that none is dropped. The default is 2,048.
const QUEUE: usize = 1 << 17;

async fn show(
    State(memory): State<Arc<Memory>>,
    Path(id): Path<u64>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = headers.get("host").and_then(|value| value.to_str().ok());
    let request = info_span!(
        "GET /v1/todos/{id}",
        otel.kind = "server",
        http.request.method = "GET",
        http.route = "/v1/todos/{id}",
        url.path = uri.path(),
        server.address = host,
        http.response.status_code = Empty,
    );
    let _request = request.enter();
    let response = steps(&memory, &headers, id).unwrap_or_else(IntoResponse::into_response);
    request.record("http.response.status_code", response.status().as_u16());
    response
}

/// Runs the parts of the handler, each in a span. The token is a secret and not part of one.
fn steps(memory: &Memory, headers: &HeaderMap, id: u64) -> Result<Response, StatusCode> {
    let token = info_span!("parse_auth", slot = "AuthHeader").in_scope(|| parse_auth(headers))?;
    let user = info_span!(
        "lookup_user",
        effect.kind = "kv",
        effect.key = "user",
        effect.outcome = Empty,
        claims.sub = Empty,
        claims.roles = Empty,
    );
    let claims = user.in_scope(|| memory.lookup_user(token));
    record_found(&user, claims.is_ok());
    let claims = claims?;
    user.record("claims.sub", claims.sub.as_str());
    user.record("claims.roles", tracing::field::debug(&claims.roles));
    drop(user);
    info_span!("verify_roles", role = "admin").in_scope(|| verify_roles(&claims))?;
    let load = info_span!(
        "load_todo",
        effect.kind = "kv",
        effect.key = "todo",
        effect.outcome = Empty,
        todo.id = id,
        todo.title = Empty,
        todo.completed = Empty,
        todo.order = Empty,
    );
    let todo = load.in_scope(|| memory.load_todo(id));
    record_found(&load, todo.is_ok());
    let todo = todo?;
    load.record("todo.title", todo.title.as_str());
    load.record("todo.completed", todo.completed);
    load.record("todo.order", todo.order);
    drop(load);
    Ok(info_span!("render_todo", content_type = "application/json").in_scope(|| Json(todo).into_response()))
}

fn record_found(span: &Span, is_found: bool) {
    span.record("effect.outcome", if is_found { "found" } else { "not found" });
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let provider = provider()?;
    // The client of the exporter has spans too, at lower levels.
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("todos"));
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
    subscriber.try_init().map_err(|error| error.to_string())?;
    axum_server::run(Router::new().route("/v1/todos/{id}", get(show)).with_state(Memory::new()), ready)?;
    // Exports the remaining spans.
    provider.shutdown().map_err(|error| error.to_string())
}

fn provider() -> Result<SdkTracerProvider, String> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let exporter = exporter.build().map_err(|error| error.to_string())?;
    let batch = BatchSpanProcessor::builder(exporter)
        .with_batch_config(BatchConfigBuilder::default().with_max_queue_size(QUEUE).build());
    Ok(SdkTracerProvider::builder()
        .with_sampler(Sampler::AlwaysOn)
        .with_span_processor(batch.build())
        .build())
}
