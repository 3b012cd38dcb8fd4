//! What this crate needs from outside, beside the traces.

use std::sync::Arc;

use zerver_trace::TraceSource;

/// What is done for the screens. All of it may take time: it is called on threads of their own.
pub trait Services: Send + Sync {
    /// Where the traces are.
    fn source(&self) -> Arc<dyn TraceSource>;
}
