//! Performs the program of an effect. Each part that goes on by itself is a fiber; an answer moves the fiber that waits for
//! it and no other, so that n calls cost n times one. Like futures, but what they wait for has a number and is recorded,
//! and nothing but an answer moves them.

use std::any::Any;
use std::mem;
use std::time::Duration;

use smallvec::SmallVec;

use super::call::{Call, Performed};
use super::call_op::AnyLeaf;
use super::call_scope::Scopes;
use super::group::Group;
use super::program::{Op, Program};
use super::{Effect, Retry};
use crate::{Failure, Random, Start};

/// How many operations are performed until who drives the job can look at the clock, and let others go first.
const QUANTUM: u32 = 256;

/// How many functions may call one another, before what one gives is put aside.
const NESTED: u8 = 8;

/// An effect that is performed.
pub(crate) struct Machine<T> {
    /// The first one is the effect itself.
    fibers: SmallVec<[Fiber; 1]>,
    free: Vec<u32>,
    /// What can go on, the next one last.
    work: SmallVec<[Work; 2]>,
    /// The fiber that waits for each call from `first` on.
    waiting: SmallVec<[Option<u32>; 2]>,
    first: u32,
    open: usize,
    output: Output<T>,
}

/// What an effect gives, once it is there.
struct Output<T> {
    take: Take<T>,
    value: Option<Result<T, Failure>>,
}

/// Takes it out of an `Option<Result<T, Failure>>`.
pub(super) type Take<T> = fn(&mut dyn Any) -> Option<Result<T, Failure>>;

pub(super) fn take<T: 'static>(value: &mut dyn Any) -> Option<Result<T, Failure>> {
    value.downcast_mut::<Option<Result<T, Failure>>>().and_then(Option::take)
}

trait AnyOutput {
    fn put(&mut self, value: &mut dyn Any);
}

impl<T> AnyOutput for Output<T> {
    fn put(&mut self, value: &mut dyn Any) {
        self.value = (self.take)(value);
    }
}

/// What a machine needs of its job.
pub(crate) struct Calls<'a> {
    pub(crate) next: &'a mut u32,
    pub(crate) starts: &'a mut SmallVec<[Start; 2]>,
    pub(crate) random: Random,
    pub(crate) now_ns: u64,
}

/// How far a machine came.
pub(crate) enum Progress<T> {
    /// It waits for answers.
    Waits,
    /// It can go on.
    More,
    /// This is what the effect gives.
    Ended(Result<T, Failure>),
}

#[derive(Default)]
struct Fiber {
    program: Program,
    state: State,
    scopes: Scopes,
    /// The fiber of its group, and its position there.
    parent: Option<(u32, usize)>,
}

#[derive(Default)]
enum State {
    /// The next operation needs no value.
    #[default]
    Begins,
    /// The value of the next operation.
    Has(Box<dyn Any + Send>),
    Waits(Box<dyn AnyLeaf>, Option<Box<Again>>),
    /// For so many of a group.
    Gathers(Box<dyn Group>, usize),
}

struct Again {
    call: Call,
    retry: Retry,
    /// Which attempt is under way, from 1.
    attempt: u16,
}

enum Work {
    /// A fiber goes on.
    Run(u32),
    /// The program at this position of a fiber's group begins.
    Begin(u32, usize),
}

impl<T> Machine<T> {
    /// `next_call` is the number of its first call.
    pub(crate) fn new(effect: Effect<T>, next_call: u32) -> Self {
        let Effect { program, take } = effect;
        let fiber = Fiber { program, ..Fiber::default() };
        Self {
            fibers: SmallVec::from_buf([fiber]),
            free: Vec::new(),
            work: SmallVec::from_iter([Work::Run(0)]),
            waiting: SmallVec::new(),
            first: next_call,
            open: 0,
            output: Output { take, value: None },
        }
    }

    /// Whether a call is in flight.
    pub(crate) fn waits_for(&self, number: u32) -> bool {
        self.waiter(number).is_some()
    }

