//! What could run on one worker: three queues, and whose turn it is.

use zerver_trace::Class;

use super::Scheduling;
use super::class_queue::{Entry, Order, Queue};
use super::settings::CLASSES;

/// A class that was passed over saves up no more than so many of its quanta.
const SAVED_QUANTA: u64 = 4;

/// The requests that wait on one worker.
///
/// The most urgent class goes first. A class that is passed over earns its share of what the others run, and goes first
/// once it has earned a quantum: nobody starves. Within a class flows take turns.
///
/// A request that has run no step yet may be sent away, never a later one. A new one is, when its class's queue is full,
/// or when it has waited too long: for the target where the queue has not been empty for an interval, and for the
/// interval otherwise. So a queue that only takes up bursts sheds nothing, and a standing one is kept as short as the
/// target (Nichols and Jacobson, "Controlling Queue Delay", ACM Queue 10(5), 2012; in this form, and with the newest first
/// where a queue stands, Maurer, "Fail at Scale", ACM Queue 13(8), 2015).
#[derive(Debug)]
pub struct Ready {
    settings: Scheduling,
    queues: [Queue; 3],
    /// What each class has earned while it was passed over.
    earned_ns: [u64; 3],
    next_ticket: u64,
    counts: [Counts; 3],
    /// Until when an overload goes on at least.
    late_until_ns: [u64; 3],
}

/// Names one that waits; each wait has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The class in whose queue it waits.
    pub class: Class,
    /// Its flow.
    pub flow: u16,
    number: u64,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which one.
    pub ticket: Ticket,
    /// How long it has waited, in nanoseconds.
    pub waited_ns: u64,
    /// Whether it is to run; if not, it is sent away.
    pub goes: Result<(), Refused>,
}

/// It may not wait here any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The class it was refused in.
    pub class: Class,
    /// Why.
    pub why: Why,
}

/// Why one may not wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its queue is full.
    Full,
    /// It has waited too long.
    Late,
}

/// What has become of the requests of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Had to wait.
    pub queued: u64,
    /// Got their turn.
    pub ran: u64,
    /// How long those that got it had waited, all together, in nanoseconds.
    pub waited_ns: u64,
    /// Got it before a more urgent class, so as not to starve.
    pub aged: u64,
    /// Refused because the queue was full.
    pub full: u64,
    /// Refused because they had waited too long.
    pub late: u64,
    /// Went to another worker, which had nothing to do.
    pub stolen: u64,
    /// Left while they waited.
    pub left: u64,
}

impl Refused {
    /// Where it may try instead: a default request can still be done as a batch one.
    pub const fn instead(self) -> Option<Class> {
        match self.class {
            Class::Default => Some(Class::Batch),
            Class::Interactive | Class::Batch => None,
        }
    }
}

impl Why {
    /// The word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "queue full",
            Self::Late => "waited too long",
        }
    }
}

impl Ready {
    /// Nobody waits.
    pub fn new(settings: Scheduling) -> Self {
        Self {
            settings,
            queues: <[Queue; 3]>::default(),
            earned_ns: [0; 3],
            next_ticket: 0,
            counts: [Counts::default(); 3],
            late_until_ns: [0; 3],
        }
    }

    /// Other settings, from now on. Who waits already goes on to wait.
    pub fn retune(&mut self, settings: Scheduling) {
        self.settings = settings;
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(|queue| queue.len() == 0)
    }

    /// How many of a class wait.
    pub const fn len(&self, class: Class) -> usize {
        self.queues[class as usize].len()
    }

    /// What has become of a class.
    pub const fn counts(&self, class: Class) -> Counts {
        self.counts[class as usize]
    }

    /// A new request that cannot run at once.
    ///
    /// # Errors
    /// When it may not wait.
    pub fn enter(&mut self, class: Class, flow: u16, now_ns: u64) -> Result<Ticket, Refused> {
        if self.len(class) >= self.settings.class(class).queue {
            self.counts[class as usize].full += 1;
            return Err(Refused { class, why: Why::Full });
        }
        Ok(self.push(class, flow, now_ns, true))
    }

    /// One that has run before: it has used up its quantum, or its effects have ended. It is never sent away.
    pub fn enter_again(&mut self, class: Class, flow: u16, now_ns: u64) -> Ticket {
        self.push(class, flow, now_ns, false)
    }

