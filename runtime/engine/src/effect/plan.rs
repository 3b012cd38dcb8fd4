//! How effects compose: small state machines, advanced when a call has ended. Like futures, but what they wait for has
//! a number and is recorded, and nothing but an answer moves them.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use smallvec::SmallVec;
use zerver_trace::EffectError;

use super::call::{self, Call, Performed};
use super::{Effect, EffectKind, Retry};
use crate::{Failure, Random, Slots, Start, Writes};

/// Something that asks for calls until it has its output.
pub trait Plan<T>: Send {
    /// Goes as far as it can; gives the output once, when it is there.
    #[doc(hidden)]
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<T, Failure>>;

    /// Names the calls it starts with.
    #[doc(hidden)]
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The calls of a job, as its plan sees them.
pub struct Calls<'a> {
    pub(crate) next: &'a mut u32,
    pub(crate) starts: &'a mut SmallVec<[Start; 2]>,
    /// How a call ended that was in flight, until who waits for it takes it.
    pub(crate) answer: &'a mut Option<(u32, Performed)>,
    /// How those that are started now are tried again.
    pub(crate) retry: Option<&'a Retry>,
    pub(crate) random: Random,
}

impl Calls<'_> {
    fn start(&mut self, call: Call) -> u32 {
        self.start_attempt(call, 1, Duration::ZERO)
    }

    fn start_attempt(&mut self, call: Call, attempt: u16, pause: Duration) -> u32 {
        let number = *self.next;
        *self.next += 1;
        self.starts.push(Start { number, call, attempt, pause });
        number
    }

    fn take(&mut self, number: u32) -> Option<Performed> {
        self.answer.take_if(|(answered, _)| *answered == number).map(|(_, performed)| performed)
    }
}

/// One call, and what is made of how it ended.
pub(super) struct Leaf<K, F> {
    state: State,
    f: F,
    kind: PhantomData<fn() -> K>,
}

enum State {
    New(Call),
    /// For the answer to this one; and what it takes to try it again.
    Waiting(u32, Option<Box<Again>>),
    Ended,
}

struct Again {
    call: Call,
    retry: Retry,
    /// Which attempt is under way, from 1.
    attempt: u16,
}

impl<K, F> Leaf<K, F> {
    pub(super) fn new(call: Call, f: F) -> Self {
        Self { state: State::New(call), f, kind: PhantomData }
    }
}

impl<K, T, F> Plan<T> for Leaf<K, F>
where
    K: EffectKind,
    F: Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send,
{
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<T, Failure>> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::New(call) => {
                let again = calls
                    .retry
                    .filter(|retry| retry.allows(&call))
                    .map(|retry| Box::new(Again { call: call.clone(), retry: retry.clone(), attempt: 1 }));
                self.state = State::Waiting(calls.start(call), again);
                None
            }
            State::Waiting(number, again) => {
                let Some(performed) = calls.take(number) else {
                    self.state = State::Waiting(number, again);
                    return None;
                };
                let output = match &performed {
                    Ok(datum) => call::output::<K>(datum),
                    Err(error) => Err(error.clone()),
                };
                let Some(mut again) = again.filter(|again| {
                    let failure = || (self.f)(output.clone()).err();
                    again.retry.goes_on::<K>(again.attempt, output.as_ref().copied(), failure)
                }) else {
                    return Some((self.f)(output).map_err(|failure| failure.of_call(number)));
                };
                let pause = again.retry.pause_after(again.attempt, *calls.next, calls.random);
                again.attempt = again.attempt.saturating_add(1);
                let number = calls.start_attempt(again.call.clone(), again.attempt, pause);
                self.state = State::Waiting(number, Some(again));
                None
            }
            State::Ended => None,
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.state {
            State::New(call) => fmt::Debug::fmt(call, f),
            State::Waiting(..) | State::Ended => f.write_str(K::KIND),
        }
    }
}

/// An output that is there already.
pub(super) struct Ready<T>(pub(super) Option<Result<T, Failure>>);

impl<T: Send> Plan<T> for Ready<T> {
    fn advance(&mut self, _calls: &mut Calls<'_>) -> Option<Result<T, Failure>> {
        self.0.take()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ready")
    }
}

pub(super) struct Map<A, F> {
    inner: Box<dyn Plan<A>>,
    f: Option<F>,
}

