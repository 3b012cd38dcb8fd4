//! Takes one job from step to step. Its lane says when others go first, and when it is to go on elsewhere.

use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};
use zerver_engine::{Next, Start, Stop};
use zerver_trace::HeldBy;

use crate::flight::{self, Flight, Landing};
use crate::interpreter::{Begun, Context, Interpreters};
use crate::panics;
use crate::schedule::{Drove, Lane};
use crate::service::Service;
use crate::time::Stopwatch;
use crate::twice::Checked;

/// Runs a job to its end, or to where it is to go on elsewhere: steps inline, effects that are answered at once inline,
/// others waited for.
///
/// Dropping it cancels what is in flight; the job is then not at its end.
pub(crate) async fn drive(
    job: &mut Checked,
    watch: &mut Stopwatch,
    service: &Service,
    context: &Context,
    deadline_ns: u64,
    lane: &Lane<'_>,
) -> Drove {
    let interpreters = &service.interpreters;
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
                let next = panics::in_step(job, &service.secrets, |job| job.run(watch));
                if lane.end(step, at_ns, watch.now_ns()) {
                    job.overran(step, watch.now_ns(), lane.quantum_ns());
                }
                if next == Next::Run && job.position() == step {
                    // It yielded: others first.
                    lane.pause(watch).await;
                }
                next
            }
            Next::Wait => {
                let mut next = Next::Wait;
                let told = held.len();
                job.take_starts_to(&mut held);
                lane.asks(job.position(), &held[told..]);
                let in_flight = flights.as_ref().map_or(0, FuturesUnordered::len);
                let room = lane.effects.saturating_sub(in_flight).min(held.len());
                let nothing_new = room == 0;
                for start in &held[told.max(room)..] {
                    job.held(start.number, watch.now_ns(), HeldBy::Request);
                }
                for (at, start) in held.drain(..room).enumerate() {
                    let asked = Asked { start, was_held: at < told };
                    let answered = asked.begin(job, watch, &mut flights, interpreters, context, lane);
                    next = answered.unwrap_or(next);
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
                            Some(Landing::Landed(number, performed, at)) => {
                                if job.waits_for(number) {
                                    lane.takes(job, number, watch, at);
                                } else {
                                    lane.late();
                                }
                                next = job.complete(number, watch, performed);
                            }
                            Some(Landing::Begun(flying, at)) => {
                                job.begun(flying.number(), watch.since_start_ns(at));
                                flights.get_or_insert_default().push(Flight::Flying(flying));
                            }
                            Some(Landing::Free(start, at)) => {
                                lane.takes(job, start.number, watch, at);
                                let asked = Asked { start, was_held: true };
                                let answered =
                                    asked.begin(job, watch, &mut flights, interpreters, context, lane);
                                next = answered.unwrap_or(next);
                            }
                            // A job that waits for nothing; the engine rules it out.
                            None => {
                                job.stop(Stop::Deadline, watch.tick());
                                return Drove::Ended;
                            }
                        },
                        () = late => {
                            lane.takes_deadline(job, watch, deadline_ns);
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

/// A call that is asked for, or that was held and is asked for again.
struct Asked {
    start: Start,
    was_held: bool,
}

impl Asked {
    /// Begins it, or has it wait. What is to happen next, if it is answered at once.
    fn begin(
        self,
        job: &mut Checked,
        watch: &mut Stopwatch,
        flights: &mut Option<FuturesUnordered<Flight>>,
        interpreters: &Interpreters,
        context: &Context,
        lane: &Lane<'_>,
    ) -> Option<Next> {
        let Self { start, was_held } = self;
        let number = start.number;
        let begun = flight::ask(start, interpreters, context, lane);
        let held_by = match &begun {
            Begun::Pending(flight) => flight.held_by(),
            Begun::Ready(_) => None,
        };
        match held_by {
            Some(by) => job.held(number, watch.now_ns(), by),
            None if was_held => job.begun(number, watch.now_ns()),
            None => {}
        }
        match begun {
            Begun::Ready(performed) => Some(job.complete(number, watch, performed)),
            Begun::Pending(flight) => {
                flights.get_or_insert_default().push(flight);
                None
            }
        }
    }
}
