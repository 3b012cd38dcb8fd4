//! The stream of a response: the job has decided everything, and one effect makes the body. No step runs any more.

use http::{Method, StatusCode};
use zerver_trace::Outcome;

use super::lifecycle::Next;
use super::state_machine::Job;
use crate::effect::{EffectMachine, stream_effect};
use crate::{Failure, Response};

/// The end of a request whose body is still being made.
pub(super) struct Streaming {
    pub(super) outcome: Outcome,
    pub(super) response: Response,
}

impl Job {
    /// Returns the head of the response while its body is being made, after [`Next::Stream`].
    pub fn streamed_response(&self) -> Option<&Response> {
        self.streaming.as_ref().map(|streaming| &streaming.response)
    }

    /// Returns the number of the last call that was requested.
    pub const fn last_call(&self) -> Option<u32> {
        self.next_call_number().checked_sub(1)
    }

    /// Returns true if the body of this response has to be made: it is streamed, and has a body.
    pub(super) fn has_streamed_body(&self, response: &Response) -> bool {
        let Some(stream) = &response.stream else { return false };
        if stream.web_socket_rules().is_some() {
            return response.status == StatusCode::SWITCHING_PROTOCOLS;
        }
        // A body that is known to be empty is none.
        stream.known_length() != Some(0)
            && self.request().method != Method::HEAD
            && !response.status.is_informational()
            && !matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    /// Starts the stream, after [`Next::Stream`]. The deadline of the request no longer applies.
    pub fn start_stream(&mut self, at_ns: u64) -> Next {
        let stream = self.streaming.as_ref().and_then(|streaming| streaming.response.stream.as_ref());
        let (Some(stream), None) = (stream, &self.effect) else { return self.next() };
        let effect = stream_effect(stream.call().clone());
        self.effect = Some(Box::new(EffectMachine::from_effect(effect, self.next_call_number())));
        self.advance(at_ns)
    }

    /// Ends the job without the stream, after [`Next::Stream`]: the server that has the connection cannot send it. Nothing has been
    /// sent so far.
    pub fn refuse_stream(&mut self, failure: &Failure) -> Next {
        if self.streaming.take().is_none() {
            return self.next();
        }
        let response = self.render(failure);
        // A failure that is rendered as a stream of this kind would be refused again.
        let response = if response.stream.is_some() { failure.to_response() } else { response };
        self.end_now(Outcome::Failed(failure.info(Some(self.step))), Some(response))
    }

    /// Takes in how the stream ended. The client has the head of the response already, so a failure changes only the outcome.
    pub(super) fn stream_ended(&mut self, result: Result<(), Failure>) -> Next {
        let Some(streaming) = self.streaming.take() else { return self.next() };
        let Streaming { mut outcome, response } = *streaming;
        if let (Outcome::Done, Err(failure)) = (&outcome, result) {
            outcome = Outcome::Failed(failure.info(Some(self.step)));
        }
        self.end_now(outcome, Some(response))
    }

    /// Ends the stream as if it had succeeded. A replay does so if nothing is known about it.
    pub fn assume_streamed(&mut self) -> Next {
        self.stream_ended(Ok(()))
    }

    /// Ends the stream because the client has left, or because the service stops. That is how an endless stream ends.
    pub(super) fn stop_stream(&mut self) -> Next {
        let Some(streaming) = self.streaming.take() else { return self.next() };
        let Streaming { mut outcome, response } = *streaming;
        let is_endless = response.stream.as_ref().is_some_and(|stream| stream.format().is_endless);
        if outcome == Outcome::Done && !is_endless {
            outcome = Outcome::ClientLeft { step: self.step };
        }
        self.end_now(outcome, Some(response))
    }
}
