//! Performs the program of an effect as a state machine without I/O.
//!
//! Each part that progresses independently is a fiber. The result of a call moves only the fiber that waits for it, so
//! n calls cost n times as much as one. Fibers resemble futures, but each call that they wait for has a number and is
//! recorded, and only results move them.

use std::any::Any;
use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use super::attempt_end::{AttemptEnd, RetryVerdict};
use super::call::{Call, CallResult};
use super::composition::Effect;
use super::hedge::HedgedCalls;
use super::program::{Fiber, Op, OutputSink, Program, Registered, RepeatState, Resolver, State, Take};
use super::requested_call::RequestedCall;
use crate::{Failure, Random};

/// Number of operations to perform before the driver of the job can check the clock and let others run.
const QUANTUM: u32 = 256;

/// An effect that is being performed.
pub(crate) struct EffectMachine<T> {
    /// The first fiber performs the effect itself.
    fibers: SmallVec<[Fiber; 1]>,
    /// Indexes of unused fibers.
    free: Vec<u32>,
    /// Work that can be done now, the next item last.
    work: SmallVec<[Work; 2]>,
    /// For each call from `first_call` on, the fiber that waits for it.
    waiting: SmallVec<[Option<u32>; 2]>,
    first_call: u32,
    in_flight: usize,
    output: Output<T>,
    registered: Registered,
    notes: Vec<MachineNote>,
}

/// A change that the machine made by itself, for the trace and the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MachineNote {
    /// A call is no longer waited for, because another one has answered.
    Canceled(u32),
    /// The second call of a hedge answered first (true), or was canceled after it had begun.
    Hedged(u32, bool),
}

/// Output of the effect, once there is one.
struct Output<T> {
    take: Take<T>,
    value: Option<Result<T, Failure>>,
}

impl<T> OutputSink for Output<T> {
    fn put(&mut self, value: &mut dyn Any) {
        self.value = (self.take)(value);
    }
}

/// State of the job that the machine uses.
pub(crate) struct MachineContext<'a> {
    /// Number of the next call.
    pub(crate) next_call: &'a mut u32,
    /// Calls that the driver has to start.
    pub(crate) requested: &'a mut SmallVec<[RequestedCall; 2]>,
    pub(crate) random: Random,
    pub(crate) now_ns: u64,
}

/// Progress of a machine.
pub(crate) enum Progress<T> {
    /// The machine waits for calls.
    Waiting,
    /// The quantum is used up; the machine can go on.
    HasMore,
    /// The effect has this output.
    Ended(Result<T, Failure>),
}

/// An attempt of a call to be requested.
struct Attempt {
    call: Call,
    attempt: u16,
    /// Number of the call that was the first attempt. `None` if it is this one.
    first: Option<u32>,
    pause: Duration,
    is_hedge: bool,
}

enum Work {
    /// Performs the next operation of a fiber.
    Run(u32),
    /// Starts the program at this position of a fiber's group.
    StartMember(u32, usize),
}

impl<T> EffectMachine<T> {
    /// Creates a machine for a program whose output `take` takes. `next_call` is the number of its first call.
    #[inline(always)]
    pub(super) fn new(program: Program, take: Take<T>, next_call: u32) -> Self {
        let fiber = Fiber { program, ..Fiber::default() };
        Self {
            fibers: SmallVec::from_buf([fiber]),
            free: Vec::new(),
            work: SmallVec::from_iter([Work::Run(0)]),
            waiting: SmallVec::new(),
            first_call: next_call,
            in_flight: 0,
            output: Output { take, value: None },
            registered: Registered::default(),
            notes: Vec::new(),
        }
    }

    /// Returns the changes that the machine made by itself.
    pub(crate) fn take_notes(&mut self) -> Vec<MachineNote> {
        mem::take(&mut self.notes)
    }

    /// Creates a machine for an effect whose first call has this number.
    pub(crate) fn from_effect(effect: Effect<T>, next_call: u32) -> Self {
        effect.into_machine(next_call)
    }

