//! The clock of a service, and the stopwatch of a request.

mod service_clock;

pub(crate) use service_clock::{ServiceClock, Stopwatch, WorkerClock, nanos, wall_now};
