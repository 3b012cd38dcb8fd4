//! A single run of a replay: the recorded input and answers, with or without edits.

use zerver_trace::Outcome;

use crate::edits::edit_set::Edits;
use crate::edits::effect_names::{is_asked, unknown_effect};
use crate::edits::prepared_edits::PreparedEdits;
use crate::mask::Mask;
use crate::observed::{Observed, ObservedCall};
use crate::replay::Replay;
use crate::replay_error::ReplayError;
use crate::run::clock::{ReplayClock, VirtualLimits};
use crate::run::context::{Progress, ReplayContext};
use crate::run::input::ReplayInput;
use crate::run::recorded_answers::RecordedAnswers;
use crate::run::run_result::RunResult;
use crate::run::runner::{LiveAccess, Runner};

impl Replay<'_> {
    /// Executes one run. Effects that an earlier run performed for real are answered with what that run obtained.
    pub(crate) fn once(
        &self,
        recorded: &Observed<'_>,
        input: &ReplayInput,
        edits: &Edits,
        mask: Mask,
        earlier: Option<&RunResult>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<RunResult, ReplayError> {
        let mut prepared = PreparedEdits::new(edits, self.flow, self.context.rule())?;
        let performed = earlier.map(|earlier| (earlier.observed(self.flow.info()), &earlier.live));
        let mut answers = RecordedAnswers::new(recorded, &self.recording.secrets);
        if let Some((facts, live)) = &performed {
            answers = answers.and_performed(facts, live);
        }
        let (mut ends, mut outside) = (None, LiveAccess::default());
        if !edits.is_empty() {
            ends = Some(self.ends(recorded, input));
            let ReplayContext { timers, live, .. } = self.context;
            outside = LiveAccess {
                timers,
                targets: self.context.targets,
                live: live.filter(|_| !edits.live.is_empty() && earlier.is_none()),
                kinds: &edits.live,
                mask,
            };
        }
        let clock = ReplayClock::new(recorded, input.received_ns, ends);
        let mut run = Runner::new(answers, &mut prepared, clock, outside).run(self.flow, input, progress)?;
        if edits.is_empty() {
            return Ok(run);
        }
        let facts = run.observed(self.flow.info());
        run.applied.splice(0..0, input.applied.iter().cloned());
        for effect in prepared.unused_effects() {
            if !is_asked(effect, recorded) {
                return Err(unknown_effect(effect, recorded.calls().chain(facts.calls())));
            }
            run.notes.push(format!("no step requested {effect} in this run"));
        }
        for kind in &edits.live {
            let is_live =
                |call: &ObservedCall<'_>| *call.kind == *kind.kind && run.live.contains(&call.number);
            if run.unanswered.is_none() && !facts.calls().any(is_live) {
                let kind = &kind.kind;
                run.notes.push(format!(
                    "no effect of kind {kind} was performed for real: the recording answered all of them"
                ));
            }
        }
        run.notes.extend(prepared.unreached(self.flow.info()));
        Ok(run)
    }

    /// Returns the limits that end a run in virtual time from outside.
    pub(crate) fn ends(&self, recorded: &Observed<'_>, input: &ReplayInput) -> VirtualLimits {
        let has_client_left = matches!(recorded.outcome, Some(Outcome::ClientLeft { .. }));
        let limit = self.flow.deadline().or(self.context.deadline);
        let limit_ns = limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        VirtualLimits {
            deadline_ns: input.received_ns.saturating_add(limit_ns),
            client_left_ns: has_client_left.then(|| recorded.ended_ns().unwrap_or(input.received_ns)),
        }
    }
}
