//! Takes one job from step to step. Its lane says when others go first, and when it is to go on elsewhere.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};
use zerver_engine::{Next, RequestedCall, StopReason};
use zerver_trace::QueueReason;

use crate::flight::{self, Flight, Landing};
use crate::interpreter::{Begun, Context};
use crate::panics;
use crate::schedule::{Drove, Lane};
use crate::service::Service;
use crate::time::Stopwatch;
use crate::twice::Checked;

/// After so many effects that have begun or ended without a pause, it looks at the clock and lets others go first.
const LOOK_AFTER: u32 = 64;

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
    let mut flights: Option<FuturesUnordered<Flight>> = None;
    let mut fresh = SmallVec::<[RequestedCall; 2]>::new();
    // Those that are over the limit.
    let mut held = VecDeque::<RequestedCall>::new();
    let mut looks = Looks { since: 0, deadline_ns };
    let mut deadline = pin!(None::<Sleep>);
    let mut next = Next::Run;
    loop {
        if looks.is_due() && next != Next::Ended && looks.look(job, watch, lane).await {
            return Drove::Ended;
        }
        next = match next {
            Next::Ended => {
                lane.waited_until(watch.now_ns());
                return Drove::Ended;
            }
            Next::Run | Next::Advance if watch.now_ns() >= deadline_ns => {
                job.stop(StopReason::DeadlinePassed, watch.now_ns());
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
                    job.record_quantum_exceeded(step, watch.now_ns(), lane.quantum_ns());
                }
                if next == Next::Run && job.position() == step {
                    // It yielded: others first.
                    lane.pause(watch).await;
                }
                next
            }
            Next::Advance => {
                watch.tick();
                lane.go_on(watch).await;
                panics::in_step(job, &service.secrets, |job| job.advance(watch))
            }
            Next::Wait => {
                let mut next = Next::Wait;
                job.append_requested_calls(&mut fresh);
                lane.asks(job.position(), &fresh);
                let in_flight = flights.as_ref().map_or(0, FuturesUnordered::len);
                let room = lane.effects.saturating_sub(in_flight).min(held.len() + fresh.len());
                let (old, new) = (room.min(held.len()), room.saturating_sub(held.len()));
                for start in &fresh[new..] {
                    job.record_effect_queued(start.number, watch.now_ns(), QueueReason::Request);
                }
                let was_held = held.drain(..old).map(|start| (start, true));
                for (start, was_held) in was_held.chain(fresh.drain(..new).map(|start| (start, false))) {
                    if looks.is_due() && looks.look(job, watch, lane).await {
                        return Drove::Ended;
                    }
                    let asked = Asked { start, was_held };
                    let answered = asked.begin(job, watch, &mut flights, service, context, lane);
                    next = answered.unwrap_or(next);
                    looks.since += 1;
                }
                held.extend(fresh.drain(..));
                if room == 0 {
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
                                if job.is_waiting_for(number) {
                                    lane.takes(job, number, watch, at);
                                } else {
                                    lane.late();
                                }
                                next = panics::in_step(job, &service.secrets, |job| {
                                    job.complete(number, watch, performed)
                                });
                            }
                            Some(Landing::Begun(flying, at)) => {
                                job.record_effect_started(flying.number(), watch.since_start_ns(at));
                                flights.get_or_insert_default().push(Flight::Flying(flying));
                            }
                            Some(Landing::Free(start, at)) => {
                                lane.takes(job, start.number, watch, at);
                                let asked = Asked { start, was_held: true };
                                let answered =
                                    asked.begin(job, watch, &mut flights, service, context, lane);
                                next = answered.unwrap_or(next);
                            }
                            // A job that waits for nothing; the engine rules it out.
                            None => {
                                job.stop(StopReason::DeadlinePassed, watch.tick());
                                return Drove::Ended;
                            }
                        },
                        () = late => {
                            lane.takes_deadline(job, watch, deadline_ns);
                            job.stop(StopReason::DeadlinePassed, watch.tick());
                            lane.waited_until(watch.now_ns());
                            return Drove::Ended;
                        }
                    }
                    looks.since += 1;
                    if next == Next::Run {
                        lane.resume(watch).await;
                    }
                }
                next
            }
        }
    }
}

/// When it looks at the clock, and at who else is to run, on its way through many effects.
struct Looks {
    /// How many have begun or ended since it last did.
    since: u32,
    deadline_ns: u64,
}

impl Looks {
    const fn is_due(&self) -> bool {
        self.since >= LOOK_AFTER
    }

    /// Lets others go first. Whether the deadline has passed: then the job has ended.
    async fn look(&mut self, job: &mut Checked, watch: &mut Stopwatch, lane: &Lane<'_>) -> bool {
        self.since = 0;
        if watch.tick() >= self.deadline_ns {
            job.stop(StopReason::DeadlinePassed, watch.now_ns());
            lane.waited_until(watch.now_ns());
            return true;
        }
        lane.let_others(watch).await;
        false
    }
}

/// A call that is asked for, or that was held and is asked for again.
struct Asked {
    start: RequestedCall,
    was_held: bool,
}

impl Asked {
    /// Begins it, or has it wait. What is to happen next, if it is answered at once.
    fn begin(
        self,
        job: &mut Checked,
        watch: &mut Stopwatch,
        flights: &mut Option<FuturesUnordered<Flight>>,
        service: &Service,
        context: &Context,
        lane: &Lane<'_>,
    ) -> Option<Next> {
        let Self { start, was_held } = self;
        let number = start.number;
        let begun = flight::ask(start, watch, service.readiness.interpreters(), context, lane);
        let held_by = match &begun {
            Begun::Pending(flight) => flight.held_by(),
            Begun::Ready(_) => None,
        };
        match held_by {
            Some(by) => job.record_effect_queued(number, watch.now_ns(), by),
            None if was_held => job.record_effect_started(number, watch.now_ns()),
            None => {}
        }
        match begun {
            Begun::Ready(performed) => {
                Some(panics::in_step(job, &service.secrets, |job| job.complete(number, watch, performed)))
            }
            Begun::Pending(flight) => {
                flights.get_or_insert_default().push(flight);
                None
            }
        }
    }
}
