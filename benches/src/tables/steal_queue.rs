//! Time for a worker that is awake to take a request that another core has just offered. Uses only the files of the runtime
//! that do it, without the path of the request before and after.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

#[expect(dead_code, reason = "not everything in these files is measured")]
#[path = "../../../runtime/src/schedule"]
mod schedule {
    pub(super) mod idle;
    pub(super) mod offers;
}

use schedule::idle::Idle;
use schedule::offers::{Offered, Offers};

/// As much data as moves with a request.
type Request = Box<[u64; 8]>;

/// Takes `times` requests, and returns the nanoseconds of each, including one reading of the clock.
pub(crate) fn take(times: usize) -> Vec<f64> {
    let offered = Arc::<Offered>::default();
    let offers = Offers::<usize, Request>::new(Arc::clone(&offered));
    let taken = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..times {
                offers.put(number, Request::default());
                while taken.load(Ordering::Acquire) <= number {
                    std::hint::spin_loop();
                }
                drop(offers.taken());
            }
        });
        let idle = Idle::default();
        let mut took = Vec::with_capacity(times);
        while took.len() < times {
            let begun = Instant::now();
            // A worker does the same before it sleeps.
            if let Some(request) = offered.falls_asleep(&idle, || offers.take()) {
                took.push(begun.elapsed().as_nanos() as f64);
                drop(request);
                taken.store(took.len(), Ordering::Release);
            }
            idle.wakes();
        }
        took
    })
}
