//! Takes one job from step to step. Its lane says when others go first, and when it is to go on elsewhere.

use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};
use zerver_engine::{Next, Start, Stop};

use crate::flight::{self, Flight};
use crate::interpreter::{Begun, Context, Interpreters};
use crate::schedule::{Drove, Lane};
use crate::time::Stopwatch;
use crate::twice::Checked;

/// Runs a job to its end, or to where it is to go on elsewhere: steps inline, effects that are answered at once inline,
/// others waited for.
///
/// Dropping it cancels what is in flight; the job is then not at its end.
pub(crate) async fn drive(
    job: &mut Checked,
    watch: &mut Stopwatch,
    interpreters: &Interpreters,
    context: &Context,
    deadline_ns: u64,
    lane: &Lane<'_>,
) -> Drove {
    let mut flights: Option<FuturesUnordered<Flight>> = None;
    // Those that are over the limit.
    let mut held = SmallVec::<[Start; 2]>::new();
    let mut deadline = pin!(None::<Sleep>);
    let mut next = Next::Run;
    loop {
        next = match next {
            Next::Ended => {
                lane.waited_until(watch.now_ns());
                return Drove::Ended;
            }
            Next::Run if watch.now_ns() >= deadline_ns => {
                job.stop(Stop::Deadline, watch.now_ns());
                return Drove::Ended;
            }
            Next::Run => {
                if let Some(step) = lane.slow_step() {
                    return Drove::Slow(step);
                }
                if lane.is_over(watch.now_ns()) {
                    lane.pause(watch).await;
                }
                let step = job.position();
                let at_ns = watch.now_ns();
                lane.begin(step, job.ready_ns(), at_ns);
                let next = job.run(watch);
                lane.end(step, at_ns, watch.now_ns());
                if next == Next::Run && job.position() == step {
                    // It yielded: others first.
                    lane.pause(watch).await;
                }
                next
            }
            Next::Wait => {
                let mut next = Next::Wait;
                held.extend(job.take_starts());
                let in_flight = flights.as_ref().map_or(0, FuturesUnordered::len);
                let room = lane.effects.saturating_sub(in_flight).min(held.len());
                let nothing_new = room == 0;
                for start in held.drain(..room) {
                    match flight::begin(&start, interpreters, context) {
                        Begun::Ready(performed) => next = job.complete(start.number, watch, performed),
                        Begun::Pending(flight) => flights.get_or_insert_default().push(flight),
                    }
                }
                if nothing_new {
                    lane.stop();
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
                            Some((number, performed)) => {
                                if !job.waits_for(number) {
                                    lane.late();
                                }
                                next = job.complete(number, watch, performed);
                            }
                            // A job that waits for nothing; the engine rules it out.
                            None => {
                                job.stop(Stop::Deadline, watch.tick());
                                return Drove::Ended;
                            }
                        },
                        () = late => {
                            job.stop(Stop::Deadline, watch.tick());
                            lane.waited_until(watch.now_ns());
                            return Drove::Ended;
                        }
                    }
                    if next == Next::Run {
                        lane.resume(watch).await;
                    }
                }
                next
            }
        }
    }
}
