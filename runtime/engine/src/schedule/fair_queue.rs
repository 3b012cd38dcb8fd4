//! Scheduling policy of one run queue: three classes, and which request goes next. It has no clock and knows no
//! request; the caller keeps those by ticket.

use zerver_trace::Class;

use super::SchedulingSettings;
use super::class_queue::{ClassQueue, Entry, Order};
use super::settings::CLASSES;

/// Largest credit of a class that is passed over, in quanta of that class.
const MAX_CREDIT_QUANTA: u64 = 4;

/// The requests that wait on one worker, in the order in which the policy lets them run.
///
/// The most urgent class goes first. A class that is passed over earns its share of the time that other classes run,
/// and goes first once it has earned a quantum, so that no class starves. Within a class, flows take turns.
///
/// Only a request that has not run a step may be shed: on arrival if the queue of its class is full, and later if it
/// has waited for too long. The limit is the target of its class if the queue has not been empty for an interval, and
/// the interval if it has. A queue that only absorbs bursts therefore sheds nothing, and a standing queue is kept as
/// short as the target (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012; this variant, which
/// serves the newest first during a standing queue, is Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
#[derive(Debug)]
pub struct FairQueue {
    settings: SchedulingSettings,
    queues: [ClassQueue; 3],
    /// Run time that each class has earned while it was passed over.
    earned_ns: [u64; 3],
    next_ticket: u64,
    counts: [QueueCounts; 3],
    /// Earliest end of the current overload of each class.
    overloaded_until_ns: [u64; 3],
}

/// Identifies one wait of one request in a [`FairQueue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Class in whose queue the request waits.
    pub class: Class,
    /// Number of its flow.
    pub flow: u16,
    number: u64,
}

/// A request that left the queue because its turn came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Ticket of the request.
    pub ticket: Ticket,
    /// Time that it has waited, in nanoseconds.
    pub waited_ns: u64,
    /// `Ok` if it runs now, `Err` if it is shed.
    pub verdict: Result<(), Shed>,
}

/// A request that the policy refuses to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// Class in whose queue the request waited, or would have waited.
    pub class: Class,
    /// Reason.
    pub reason: ShedReason,
}

/// Reason why a request is shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShedReason {
    /// The queue of its class was full.
    QueueFull,
    /// The request waited for too long.
    WaitedTooLong,
}

/// Counters of one class of a [`FairQueue`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Requests that were queued.
    pub queued: u64,
    /// Requests that ran after waiting.
    pub ran: u64,
    /// Sum of the waits of those that ran, in nanoseconds.
    pub waited_ns: u64,
    /// Requests that ran before a more urgent class, because their own had been passed over for long.
    pub aged: u64,
    /// Requests that were shed because the queue was full.
    pub shed_queue_full: u64,
    /// Requests that were shed because they had waited for too long.
    pub shed_waited_too_long: u64,
    /// Requests that an idle worker took over.
    pub stolen: u64,
    /// Requests that were removed while they waited, for example because the client left.
    pub left: u64,
}

impl Shed {
    /// Returns the class in which the request may be queued instead: a default request may still run as a batch
    /// request.
    pub const fn fallback_class(self) -> Option<Class> {
        match self.class {
            Class::Default => Some(Class::Batch),
            Class::Interactive | Class::Batch => None,
        }
    }
}

impl ShedReason {
    /// Returns the reason as it is recorded in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue full",
            Self::WaitedTooLong => "waited too long",
        }
    }
}

impl FairQueue {
    /// Creates an empty queue.
    pub fn new(settings: SchedulingSettings) -> Self {
        Self {
            settings,
            queues: <[ClassQueue; 3]>::default(),
            earned_ns: [0; 3],
            next_ticket: 0,
            counts: [QueueCounts::default(); 3],
            overloaded_until_ns: [0; 3],
        }
    }

    /// Replaces the settings. Requests that are queued already stay queued.
    pub fn set_settings(&mut self, settings: SchedulingSettings) {
        self.settings = settings;
    }

