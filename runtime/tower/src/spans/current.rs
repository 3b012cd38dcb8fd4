//! The request that the current thread runs code of.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{Level, Metadata, Span};

use crate::exchange::Exchange;

/// Target and name of the span of a request.
const TARGET: &str = "zerver_tower";
const NAME: &str = "request";

/// True once the program has created a layer for spans. Until then, requests have no span, and nothing is spent.
static IS_USED: AtomicBool = AtomicBool::new(false);

thread_local! {
    static CURRENT: RefCell<Option<Arc<Exchange>>> = const { RefCell::new(None) };
}

/// Restores the request that was current before.
struct Restore(Option<Arc<Exchange>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// Records from now on that spans are wanted.
pub(super) fn use_spans() {
    IS_USED.store(true, Ordering::Relaxed);
}

/// Runs code of a request.
pub(crate) fn within<T>(exchange: &Arc<Exchange>, run: impl FnOnce() -> T) -> T {
    if !IS_USED.load(Ordering::Relaxed) {
        return run();
    }
    let _restore = Restore(CURRENT.replace(Some(Arc::clone(exchange))));
    run()
}

/// Returns the request that this thread runs.
pub(super) fn current() -> Option<Arc<Exchange>> {
    CURRENT.with_borrow(Option::clone)
}

/// Returns the span of a request, in which all of its code runs.
pub(crate) fn request_span(exchange: &Arc<Exchange>) -> Span {
    if !IS_USED.load(Ordering::Relaxed) {
        return Span::none();
    }
    within(exchange, || tracing::span!(target: TARGET, Level::INFO, NAME, id = %exchange.id))
}

/// Returns true for the span of a request.
pub(super) fn is_request_span(metadata: &Metadata<'_>) -> bool {
    metadata.target() == TARGET && metadata.name() == NAME
}
