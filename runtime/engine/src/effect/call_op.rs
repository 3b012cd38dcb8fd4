//! The operation that performs one call: it starts the call, and converts the result.

use std::fmt;
use std::marker::PhantomData;

use zerver_trace::EffectError;

use super::call::{Call, CallResult, typed_output};
use super::kind::EffectKind;
use super::program::{CallOp, Resolver};
use super::retry::Retry;
use crate::Failure;

/// A call of kind `K`, and the function that converts its result.
pub(super) struct TypedCallOp<K, F> {
    /// `None` once it has started.
    call: Option<Call>,
    convert: F,
    kind: PhantomData<fn() -> K>,
}

impl<K, F> TypedCallOp<K, F> {
    pub(super) const fn new(call: Call, convert: F) -> Self {
        Self { call: Some(call), convert, kind: PhantomData }
    }
}

fn output<K: EffectKind>(result: &CallResult) -> Result<&K::Output, EffectError> {
    match result {
        Ok(value) => typed_output::<K>(value),
        Err(error) => Err(error.clone()),
    }
}

impl<K, T, F> CallOp for TypedCallOp<K, F>
where
    K: EffectKind,
    T: Send + 'static,
    F: Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send,
{
    fn kind(&self) -> &'static str {
        K::KIND
    }

    fn take(&mut self) -> Option<Call> {
        self.call.take()
    }

    fn is_bad(&self, result: &CallResult) -> bool {
        output::<K>(result).map_or(true, K::is_temporary)
    }

    fn should_retry(&self, retry: &Retry, attempt: u16, result: &CallResult) -> bool {
        let output = output::<K>(result);
        let failure = || (self.convert)(output.clone()).err();
        retry.should_retry::<K>(attempt, output.as_ref().copied(), failure)
    }

    fn finish(self: Box<Self>, number: u32, result: &CallResult, resolver: &mut Resolver<'_>) {
        resolver.resolve(
            (self.convert)(output::<K>(result)).map_err(|failure| failure.with_call(number, K::KIND)),
        );
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Some(call) => fmt::Debug::fmt(call, f),
            None => f.write_str(K::KIND),
        }
    }
}