    /// One that waits is no longer wanted. Whether it waited.
    pub fn leave(&mut self, ticket: Ticket, now_ns: u64) -> bool {
        let class = ticket.class as usize;
        let left = self.queues[class].remove(ticket.flow, ticket.number, now_ns);
        self.counts[class].left += u64::from(left);
        left
    }

    /// Whose turn it is, and whether that one goes. It waits no longer in either case.
    pub fn next(&mut self, now_ns: u64) -> Option<Turn> {
        let (class, is_aged) = self.class_of_next()?;
        let set = *self.settings.class(class);
        let at = class as usize;
        let goes_on = self.late_until_ns[at] > now_ns;
        let is_overloaded = goes_on || self.queues[at].busy_ns(now_ns) > set.interval_ns;
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
            // An overload goes on until nobody had to be sent away for an interval; else each time that it has emptied
            // the queue, those who come next would wait for an interval again.
            self.late_until_ns[at] = now_ns.saturating_add(set.interval_ns);
            counts.late += 1;
        } else {
            counts.ran += 1;
            counts.waited_ns = counts.waited_ns.saturating_add(waited_ns);
            counts.aged += u64::from(is_aged);
        }
        let ticket = Ticket { class, flow, number: entry.ticket };
        let goes = if is_late { Err(Refused { class, why: Why::Late }) } else { Ok(()) };
        Some(Turn { ticket, waited_ns, goes })
    }

    /// Once somebody has waited for two thirds of the target, those go first who have not waited yet: most are served at once,
    /// and a queue that is over soon serves the others after them. Nobody waits for batch, so it keeps its order.
    fn order(&self, class: Class, now_ns: u64) -> Order {
        let is_slow =
            self.queues[class as usize].oldest_ns(now_ns) > self.settings.class(class).target_ns / 3 * 2;
        if is_slow && class != Class::Batch { Order::Newest } else { Order::Oldest }
    }

    /// For how long the one that waits longest has.
    pub fn longest_ns(&self, now_ns: u64) -> u64 {
        self.queues.iter().map(|queue| queue.oldest_ns(now_ns)).max().unwrap_or(0)
    }

    /// Whether there is one that another worker can run: it has run no step yet.
    pub fn has_new(&self) -> bool {
        self.queues.iter().any(Queue::has_new)
    }

    /// For how long some of a class have always waited.
    pub const fn busy_ns(&self, class: Class, now_ns: u64) -> u64 {
        if self.len(class) == 0 { 0 } else { self.queues[class as usize].busy_ns(now_ns) }
    }

    /// The most urgent one that another worker can run. It waits here no longer.
    pub fn steal(&mut self, now_ns: u64) -> Option<Ticket> {
        let steal = |class: Class| Some((class, self.queues[class as usize].steal(now_ns)?));
        let (class, (flow, entry)) = CLASSES.into_iter().find_map(steal)?;
        self.went(class);
        Some(Ticket { class, flow, number: entry.ticket })
    }

    /// Another worker has taken this one. It waits here no longer.
    pub fn taken(&mut self, ticket: Ticket, now_ns: u64) {
        if self.queues[ticket.class as usize].remove(ticket.flow, ticket.number, now_ns) {
            self.went(ticket.class);
        }
    }

    /// One of a class went to another worker.
    const fn went(&mut self, class: Class) {
        if self.len(class) == 0 {
            self.earned_ns[class as usize] = 0;
        }
        self.counts[class as usize].stolen += 1;
    }

    /// One has run for so long, whether it had waited or not.
    pub fn ran(&mut self, class: Class, flow: u16, ran_ns: u64) {
        let at = class as usize;
        self.queues[at].charge(flow, ran_ns, self.settings.class(class).quantum_ns);
        self.earned_ns[at] = self.earned_ns[at].saturating_sub(ran_ns);
        for other in CLASSES {
            let set = self.settings.class(other);
            if other != class && self.queues[other as usize].len() > 0 {
                let earned = &mut self.earned_ns[other as usize];
                let share_ns = ran_ns.saturating_mul(u64::from(set.share)) / 1000;
                *earned = earned.saturating_add(share_ns).min(set.quantum_ns.saturating_mul(SAVED_QUANTA));
            }
        }
    }

    /// The class whose turn it is, and whether that is because it was passed over for long.
    fn class_of_next(&self) -> Option<(Class, bool)> {
        let waits = |class: &Class| self.queues[*class as usize].len() > 0;
        let first = CLASSES.into_iter().find(waits)?;
        let has_earned = |class: &Class| {
            waits(class) && self.earned_ns[*class as usize] >= self.settings.class(*class).quantum_ns
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