    /// Whether it can go on without an answer.
    pub(crate) fn has_more(&self) -> bool {
        !self.work.is_empty()
    }

    /// Whether any call is in flight.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.open > 0
    }

    /// The calls in flight.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = u32> {
        let is_open = |(at, waiter): (usize, &Option<u32>)| waiter.map(|_| self.first + at as u32);
        self.waiting.iter().enumerate().filter_map(is_open)
    }

    fn waiter(&self, number: u32) -> Option<u32> {
        *self.waiting.get(number.checked_sub(self.first)? as usize)?
    }

    /// Takes in how a call ended.
    pub(crate) fn answer(&mut self, number: u32, performed: &Performed, calls: &mut Calls<'_>) {
        let Some(id) = self.waiter(number) else { return };
        self.waiting[(number - self.first) as usize] = None;
        self.open -= 1;
        let State::Waits(leaf, again) = mem::take(&mut self.fibers[id as usize].state) else { return };
        let again = again.filter(|again| leaf.goes_on(&again.retry, again.attempt, performed));
        if let Some(mut again) = again {
            let pause = again.retry.pause_after(again.attempt, *calls.next, calls.random);
            let until_ns = self.until_ns(id);
            let begins_ns = calls.now_ns.saturating_add(nanos(pause));
            if until_ns.is_none_or(|until_ns| begins_ns < until_ns) {
                again.attempt = again.attempt.saturating_add(1);
                self.start(id, again.call.clone(), again.attempt, pause, calls);
                self.fibers[id as usize].state = State::Waits(leaf, Some(again));
                return;
            }
        }
        self.with_out(id, |out| leaf.end(number, performed, out));
    }

    /// Goes on, as far as a quantum lets it.
    pub(crate) fn advance(&mut self, calls: &mut Calls<'_>) -> Progress<T> {
        let mut left = QUANTUM;
        while let Some(work) = self.work.pop() {
            if left == 0 {
                self.work.push(work);
                return Progress::More;
            }
            left -= 1;
            match work {
                Work::Run(id) => self.run(id, calls),
                Work::Begin(id, at) => self.begin(id, at),
            }
        }
        match self.output.value.take() {
            Some(output) => Progress::Ended(output),
            None => Progress::Waits,
        }
    }

    /// Performs the next operation of a fiber.
    fn run(&mut self, id: u32, calls: &mut Calls<'_>) {
        let fiber = &mut self.fibers[id as usize];
        match mem::take(&mut fiber.state) {
            State::Begins => match fiber.program.next() {
                Some(Op::Call(mut leaf)) => {
                    let Some(call) = leaf.take() else { return };
                    let retry = fiber.scopes.current().and_then(|scope| scope.retry.as_ref());
                    let again = retry.filter(|retry| retry.allows(&call)).map(|retry| {
                        Box::new(Again { call: call.clone(), retry: retry.clone(), attempt: 1 })
                    });
                    fiber.state = State::Waits(leaf, again);
                    self.start(id, call, 1, Duration::ZERO, calls);
                }
                Some(Op::Group(group)) => {
                    let open = group.len();
                    fiber.state = State::Gathers(group, open);
                    self.work.push(if open == 0 { Work::Run(id) } else { Work::Begin(id, 0) });
                }
                Some(Op::Ready(frame)) => self.with_out(id, |out| {
                    frame.run(&mut Some(Ok::<(), Failure>(())), out);
                }),
                Some(Op::Begin(word)) => {
                    fiber.scopes.begin(*word, calls.now_ns);
                    self.work.push(Work::Run(id));
                }
                // What needs a value comes after what gives one.
                Some(Op::Then(_) | Op::End) | None => {}
            },
            State::Has(mut value) => {
                if let Some(Op::Then(frame)) = fiber.program.next() {
                    self.with_out(id, |out| frame.run(&mut *value, out));
                }
            }
            State::Gathers(group, 0) => self.with_out(id, |out| group.end(out)),
            state @ (State::Waits(..) | State::Gathers(..)) => fiber.state = state,
        }
    }

    /// Begins one program of a group; the others follow, in order.
    fn begin(&mut self, id: u32, at: usize) {
        let fiber = &mut self.fibers[id as usize];
        let State::Gathers(group, _) = &mut fiber.state else { return };
        let (program, is_last) = (group.program(at), at + 1 == group.len());
        let new =
            Fiber { program, scopes: fiber.scopes.inner(), parent: Some((id, at)), state: State::Begins };
        if !is_last {
            self.work.push(Work::Begin(id, at + 1));
        }
        let new_id = match self.free.pop() {
            Some(free) => {
                self.fibers[free as usize] = new;
                free
            }
            None => {
                self.fibers.push(new);
                (self.fibers.len() - 1) as u32
            }
        };
        self.work.push(Work::Run(new_id));
    }

    fn until_ns(&self, id: u32) -> Option<u64> {
        self.fibers[id as usize].scopes.current()?.until_ns
    }

    fn start(&mut self, id: u32, call: Call, attempt: u16, pause: Duration, calls: &mut Calls<'_>) {
        let scope = self.fibers[id as usize].scopes.current();
        let (call, until_ns) = match scope {
            Some(scope) => (call.within(scope.timeout), scope.until_ns),
            None => (call, None),
        };
        let number = *calls.next;
        *calls.next += 1;
        self.waiting.push(Some(id));
        self.open += 1;
        calls.starts.push(Start { number, call, attempt, pause, until_ns });
    }

    /// Has a function of a fiber give something, and does with it what is to be done.
    fn with_out(&mut self, id: u32, f: impl FnOnce(&mut Out<'_>)) {
        let mut out = Out {
            fibers: &mut self.fibers,
            id,
            output: &mut self.output,
            nested: 0,
            is_over: false,
            gathered: None,
        };
        f(&mut out);
        let Out { is_over, gathered, .. } = out;
        if !is_over {
            self.work.push(Work::Run(id));
        } else if id > 0 {
            self.fibers[id as usize] = Fiber::default();
            self.free.push(id);
            self.work.extend(gathered.map(Work::Run));
        }
    }
}

