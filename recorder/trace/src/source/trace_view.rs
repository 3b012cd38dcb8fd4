//! Traces of which single values can be read, so that a search decodes no more than it asks for.

use std::borrow::Cow;

use super::SourceError;
use crate::{Event, FlowInfo, Header, Recorded, RecordedBody, Summary, Thread, Trace};

/// A place in a trace that holds values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValuePlace {
    /// [`Trace::build`].
    Build,
    /// [`Trace::peer`].
    Peer,
    /// [`Trace::target`].
    Target,
    /// [`Trace::request_headers`].
    RequestHeaders,
    /// [`Trace::response_headers`].
    ResponseHeaders,
    /// [`Trace::request_body`].
    RequestBody,
    /// [`Trace::response_body`].
    ResponseBody,
    /// The last value written into the slot at this position of [`FlowInfo::slots`].
    Slot(u16),
}

/// A value at a [`ValuePlace`].
#[derive(Debug, Clone, Copy)]
pub enum PlacedValue<'v> {
    /// A text.
    Text(&'v str),
    /// A recorded value.
    Value(&'v Recorded),
    /// A header.
    Header(&'v Header<Recorded>),
    /// A body.
    Body(&'v RecordedBody),
}

/// The subject of an event, apart from its time and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSubject<'e> {
    /// A step that ran, wrote a slot or requested an effect, by its position in [`FlowInfo::steps`].
    Step(u16),
    /// The kind of an effect that was requested.
    Effect(&'e str),
    /// The rule of chaos that injected a fault.
    Fault(&'e str),
    /// A thread that took the request.
    Thread(Thread),
}

/// Number of values that passed a test, and that failed it. Values to which the test does not apply are in neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Number of values that passed.
    pub passed: u32,
    /// Number of values that failed.
    pub failed: u32,
}

impl Tally {
    /// Counts the result of a test; `None` if it does not apply.
    pub fn count(&mut self, result: Option<bool>) {
        match result {
            Some(true) => self.passed += 1,
            Some(false) => self.failed += 1,
            None => {}
        }
    }
}

/// A trace of which single values can be read.
///
/// Tests are numbered, so that an implementation may remember their results: within one visit of a source, the same
/// number must always come with the same test, and the result must depend on nothing but the value, or on the subject
/// and the flow.
pub trait TraceView {
    /// Returns the summary.
    fn summary(&self) -> Cow<'_, Summary>;

    /// Returns the flow.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn flow(&self) -> Result<&FlowInfo, SourceError>;

    /// Tests the values at a place.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn test_values(
        &self,
        place: ValuePlace,
        number: usize,
        test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError>;

    /// Tests the subjects of the events.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn test_events(
        &self,
        number: usize,
        test: &dyn Fn(EventSubject<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError>;

    /// Returns the whole trace.
    ///
    /// # Errors
    /// If the trace cannot be read.
    fn trace(&self) -> Result<Cow<'_, Trace>, SourceError>;
}

impl TraceView for Trace {
    fn summary(&self) -> Cow<'_, Summary> {
        Cow::Owned(self.summary())
    }

    fn flow(&self) -> Result<&FlowInfo, SourceError> {
        Ok(&self.flow)
    }

    fn test_values(
        &self,
        place: ValuePlace,
        _number: usize,
        test: &dyn Fn(PlacedValue<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        let mut tally = Tally::default();
        let mut count = |value| tally.count(test(value));
        match place {
            ValuePlace::Build => count(PlacedValue::Text(&self.build)),
            ValuePlace::Peer => count(PlacedValue::Text(&self.peer)),
            ValuePlace::Target => count(PlacedValue::Value(&self.target)),
            ValuePlace::RequestHeaders => {
                self.request_headers.iter().map(PlacedValue::Header).for_each(count)
            }
            ValuePlace::ResponseHeaders => {
                self.response_headers.iter().map(PlacedValue::Header).for_each(count)
            }
            ValuePlace::RequestBody => count(PlacedValue::Body(&self.request_body)),
            ValuePlace::ResponseBody => count(PlacedValue::Body(&self.response_body)),
            ValuePlace::Slot(wanted) => {
                let written = self.events.iter().rev().find_map(|event| match event {
                    Event::SlotWritten { slot, value, .. } if *slot == wanted => Some(value),
                    _ => None,
                });
                written.into_iter().map(PlacedValue::Value).for_each(count);
            }
        }
        Ok(tally)
    }

    fn test_events(
        &self,
        _number: usize,
        test: &dyn Fn(EventSubject<'_>) -> Option<bool>,
    ) -> Result<Tally, SourceError> {
        Ok(test_subjects(&self.events, test))
    }

    fn trace(&self) -> Result<Cow<'_, Trace>, SourceError> {
        Ok(Cow::Borrowed(self))
    }
}

/// Tests the subjects of events, for implementations of [`TraceView::test_events`].
pub fn test_subjects<V>(events: &[Event<V>], test: &dyn Fn(EventSubject<'_>) -> Option<bool>) -> Tally {
    let mut tally = Tally::default();
    for event in events {
        match event {
            Event::StepRan { step, .. } | Event::SlotWritten { step, .. } => {
                tally.count(test(EventSubject::Step(*step)));
            }
            Event::EffectRequested { step, kind, .. } => {
                tally.count(test(EventSubject::Step(*step)));
                tally.count(test(EventSubject::Effect(kind)));
            }
            Event::FaultInjected { rule, .. } => tally.count(test(EventSubject::Fault(rule))),
            Event::Migrated { to, .. } => tally.count(test(EventSubject::Thread(*to))),
            _ => {}
        }
    }
    tally
}
