//! Replays with edits: two runs with the edits alternate with two runs without them.

use crate::compare::attribution::{UneditedRuns, UnstablePlaces, attribute, with_nondeterminism};
use crate::compare::comparison::Remarks;
use crate::edits::edit_set::Edits;
use crate::mask::Mask;
use crate::observed::Observed;
use crate::replay::Replay;
use crate::replay_error::ReplayError;
use crate::report::{Finding, Report};
use crate::run::context::Progress;
use crate::run::input::ReplayInput;
use crate::run::run_result::RunResult;
use crate::unreplayable::not_replayable;

impl Replay<'_> {
    /// Runs the request with the edits twice, to tell their effect from nondeterminism.
    ///
    /// `plain` is a run without edits, which is repeated as well. If there is none, every difference is attributed to
    /// the edits.
    pub(crate) fn edited(
        &self,
        recorded: &Observed<'_>,
        plain: Option<(&ReplayInput, RunResult)>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Report, ReplayError> {
        let flow = self.flow.info();
        self.check_faults(recorded, plain.as_ref().map(|(_, plain)| plain.observed(flow)).as_ref())?;
        let input = match self.input(self.edits, recorded)? {
            Ok(input) => input,
            Err(report) => return Ok(report),
        };
        let mut mask = self.mask();
        if let Some((_, plain)) = &plain {
            self.hide(&mut mask, plain);
        }
        let edited = self.once(recorded, &input, self.edits, mask.clone(), None, progress)?;
        // The runs alternate, so that anything that changes over time shows up in both kinds.
        let unedited = Edits::default();
        let again = match &plain {
            Some((input, _)) => {
                Some(self.once(recorded, input, &unedited, Mask::new(self.context.rule()), None, progress)?)
            }
            None => None,
        };
        // Nothing is performed for real twice. The edits fitted the first run, so an error here is nondeterminism.
        let second = self.once(recorded, &input, self.edits, mask.clone(), Some(&edited), progress).ok();
        let plain = plain.map(|(_, plain)| plain);
        for run in [Some(&edited), again.as_ref(), second.as_ref()].into_iter().flatten() {
            self.hide(&mut mask, run);
        }
        let findings = |run: &RunResult| {
            let mut comparison = self.comparison(&mask);
            let findings = comparison.findings(recorded, run, &run.observed(flow));
            (findings, comparison.take_remarks())
        };
        let without = match (&plain, &again) {
            (Some(plain), Some(again)) => {
                let ((of_plain, _), (of_again, _)) = (findings(plain), findings(again));
                let differing = self.differences_between(&mask, plain, again);
                UneditedRuns {
                    unstable: UnstablePlaces::new(&of_plain, &of_again, &differing),
                    findings: with_nondeterminism(self.flow, of_plain, differing),
                    again: of_again,
                }
            }
            _ => UneditedRuns::default(),
        };
        let (after, remarks) = findings(&edited);
        let (mut differing, mut unstable) = (Vec::new(), UnstablePlaces::default());
        if let Some(second) = &second {
            differing = self.differences_between(&mask, &edited, second);
            // A run that ended early for lack of an answer reveals nothing about later steps.
            let has_ended_earlier = second.unanswered.is_some() && edited.unanswered.is_none();
            let (of_second, _) =
                if has_ended_earlier { (after.clone(), Remarks::default()) } else { findings(second) };
            unstable = UnstablePlaces::new(&after, &of_second, &differing);
        }
        let findings = attribute(self.flow, after, &without, &unstable, differing);
        let is_complete = input.unknown.is_empty() && self.recording.trace.is_complete();
        if plain.is_none() && !findings.is_empty() && !is_complete {
            return Ok(not_replayable(self.unknown(&input)));
        }
        let facts = edited.observed(flow);
        let report = self.report(recorded, Some(&facts), &edited, &mask, &input);
        Ok(remarks.add_to(Report { findings, ..report }))
    }

    /// Returns the differences between two runs with the same inputs.
    pub(crate) fn differences_between(&self, mask: &Mask, one: &RunResult, two: &RunResult) -> Vec<Finding> {
        let flow = self.flow.info();
        let mut comparison = self.comparison(mask);
        let mut differing = comparison.findings(&one.observed(flow), two, &two.observed(flow));
        let label = |run: &RunResult| run.unanswered.as_ref().map(|unanswered| unanswered.label.clone());
        if label(one) == label(two) {
            differing.retain(|finding| !finding.class.ends_replay());
        }
        differing
    }
}
