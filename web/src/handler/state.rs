//! State that all pages share.

use std::sync::{Arc, Mutex, PoisonError};

use zerver_replay::ServiceMetrics;
use zerver_trace::{RequestId, TraceSource};

use super::page_error::PageError;
use crate::loaded_trace::LoadedTrace;
use crate::page::{Frame, Tab, safe};
use crate::request_window::RequestWindow;
use crate::services::Services;

/// Maximum number of analyzed traces kept in memory.
const MAX_TRACES: usize = 16;
/// Minimum time between two measurements, in nanoseconds.
const MIN_METRICS_AGE_NS: u64 = 500_000_000;

/// Everything that the handlers need.
pub(crate) struct WebState {
    pub(crate) services: Arc<dyn Services>,
    pub(crate) source: Arc<dyn TraceSource>,
    pub(crate) window: RequestWindow,
    /// Recently shown requests, latest last.
    traces: Mutex<Vec<Arc<LoadedTrace>>>,
    /// Held while a replay runs.
    pub(crate) replaying: Mutex<()>,
    /// Metrics of the service: the latest, and those before them.
    metrics: Mutex<[ServiceMetrics; 2]>,
}

impl WebState {
    pub(crate) fn new(services: Arc<dyn Services>) -> Self {
        let source = services.trace_source();
        let window = RequestWindow::new(Arc::clone(&source));
        Self {
            services,
            source,
            window,
            traces: Mutex::default(),
            replaying: Mutex::default(),
            metrics: Mutex::default(),
        }
    }

    pub(crate) fn now_unix_ns(&self) -> u64 {
        self.services.clock().now_unix_ns
    }

    /// Loads a trace, given its id as text.
    pub(crate) fn load(&self, id: &str) -> Result<Arc<LoadedTrace>, PageError> {
        let id: RequestId =
            id.parse().map_err(|_| PageError::bad_request(format!("not a request id: {id:?}")))?;
        let find = |traces: &[Arc<LoadedTrace>]| traces.iter().find(|of| of.trace.id == id).cloned();
        if let Some(found) = find(&self.traces.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(found);
        }
        let trace = self.source.load(id)?.ok_or_else(|| {
            PageError::not_found(format!("there is no request {id} in the store, or no longer"))
        })?;
        let loaded = Arc::new(LoadedTrace::new(trace).among(&*self.source));
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        if traces.len() >= MAX_TRACES {
            traces.remove(0);
        }
        traces.push(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// Keeps metrics, and returns earlier ones, which are at least some time older. A service that was started again
    /// counts from zero.
    pub(crate) fn earlier_metrics(&self, now: &ServiceMetrics) -> ServiceMetrics {
        let mut kept = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        if now.uptime_ns < kept[0].uptime_ns {
            *kept = <[ServiceMetrics; 2]>::default();
        }
        if now.uptime_ns.saturating_sub(kept[0].uptime_ns) >= MIN_METRICS_AGE_NS {
            kept.swap(0, 1);
            kept[0] = now.clone();
        }
        kept[1].clone()
    }

    /// Returns the frame of a page of a request.
    pub(crate) fn request_frame(&self, loaded: &LoadedTrace, page: &'static str) -> Frame {
        let title = zerver_analysis::display::request_line(&loaded.trace);
        self.frame(Tab::Request, safe(&title)).of_request(loaded.trace.id, page)
    }

    /// Returns the frame of a page.
    pub(crate) fn frame(&self, tab: Tab, title: impl Into<String>) -> Frame {
        Frame { damage: self.source.damage(), ..Frame::new(tab, title) }
    }
}
