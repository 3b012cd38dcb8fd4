//! The async runtime of one thread. It says when the thread parks, so that it can be given work, and counts how long it is
//! awake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::{Builder, LocalOptions, LocalRuntime};

use crate::scheduler::{ParkState, StealGroup, ThreadStatus};
use crate::time::ServiceClock;

/// Who is told that a worker goes to sleep.
pub(crate) struct ParkHooks {
    /// Set then.
    pub(crate) slept: Arc<AtomicBool>,
    pub(crate) park_state: Arc<ParkState>,
    pub(crate) steal_group: Arc<StealGroup>,
    /// Its own among them.
    pub(crate) number: usize,
}

/// A runtime for one thread, which says when it goes to sleep, and counts on its board how long it is awake.
pub(crate) fn build_runtime(
    park_hooks: Option<ParkHooks>,
    thread_status: Option<(&Arc<ThreadStatus>, &Arc<ServiceClock>)>,
) -> io::Result<LocalRuntime> {
    let mut builder = Builder::new_current_thread();
    if let Some((thread_status, service_clock)) = thread_status {
        let wakes = park_hooks.as_ref().map(|park_hooks| Arc::clone(&park_hooks.park_state));
        let (sleeping, zero_then) = (Arc::clone(thread_status), Arc::clone(service_clock));
        builder.on_thread_park(move || {
            if let Some(ParkHooks { slept, park_state, steal_group, number }) = &park_hooks {
                slept.store(true, Ordering::Relaxed);
                steal_group.park(*number, park_state);
            }
            sleeping.parked(zero_then.elapsed_ns());
        });
        let (thread_status, service_clock) = (Arc::clone(thread_status), Arc::clone(service_clock));
        builder.on_thread_unpark(move || {
            if let Some(park_state) = &wakes {
                park_state.unpark();
            }
            thread_status.unparked(service_clock.elapsed_ns());
        });
    }
    builder.enable_all().build_local(LocalOptions::default())
}
