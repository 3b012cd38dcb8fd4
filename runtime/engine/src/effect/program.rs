//! Programs: effects as flat lists of operations, and the fibers that perform them. However deeply effects are nested
//! or chained, nothing here recurses: neither building a program, nor performing it, nor dropping it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use super::call::{Call, CallResult};
use super::call_scope::{CallOption, CallScopes};
use super::composition::Effect;
use super::hedge::HedgedCalls;
use super::retry::Retry;
use crate::{Failure, Response, Writes};

/// Initial capacity: most effects have a call and few operations on its output.
const USUAL_LEN: usize = 4;

/// Maximum depth to which `Debug` shows nested groups.
const MAX_SHOWN_DEPTH: u8 = 8;

/// Maximum number of functions that call one another directly; then the value is stored in its fiber.
const MAX_NESTED_CALLS: u8 = 8;

/// Operations of an effect. The next one is at the back.
#[derive(Default)]
pub(super) struct Program(VecDeque<Op>);

/// An operation of a program.
pub(super) enum Op {
    /// Starts a call; its converted output becomes the value.
    Call(Box<dyn CallOp>),
    /// Performs several programs at the same time; their outputs become the value.
    Group(Box<dyn GroupOp>),
    /// Produces a value without input.
    Ready(Box<dyn Function>),
    /// Converts the value into another value, or into a program to go on with.
    Then(Box<dyn Function>),
    /// Begins a scope in which an option applies to all calls.
    Begin(Box<CallOption>),
    /// Ends the scope of the latest [`Op::Begin`].
    End,
}

/// A call operation without its type parameters.
pub(super) trait CallOp: Send {
    /// Returns the kind of the call.
    fn kind(&self) -> &'static str;

    /// Takes the call. It returns `None` after the first time.
    fn take(&mut self) -> Option<Call>;

    /// Returns true if a result is an error, or an output that reports a temporary condition.
    fn is_bad(&self, result: &CallResult) -> bool;

    /// Returns true if another attempt is to follow this one.
    fn should_retry(&self, retry: &Retry, attempt: u16, result: &CallResult) -> bool;

