//! Takes one job from step to step. Its lane says when others go first, and when it is to go on elsewhere.

use std::collections::VecDeque;
use std::pin::pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};
use zerver_engine::{Next, Start, Stop};
use zerver_trace::QueueReason;

use super::effect_future;
use super::effect_future::{Flight, Landing};
use super::panic_report;
use super::purity_check::CheckedJob;
use crate::effects::interpreter::{Begun, Context};
use crate::scheduler::{DriveEnd, Lane};
use crate::server::service::Service;
use crate::time::Stopwatch;

/// After so many effects that have begun or ended without a pause, it looks at the clock and lets others go first.
const LOOK_AFTER: u32 = 64;

/// Runs a job to its end, or to where it is to go on elsewhere: steps inline, effects that are answered at once inline,
/// others waited for.
///
/// Dropping it cancels what is in flight; the job is then not at its end.
pub(crate) async fn drive(
    job: &mut CheckedJob,
    watch: &mut Stopwatch,
    service: &Service,
    context: &Context,
    deadline_ns: u64,
    lane: &Lane<'_>,
) -> DriveEnd {
    let mut flights: Option<FuturesUnordered<Flight>> = None;
    let mut fresh = SmallVec::<[Start; 2]>::new();
    // Those that are over the limit.
    let mut held = VecDeque::<Start>::new();
    let mut looks = Looks { since: 0, deadline_ns };
    let mut deadline = pin!(None::<Sleep>);
    let mut next = Next::Run;
    loop {
        if looks.is_due() && next != Next::Ended && looks.look(job, watch, lane).await {
            return DriveEnd::Finished;
        }
        next = match next {
            Next::Ended => {
                lane.record_wait(watch.now_ns());
                return DriveEnd::Finished;
            }
            Next::Run | Next::Advance if watch.now_ns() >= deadline_ns => {
                job.stop(Stop::Deadline, watch.now_ns());
                return DriveEnd::Finished;
            }
            Next::Run => {
                if let Some(step) = lane.demoting_step() {
                    return DriveEnd::Demoted(step);
                }
                if lane.is_quantum_over(watch.now_ns()) {
                    lane.yield_turn(watch).await;
                }
                let step = job.position();
                let at_ns = watch.now_ns();
                lane.begin_step(step, job.ready_ns(), at_ns);
                let next = panic_report::in_step(job, &service.secrets, |job| job.run(watch));
                if lane.end_step(step, at_ns, watch.now_ns()) {
                    job.overran(step, watch.now_ns(), lane.quantum_ns());
                }
                if next == Next::Run && job.position() == step {
                    // It yielded: others first.
                    lane.yield_turn(watch).await;
                }
                next
            }
            Next::Advance => {
                watch.tick();
                lane.continue_turn(watch).await;
                panic_report::in_step(job, &service.secrets, |job| job.advance(watch))
            }
            Next::Wait => {
                let mut next = Next::Wait;
                job.take_starts_to(&mut fresh);
                lane.record_retries(job.position(), &fresh);
                let in_flight = flights.as_ref().map_or(0, FuturesUnordered::len);
                let room = lane.effects.saturating_sub(in_flight).min(held.len() + fresh.len());
                let (old, new) = (room.min(held.len()), room.saturating_sub(held.len()));
                for start in &fresh[new..] {
                    job.held(start.number, watch.now_ns(), QueueReason::Request);
                }
                let was_held = held.drain(..old).map(|start| (start, true));
                for (start, was_held) in was_held.chain(fresh.drain(..new).map(|start| (start, false))) {
                    if looks.is_due() && looks.look(job, watch, lane).await {
                        return DriveEnd::Finished;
                    }
                    let asked = Asked { start, was_held };
                    let answered = asked.begin(job, watch, &mut flights, service, context, lane);
                    next = answered.unwrap_or(next);
                    looks.since += 1;
                }
                held.extend(fresh.drain(..));
                if room == 0 {
                    lane.suspend();
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
                                    lane.record_completion_delay(job, number, watch, at);
                                } else {
                                    lane.record_late_completion();
                                }
                                next = panic_report::in_step(job, &service.secrets, |job| {
                                    job.complete(number, watch, performed)
                                });
                            }
                            Some(Landing::Begun(flying, at)) => {
                                job.begun(flying.number(), watch.since_start_ns(at));
                                flights.get_or_insert_default().push(Flight::Flying(flying));
                            }
                            Some(Landing::Free(start, at)) => {
                                lane.record_completion_delay(job, start.number, watch, at);
                                let asked = Asked { start, was_held: true };
                                let answered =
                                    asked.begin(job, watch, &mut flights, service, context, lane);
                                next = answered.unwrap_or(next);
                            }
                            // A job that waits for nothing; the engine rules it out.
                            None => {
                                job.stop(Stop::Deadline, watch.tick());
                                return DriveEnd::Finished;
                            }
                        },
                        () = late => {
                            lane.record_deadline_delay(job, watch, deadline_ns);
                            job.stop(Stop::Deadline, watch.tick());
                            lane.record_wait(watch.now_ns());
                            return DriveEnd::Finished;
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
    async fn look(&mut self, job: &mut CheckedJob, watch: &mut Stopwatch, lane: &Lane<'_>) -> bool {
        self.since = 0;
        if watch.tick() >= self.deadline_ns {
            job.stop(Stop::Deadline, watch.now_ns());
            lane.record_wait(watch.now_ns());
            return true;
        }
        lane.yield_between_effects(watch).await;
        false
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
        job: &mut CheckedJob,
        watch: &mut Stopwatch,
        flights: &mut Option<FuturesUnordered<Flight>>,
        service: &Service,
        context: &Context,
        lane: &Lane<'_>,
    ) -> Option<Next> {
        let Self { start, was_held } = self;
        let number = start.number;
        let begun = effect_future::ask(start, watch, service.readiness.interpreters(), context, lane);
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
            Begun::Ready(performed) => Some(panic_report::in_step(job, &service.secrets, |job| {
                job.complete(number, watch, performed)
            })),
            Begun::Pending(flight) => {
                flights.get_or_insert_default().push(flight);
                None
            }
        }
    }
}
