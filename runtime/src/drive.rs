//! Takes one job from step to step. This is the seam for the scheduler: what runs when, and where, is decided here and
//! nowhere else.

use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, Sleep};
use zerver_engine::{Next, Stop};

use crate::flight::{self, Flight};
use crate::interpreter::{Begun, Context, Interpreters};
use crate::time::Stopwatch;
use crate::twice::Checked;

/// Runs a job to its end, here and now: steps inline, effects that are answered at once inline, others waited for.
///
/// Dropping it cancels what is in flight; the job is then not at its end.
pub(crate) async fn drive(
    job: &mut Checked,
    watch: &mut Stopwatch,
    interpreters: &Interpreters,
    context: &Context,
    deadline_ns: u64,
) {
    let mut flights: Option<FuturesUnordered<Flight>> = None;
    let mut deadline = pin!(None::<Sleep>);
    let mut next = Next::Run;
    loop {
        next = match next {
            Next::Ended => return,
            Next::Run if watch.now_ns() >= deadline_ns => return job.stop(Stop::Deadline, watch.now_ns()),
            Next::Run => {
                let step = job.position();
                let next = job.run(watch);
                if next == Next::Run && job.position() == step {
                    // It yielded: others first.
                    tokio::task::yield_now().await;
                    watch.tick();
                }
                next
            }
            Next::Wait => {
                let mut next = Next::Wait;
                let starts = job.take_starts();
                let nothing_new = starts.is_empty();
                for start in starts {
                    match flight::begin(&start, interpreters, context) {
                        Begun::Ready(performed) => next = job.complete(start.number, watch, performed),
                        Begun::Pending(flight) => flights.get_or_insert_default().push(flight),
                    }
                }
                if nothing_new {
                    let landing = async {
                        match &mut flights {
                            Some(flights) => flights.next().await,
                            None => None,
                        }
                    };
                    if deadline.is_none() {
                        let at = Instant::from_std(watch.at(deadline_ns));
                        deadline.set(Some(tokio::time::sleep_until(at)));
                    }
                    let late = async {
                        if let Some(sleep) = deadline.as_mut().as_pin_mut() {
                            sleep.await;
                        }
                    };
                    tokio::select! {
                        biased;
                        landed = landing => match landed {
                            Some((number, performed)) => next = job.complete(number, watch, performed),
                            // A job that waits for nothing; the engine rules it out.
                            None => return job.stop(Stop::Deadline, watch.tick()),
                        },
                        () = late => return job.stop(Stop::Deadline, watch.tick()),
                    }
                }
                next
            }
        }
    }
}
