//! Takes one request through the scheduler to its end: here, or on a thread of low priority, or away.

use std::cell::Cell;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use tokio::sync::oneshot;
use zerver_engine::{Class, Failure, FailureKind, RequestId, Shed, ShedReason, StopReason};

use super::held::Held;
use super::low::{Entrant, Low};
use super::turns::NotHere;
use super::{Board, Drove, Guest, Lane, Shared, Tuning, Turns};
use crate::drive::drive;
use crate::interpreter::Context;
use crate::live::Live;
use crate::service::Service;
use crate::worker::Worker;

/// After how many seconds who was sent away may try again: as long as one waits, within these bounds.
const RETRY_AFTER_S: (u64, u64) = (1, 30);

/// What the scheduler knows of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    id: RequestId,
    pub(super) class: Class,
    pub(super) flow: u16,
    /// When its head arrived, on the service's clock.
    base_ns: u64,
    /// Since then.
    deadline_ns: u64,
    /// Of its class, when it began.
    quantum_ns: u64,
}

/// A request that goes on elsewhere.
pub(crate) struct Elsewhere {
    way: Way,
    /// The class it had.
    class: Class,
    to: To,
}

enum To {
    /// At low priority; whether none of its steps has run.
    Low { is_new: bool },
    /// Here when its turn comes, or on a worker that has nothing to do.
    Turn,
}

/// Takes a request whose body has been read to its end, or to where it goes on elsewhere. Dropping it cancels it.
pub(crate) async fn carry(worker: &Worker, live: &mut Live, context: &Context) -> Option<Elsewhere> {
    let (service, shared) = (&*worker.service, &worker.service.schedule);
    let tuning = shared.tuning();
    classify(&tuning, live);
    let (class, id, base_ns) = (live.class, live.id, live.base_ns);
    let (job, watch) = live.job()?;
    let (flow, now_ns) = (job.flow().number(), watch.now_ns());
    let deadline_ns = now_ns.saturating_add(tuning.deadline_ns(job.flow()));
    let quantum_ns = tuning.scheduling.class(class).quantum_ns;
    drop(tuning);
    worker.board.tally.began[class as usize].add(1);
    let way = Way { id, class, flow, base_ns, deadline_ns, quantum_ns };
    let slow_step = shared.slow_step(flow, base_ns + now_ns);
    if shared.low.is_some() && (class == Class::Batch || slow_step.is_some()) {
        if let Some(step) = slow_step.filter(|_| class != Class::Batch) {
            move_to_low(shared, live, &way, overruns(shared.step_name(flow, step)));
        }
        return Some(Elsewhere::low(way, true));
    }
    if !worker.turns.begin(flow, base_ns + now_ns) {
        return Some(Elsewhere { way, class, to: To::Turn });
    }
    let drove = here(service, &worker.board, Some(&worker.turns), false, live, context, &way).await.0;
    after(service, live, way, Ok(drove))
}

/// Where a request goes that has run on a worker, or may not wait for one; nowhere if it has ended.
fn after(service: &Service, live: &mut Live, way: Way, drove: Result<Drove, Shed>) -> Option<Elsewhere> {
    let shared = &service.schedule;
    match drove {
        Ok(Drove::Ended) => None,
        Ok(Drove::Slow(step)) => {
            move_to_low(shared, live, &way, overruns(shared.step_name(way.flow, step)));
            Some(Elsewhere::low(way, false))
        }
        Err(refused) if shared.low.is_some() && refused.fallback_class().is_some() => {
            move_to_low(shared, live, &way, refused.reason.as_str().to_owned());
            Some(Elsewhere::low(way, true))
        }
        Err(refused) => {
            refuse(service, live, way.class, refused.reason);
            None
        }
    }
}

/// Says that it leaves its class.
fn move_to_low(shared: &Shared, live: &mut Live, way: &Way, reason: String) {
    if let Some((job, watch)) = live.job() {
        job.record_reclassified(watch.now_ns(), way.class, Class::Batch, reason);
    }
    Shared::count(&shared.counters.moved);
}