    /// Converts the result.
    fn finish(self: Box<Self>, number: u32, result: &CallResult, resolver: &mut Resolver<'_>);

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Several programs and their outputs, without their type parameters.
pub(super) trait GroupOp: Send {
    /// Returns the number of programs.
    fn len(&self) -> usize;

    /// Takes the program at this position. It is empty after the first time.
    fn program(&mut self, at: usize) -> Program;

    /// Stores the output of the program at this position, taken from an `Option<Result<A, Failure>>`. Returns true if the
    /// outputs of the other programs no longer matter.
    fn put(&mut self, at: usize, output: &mut dyn Any) -> bool;

    /// Returns true if [`put`](Self::put) ever returns true.
    fn ends_early(&self) -> bool {
        false
    }

    /// Combines the outputs into one, or fails with the first failure.
    fn finish(self: Box<Self>, resolver: &mut Resolver<'_>);

    fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result;
}

/// A function of the user without its type parameters.
pub(super) trait Function: Send {
    /// Takes the input from `value`, an `Option<Result<A, Failure>>`.
    fn run(self: Box<Self>, value: &mut dyn Any, resolver: &mut Resolver<'_>);
}

struct TypedFunction<A, F>(F, PhantomData<fn(A)>);

impl<A: 'static, F: FnOnce(Result<A, Failure>, &mut Resolver<'_>) + Send> Function for TypedFunction<A, F> {
    fn run(self: Box<Self>, value: &mut dyn Any, resolver: &mut Resolver<'_>) {
        // The types match, because `Effect` is typed.
        if let Some(value) = take::<A>(value) {
            (self.0)(value, resolver);
        }
    }
}

/// Takes an output from an `Option<Result<T, Failure>>`.
pub(super) type Take<T> = fn(&mut dyn Any) -> Option<Result<T, Failure>>;

/// Takes an output of type `T`. See [`Take`].
pub(super) fn take<T: 'static>(value: &mut dyn Any) -> Option<Result<T, Failure>> {
    value.downcast_mut::<Option<Result<T, Failure>>>().and_then(Option::take)
}

impl Program {
    pub(super) fn from_op(op: Op) -> Self {
        let mut ops = VecDeque::with_capacity(USUAL_LEN);
        ops.push_back(op);
        Self(ops)
    }

    /// Creates a program with a known output.
    pub(super) fn ready<T: Send + 'static>(output: Result<T, Failure>) -> Self {
        let ready = move |_: Result<(), Failure>, resolver: &mut Resolver<'_>| resolver.resolve(output);
        Self::from_op(Op::Ready(Box::new(TypedFunction(ready, PhantomData))))
    }

    /// Appends a function of its output.
    pub(super) fn then<A: 'static>(
        mut self,
        f: impl FnOnce(Result<A, Failure>, &mut Resolver<'_>) + Send + 'static,
    ) -> Self {
        self.0.push_front(Op::Then(Box::new(TypedFunction(f, PhantomData))));
        self
    }

    /// Applies an option to all of its calls.
    pub(super) fn with_option(mut self, option: CallOption) -> Self {
        self.0.push_front(Op::End);
        self.0.push_back(Op::Begin(Box::new(option)));
        self
    }

    pub(super) fn next(&mut self) -> Option<Op> {
        self.0.pop_back()
    }

    /// Inserts a program to be performed before the remaining operations, which get its output.
    fn prepend(&mut self, mut first: Self) {
        if self.0.is_empty() {
            std::mem::swap(&mut self.0, &mut first.0);
        } else {
            self.0.append(&mut first.0);
        }
    }

    /// Writes the calls it starts with.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
        if depth > MAX_SHOWN_DEPTH {
            return f.write_str("..");
        }
        match self.0.iter().rev().find(|op| !matches!(op, Op::Begin(_))) {
            Some(Op::Call(call)) => call.describe(f),
            Some(Op::Group(group)) => {
                f.write_str("all:")?;
                group.describe(f, depth + 1)
            }
            Some(_) => f.write_str("ready"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, 0)
    }
}

/// Performs one program, independently of other fibers.
#[derive(Default)]
pub(super) struct Fiber {
    pub(super) program: Program,
    pub(super) state: State,
    pub(super) scopes: CallScopes,
    /// Number and kind of the call that completed last.
    pub(super) last_call: Option<(u32, &'static str)>,
    /// Fiber of the group that it is a member of, and its position there.
    pub(super) parent: Option<(u32, usize)>,
    /// True if the fiber, or one that it is part of, is a member of a group that ends early. Such a fiber may have to be
    /// found again.
    pub(super) is_cancellable: bool,
}

/// State of a fiber.
#[derive(Default)]
pub(super) enum State {
    /// The next operation needs no value.
    #[default]
    Start,
    /// The next operation takes this value.
    Value(Box<dyn Any + Send>),
    /// The fiber waits for the call with this number.
    Call(Box<dyn CallOp>, u32, Option<Box<RepeatState>>),
    /// The fiber waits for this number of members of a group. The members are listed if they may be canceled.
    Group(Box<dyn GroupOp>, usize, Vec<u32>),
}

/// State of a call that may be made more than once.
pub(super) struct RepeatState {
    pub(super) call: Call,
    /// Policy of the effect.
    pub(super) retry: Option<Retry>,
    /// Number of the attempt that is in flight, from 1.
    pub(super) attempt: u16,
    /// Number of the call that was the first attempt.
    pub(super) first: u32,
    /// The two calls in flight, if the call is hedged.
    pub(super) hedged: Option<HedgedCalls>,
}

/// An effect that undoes another one.
pub(crate) struct Undo {
    /// Number and kind of the last call of the effect to undo, if it made one.
    pub(crate) of: Option<(u32, &'static str)>,
    pub(crate) effect: Effect<Writes>,
}

/// Creates the effect that follows once the response of a request is known.
pub(crate) type Conclusion = Box<dyn FnOnce(RequestEnd<'_>) -> Effect<Writes> + Send>;

/// Undos and the conclusion that effects register for the end of their request.
#[derive(Default)]
pub(crate) struct Registered {
    pub(crate) undos: Vec<Undo>,
    pub(crate) conclusion: Option<Conclusion>,
}

impl Registered {
    pub(crate) const fn is_empty(&self) -> bool {
        self.undos.is_empty() && self.conclusion.is_none()
    }
}

/// End of a request, for [`Effect::conclude`].
#[derive(Debug, Clone, Copy)]
pub struct RequestEnd<'a> {
    /// Response; `None` if the client has left.
    pub response: Option<&'a Response>,
    /// True if effects of the request should have been undone and are not.
    pub is_not_undone: bool,
}

/// Receives the output of the whole effect.
pub(super) trait OutputSink {
    /// Takes the output from an `Option<Result<T, Failure>>`.
    fn put(&mut self, value: &mut dyn Any);
}

/// Receives what a function of a fiber produces: a value, or a program to go on with.
pub(super) struct Resolver<'m> {
    pub(super) fibers: &'m mut [Fiber],
    /// The fiber of the function.
    pub(super) id: u32,
    /// Output of the whole effect.
    pub(super) output: &'m mut (dyn OutputSink + 'm),
    /// Undos and the conclusion that have been registered.
    pub(super) registered: &'m mut Registered,
    pub(super) nested_calls: u8,
    /// True if the fiber has ended.
    pub(super) is_over: bool,
    /// Fiber of a group whose last member has just ended, or one that made the others superfluous.
    pub(super) finished_group: Option<u32>,
}

impl Resolver<'_> {
    /// Passes a value to the next operation.
    pub(super) fn resolve<T: Send + 'static>(&mut self, value: Result<T, Failure>) {
        let mut value = Some(value);
        let fiber = self.fiber();
        while matches!(fiber.program.0.back(), Some(Op::End)) {
            fiber.program.next();
            fiber.scopes.end();
        }
        match fiber.program.next() {
            Some(Op::Then(function)) if self.nested_calls < MAX_NESTED_CALLS => {
                self.nested_calls += 1;
                function.run(&mut value, self);
            }
            Some(op) => {
                let fiber = self.fiber();
                fiber.program.0.push_back(op);
                fiber.state = State::Value(Box::new(value));
            }
            None => self.end(value),
        }
    }

    /// Performs a program, and passes its output to the next operation.
    pub(super) fn continue_with(&mut self, program: Program) {
        let fiber = self.fiber();
        fiber.program.prepend(program);
        fiber.state = State::Start;
    }

    /// Registers an effect that undoes what the fiber has done so far.
    pub(super) fn register_undo(&mut self, effect: Effect<Writes>) {
        let of = self.fiber().last_call;
        self.registered.undos.push(Undo { of, effect });
    }

    /// Registers an effect that follows once the response is known.
    pub(super) fn register_conclusion(&mut self, conclusion: Conclusion) {
        self.registered.conclusion = Some(conclusion);
    }

    fn fiber(&mut self) -> &mut Fiber {
        &mut self.fibers[self.id as usize]
    }

    fn end<T: 'static>(&mut self, mut value: Option<Result<T, Failure>>) {
        self.is_over = true;
        let last_call = self.fiber().last_call;
        let Some((group, at)) = self.fiber().parent else {
            return self.output.put(&mut value);
        };
        let parent = &mut self.fibers[group as usize];
        parent.last_call = last_call.or(parent.last_call);
        if let State::Group(members, open, _) = &mut self.fibers[group as usize].state {
            let is_decided = members.put(at, &mut value);
            *open = if is_decided { 0 } else { *open - 1 };
            self.finished_group = (*open == 0).then_some(group);
        }
    }
}

thread_local! {
    /// Operations to drop on this thread. `Some` while a drop is in progress.
    static DROPPED: RefCell<Option<Vec<VecDeque<Op>>>> = const { RefCell::new(None) };
}

/// A closure may hold an effect whose closures hold another one, and so on. They are dropped one after another instead
/// of recursively.
impl Drop for Program {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let ops = std::mem::take(&mut self.0);
        let is_outermost = DROPPED.try_with(|dropped| {
            let mut dropped = dropped.borrow_mut();
            let is_outermost = dropped.is_none();
            dropped.get_or_insert_default().push(ops);
            is_outermost
        });
        if is_outermost != Ok(true) {
            return;
        }
        let _end = EndOfDrop;
        while let Some(ops) = next_dropped() {
            drop(ops);
        }
    }
}

fn next_dropped() -> Option<VecDeque<Op>> {
    DROPPED.try_with(|dropped| dropped.borrow_mut().as_mut()?.pop()).ok()?
}

/// Resets [`DROPPED`], also if the `Drop` of a value has panicked.
struct EndOfDrop;

impl Drop for EndOfDrop {
    fn drop(&mut self) {
        let rest = DROPPED.try_with(|dropped| dropped.borrow_mut().take());
        drop(rest);
    }
}