    /// Returns true if no request is queued.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.len() == 0)
    }

    /// Returns the number of queued requests of a class.
    pub const fn len(&self, class: Class) -> usize {
        self.queues[class as usize].len()
    }

    /// Returns the counters of a class.
    pub const fn counts(&self, class: Class) -> QueueCounts {
        self.counts[class as usize]
    }

    /// Queues a request that has not run a step.
    ///
    /// # Errors
    /// If the queue of its class is full.
    pub fn admit(&mut self, class: Class, flow: u16, now_ns: u64) -> Result<Ticket, Shed> {
        if self.len(class) >= self.settings.class(class).queue {
            self.counts[class as usize].shed_queue_full += 1;
            return Err(Shed { class, reason: ShedReason::QueueFull });
        }
        Ok(self.push(class, flow, now_ns, true))
    }

    /// Queues a request that has run before: it has used up its quantum, or its effects have completed. It is never
    /// shed.
    pub fn requeue(&mut self, class: Class, flow: u16, now_ns: u64) -> Ticket {
        self.push(class, flow, now_ns, false)
    }

    /// Removes a request that is no longer to run, for example because the client left. Returns false if it was not
    /// queued.
    pub fn remove(&mut self, ticket: Ticket, now_ns: u64) -> bool {
        let class = ticket.class as usize;
        let is_removed = self.queues[class].remove(ticket.flow, ticket.number, now_ns);
        self.counts[class].left += u64::from(is_removed);
        is_removed
    }

    /// Removes the request whose turn it is; the result tells whether it runs or is shed.
    pub fn pop(&mut self, now_ns: u64) -> Option<Turn> {
        let (class, is_aged) = self.next_class()?;
        let set = *self.settings.class(class);
        let at = class as usize;
        let is_still_overloaded = self.overloaded_until_ns[at] > now_ns;
        let is_overloaded = is_still_overloaded || self.queues[at].busy_ns(now_ns) > set.interval_ns;
        let patience_ns = if is_overloaded { set.target_ns } else { set.interval_ns };
        let late = self.queues[at].pop_late(patience_ns, now_ns);
        let is_late = late.is_some();
        let order = self.order(class, now_ns);
        let (flow, entry) = late.or_else(|| self.queues[at].pop(order, set.quantum_ns, now_ns))?;
        if self.queues[at].len() == 0 {
            self.earned_ns[at] = 0;
        }
        let waited_ns = now_ns.saturating_sub(entry.since_ns);
        let counts = &mut self.counts[at];
        if is_late {
            // An overload lasts until nothing has been shed for an interval. Without this rule each moment at which
            // shedding empties the queue would let the next requests wait for a whole interval again.
            self.overloaded_until_ns[at] = now_ns.saturating_add(set.interval_ns);
            counts.shed_waited_too_long += 1;
        } else {
            counts.ran += 1;
            counts.waited_ns = counts.waited_ns.saturating_add(waited_ns);
            counts.aged += u64::from(is_aged);
        }
        let ticket = Ticket { class, flow, number: entry.ticket };
        let verdict = if is_late { Err(Shed { class, reason: ShedReason::WaitedTooLong }) } else { Ok(()) };
        Some(Turn { ticket, waited_ns, verdict })
    }

    /// Returns the order within a flow. Once a request has waited for two thirds of the target, the newest go first:
    /// most requests are then served at once, and if the queue drains soon, the older ones still follow. Batch keeps
    /// its order, because no user waits for it.
    fn order(&self, class: Class, now_ns: u64) -> Order {
        let is_slow =
            self.queues[class as usize].oldest_ns(now_ns) > self.settings.class(class).target_ns / 3 * 2;
        if is_slow && class != Class::Batch { Order::Newest } else { Order::Oldest }
    }

    /// Returns the longest wait of any queued request that has not run a step, in nanoseconds.
    pub fn longest_wait_ns(&self, now_ns: u64) -> u64 {
        self.queues.iter().map(|queue| queue.oldest_ns(now_ns)).max().unwrap_or(0)
    }

    /// Returns true if another worker could take over a queued request: one that has not run a step.
    pub fn has_stealable(&self) -> bool {
        self.queues.iter().any(ClassQueue::has_new)
    }

    /// Returns the time since the queue of a class was last empty, in nanoseconds.
    pub const fn busy_ns(&self, class: Class, now_ns: u64) -> u64 {
        if self.len(class) == 0 { 0 } else { self.queues[class as usize].busy_ns(now_ns) }
    }

    /// Removes the most urgent request that another worker can take over.
    pub fn steal(&mut self, now_ns: u64) -> Option<Ticket> {
        let steal = |class: Class| Some((class, self.queues[class as usize].steal(now_ns)?));
        let (class, (flow, entry)) = CLASSES.into_iter().find_map(steal)?;
        self.was_stolen(class);
        Some(Ticket { class, flow, number: entry.ticket })
    }

    /// Removes a request that another worker has already taken over.
    pub fn remove_stolen(&mut self, ticket: Ticket, now_ns: u64) {
        if self.queues[ticket.class as usize].remove(ticket.flow, ticket.number, now_ns) {
            self.was_stolen(ticket.class);
        }
    }

    const fn was_stolen(&mut self, class: Class) {
        if self.len(class) == 0 {
            self.earned_ns[class as usize] = 0;
        }
        self.counts[class as usize].stolen += 1;
    }

    /// Charges a flow and its class for a request that ran for `ran_ns`, also if it had not been queued.
    pub fn charge(&mut self, class: Class, flow: u16, ran_ns: u64) {
        let at = class as usize;
        self.queues[at].charge(flow, ran_ns, self.settings.class(class).quantum_ns);
        self.earned_ns[at] = self.earned_ns[at].saturating_sub(ran_ns);
        for other in CLASSES {
            let set = self.settings.class(other);
            if other != class && self.queues[other as usize].len() > 0 {
                let earned = &mut self.earned_ns[other as usize];
                let share_ns = ran_ns.saturating_mul(u64::from(set.share)) / 1000;
                *earned =
                    earned.saturating_add(share_ns).min(set.quantum_ns.saturating_mul(MAX_CREDIT_QUANTA));
            }
        }
    }

    /// Returns the class that goes next, and true if it goes before a more urgent one because it was passed over for
    /// long.
    fn next_class(&self) -> Option<(Class, bool)> {
        let is_waiting = |class: &Class| self.queues[*class as usize].len() > 0;
        let first = CLASSES.into_iter().find(is_waiting)?;
        let has_earned = |class: &Class| {
            is_waiting(class) && self.earned_ns[*class as usize] >= self.settings.class(*class).quantum_ns
        };
        let aged = CLASSES.into_iter().rev().find(has_earned);
        Some((aged.unwrap_or(first), aged.is_some_and(|aged| aged != first)))
    }

    fn push(&mut self, class: Class, flow: u16, now_ns: u64, is_new: bool) -> Ticket {
        let number = self.next_ticket;
        self.next_ticket += 1;
        self.counts[class as usize].queued += 1;
        self.queues[class as usize].push(flow, Entry { ticket: number, since_ns: now_ns }, is_new);
        Ticket { class, flow, number }
    }
}
