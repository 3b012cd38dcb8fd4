//! What an effect is made of: a flat list of operations. However deep effects are nested or chained, nothing here
//! recurses: not to build one, nor to perform it, nor to drop it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use super::call_op::AnyLeaf;
use super::call_scope::Word;
use super::group::Group;
use super::machine::{Out, take};
use crate::Failure;

/// Most effects have no more operations than this: a call and what is made of its output.
const USUAL_LEN: usize = 4;

/// How deep `Debug` looks into nested groups.
const SHOWN_DEPTH: u8 = 8;

/// The operations of an effect. The first one to be performed is at the back.
#[derive(Default)]
pub(super) struct Program(VecDeque<Op>);

/// One operation.
pub(super) enum Op {
    /// Starts a call; its output is the value.
    Call(Box<dyn AnyLeaf>),
    /// Performs several programs at the same time; their outputs are the value.
    Group(Box<dyn Group>),
    /// Makes the value out of nothing.
    Ready(Box<dyn Frame>),
    /// Makes another value, or another program, of the value.
    Then(Box<dyn Frame>),
    /// From here on this holds for the calls that are started.
    Begin(Box<Word>),
    /// The latest [`Op::Begin`] holds no longer.
    End,
}

/// A function with its types forgotten.
pub(super) trait Frame: Send {
    /// `value` is an `Option<Result<A, Failure>>`, which is taken.
    fn run(self: Box<Self>, value: &mut dyn Any, out: &mut Out<'_>);
}

struct Then<A, F>(F, PhantomData<fn(A)>);

impl<A: 'static, F: FnOnce(Result<A, Failure>, &mut Out<'_>) + Send> Frame for Then<A, F> {
    fn run(self: Box<Self>, value: &mut dyn Any, out: &mut Out<'_>) {
        // The types of an `Effect` and what follows it fit, or the program would not have compiled.
        if let Some(value) = take::<A>(value) {
            (self.0)(value, out);
        }
    }
}

impl Program {
    pub(super) fn of(op: Op) -> Self {
        let mut ops = VecDeque::with_capacity(USUAL_LEN);
        ops.push_back(op);
        Self(ops)
    }

    /// The program that gives this.
    pub(super) fn ready<T: Send + 'static>(value: Result<T, Failure>) -> Self {
        let ready = move |_: Result<(), Failure>, out: &mut Out<'_>| out.give(value);
        Self::of(Op::Ready(Box::new(Then(ready, PhantomData))))
    }

    /// Has `f` make something of what it gives.
    pub(super) fn then<A: 'static>(
        mut self,
        f: impl FnOnce(Result<A, Failure>, &mut Out<'_>) + Send + 'static,
    ) -> Self {
        self.0.push_front(Op::Then(Box::new(Then(f, PhantomData))));
        self
    }

    /// Has this hold for all of its calls.
    pub(super) fn within(mut self, word: Word) -> Self {
        self.0.push_front(Op::End);
        self.0.push_back(Op::Begin(Box::new(word)));
        self
    }

    pub(super) fn next(&mut self) -> Option<Op> {
        self.0.pop_back()
    }

    pub(super) fn peek(&self) -> Option<&Op> {
        self.0.back()
    }

    pub(super) fn put_back(&mut self, op: Op) {
        self.0.push_back(op);
    }

    /// Performs `first`, then goes on with what it gives.
    pub(super) fn put_first(&mut self, mut first: Self) {
        if self.0.is_empty() {
            std::mem::swap(&mut self.0, &mut first.0);
        } else {
            self.0.append(&mut first.0);
        }
    }

    /// Names the calls it starts with.
    pub(super) fn describe(&self, f: &mut fmt::Formatter<'_>, depth: u8) -> fmt::Result {
        if depth > SHOWN_DEPTH {
            return f.write_str("..");
        }
        match self.0.iter().rev().find(|op| !matches!(op, Op::Begin(_))) {
            Some(Op::Call(leaf)) => leaf.describe(f),
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

thread_local! {
    /// The operations that are to be dropped on this thread, while some are.
    static DROPPED: RefCell<Option<Vec<VecDeque<Op>>>> = const { RefCell::new(None) };
}

/// A closure may hold an effect, the closures of which hold another one, and so on: those are dropped one after another,
/// not one within another.
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

/// Also where a value's own `Drop` has panicked.
struct EndOfDrop;

impl Drop for EndOfDrop {
    fn drop(&mut self) {
        let rest = DROPPED.try_with(|dropped| dropped.borrow_mut().take());
        drop(rest);
    }
}