/// Where what a function gives goes.
pub(super) struct Out<'m> {
    fibers: &'m mut [Fiber],
    /// The fiber of the function.
    id: u32,
    /// Of the whole effect.
    output: &'m mut (dyn AnyOutput + 'm),
    nested: u8,
    is_over: bool,
    /// A fiber that has waited for this one, and for no other now.
    gathered: Option<u32>,
}

impl Out<'_> {
    /// This is the value.
    pub(super) fn give<T: Send + 'static>(&mut self, value: Result<T, Failure>) {
        let mut value = Some(value);
        let fiber = self.fiber();
        while matches!(fiber.program.peek(), Some(Op::End)) {
            fiber.program.next();
            fiber.scopes.end();
        }
        match fiber.program.next() {
            Some(Op::Then(frame)) if self.nested < NESTED => {
                self.nested += 1;
                frame.run(&mut value, self);
            }
            Some(op) => {
                let fiber = self.fiber();
                fiber.program.put_back(op);
                fiber.state = State::Has(Box::new(value));
            }
            None => self.end(value),
        }
    }

    /// What this effect gives is the value.
    pub(super) fn go_on<T>(&mut self, effect: Effect<T>) {
        let fiber = self.fiber();
        fiber.program.put_first(effect.program);
        fiber.state = State::Begins;
    }

    fn fiber(&mut self) -> &mut Fiber {
        &mut self.fibers[self.id as usize]
    }

    fn end<T: 'static>(&mut self, mut value: Option<Result<T, Failure>>) {
        self.is_over = true;
        let Some((group, at)) = self.fiber().parent else {
            return self.output.put(&mut value);
        };
        if let State::Gathers(members, open) = &mut self.fibers[group as usize].state {
            members.put(at, &mut value);
            *open -= 1;
            self.gathered = (*open == 0).then_some(group);
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
