//! Services of the pages: traces, replays, metrics.

use std::sync::Arc;

use zerver_analysis::QueryClock;
use zerver_replay::{Edits, ReplayError, ServiceMetrics, ValuePath, ValueSlice};
use zerver_trace::{CatalogFlow, Trace, TraceSource};
use zerver_web::{ReplayOutcome, Services};

use crate::clock::local_clock;
use crate::service::metrics;
use crate::service::replayer::Replayer;
use crate::store_source::StoreSource;
use crate::stored_replay::{replay_stored, slice_stored};

/// Returns the services over a store. `service` is the address of a running service.
pub(crate) fn services(
    source: Arc<StoreSource>,
    replayer: Replayer,
    service: Option<String>,
) -> Arc<dyn Services> {
    Arc::new(StoreServices { source, replayer, service })
}

struct StoreServices {
    source: Arc<StoreSource>,
    replayer: Replayer,
    service: Option<String>,
}

impl Services for StoreServices {
    fn trace_source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayOutcome, ReplayError> {
        replay_stored(&self.source, &self.replayer, trace, edits)
            .map(|(report, build)| ReplayOutcome { report, build })
    }

    fn value_sources(&self, trace: Trace, value: ValuePath) -> Result<ValueSlice, ReplayError> {
        slice_stored(&self.source, &self.replayer, trace, value)
    }

    fn catalog(&self) -> Result<Vec<CatalogFlow>, String> {
        self.source.catalog().map_err(|error| error.to_string())
    }

    fn metrics(&self) -> Option<Result<ServiceMetrics, String>> {
        let service = self.service.as_ref()?;
        Some(metrics::fetch(service, metrics::DEFAULT_PATH).map_err(|error| error.one_line()))
    }

    fn clock(&self) -> QueryClock {
        local_clock()
    }
}
