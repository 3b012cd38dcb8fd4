//! A replay with edits: today's code is run twice with them, in turns with the two runs that have none.

use crate::compare::attribution::{UneditedRuns, UnstablePlaces, blame, with_nondeterminism};
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
use crate::unreplayable::impossible;

impl Replay<'_> {
    /// Runs it with the edits, twice, so that what is not the same twice is told from what they make different; `plain`
    /// is a run without them, which is then run again, too. UneditedRuns one all that differs comes from the edits.
    pub(crate) fn edited(
        &self,
        recorded: &Observed<'_>,
        plain: Option<(&ReplayInput, RunResult)>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Report, ReplayError> {
        let flow = self.flow.info();
        self.check_faults(recorded, plain.as_ref().map(|(_, plain)| plain.facts(flow)).as_ref())?;
        let input = match self.input(self.edits, recorded)? {
            Ok(input) => input,
            Err(report) => return Ok(report),
        };
        let mut mask = self.mask();
        if let Some((_, plain)) = &plain {
            self.hide(&mut mask, plain);
        }
        let edited = self.once(recorded, &input, self.edits, mask.clone(), None, progress)?;
        // In turns, so that what changes with time is seen in both.
        let unedited = Edits::default();
        let again = match &plain {
            Some((input, _)) => {
                Some(self.once(recorded, input, &unedited, Mask::new(self.context.rule()), None, progress)?)
            }
            None => None,
        };
        // Nothing is performed for real a second time. What does not fit now did before, so it is not the same twice.
        let second = self.once(recorded, &input, self.edits, mask.clone(), Some(&edited), progress).ok();
        let plain = plain.map(|(_, plain)| plain);
        for run in [Some(&edited), again.as_ref(), second.as_ref()].into_iter().flatten() {
            self.hide(&mut mask, run);
        }
        let findings = |run: &RunResult| {
            let mut comparison = self.comparison(&mask);
            let findings = comparison.findings(recorded, run, &run.facts(flow));
            (findings, comparison.take_left())
        };
        let without = match (&plain, &again) {
            (Some(plain), Some(again)) => {
                let ((of_plain, _), (of_again, _)) = (findings(plain), findings(again));
                let apart = self.apart(&mask, plain, again);
                UneditedRuns {
                    unsteady: UnstablePlaces::new(&of_plain, &of_again, &apart),
                    findings: with_nondeterminism(self.flow, of_plain, apart),
                    again: of_again,
                }
            }
            _ => UneditedRuns::default(),
        };
        let (after, left) = findings(&edited);
        let (mut apart, mut unsteady) = (Vec::new(), UnstablePlaces::default());
        if let Some(second) = &second {
            apart = self.apart(&mask, &edited, second);
            // One that ended earlier for want of an answer says nothing of what comes after.
            let has_ended_earlier = second.unanswered.is_some() && edited.unanswered.is_none();
            let (of_second, _) =
                if has_ended_earlier { (after.clone(), Remarks::default()) } else { findings(second) };
            unsteady = UnstablePlaces::new(&after, &of_second, &apart);
        }
        let findings = blame(self.flow, after, &without, &unsteady, apart);
        let is_complete = input.unknown.is_empty() && self.recording.trace.is_complete();
        if plain.is_none() && !findings.is_empty() && !is_complete {
            return Ok(impossible(self.unknown(&input)));
        }
        let facts = edited.facts(flow);
        let report = self.report(recorded, Some(&facts), &edited, &mask, &input);
        Ok(left.in_report(Report { findings, ..report }))
    }

    /// Where two runs with the same inputs differ.
    pub(crate) fn apart(&self, mask: &Mask, one: &RunResult, two: &RunResult) -> Vec<Finding> {
        let flow = self.flow.info();
        let mut comparison = self.comparison(mask);
        let mut apart = comparison.findings(&one.facts(flow), two, &two.facts(flow));
        let label = |run: &RunResult| run.unanswered.as_ref().map(|unanswered| unanswered.label.clone());
        if label(one) == label(two) {
            apart.retain(|finding| !finding.class.ends_replay());
        }
        apart
    }
}
