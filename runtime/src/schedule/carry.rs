//! Takes one request through the scheduler to its end: here, or on a thread of low priority, or away.

use std::cell::Cell;

use http::{HeaderValue, header};
use tokio::sync::oneshot;
use zerver_engine::{Class, Failure, FailureKind, Refused, RequestId, Why};

use super::low::Entrant;
use super::{Board, Drove, Lane, Shared, Turns};
use crate::drive::drive;
use crate::interpreter::Context;
use crate::live::Live;
use crate::service::Service;
use crate::worker::Worker;

/// After how many seconds who was sent away may try again. A queue that stands is cut within a second.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// What the scheduler knows of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    id: RequestId,
    class: Class,
    pub(super) flow: u16,
    /// When its head arrived, on the service's clock.
    base_ns: u64,
    /// Since then.
    deadline_ns: u64,
}

/// A request that goes on at low priority.
pub(crate) struct Elsewhere {
    way: Way,
    /// The class it had.
    class: Class,
    is_new: bool,
}

/// Takes a request whose body has been read to its end, or to where it goes on elsewhere. Dropping it cancels it.
pub(crate) async fn carry(worker: &Worker, live: &mut Live, context: &Context) -> Option<Elsewhere> {
    let (service, shared) = (&*worker.service, &worker.service.schedule);
    classify(service, live);
    let (class, id, base_ns) = (live.class, live.id, live.base_ns);
    let (job, watch) = live.job()?;
    let (flow, now_ns) = (job.flow().number(), watch.now_ns());
    let deadline_ns = now_ns.saturating_add(service.deadline_ns(job.flow()));
    worker.board.tally.began[class as usize].add(1);
    let mut way = Way { id, class, flow, base_ns, deadline_ns };
    let slow_step = shared.slow_step(flow, base_ns + now_ns);
    let has_low = shared.low.is_some();
    let is_new = if has_low && (class == Class::Batch || slow_step.is_some()) {
        if let Some(step) = slow_step.filter(|_| class != Class::Batch) {
            job.moved(now_ns, class, Class::Batch, overruns(shared.step_name(flow, step)));
        }
        true
    } else {
        match here(service, &worker.board, Some(&worker.turns), live, context, &way).await.0 {
            Ok(Drove::Ended) => return None,
            Ok(Drove::Slow(step)) => {
                let (job, watch) = live.job()?;
                job.moved(watch.now_ns(), class, Class::Batch, overruns(shared.step_name(flow, step)));
                false
            }
            Err(refused) if has_low && refused.instead().is_some() => {
                let (job, watch) = live.job()?;
                job.moved(watch.now_ns(), class, Class::Batch, refused.why.as_str());
                true
            }
            Err(refused) => {
                refuse(service, live, class, refused.why);
                return None;
            }
        }
    };
    if class != Class::Batch {
        Shared::count(&shared.counters.moved);
    }
    way.class = Class::Batch;
    Some(Elsewhere { way, class, is_new })
}

impl Elsewhere {
    /// Takes it to its end.
    pub(crate) async fn carry(self, service: &Service, live: Live, context: Context) -> Live {
        let Self { way, class, is_new } = self;
        let Some(low) = &service.schedule.low else { return live };
        let (back, returned) = oneshot::channel();
        let since_ns = way.base_ns + live.watch.now_ns();
        low.put(Entrant { live, context, way, is_new, since_ns, back });
        match returned.await {
            Ok(Ok(live)) => live,
            Ok(Err((mut live, refused))) => {
                refuse(service, &mut live, class, refused.why);
                live
            }
            // The service has stopped around it, and recorded that.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Drives it on this thread; also how long its steps ran. A new one may be refused where there are turns.
pub(super) async fn here(
    service: &Service,
    board: &Board,
    turns: Option<&Turns>,
    live: &mut Live,
    context: &Context,
    way: &Way,
) -> (Result<Drove, Refused>, u64) {
    let Some((job, watch)) = live.job() else { return (Ok(Drove::Ended), 0) };
    let mut has_turn = false;
    if let Some(turns) = turns {
        match turns.enter(way.class, way.flow, way.base_ns + watch.now_ns()).await {
            Ok(false) => {}
            Ok(true) => {
                has_turn = true;
                watch.tick();
            }
            Err(refused) => {
                watch.tick();
                return (Err(refused), 0);
            }
        }
    }
    let began_ns = watch.now_ns();
    let lane = Lane {
        shared: &service.schedule,
        board,
        turns,
        id: way.id,
        class: way.class,
        flow: way.flow,
        base_ns: way.base_ns,
        quantum_ns: service.schedule.tuning().scheduling.class(way.class).quantum_ns,
        effects: service.limits.effects.max(1),
        since_ns: Cell::new(Some(began_ns)),
        last_ns: Cell::new(began_ns),
        has_turn: Cell::new(has_turn),
        ran_ns: Cell::new(0),
        slow_step: Cell::new(None),
        last_step: Cell::new(None),
    };
    let drove = drive(job, watch, &service.interpreters, context, way.deadline_ns, &lane).await;
    lane.stop();
    (Ok(drove), lane.ran_ns.get())
}

/// Gives it the class that the first matching rule says.
fn classify(service: &Service, live: &mut Live) {
    let tuning = service.schedule.tuning();
    if tuning.rules.is_empty() {
        return;
    }
    let Some(request) = live.request() else { return };
    let found = tuning.rules.iter().find_map(|rule| Some((rule.class_of(request)?, rule)));
    let Some((class, rule)) = found else { return };
    let from = std::mem::replace(&mut live.class, class);
    if let (Some((job, watch)), true) = (live.job(), from != class) {
        job.moved(watch.now_ns(), from, class, rule.reason().to_owned());
    }
}

fn overruns(step: &str) -> String {
    format!("{step} overruns its time often")
}

/// Sends it away: an interactive one and a default one with 503, a batch one with 429 (RFC 6585).
fn refuse(service: &Service, live: &mut Live, class: Class, why: Why) {
    let kind = if class == Class::Batch { FailureKind::Limited } else { FailureKind::Unavailable };
    let failure = Failure::new(kind, "capacity").message(format!("{class}: {}", why.as_str()));
    Shared::count(&service.schedule.counters.shed[class as usize]);
    live.watch.tick();
    let Some(request) = live.shared_request() else { return };
    let mut response = service.render(&failure, &request);
    response.headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    drop(request);
    if let Some((job, _)) = live.job() {
        job.reject(response, failure.to_string());
    }
}
