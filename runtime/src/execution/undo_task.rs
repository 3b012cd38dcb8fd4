//! Undoes what a failed request has done. This runs on the effect runtime, so that it neither keeps a worker nor ends when
//! the client leaves. No step runs here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::oneshot;
use tokio::time::Instant;
use zerver_engine::{Next, RequestedCall, StopReason, UNDO_GRACE};

use super::active_request::{ActiveRequest, PendingResponse};
use super::checked_job::CheckedJob;
use super::effect_future::{self, Completion, EffectAccess, EffectFuture, EffectProgress};
use super::panic_report;
use crate::effects::interpreter::{EffectContext, Started};
use crate::server::service::Service;
use crate::time::Stopwatch;

/// Starts to undo what a request has done, and returns the receiver of its response. The response is recorded as not
/// delivered if the receiver is dropped.
pub(crate) fn start(
    mut active: ActiveRequest,
    context: EffectContext,
) -> oneshot::Receiver<Option<PendingResponse>> {
    let (response_tx, response_rx) = oneshot::channel();
    active.begin_undo_task();
    let service = Arc::clone(active.service());
    let runtime = Arc::clone(&service.effect_runtime);
    let guard = runtime.begin_undo();
    runtime.handle().spawn(async move {
        if let Some((job, watch)) = active.job() {
            Undoing { job, watch, service: &service, context: &context, queued: VecDeque::new() }.run().await;
        }
        let _ = response_tx.send(active.finish());
        drop(guard);
    });
    response_rx
}

struct Undoing<'u> {
    job: &'u mut CheckedJob,
    watch: &'u mut Stopwatch,
    service: &'u Service,
    context: &'u EffectContext,
    /// Calls that wait because the request has too many in flight.
    queued: VecDeque<RequestedCall>,
}

impl Undoing<'_> {
    async fn run(&mut self) {
        let until = Instant::now() + UNDO_GRACE;
        let mut in_flight = FuturesUnordered::new();
        let mut next = Next::Undo;
        loop {
            next = match next {
                Next::Undo => {
                    // Calls of the step that failed do not matter any more.
                    self.queued.clear();
                    in_flight.clear();
                    self.guarded(|job, watch| job.undo(watch.tick()))
                }
                Next::Advance => {
                    tokio::task::yield_now().await;
                    self.guarded(|job, watch| job.advance(watch))
                }
                Next::Wait => self.wait(&mut in_flight, until).await,
                // No step runs while a request is undone.
                Next::Run | Next::Ended => return,
            };
        }
    }

    /// Starts what can start. If nothing is ready at once, waits until a call completes.
    async fn wait(&mut self, in_flight: &mut FuturesUnordered<EffectFuture>, until: Instant) -> Next {
        self.queued.extend(self.job.take_requested_calls());
        let limit = self.service.limits.effects.max(1);
        while in_flight.len() < limit
            && let Some(call) = self.queued.pop_front()
        {
            if let Some(next) = self.start(call, in_flight, false)
                && next != Next::Wait
            {
                return next;
            }
            self.queued.extend(self.job.take_requested_calls());
        }
        match tokio::time::timeout_at(until, in_flight.next()).await {
            Ok(Some(EffectProgress::Completed(number, Completion { result, points, .. }))) => {
                for (point, at) in points {
                    self.job.record_effect_point(number, self.watch.since_start_ns(at), point);
                }
                self.guarded(|job, watch| job.complete(number, watch, result))
            }
            Ok(Some(EffectProgress::Started(effect, at))) => {
                self.job.record_effect_started(effect.number(), self.watch.since_start_ns(at));
                in_flight.push(EffectFuture::Running(effect));
                Next::Wait
            }
            Ok(Some(EffectProgress::RetryDue(call, _))) => {
                self.start(call, in_flight, true).unwrap_or(Next::Wait)
            }
            Ok(None) | Err(_) => self.job.stop(StopReason::DeadlinePassed, self.watch.tick()),
        }
    }

    /// Starts a call, or queues it. Returns what the job does next if the call was ready at once.
    fn start(
        &mut self,
        call: RequestedCall,
        in_flight: &mut FuturesUnordered<EffectFuture>,
        was_queued: bool,
    ) -> Option<Next> {
        let number = call.number;
        let access = EffectAccess {
            runtime: self.service.effect_runtime.handle(),
            limiter: &self.service.scheduler.effect_limiter,
            is_batch: false,
        };
        let interpreters = self.service.readiness.interpreters();
        let started = effect_future::start(call, self.watch, interpreters, self.context, access);
        match &started {
            Started::Pending(effect) if let Some(reason) = effect.queue_reason() => {
                self.job.record_effect_queued(number, self.watch.now_ns(), reason);
            }
            _ if was_queued => self.job.record_effect_started(number, self.watch.now_ns()),
            _ => {}
        }
        match started {
            Started::Ready((result, points)) => {
                for (point, at) in points {
                    self.job.record_effect_point(number, self.watch.since_start_ns(at), point);
                }
                Some(self.guarded(|job, watch| job.complete(number, watch, result)))
            }
            Started::Pending(effect) => {
                in_flight.push(effect);
                None
            }
        }
    }

    /// Runs code of the service. If it panics, the report of the panic masks the secrets of the request.
    fn guarded(&mut self, run: impl FnOnce(&mut CheckedJob, &mut Stopwatch) -> Next) -> Next {
        let watch = &mut *self.watch;
        panic_report::guard_step(self.job, &self.service.secrets, |job| run(job, watch))
    }
}

/// Counts the requests that are being undone, so that a service that stops can wait for them.
#[derive(Default)]
pub(crate) struct UndoCounter(std::sync::Mutex<usize>, std::sync::Condvar);

/// One request that is being undone.
pub(crate) struct UndoGuard(Arc<UndoCounter>);

impl UndoCounter {
    pub(crate) fn begin(self: &Arc<Self>) -> UndoGuard {
        *self.lock() += 1;
        UndoGuard(Arc::clone(self))
    }

    /// Waits until none is left, or the time is over. This blocks.
    pub(crate) fn wait(&self, within: Duration) {
        let waited = self.1.wait_timeout_while(self.lock(), within, |count| *count > 0);
        drop(waited);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for UndoGuard {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.1.notify_all();
    }
}