    /// Returns true if this call is in flight.
    pub(crate) fn is_waiting_for(&self, number: u32) -> bool {
        self.waiter(number).is_some()
    }

    /// Returns true if the machine can go on without the result of a call.
    pub(crate) fn has_more(&self) -> bool {
        !self.work.is_empty()
    }

    /// Returns true if any call is in flight.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.in_flight > 0
    }

    /// Returns the numbers of the calls in flight.
    pub(crate) fn calls_in_flight(&self) -> impl Iterator<Item = u32> {
        let in_flight = |(at, waiter): (usize, &Option<u32>)| waiter.map(|_| self.first_call + at as u32);
        self.waiting.iter().enumerate().filter_map(in_flight)
    }

    fn waiter(&self, number: u32) -> Option<u32> {
        *self.waiting.get(number.checked_sub(self.first_call)? as usize)?
    }

    /// Takes in the result of a call. `decide` decides about another attempt.
    pub(crate) fn complete(
        &mut self,
        number: u32,
        result: &CallResult,
        context: &mut MachineContext<'_>,
        decide: &mut dyn FnMut(&AttemptEnd<'_>) -> RetryVerdict,
    ) {
        let Some(id) = self.waiter(number) else { return };
        self.forget(number);
        let State::Call(op, _, mut repeat) = mem::take(&mut self.fibers[id as usize].state) else { return };
        if let Some(HedgedCalls { first, second, second_ns }) =
            repeat.as_mut().and_then(|repeat| repeat.hedged.take())
        {
            let other = if number == first { second } else { first };
            let are_both_running = number == second || context.now_ns >= second_ns;
            if are_both_running && op.is_bad(result) {
                self.fibers[id as usize].state = State::Call(op, other, repeat);
                return;
            }
            self.cancel_call(other);
            if are_both_running {
                self.notes.push(MachineNote::Hedged(second, number == second));
            } else if let Some(repeat) = &mut repeat {
                // The second attempt was never made.
                repeat.attempt = 1;
            }
        }
        let attempt = repeat.as_ref().map_or(1, |repeat| repeat.attempt);
        let policy = repeat.as_ref().and_then(|repeat| repeat.retry.as_ref());
        let own_pause = policy
            .filter(|policy| op.should_retry(policy, attempt, result))
            .map(|policy| policy.pause_after(attempt, *context.next_call, context.random));
        let deadline_ns = self.deadline_ns(id);
        let verdict = decide(&AttemptEnd {
            attempt,
            result,
            has_own_policy: policy.is_some(),
            own_pause,
            deadline_ns,
            next_call: *context.next_call,
            random: context.random,
        });
        let again = match verdict {
            RetryVerdict::Own => repeat.zip(own_pause),
            RetryVerdict::Stop => None,
            RetryVerdict::After(pause) => {
                repeat.filter(|_| own_pause.is_some()).map(|repeat| (repeat, pause))
            }
            RetryVerdict::Again(call, pause) => {
                let first_attempt =
                    || Box::new(RepeatState { call, retry: None, attempt, first: number, hedged: None });
                Some((repeat.unwrap_or_else(first_attempt), pause))
            }
        };
        if let Some((mut repeat, pause)) = again {
            let starts_ns = context.now_ns.saturating_add(nanos(pause));
            if deadline_ns.is_none_or(|deadline_ns| starts_ns < deadline_ns) {
                repeat.attempt = repeat.attempt.saturating_add(1);
                let (call, attempt, first) = (repeat.call.clone(), repeat.attempt, Some(repeat.first));
                let number =
                    self.request(id, Attempt { call, attempt, first, pause, is_hedge: false }, context);
                self.fibers[id as usize].state = State::Call(op, number, Some(repeat));
                return;
            }
        }
        self.fibers[id as usize].last_call = Some((number, op.kind()));
        self.resolve(id, |resolver| op.finish(number, result, resolver));
    }

    /// Takes what has been registered since the last time.
    pub(crate) fn take_registered(&mut self) -> Registered {
        mem::take(&mut self.registered)
    }

    /// Stops waiting for a call.
    fn forget(&mut self, number: u32) {
        self.waiting[(number - self.first_call) as usize] = None;
        self.in_flight -= 1;
    }

    fn cancel_call(&mut self, number: u32) {
        if self.waiter(number).is_some() {
            self.forget(number);
            self.notes.push(MachineNote::Canceled(number));
        }
    }

    /// Ends the members of a group whose outputs no longer matter, and everything that they consist of.
    fn cancel_members(&mut self, group: u32, members: Vec<u32>) {
        let mut left: Vec<(u32, u32)> = members.into_iter().map(|member| (member, group)).collect();
        self.work.retain(|work| !matches!(work, Work::StartMember(id, _) if *id == group));
        while let Some((id, group)) = left.pop() {
            // Fibers are used again: this one may have ended, and belong to another group now.
            if self.fibers[id as usize].parent.is_none_or(|(parent, _)| parent != group) {
                continue;
            }
            match mem::take(&mut self.fibers[id as usize]).state {
                State::Call(_, number, repeat) => {
                    self.cancel_call(number);
                    if let Some(hedged) = repeat.and_then(|repeat| repeat.hedged) {
                        self.cancel_call(hedged.first);
                        self.cancel_call(hedged.second);
                    }
                }
                State::Group(_, _, members) => left.extend(members.into_iter().map(|member| (member, id))),
                State::Start | State::Value(_) => {}
            }
            self.work.retain(|work| match work {
                Work::Run(other) | Work::StartMember(other, _) => *other != id,
            });
            self.free.push(id);
        }
    }

    /// Performs operations until the quantum is used up, the machine waits, or the effect ends.
    pub(crate) fn advance(&mut self, context: &mut MachineContext<'_>) -> Progress<T> {
        let mut left = QUANTUM;
        while let Some(work) = self.work.pop() {
            if left == 0 {
                self.work.push(work);
                return Progress::HasMore;
            }
            left -= 1;
            match work {
                Work::Run(id) => self.run(id, context),
                Work::StartMember(id, at) => self.start_member(id, at),
            }
        }
        match self.output.value.take() {
            Some(output) => Progress::Ended(output),
            None => Progress::Waiting,
        }
    }

    /// Performs the next operation of a fiber.
    fn run(&mut self, id: u32, context: &mut MachineContext<'_>) {
        let fiber = &mut self.fibers[id as usize];
        match mem::take(&mut fiber.state) {
            State::Start => match fiber.program.next() {
                Some(Op::Call(mut op)) => {
                    let Some(call) = op.take() else { return };
                    let scope = fiber.scopes.current();
                    let retry = scope.and_then(|scope| scope.retry.as_ref());
                    let retry = retry.filter(|policy| policy.applies_to(&call)).cloned();
                    let hedge = scope.and_then(|scope| scope.hedge).filter(|_| call.is_safe());
                    let repeat = (retry.is_some() || hedge.is_some()).then(|| {
                        let (call, first) = (call.clone(), *context.next_call);
                        Box::new(RepeatState { call, retry, attempt: 1, first, hedged: None })
                    });
                    let (pause, first) = (Duration::ZERO, None);
                    let number = self.request(
                        id,
                        Attempt { call, attempt: 1, first, pause, is_hedge: false },
                        context,
                    );
                    self.fibers[id as usize].state = State::Call(op, number, repeat);
                    if let Some(hedge) = hedge {
                        self.hedge(id, number, hedge.after, context);
                    }
                }
                Some(Op::Group(group)) => {
                    let len = group.len();
                    fiber.is_cancellable |= group.ends_early();
                    fiber.state = State::Group(group, len, Vec::new());
                    self.work.push(if len == 0 { Work::Run(id) } else { Work::StartMember(id, 0) });
                }
                Some(Op::Ready(function)) => self.resolve(id, |resolver| {
                    function.run(&mut Some(Ok::<(), Failure>(())), resolver);
                }),
                Some(Op::Begin(option)) => {
                    fiber.scopes.begin(*option, context.now_ns);
                    self.work.push(Work::Run(id));
                }
                // An operation that needs a value always follows one that produces it.
                Some(Op::Then(_) | Op::End) | None => {}
            },
            State::Value(mut value) => {
                if let Some(Op::Then(function)) = fiber.program.next() {
                    self.resolve(id, |resolver| function.run(&mut *value, resolver));
                }
            }
            State::Group(group, 0, members) => {
                if !members.is_empty() && group.ends_early() {
                    self.cancel_members(id, members);
                }
                self.resolve(id, |resolver| group.finish(resolver));
            }
            state @ (State::Call(..) | State::Group(..)) => fiber.state = state,
        }
    }

    /// Starts one program of a group. The others follow in order.
    fn start_member(&mut self, id: u32, at: usize) {
        let next_id = self.free.last().copied().unwrap_or(self.fibers.len() as u32);
        let fiber = &mut self.fibers[id as usize];
        let State::Group(group, _, members) = &mut fiber.state else { return };
        let (program, is_last) = (group.program(at), at + 1 == group.len());
        let is_cancellable = fiber.is_cancellable;
        if is_cancellable {
            members.push(next_id);
        }
        let fiber = &self.fibers[id as usize];
        let member = Fiber {
            program,
            scopes: fiber.scopes.for_member(),
            parent: Some((id, at)),
            is_cancellable,
            ..Fiber::default()
        };
        if !is_last {
            self.work.push(Work::StartMember(id, at + 1));
        }
        let member_id = match self.free.pop() {
            Some(free) => {
                self.fibers[free as usize] = member;
                free
            }
            None => {
                self.fibers.push(member);
                (self.fibers.len() - 1) as u32
            }
        };
        self.work.push(Work::Run(member_id));
    }

    fn deadline_ns(&self, id: u32) -> Option<u64> {
        self.fibers[id as usize].scopes.current()?.deadline_ns
    }

    /// Requests a call for a fiber, and returns its number.
    fn request(&mut self, id: u32, attempt: Attempt, context: &mut MachineContext<'_>) -> u32 {
        let Attempt { call, attempt, first, pause, is_hedge } = attempt;
        let scope = self.fibers[id as usize].scopes.current();
        let (call, deadline_ns) = match scope {
            Some(scope) => (call.within(scope.timeout), scope.deadline_ns),
            None => (call, None),
        };
        let number = *context.next_call;
        *context.next_call += 1;
        self.waiting.push(Some(id));
        self.in_flight += 1;
        let first = first.unwrap_or(number);
        context.requested.push(RequestedCall { number, call, attempt, first, pause, is_hedge, deadline_ns });
        number
    }

    /// Requests the second call of a hedge, unless the first has no time to answer later.
    fn hedge(&mut self, id: u32, first: u32, after: Duration, context: &mut MachineContext<'_>) {
        let second_ns = context.now_ns.saturating_add(nanos(after));
        if self.deadline_ns(id).is_some_and(|deadline_ns| second_ns >= deadline_ns) {
            return;
        }
        let State::Call(_, _, Some(repeat)) = &mut self.fibers[id as usize].state else { return };
        repeat.attempt = 2;
        let call = repeat.call.clone();
        let attempt = Attempt { call, attempt: 2, first: Some(first), pause: after, is_hedge: true };
        let second = self.request(id, attempt, context);
        if let State::Call(_, _, Some(repeat)) = &mut self.fibers[id as usize].state {
            repeat.hedged = Some(HedgedCalls { first, second, second_ns });
        }
    }

    /// Runs a function of a fiber, and schedules the work that follows from its result.
    fn resolve(&mut self, id: u32, f: impl FnOnce(&mut Resolver<'_>)) {
        let mut resolver = Resolver {
            fibers: &mut self.fibers,
            id,
            output: &mut self.output,
            registered: &mut self.registered,
            nested_calls: 0,
            is_over: false,
            finished_group: None,
        };
        f(&mut resolver);
        let Resolver { is_over, finished_group, .. } = resolver;
        if !is_over {
            self.work.push(Work::Run(id));
        } else if id > 0 {
            self.fibers[id as usize] = Fiber::default();
            self.free.push(id);
            self.work.extend(finished_group.map(Work::Run));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