impl Elsewhere {
    const fn low(way: Way, is_new: bool) -> Self {
        Self { way: Way { class: Class::Batch, ..way }, class: way.class, to: To::Low { is_new } }
    }

    /// Takes it to its end.
    pub(crate) async fn carry(self, worker: &Worker, live: Live, context: Context) -> Live {
        let service = &*worker.service;
        let Self { way, class, to } = self;
        if let To::Low { is_new } = to {
            return Box::pin(carry_low(service, way, class, is_new, live, context)).await;
        }
        let (mut live, drove) = carry_turn(worker, way, live, context.clone()).await;
        match after(service, &mut live, way, drove) {
            Some(Self { way, class, to: To::Low { is_new } }) => {
                Box::pin(carry_low(service, way, class, is_new, live, context)).await
            }
            // It waits for a turn once.
            Some(Self { to: To::Turn, .. }) | None => live,
        }
    }
}

impl Way {
    /// What time it is, on the service's clock.
    pub(super) fn now_ns(&self, live: &Live) -> u64 {
        self.base_ns + live.watch.now_ns()
    }
}

/// Takes a request here when its turn comes, unless another worker has it first.
async fn carry_turn(worker: &Worker, way: Way, live: Live, context: Context) -> (Live, Result<Drove, Shed>) {
    let Worker { service, board, turns, .. } = worker;
    let (back, returned) = oneshot::channel();
    let now_ns = way.now_ns(&live);
    let guest = Box::new(Guest { live, context, way, back });
    match turns.wait(guest, way.class, way.flow, now_ns).await {
        Ok(guest) => {
            let Guest { mut live, context, .. } = *guest;
            live.watch.tick();
            let drove = here(service, board, Some(turns), true, &mut live, &context, &way).await.0;
            (live, Ok(drove))
        }
        Err(NotHere::Refused(refused, guest)) => {
            let Guest { mut live, .. } = *guest;
            live.watch.tick();
            (live, Err(refused))
        }
        Err(NotHere::Given) => match returned.await {
            Ok((live, drove)) => (live, Ok(drove)),
            // The service has stopped around it, and recorded that.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Takes a request to its end at low priority. Few go there, and it has room of its own: all others would have to keep
/// room for it.
async fn carry_low(
    service: &Service,
    way: Way,
    class: Class,
    is_new: bool,
    live: Live,
    context: Context,
) -> Live {
    let Some(low) = &service.schedule.low else { return live };
    let (back, returned) = oneshot::channel();
    let set = *service.schedule.tuning().scheduling.class(Class::Batch);
    let way = Way { quantum_ns: set.quantum_ns, ..way };
    let (start, since_ns) = (live.watch.at(0), way.base_ns + live.watch.now_ns());
    let held = Arc::new(Held::new((live, context)));
    let waits = Waits { low, held: Arc::clone(&held) };
    low.put(Entrant { held, way, is_new, since_ns, back });
    let mut returned = pin!(returned);
    let due_ns = way.base_ns.saturating_add(way.deadline_ns);
    let patience = [set.target_ns, set.interval_ns].map(|ns| since_ns.saturating_add(ns));
    let looks = patience.into_iter().filter(|&at_ns| is_new && at_ns < due_ns).chain([due_ns]);
    for at_ns in looks {
        let at = start + Duration::from_nanos(at_ns.saturating_sub(way.base_ns));
        tokio::select! {
            biased;
            ended = &mut returned => return came_back(service, class, ended).await,
            () = tokio::time::sleep_until(at.into()) => {}
        }
        let is_late = at_ns < due_ns;
        // A queue that only takes up a burst is left alone.
        if is_late && at_ns == patience[0] && low.busy_ns(at_ns) < set.interval_ns {
            continue;
        }
        let Some((mut live, _)) = waits.take_back() else { break };
        if is_late {
            refuse(service, &mut live, class, ShedReason::WaitedTooLong);
        } else if let Some((job, watch)) = live.job() {
            job.stop(StopReason::DeadlinePassed, watch.tick());
        }
        return live;
    }
    came_back(service, class, returned.await).await
}

/// A request comes back from a thread of low priority.
async fn came_back(
    service: &Service,
    class: Class,
    ended: Result<Result<Live, (Live, Shed)>, oneshot::error::RecvError>,
) -> Live {
    match ended {
        Ok(Ok(live)) => live,
        Ok(Err((mut live, refused))) => {
            refuse(service, &mut live, class, refused.reason);
            live
        }
        // The service has stopped around it, and recorded that.
        Err(_) => std::future::pending().await,
    }
}

/// One that waits for a thread of low priority. Dropped, it waits no longer.
struct Waits<'l> {
    low: &'l Low,
    held: Arc<Held<(Live, Context)>>,
}

impl Waits<'_> {
    fn take_back(&self) -> Option<(Live, Context)> {
        self.held.take_back().inspect(|_| self.low.taken())
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}

/// Drives it on this thread, with a turn or without one; also how long its steps ran.
pub(super) async fn here(
    service: &Service,
    board: &Arc<Board>,
    turns: Option<&Turns>,
    has_turn: bool,
    live: &mut Live,
    context: &Context,
    way: &Way,
) -> (Drove, u64) {
    live.enter(board);
    let Some((job, watch)) = live.job() else { return (Drove::Ended, 0) };
    let began_ns = watch.now_ns();
    let lane = Lane {
        shared: &service.schedule,
        board,
        steps: board.tally.steps(way.flow),
        turns,
        id: way.id,
        class: way.class,
        flow: way.flow,
        base_ns: way.base_ns,
        quantum_ns: way.quantum_ns,
        effect_runtime: service.effect_runtime.handle(),
        effects: service.limits.effects.max(1),
        since_ns: Cell::new(Some(began_ns)),
        last_ns: Cell::new(began_ns),
        has_turn: Cell::new(has_turn),
        ran_ns: Cell::new(0),
        slow_step: Cell::new(None),
        is_suspect: Cell::new(turns.is_some_and(|turns| turns.is_suspect(way.flow))),
        kept_ns: Cell::new(None),
        last_step: Cell::new(None),
    };
    let drove = drive(job, watch, service, context, way.deadline_ns, &lane).await;
    lane.stop();
    let ran_ns = lane.ran_ns.get();
    live.leave();
    (drove, ran_ns)
}

/// Gives it the class that the first matching rule says.
fn classify(tuning: &Tuning, live: &mut Live) {
    if tuning.rules.is_empty() {
        return;
    }
    let Some(request) = live.request() else { return };
    let found = tuning.rules.iter().find_map(|rule| Some((rule.class_of(request)?, rule)));
    let Some((class, rule)) = found else { return };
    let from = std::mem::replace(&mut live.class, class);
    if let (Some((job, watch)), true) = (live.job(), from != class) {
        job.record_reclassified(watch.now_ns(), from, class, rule.reason().to_owned());
    }
}

fn overruns(step: &str) -> String {
    format!("{step} overruns its time often")
}

/// Sends it away: an interactive one and a default one with 503, a batch one with 429 (RFC 6585).
fn refuse(service: &Service, live: &mut Live, class: Class, reason: ShedReason) {
    let kind = if class == Class::Batch { FailureKind::Limited } else { FailureKind::Unavailable };
    let failure = Failure::new(kind, "capacity").message(format!("{class}: {}", reason.as_str()));
    Shared::count(&service.schedule.counters.shed[class as usize]);
    live.watch.tick();
    let Some(request) = live.shared_request() else { return };
    let mut response = service.render(live.flow().map(|flow| &**flow), &failure, &request);
    let waited_ns = match &service.schedule.low {
        Some(low) if class != Class::Interactive => low.waited_ns(),
        _ => 0,
    };
    let (least, most) = RETRY_AFTER_S;
    let seconds = live.watch.now_ns().max(waited_ns).div_ceil(1_000_000_000).clamp(least, most);
    response.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    drop(request);
    if let Some((job, _)) = live.job() {
        job.reject(response, failure.to_string());
    }
}
