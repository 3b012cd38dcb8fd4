//! Where exported spans go: it takes OTLP over HTTP as a collector does, and counts the spans that arrive.

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

use crate::axum_twin;

/// Works on a thread of its own, on the cores of the one that started it, until it is dropped.
pub(crate) struct Collector {
    addr: SocketAddr,
    spans: Arc<AtomicU64>,
    _stop: mpsc::Sender<()>,
}

impl Collector {
    pub(crate) fn start() -> Result<Self, String> {
        let spans = Arc::new(AtomicU64::new(0));
        let app = Router::new()
            .route("/v1/traces", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&spans));
        let (stop, stopped) = mpsc::channel();
        let (told, addr) = mpsc::channel();
        std::thread::spawn(move || {
            axum_twin::run(app, move |addr| {
                let _ = told.send(addr);
                // Nothing is ever sent: it ends when the other side is dropped.
                let _ = stopped.recv();
            })
        });
        let addr = addr.recv().map_err(|_| "the collector of spans did not start")?;
        Ok(Self { addr, spans, _stop: stop })
    }

    /// Where to export to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/traces", self.addr)
    }

    /// How many have arrived.
    pub(crate) fn spans(&self) -> u64 {
        self.spans.load(Ordering::Relaxed)
    }
}

async fn take(State(spans): State<Arc<AtomicU64>>, body: Bytes) -> impl IntoResponse {
    let Ok(export) = ExportTraceServiceRequest::decode(body) else { return Err(StatusCode::BAD_REQUEST) };
    let scopes = export.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    spans.fetch_add(scopes.map(|scope| scope.spans.len() as u64).sum(), Ordering::Relaxed);
    // An empty message: all of it was taken.
    Ok(([(header::CONTENT_TYPE, "application/x-protobuf")], ()))
}
