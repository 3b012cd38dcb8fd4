//! The result of a test: the response of the flow, and the events of the run.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use zerver_engine::{Response, ResponseStream, Slot};
use zerver_trace::{Event, FlowInfo, Outcome, SharedValue, TypedValue};

/// The response of a flow under test, with the trace of its run. See the [module documentation](crate::testing).
pub struct TestResponse {
    /// Response of the flow.
    pub response: Response,
    /// Outcome of the request.
    pub outcome: Outcome,
    /// Events of the run, in order. The clock advances by 1 ns each time it is read.
    pub events: Vec<Event<SharedValue>>,
    pub(super) info: Arc<FlowInfo>,
}

impl fmt::Debug for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestResponse")
            .field("response", &self.response)
            .field("outcome", &self.outcome)
            .field("events", &self.events.len())
            .finish_non_exhaustive()
    }
}

impl TestResponse {
    /// Returns the status of the response.
    pub fn status(&self) -> u16 {
        self.response.status.as_u16()
    }

    /// Returns the stream that would make the body, if the response is streamed. A test does not run it.
    pub fn stream(&self) -> Option<&ResponseStream> {
        self.response.stream.as_deref()
    }

    /// Parses the body of the response as JSON.
    ///
    /// # Panics
    /// If the body is not JSON for a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.response.body) {
            Ok(value) => value,
            Err(error) => panic!("the response is {} {:?}: {error}", self.status(), self.text()),
        }
    }

    /// Returns the body of the response as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    /// Returns the value that the flow wrote into a slot, if it wrote one.
    pub fn slot<S: Slot>(&self) -> Option<&S> {
        self.events.iter().find_map(|event| match event {
            Event::SlotWritten { value, .. } => {
                let any: &dyn Any = &**value;
                any.downcast_ref::<TypedValue<S>>().map(|value| &value.0)
            }
            _ => None,
        })
    }
}
