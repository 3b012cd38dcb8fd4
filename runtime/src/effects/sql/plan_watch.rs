//! Decides when the plan of a statement is read, and keeps the last plan of each statement, for drivers.
//!
//! A plan is read after a call, away from it, so that no request waits. It is recorded with the calls that follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::plan::Plan;
use crate::time::nanos;
use xxhash_rust::xxh3::xxh3_64;

/// Number of calls from which the usual time of a statement is known, and its plan is read. A text that is performed once
/// is not worth it.
const KNOWN_FROM: u32 = 5;
/// A call is slow if it takes this many times the usual time of its statement,
const SLOW_TIMES: u64 = 4;
/// and at least this long, in nanoseconds.
const SLOW_FROM_NS: u64 = 10_000_000;
/// Time after which a plan is read again, in nanoseconds. It is the same for statements that are slow all the time.
const INTERVAL_NS: u64 = 3600 * 1_000_000_000;
/// The usual time approaches the median in steps of this part of itself.
const STEP: u64 = 16;
/// Maximum number of statements that are watched. Further ones have no plans.
const MAX_STATEMENTS: usize = 1000;
/// Maximum number of different plans of a process. Further ones are not recorded.
const MAX_PLANS: usize = 4096;

/// The statements of a database, with their usual times and their plans. All methods can be called from any thread.
#[derive(Debug)]
pub struct PlanWatch {
    began: Instant,
    /// By the hash of the text.
    statements: RwLock<BTreeMap<u64, Arc<Watched>>>,
}

/// Consequences of a call for the plan of its statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchedCall {
    /// Name of the point that says with which plan the call was performed, if it is known.
    pub plan: Option<&'static str>,
    /// True if the driver must read the plan now, and pass it to [`PlanWatch::set_plan`].
    pub is_due: bool,
}

#[derive(Debug, Default)]
struct Watched {
    calls: AtomicU32,
    /// Estimate of the median, in nanoseconds. Concurrent updates may get lost.
    usual_ns: AtomicU64,
    /// Times from which the plan may be read again, since the start of the watch: at any call, and at a slow one.
    due_ns: AtomicU64,
    slow_due_ns: AtomicU64,
    plan: RwLock<Option<&'static str>>,
}

impl Default for PlanWatch {
    fn default() -> Self {
        Self { began: Instant::now(), statements: RwLock::default() }
    }
}

impl PlanWatch {
    /// Creates a watch that knows no statement.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a call of a statement took this time. The plan is due after the fifth call, then once an hour, and at a
    /// call that takes at least 10 ms and four times the usual time, again once an hour.
    pub fn note(&self, text: &str, took: Duration) -> WatchedCall {
        let now_ns = nanos(self.began.elapsed());
        self.watched(text).map_or_else(WatchedCall::default, |watched| watched.note(nanos(took), now_ns))
    }

    /// Sets the plan of a statement that was due.
    pub fn set_plan(&self, text: &str, plan: &Plan) {
        if let Some(watched) = self.watched(text) {
            *watched.plan.write().unwrap_or_else(PoisonError::into_inner) = interned(plan.point());
        }
    }

    /// Makes a plan due again that could not be read now.
    pub fn postpone(&self, text: &str) {
        if let Some(watched) = self.watched(text) {
            watched.due_ns.store(0, Ordering::Relaxed);
        }
    }

    fn watched(&self, text: &str) -> Option<Arc<Watched>> {
        let key = xxh3_64(text.as_bytes());
        if let Some(known) = self.statements.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Some(Arc::clone(known));
        }
        let mut statements = self.statements.write().unwrap_or_else(PoisonError::into_inner);
        if statements.len() >= MAX_STATEMENTS && !statements.contains_key(&key) {
            return None;
        }
        Some(Arc::clone(statements.entry(key).or_default()))
    }
}

impl Watched {
    fn note(&self, took_ns: u64, now_ns: u64) -> WatchedCall {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let usual_ns = self.usual_ns.load(Ordering::Relaxed);
        let step = (usual_ns / STEP).max(1);
        let next = match calls {
            1 => took_ns,
            _ if took_ns > usual_ns => usual_ns.saturating_add(step),
            _ => usual_ns.saturating_sub(step),
        };
        self.usual_ns.store(next, Ordering::Relaxed);
        if calls < KNOWN_FROM {
            return WatchedCall::default();
        }
        let is_slow = took_ns >= SLOW_FROM_NS && took_ns >= usual_ns.saturating_mul(SLOW_TIMES);
        let is_due = is_slow && take_turn(&self.slow_due_ns, now_ns);
        if is_due {
            // The plan that is known may not be the one with which this call was performed.
            *self.plan.write().unwrap_or_else(PoisonError::into_inner) = None;
            self.due_ns.store(now_ns.saturating_add(INTERVAL_NS), Ordering::Relaxed);
        }
        let is_due = is_due || take_turn(&self.due_ns, now_ns);
        WatchedCall { plan: *self.plan.read().unwrap_or_else(PoisonError::into_inner), is_due }
    }
}

