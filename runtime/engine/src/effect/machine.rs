//! Performs the program of an effect as a state machine without I/O.
//!
//! Each part that progresses independently is a fiber. The result of a call moves only the fiber that waits for it, so
//! n calls cost n times as much as one. Fibers resemble futures, but each call that they wait for has a number and is
//! recorded, and only results move them.

use std::any::Any;
use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use super::call::{Call, CallResult};
use super::composition::Effect;
use super::program::{Fiber, Op, OutputSink, Program, Registered, Resolver, RetryState, State, Take};
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

enum Work {
    /// Performs the next operation of a fiber.
    Run(u32),
    /// Starts the program at this position of a fiber's group.
    StartMember(u32, usize),
}

impl<T> EffectMachine<T> {
    /// Creates a machine for a program whose output `take` takes. `next_call` is the number of its first call.
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
        }
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

    /// Takes in the result of a call.
    pub(crate) fn complete(&mut self, number: u32, result: &CallResult, context: &mut MachineContext<'_>) {
        let Some(id) = self.waiter(number) else { return };
        self.waiting[(number - self.first_call) as usize] = None;
        self.in_flight -= 1;
        let State::Call(op, retry) = mem::take(&mut self.fibers[id as usize].state) else { return };
        let retry = retry.filter(|retry| op.should_retry(&retry.retry, retry.attempt, result));
        if let Some(mut retry) = retry {
            let pause = retry.retry.pause_after(retry.attempt, *context.next_call, context.random);
            let deadline_ns = self.deadline_ns(id);
            let starts_ns = context.now_ns.saturating_add(nanos(pause));
            if deadline_ns.is_none_or(|deadline_ns| starts_ns < deadline_ns) {
                retry.attempt = retry.attempt.saturating_add(1);
                self.request(id, retry.call.clone(), retry.attempt, pause, context);
                self.fibers[id as usize].state = State::Call(op, Some(retry));
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
                    let policy = fiber.scopes.current().and_then(|scope| scope.retry.as_ref());
                    let retry = policy.filter(|policy| policy.applies_to(&call)).map(|policy| {
                        Box::new(RetryState { call: call.clone(), retry: policy.clone(), attempt: 1 })
                    });
                    fiber.state = State::Call(op, retry);
                    self.request(id, call, 1, Duration::ZERO, context);
                }
                Some(Op::Group(group)) => {
                    let len = group.len();
                    fiber.state = State::Group(group, len);
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
            State::Group(group, 0) => self.resolve(id, |resolver| group.finish(resolver)),
            state @ (State::Call(..) | State::Group(..)) => fiber.state = state,
        }
    }

    /// Starts one program of a group. The others follow in order.
    fn start_member(&mut self, id: u32, at: usize) {
        let fiber = &mut self.fibers[id as usize];
        let State::Group(group, _) = &mut fiber.state else { return };
        let (program, is_last) = (group.program(at), at + 1 == group.len());
        let member =
            Fiber { program, scopes: fiber.scopes.for_member(), parent: Some((id, at)), ..Fiber::default() };
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

    fn request(
        &mut self,
        id: u32,
        call: Call,
        attempt: u16,
        pause: Duration,
        context: &mut MachineContext<'_>,
    ) {
        let scope = self.fibers[id as usize].scopes.current();
        let (call, deadline_ns) = match scope {
            Some(scope) => (call.within(scope.timeout), scope.deadline_ns),
            None => (call, None),
        };
        let number = *context.next_call;
        *context.next_call += 1;
        self.waiting.push(Some(id));
        self.in_flight += 1;
        context.requested.push(RequestedCall { number, call, attempt, pause, deadline_ns });
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
