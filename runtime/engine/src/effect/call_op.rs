//! One call of an effect, and what is made of how it ended.

use std::fmt;
use std::marker::PhantomData;

use zerver_trace::EffectError;

use super::call::{self, Call, Performed};
use super::machine::Out;
use super::{EffectKind, Retry};
use crate::Failure;

/// A call with its types forgotten.
pub(super) trait AnyLeaf: Send {
    /// The call, once.
    fn take(&mut self) -> Option<Call>;

    /// Whether there is to be another attempt after this one, which ended so.
    fn goes_on(&self, retry: &Retry, attempt: u16, performed: &Performed) -> bool;

    /// Gives what is made of how it ended.
    fn end(self: Box<Self>, number: u32, performed: &Performed, out: &mut Out<'_>);

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

pub(super) struct Leaf<K, F> {
    /// None once it has started.
    call: Option<Call>,
    f: F,
    kind: PhantomData<fn() -> K>,
}

impl<K, F> Leaf<K, F> {
    pub(super) const fn new(call: Call, f: F) -> Self {
        Self { call: Some(call), f, kind: PhantomData }
    }
}

fn output<K: EffectKind>(performed: &Performed) -> Result<&K::Output, EffectError> {
    match performed {
        Ok(datum) => call::output::<K>(datum),
        Err(error) => Err(error.clone()),
    }
}

impl<K, T, F> AnyLeaf for Leaf<K, F>
where
    K: EffectKind,
    T: Send + 'static,
    F: Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send,
{
    fn take(&mut self) -> Option<Call> {
        self.call.take()
    }

    fn goes_on(&self, retry: &Retry, attempt: u16, performed: &Performed) -> bool {
        let output = output::<K>(performed);
        let failure = || (self.f)(output.clone()).err();
        retry.goes_on::<K>(attempt, output.as_ref().copied(), failure)
    }

    fn end(self: Box<Self>, number: u32, performed: &Performed, out: &mut Out<'_>) {
        out.give((self.f)(output::<K>(performed)).map_err(|failure| failure.with_call(number)));
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Some(call) => fmt::Debug::fmt(call, f),
            None => f.write_str(K::KIND),
        }
    }
}
