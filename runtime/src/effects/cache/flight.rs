//! Requests that want the same value at the same time: one of them obtains it, and the others wait for it.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::operation::SharedFailure;
use crate::effects::kv::{Key, Stored};

/// Number of shards. Large enough that workers rarely contend for the same one.
const SHARDS: usize = 16;

/// The values that are being obtained.
#[derive(Default)]
pub(super) struct Flights([Mutex<HashMap<Key, Waiters>>; SHARDS]);

/// Requests that wait for a value, in the order of their arrival.
type Waiters = VecDeque<oneshot::Sender<Landing>>;

/// Message to a request that waits.
pub(super) enum Landing {
    /// The value.
    Value(Stored),
    /// The request that was obtaining the value failed.
    Failed(SharedFailure),
    /// The request that was obtaining the value gave up. This one takes over.
    Lead(Leader),
}

/// The part of a request in obtaining a value.
pub(super) enum Part {
    /// The request obtains it.
    Lead(Leader),
    /// The request waits for another one.
    Wait(oneshot::Receiver<Landing>),
}

/// The right and the duty of one request to obtain a value. If it is dropped before the value is there, because its request
/// has ended, the next request that waits takes over.
pub(super) struct Leader {
    flights: Arc<Flights>,
    /// `None` once the others know the result.
    key: Option<Key>,
}

impl Flights {
    /// Joins the requests that want this value.
    pub(super) fn join(self: &Arc<Self>, key: &Key) -> Part {
        match self.lock(key).entry(key.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(Waiters::new());
                Part::Lead(Leader { flights: Arc::clone(self), key: Some(key.clone()) })
            }
            Entry::Occupied(mut entry) => {
                let (sender, receiver) = oneshot::channel();
                // Those that have stopped waiting are not kept for long.
                if entry.get().front().is_some_and(oneshot::Sender::is_closed) {
                    entry.get_mut().retain(|sender| !sender.is_closed());
                }
                entry.get_mut().push_back(sender);
                Part::Wait(receiver)
            }
        }
    }

    fn lock(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Waiters>> {
        let shard = xxh3_64(key.as_bytes()) as usize % SHARDS;
        self.0[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.lock().unwrap().len()).sum()
    }
}

impl Leader {
    /// Gives the value to all requests that wait.
    pub(super) fn land(self, value: &Stored) {
        self.tell(|| Landing::Value(value.clone()));
    }

    /// Tells all requests that wait that the value could not be obtained.
    pub(super) fn fail(self, failure: &SharedFailure) {
        self.tell(|| Landing::Failed(failure.clone()));
    }

    fn tell(mut self, landing: impl Fn() -> Landing) {
        let waiters = self.key.take().and_then(|key| self.flights.lock(&key).remove(&key));
        for waiter in waiters.into_iter().flatten() {
            let _ = waiter.send(landing());
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        let Some(key) = self.key.take() else { return };
        let next = {
            let mut flights = self.flights.lock(&key);
            let next = flights.get_mut(&key).and_then(|waiters| {
                std::iter::from_fn(|| waiters.pop_front()).find(|waiter| !waiter.is_closed())
            });
            if next.is_none() {
                flights.remove(&key);
            }
            next
        };
        if let Some(next) = next {
            // If that request has ended meanwhile, the leader comes back and is dropped, which passes it on.
            let _ = next.send(Landing::Lead(Self { flights: Arc::clone(&self.flights), key: Some(key) }));
        }
    }
}

/// A leader in an operation or an answer, from which the only one to use it takes it. What was recorded has none.
#[derive(Clone, Default)]
pub struct Lease(Option<Arc<Mutex<Option<Leader>>>>);

impl Lease {
    /// Returns a lease without the right to obtain a value. It is for tests and for what was recorded.
    pub const fn none() -> Self {
        Self(None)
    }

    pub(super) fn new(leader: Leader) -> Self {
        Self(Some(Arc::new(Mutex::new(Some(leader)))))
    }

    pub(super) fn take(&self) -> Option<Leader> {
        self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}

#[cfg(test)]
mod tests {
    use zerver_engine::Failure;

    use super::*;

    fn leader(part: Part) -> Leader {
        match part {
            Part::Lead(leader) => leader,
            Part::Wait(_) => panic!("another request is the leader"),
        }
    }

    fn waiter(part: Part) -> oneshot::Receiver<Landing> {
        match part {
            Part::Wait(receiver) => receiver,
            Part::Lead(_) => panic!("nothing to wait for"),
        }
    }

    #[test]
    fn one_request_leads_and_the_others_get_its_value() {
        let (flights, key) = (Arc::new(Flights::default()), Key::from("a"));
        let leader = leader(flights.join(&key));
        let mut waiters: Vec<_> = (0..3).map(|_| waiter(flights.join(&key))).collect();
        assert!(matches!(flights.join(&Key::from("b")), Part::Lead(_)), "another key");
        leader.land(&Stored::new(7));
        for waiter in &mut waiters {
            assert!(matches!(waiter.try_recv(), Ok(Landing::Value(value)) if value.get::<i32>() == Ok(7)));
        }
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_leader_that_gives_up_hands_over_to_the_first_that_still_waits() {
        let (flights, key) = (Arc::new(Flights::default()), Key::from("a"));
        let first = leader(flights.join(&key));
        let gone = waiter(flights.join(&key));
        let (mut second, mut third) = (waiter(flights.join(&key)), waiter(flights.join(&key)));
        drop((gone, first));
        let Ok(Landing::Lead(next)) = second.try_recv() else { panic!("the second request does not lead") };
        assert!(third.try_recv().is_err());
        next.fail(&SharedFailure::of(&Failure::unavailable("x")));
        assert!(matches!(third.try_recv(), Ok(Landing::Failed(_))));
        drop(leader(flights.join(&key)));
        assert_eq!(flights.len(), 0);
    }

    #[test]
    fn a_request_that_ends_as_it_is_made_the_leader_passes_it_on() {
        let (flights, key) = (Arc::new(Flights::default()), Key::from("a"));
        let first = leader(flights.join(&key));
        let (second, mut third) = (waiter(flights.join(&key)), waiter(flights.join(&key)));
        drop(first);
        // The second has been made the leader, and has not looked yet.
        drop(second);
        assert!(matches!(third.try_recv(), Ok(Landing::Lead(_))));
        assert_eq!(flights.len(), 0, "nobody is left");
    }
}
