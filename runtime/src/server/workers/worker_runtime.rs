//! Builds the async runtime of a thread. The runtime reports when the thread parks, so that it can be given work, and
//! measures how long the thread is awake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::scheduler::{ParkState, StealGroup, ThreadStatus};
use crate::time::ServiceClock;

/// State that is updated when a worker parks.
pub(crate) struct ParkHooks {
    /// Set to true when the worker parks.
    pub(crate) slept: Arc<AtomicBool>,
    pub(crate) park_state: Arc<ParkState>,
    pub(crate) steal_group: Arc<StealGroup>,
    /// Number of the worker in the steal group.
    pub(crate) number: usize,
}

/// Builds a single-threaded runtime. It calls the hooks when the thread parks, and adds the time for which the thread
/// is awake to its status.
pub(crate) fn build_runtime(
    park_hooks: Option<ParkHooks>,
    thread_status: Option<(&Arc<ThreadStatus>, &Arc<ServiceClock>)>,
) -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    if let Some((thread_status, service_clock)) = thread_status {
        let unpark_state = park_hooks.as_ref().map(|park_hooks| Arc::clone(&park_hooks.park_state));
        let (parking_status, parking_clock) = (Arc::clone(thread_status), Arc::clone(service_clock));
        builder.on_thread_park(move || {
            if let Some(ParkHooks { slept, park_state, steal_group, number }) = &park_hooks {
                slept.store(true, Ordering::Relaxed);
                steal_group.park(*number, park_state);
            }
            parking_status.parked(parking_clock.elapsed_ns());
        });
        let (thread_status, service_clock) = (Arc::clone(thread_status), Arc::clone(service_clock));
        builder.on_thread_unpark(move || {
            if let Some(park_state) = &unpark_state {
                park_state.unpark();
            }
            thread_status.unparked(service_clock.elapsed_ns());
        });
    }
    builder.enable_all().build_local(LocalOptions::default())
}
