//! A collector for exported spans: it accepts OTLP over HTTP, and counts the spans.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::axum_server;

/// A collector on a separate thread, on the cores of its creator, until it is dropped.
pub(crate) struct Collector {
    addr: SocketAddr,
    spans: Arc<AtomicU64>,
    _stop: mpsc::Sender<()>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self, String> {
        let spans = Arc::new(AtomicU64::new(0));
        let app = Router::new()
            .route("/v1/traces", post(accept))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&spans));
        let (stop, stopped) = mpsc::channel();
        let (sender, addr) = mpsc::channel();
        std::thread::spawn(move || {
            axum_server::run(app, move |addr| {
                let _ = sender.send(addr);
                // Nothing is ever sent: the call returns when the sender is dropped.
                let _ = stopped.recv();
            })
        });
        let addr = addr.recv().map_err(|_| "the collector did not start")?;
        Ok(Self { addr, spans, _stop: stop })
    }

    /// Returns the URL to export to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/traces", self.addr)
    }

    /// Returns the number of spans that have arrived.
    pub(crate) fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }
}

async fn accept(State(spans): State<Arc<AtomicU64>>, body: Bytes) -> impl IntoResponse {
    let Ok(export) = ExportTraceServiceRequest::decode(body) else { return Err(StatusCode::BAD_REQUEST) };
    let scopes = export.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    spans.fetch_add(scopes.map(|scope| scope.spans.len() as u64).sum(), Ordering::Relaxed);
    // An empty message: everything was accepted.
    Ok(([(header::CONTENT_TYPE, "application/x-protobuf")], ()))
}
