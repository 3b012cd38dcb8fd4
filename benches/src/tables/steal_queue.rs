//! Time for a worker that is awake to take a request that another core has just offered. Uses only the files of the runtime
//! that do it, without the path of the request before and after.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[expect(dead_code, reason = "not everything in these files is measured")]
#[path = "../../../runtime/src/scheduler/sync"]
mod scheduler {
    pub(super) mod park_state;
    pub(super) mod steal_queue;
}

use scheduler::park_state::ParkState;
use scheduler::steal_queue::{StealQueue, StealableCount};

/// Data of the size that moves with a request.
type Request = Box<[u64; 8]>;

/// Takes `times` requests, and returns the nanoseconds of each, including one reading of the clock.
pub(crate) fn take(times: usize) -> Vec<f64> {
    let stealable = Arc::<StealableCount>::default();
    let queue = StealQueue::<usize, Request>::new(Arc::clone(&stealable));
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..times {
                queue.push(number, Request::default());
                while taken.load(Ordering::Acquire) <= number {
                    std::hint::spin_loop();
                }
                drop(queue.drain_stolen());
            }
        });
        let park_state = ParkState::default();
        let mut took = Vec::with_capacity(times);
        while took.len() < times {
            let begun = Instant::now();
            // A worker does the same before it sleeps.
            if let Some(request) = stealable.park(&park_state, || queue.steal()) {
                took.push(begun.elapsed().as_nanos() as f64);
                drop(request);
                taken.store(took.len(), Ordering::Release);
            }
            park_state.unpark();
        }
        took
    })
}
