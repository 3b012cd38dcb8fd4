//! A replay: today's code runs twice with the recorded inputs, and twice more with the edits.

use std::fmt;
use std::sync::Arc;

use zerver_engine::{Flow, Request};
use zerver_trace::{Event, Outcome, Value};

use crate::compare::attribution::with_nondeterminism;
use crate::compare::comparison::Comparison;
use crate::edits::edit_set::Edits;
use crate::edits::json_forms::GivenValue;
use crate::edits::prepared_edits::PreparedEdits;
use crate::mask::Mask;
use crate::missing_input::MissingInput;
use crate::observed::Observed;
use crate::recording::Recording;
use crate::replay_error::ReplayError;
use crate::report::Report;
use crate::run::context::{Progress, ReplayContext};
use crate::run::input::{InputError, ReplayInput, input};
use crate::run::run_result::RunResult;
use crate::unreplayable::{not_replayable, without_steps};

/// A recorded request to be run again.
pub struct Replay<'r> {
    /// The recording.
    pub recording: &'r Recording,
    /// Today's flow of the same name.
    pub flow: &'r Arc<Flow>,
    /// Adds the path parameters to a request; returns false if the flow does not accept it.
    pub route: &'r dyn Fn(&mut Request) -> bool,
    /// Changes to the inputs.
    pub edits: &'r Edits,
    /// Services of the host program that the replay may use.
    pub context: ReplayContext<'r>,
}

impl fmt::Debug for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("request", &self.recording.trace.id)
            .field("flow", &self.flow.info().name)
            .field("edits", &self.edits)
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Replay<'_> {
    /// Runs the replay and reports its progress.
    ///
    /// # Errors
    /// Fails if an edit does not fit the flow or the recording.
    pub fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Report, ReplayError> {
        self.compared(progress, Self::is_plainly_same)
    }

    /// Runs the replay like [`Replay::run`]. Runs that pass `is_same` have no findings and are not described.
    pub(crate) fn compared(
        &self,
        progress: &mut dyn FnMut(Progress<'_>),
        is_same: impl Fn(&Self, &ReplayInput, &RunResult) -> bool,
    ) -> Result<Report, ReplayError> {
        let trace = &self.recording.trace;
        if matches!(trace.outcome, Outcome::Rejected { .. }) {
            return Ok(without_steps(trace));
        }
        PreparedEdits::new(self.edits, self.flow, self.context.rule())?;
        self.check_live()?;
        let recorded = Observed::of_trace(trace);
        let unedited = Edits::default();
        let input = match self.input(&unedited, &recorded)? {
            Ok(input) => input,
            // An edit may supply the missing input.
            Err(report) if self.edits.is_empty() => return Ok(report),
            Err(_) => return self.edited(&recorded, None, progress),
        };
        let mut once =
            || self.once(&recorded, &input, &unedited, Mask::new(self.context.rule()), None, progress);
        let plain = once()?;
        let mut mask = self.mask();
        self.hide(&mut mask, &plain);
        let mut again = None;
        if is_same(self, &input, &plain) {
            let second = once()?;
            if is_same(self, &input, &second) {
                return Ok(self.report(&recorded, None, &plain, &mask, &input));
            }
            again = Some(second);
        }
        let facts = plain.observed(self.flow.info());
        let is_complete = input.unknown.is_empty() && trace.is_complete();
        if !is_complete && !self.comparison(&mask).findings(&recorded, &plain, &facts).is_empty() {
            return match self.edits.is_empty() {
                true => Ok(not_replayable(self.unknown(&input))),
                false => self.edited(&recorded, None, progress),
            };
        }
        if !self.edits.is_empty() {
            return self.edited(&recorded, Some((&input, plain)), progress);
        }
        let again = again.map_or_else(once, Ok)?;
        self.hide(&mut mask, &again);
        let mut comparison = self.comparison(&mask);
        let findings = comparison.findings(&recorded, &plain, &facts);
        let remarks = comparison.take_remarks();
        let findings =
            with_nondeterminism(self.flow, findings, self.differences_between(&mask, &plain, &again));
        let report = self.report(&recorded, Some(&facts), &plain, &mask, &input);
        Ok(remarks.add_to(Report { findings, ..report }))
    }

    /// Rebuilds the request with these edits, or returns a report if it cannot be rebuilt.
    pub(crate) fn input(
        &self,
        edits: &Edits,
        recorded: &Observed<'_>,
    ) -> Result<Result<ReplayInput, Report>, ReplayError> {
        match input(self.recording, edits, self.route, &self.context.rule()) {
            Ok(mut input) => {
                // Its steps do not see the body.
                if self.flow.streamed_body().is_some() {
                    input.leave_out_body();
                }
                Ok(Ok(input))
            }
            Err(InputError::Invalid(refusal)) => Err(refusal),
            Err(InputError::Unavailable(why)) => Ok(Err(not_replayable(vec![MissingInput::Other(why)]))),
            Err(InputError::RouteChanged) => Ok(Err(self.route_changed(recorded))),
        }
    }

    /// Starts a comparison of the recording with a run of today's code.
    pub(crate) fn comparison<'c>(&'c self, mask: &'c Mask) -> Comparison<'c> {
        let (then, today) = (&self.recording.trace.flow, self.flow.info());
        Comparison::new(then, today, &self.recording.secrets, mask)
    }

    /// Collects the secrets of the recording and of the edits.
    pub(crate) fn mask(&self) -> Mask {
        let mut mask = Mask::of(self.recording, self.context.rule());
        for (name, value) in &self.edits.headers {
            if mask.rule().is_header(name) {
                mask.add_bytes(value.as_bytes());
            }
        }
        for edit in &self.edits.slots {
            let info = self.flow.info().slots.iter().find(|slot| slot.name == edit.slot);
            if info.is_some_and(|slot| slot.is_secret)
                && let Ok(given) = GivenValue::read(&edit.json)
            {
                mask.add(&given.plain.root());
            }
        }
        mask
    }

    /// Adds the secrets that a run wrote into slots.
    pub(crate) fn hide(&self, mask: &mut Mask, run: &RunResult) {
        let slots = &self.flow.info().slots;
        let is_secret = |slot: u16| slots.get(usize::from(slot)).is_none_or(|slot| slot.is_secret);
        for event in &run.events {
            if let Event::SlotWritten { slot, value, .. } = event
                && is_secret(*slot)
                && let Ok(value) = Value::from_recordable(&**value)
            {
                mask.add(&value.root());
            }
        }
    }
}
