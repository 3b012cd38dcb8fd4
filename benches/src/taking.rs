//! What it takes a worker that is awake to take a request which another core has just offered: the files of the runtime
//! that do it, without the request's way before and after.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[expect(dead_code, reason = "not all that the runtime does is measured")]
#[path = "../../runtime/src/scheduler/sync"]
mod scheduler {
    pub(super) mod park_state;
    pub(super) mod steal_queue;
}

use scheduler::park_state::ParkState;
use scheduler::steal_queue::{StealQueue, StealableCount};

/// About what is moved of a request.
type Request = Box<[u64; 8]>;

/// How many nanoseconds each of so many took, with reading the clock once.
pub(crate) fn take(times: usize) -> Vec<f64> {
    let offered = Arc::<StealableCount>::default();
    let offers = StealQueue::<usize, Request>::new(Arc::clone(&offered));
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..times {
                offers.push(number, Request::default());
                while taken.load(Ordering::Acquire) <= number {
                    std::hint::spin_loop();
                }
                drop(offers.drain_stolen());
            }
        });
        let idle = ParkState::default();
        let mut took = Vec::with_capacity(times);
        while took.len() < times {
            let begun = Instant::now();
            // As a worker does before it sleeps.
            if let Some(request) = offered.park(&idle, || offers.steal()) {
                took.push(begun.elapsed().as_nanos() as f64);
                drop(request);
                taken.store(took.len(), Ordering::Release);
            }
            idle.unpark();
        }
        took
    })
}