/// Returns true for one caller after the time has come, and sets the next time.
fn take_turn(due_ns: &AtomicU64, now_ns: u64) -> bool {
    let due = due_ns.load(Ordering::Relaxed);
    let next = now_ns.saturating_add(INTERVAL_NS);
    now_ns >= due && due_ns.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

/// Returns a text that lives as long as the process, so that recording it costs nothing. There are few plans, and each is
/// kept once.
fn interned(text: String) -> Option<&'static str> {
    static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = known.get(text.as_str()) {
        return Some(text);
    }
    if known.len() >= MAX_PLANS {
        return None;
    }
    let text: &'static str = text.leak();
    known.insert(text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use zerver_trace::PlanShape;

    use super::super::plan::PlanNode;
    use super::*;

    const MS: u64 = 1_000_000;
    const MINUTE: u64 = 60_000 * MS;

    fn plan(operation: &str) -> Plan {
        let node = PlanNode { operation: operation.to_owned(), ..PlanNode::default() };
        Plan { nodes: vec![node], ..Plan::default() }
    }

    #[test]
    fn a_plan_is_due_after_some_calls_then_once_an_hour_and_when_a_call_is_slow() {
        let watched = Watched::default();
        let due = |took_ns, now_ns| watched.note(took_ns, now_ns).is_due;
        assert_eq!([1, 2, 3, 4, 5, 6].map(|at| due(MS, at)), [false, false, false, false, true, false]);
        assert!(!due(9 * MS, MINUTE), "too short to matter");
        assert!(due(20 * MS, MINUTE), "slow");
        assert!(!due(20 * MS, 2 * MINUTE), "once an hour");
        assert!(!due(MS, 60 * MINUTE), "it was read one hour less one minute ago");
        assert!(due(MS, 61 * MINUTE));
        assert!(due(20 * MS, 61 * MINUTE), "slow, and not read because of that for an hour");
        assert!(!due(MS, 120 * MINUTE));
    }

    #[test]
    fn what_is_usual_follows_the_median() {
        let watched = Watched::default();
        for at in 0..500 {
            // One of ten calls takes 100 times as long.
            watched.note(if at % 10 == 0 { 200 * MS } else { 2 * MS }, at);
        }
        let usual = watched.usual_ns.load(Ordering::Relaxed);
        assert!((MS..4 * MS).contains(&usual), "{usual}");
        assert!(!watched.note(7 * MS, 1).is_due);
        // A statement that has become slow for good is no longer slow for its statement.
        for at in 0..200 {
            watched.note(200 * MS, at);
        }
        assert!(watched.usual_ns.load(Ordering::Relaxed) > 100 * MS);
    }

    #[test]
    fn the_plan_of_a_slow_call_is_unknown_until_it_was_read() {
        let watch = PlanWatch::new();
        let call = |ms| watch.note("select 1", Duration::from_millis(ms));
        (0..4).for_each(|_| assert_eq!(call(1), WatchedCall::default()));
        assert_eq!(call(1), WatchedCall { plan: None, is_due: true });
        watch.set_plan("select 1", &plan("Index Scan using t_pkey on t"));
        let known = call(1).plan.unwrap();
        assert_eq!(PlanShape::parse(known).unwrap().text, "Index Scan using t_pkey on t");
        assert_eq!(call(100), WatchedCall { plan: None, is_due: true });
        assert_eq!(call(1), WatchedCall::default());
        watch.set_plan("select 1", &plan("Seq Scan on t"));
        assert_eq!(PlanShape::parse(call(100).plan.unwrap()).unwrap().text, "Seq Scan on t");
        watch.postpone("select 1");
        assert!(call(1).is_due);
        // Equal plans are one text.
        watch.set_plan("select 1", &plan("Index Scan using t_pkey on t"));
        assert!(std::ptr::eq(call(1).plan.unwrap(), known));
    }

    #[test]
    fn the_number_of_statements_is_bounded() {
        let watch = PlanWatch::new();
        for at in 0..MAX_STATEMENTS + 10 {
            watch.note(&format!("select {at}"), Duration::ZERO);
        }
        assert_eq!(watch.statements.read().unwrap().len(), MAX_STATEMENTS);
        assert_eq!(watch.note("select 'one more'", Duration::ZERO), WatchedCall::default());
    }
}