impl<A, F> Map<A, F> {
    pub(super) fn new(inner: Box<dyn Plan<A>>, f: F) -> Self {
        Self { inner, f: Some(f) }
    }
}

impl<A, T, F: FnOnce(A) -> Result<T, Failure> + Send> Plan<T> for Map<A, F> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<T, Failure>> {
        let output = self.inner.advance(calls)?;
        let f = self.f.take()?;
        Some(output.and_then(f))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.describe(f)
    }
}

pub(super) enum AndThen<A, T, F> {
    First(Box<dyn Plan<A>>, Option<F>),
    Second(Box<dyn Plan<T>>),
}

impl<A, T, F: FnOnce(A) -> Effect<T> + Send> Plan<T> for AndThen<A, T, F> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<T, Failure>> {
        if let Self::First(first, f) = self {
            let output = match first.advance(calls)? {
                Ok(output) => output,
                Err(failure) => return Some(Err(failure)),
            };
            *self = Self::Second(f.take()?(output).0);
        }
        match self {
            Self::First(..) => None,
            Self::Second(second) => second.advance(calls),
        }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(first, _) => first.describe(f),
            Self::Second(second) => second.describe(f),
        }
    }
}

pub(super) struct Attempt<T>(pub(super) Box<dyn Plan<T>>);

impl<T> Plan<Result<T, Failure>> for Attempt<T> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<Result<T, Failure>, Failure>> {
        self.0.advance(calls).map(Ok)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

/// What tries its calls again.
pub(super) struct Retried<T> {
    pub(super) inner: Box<dyn Plan<T>>,
    pub(super) retry: Retry,
}

impl<T> Plan<T> for Retried<T> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<T, Failure>> {
        self.inner.advance(&mut Calls {
            next: calls.next,
            starts: calls.starts,
            answer: calls.answer,
            retry: Some(&self.retry),
            random: calls.random,
        })
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.describe(f)
    }
}

/// A plan and, once it is there, its output.
type Pending<T> = (Box<dyn Plan<T>>, Option<Result<T, Failure>>);

fn advance<T>((plan, output): &mut Pending<T>, calls: &mut Calls<'_>) -> bool {
    if output.is_none() {
        *output = plan.advance(calls);
    }
    output.is_some()
}

macro_rules! all {
    ($all:ident $($t:ident)+) => {
        #[allow(non_snake_case)]
        pub(super) struct $all<$($t),+> {
            $(pub(super) $t: Pending<$t>),+
        }

        impl<$($t: Send),+> Plan<($($t,)+)> for $all<$($t),+> {
            fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<($($t,)+), Failure>> {
                // Not `&&`: every one of them is to make its progress.
                let ended = [$(advance(&mut self.$t, calls)),+];
                if ended.contains(&false) {
                    return None;
                }
                let outputs = (|| Ok(($(match self.$t.1.take() {
                    Some(output) => output?,
                    None => return Err(Failure::internal("effect").message("advanced past its end")),
                },)+)))();
                Some(outputs)
            }

            fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("all:")?;
                $(f.write_str(" ")?; self.$t.0.describe(f)?;)+
                Ok(())
            }
        }
    };
}

all!(All2 A B);
all!(All3 A B C);
all!(All4 A B C D);

pub(super) struct JoinAll<T>(Vec<Pending<T>>);

impl<T> JoinAll<T> {
    pub(super) fn new(plans: impl Iterator<Item = Box<dyn Plan<T>>>) -> Self {
        Self(plans.map(|plan| (plan, None)).collect())
    }
}

impl<T: Send> Plan<Vec<T>> for JoinAll<T> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<Vec<T>, Failure>> {
        let mut ended = true;
        for pending in &mut self.0 {
            ended &= advance(pending, calls);
        }
        ended.then(|| self.0.drain(..).filter_map(|(_, output)| output).collect())
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all:")?;
        for (plan, _) in &self.0 {
            f.write_str(" ")?;
            plan.describe(f)?;
        }
        Ok(())
    }
}

/// Forgets which slots the output is.
pub(crate) struct Gather<S>(pub(crate) Effect<S>);

impl<S: Slots> Plan<Writes> for Gather<S> {
    fn advance(&mut self, calls: &mut Calls<'_>) -> Option<Result<Writes, Failure>> {
        self.0.0.advance(calls).map(|output| output.map(Slots::into_writes))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.describe(f)
    }
}
