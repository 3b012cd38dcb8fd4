//! The operation that makes the body of a response: one call, of which only the end matters.

use std::fmt;

use super::call::{Call, CallResult};
use super::composition::Effect;
use super::program::{CallOp, Op, Resolver};
use super::retry::Retry;
use crate::{Failure, Writes};

struct StreamOp {
    kind: &'static str,
    /// `None` once it has started.
    call: Option<Call>,
}

/// Creates the effect that performs the call of a stream. It is never retried, because nothing that was sent can be taken back.
pub(crate) fn stream_effect(call: Call) -> Effect<Writes> {
    Effect::from_op(Op::Call(Box::new(StreamOp { kind: call.kind(), call: Some(call) })))
}

impl CallOp for StreamOp {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn take(&mut self) -> Option<Call> {
        self.call.take()
    }

    fn is_bad(&self, result: &CallResult) -> bool {
        result.is_err()
    }

    fn should_retry(&self, _retry: &Retry, _attempt: u16, _result: &CallResult) -> bool {
        false
    }

    fn finish(self: Box<Self>, number: u32, result: &CallResult, resolver: &mut Resolver<'_>) {
        resolver.resolve::<Writes>(match result {
            Ok(_) => Ok(Writes::new()),
            Err(error) => Err(Failure::from_effect(self.kind, error).with_call(number, self.kind)),
        });
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.call {
            Some(call) => fmt::Debug::fmt(call, f),
            None => f.write_str(self.kind),
        }
    }
}
