//! A replay: today's code is run twice with the recorded inputs, and twice more with the edits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_engine::{Flow, Request};
use zerver_trace::{Event, FlowInfo, MissingReason, Origin, Outcome, Recorded, Trace, Value};

use crate::compare::attribution::with_nondeterminism;
use crate::compare::comparison::Comparison;
use crate::edits::json_forms::Given;
use crate::edits::{Edits, Prepared, suggest};
use crate::mask::Mask;
use crate::nearest_name::nearest_name;
use crate::observed::{Call, Observed};
use crate::render::{ending, masked, replied};
use crate::report::{Coverage, Finding, FindingClass, ReplayError, Report, ReportedValue};
use crate::run::clock::{Clock, Ends};
use crate::run::context::{LivePerformer, Progress, ReplayContext};
use crate::run::input::{Input, NoInput, input};
use crate::run::recorded_answers::Answers;
use crate::run::runner::{Outside, Rerun, Runner};

/// A trace with what its sealed values hold.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Recording {
    /// The trace, as it is in the store.
    pub trace: Trace,
    /// What is behind its seals, as far as the key is there.
    pub secrets: Secrets,
}

/// Sealed values, opened, by their hash.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Secrets(pub BTreeMap<[u8; 16], Value>);

/// Why a recorded value is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gone {
    Hash,
    Missing(MissingReason),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => f.write_str("only a hash of it is here"),
            Self::Missing(missing) => write!(f, "not recorded: {}", crate::value::json::why(missing)),
        }
    }
}

impl Secrets {
    pub(crate) fn plain<'v>(&'v self, recorded: &'v Recorded) -> Result<&'v Value, Gone> {
        match recorded {
            Recorded::Plain { value, .. } => Ok(value),
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } => {
                self.0.get(hash).ok_or(Gone::Hash)
            }
            Recorded::Missing(missing) => Err(Gone::Missing(missing.clone())),
        }
    }
}

/// A recorded request that is to be run again.
pub struct Replay<'r> {
    /// The recording.
    pub recording: &'r Recording,
    /// Today's flow of that name.
    pub flow: &'r Arc<Flow>,
    /// Puts the path's parameters into a request, and says whether the flow takes it.
    pub route: &'r dyn Fn(&mut Request) -> bool,
    /// What is to be different.
    pub edits: &'r Edits,
    /// What it may ask of the program around it.
    pub context: ReplayContext<'r>,
}

impl Replay<'_> {
    /// Runs it, and reports its progress.
    ///
    /// # Errors
    /// When an edit does not fit.
    pub fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Report, ReplayError> {
        self.compared(progress, Self::is_plainly_same)
    }

    /// The same. Runs of which `is_same` says so are not described, for there is nothing to find.
    pub(crate) fn compared(
        &self,
        progress: &mut dyn FnMut(Progress<'_>),
        is_same: impl Fn(&Self, &Input, &Rerun) -> bool,
    ) -> Result<Report, ReplayError> {
        let trace = &self.recording.trace;
        if matches!(trace.outcome, Outcome::Rejected { .. }) {
            return Ok(without_steps(trace));
        }
        Prepared::new(self.edits, self.flow, self.context.rule())?;
        self.check_live()?;
        let recorded = Observed::of_trace(trace);
        let unedited = Edits::default();
        let input = match self.input(&unedited, &recorded)? {
            Ok(input) => input,
            // What is not there may be what is edited.
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
        let facts = plain.facts(self.flow.info());
        let is_complete = input.unknown.is_empty() && trace.is_complete();
        if !is_complete && !Comparison::new(self, &mask).findings(&recorded, &plain, &facts).is_empty() {
            return match self.edits.is_empty() {
                true => Ok(impossible(self.unknown(&input))),
                false => self.edited(&recorded, None, progress),
            };
        }
        if !self.edits.is_empty() {
            return self.edited(&recorded, Some((&input, plain)), progress);
        }
        let again = again.map_or_else(once, Ok)?;
        self.hide(&mut mask, &again);
        let mut comparison = Comparison::new(self, &mask);
        let findings = comparison.findings(&recorded, &plain, &facts);
        let left = comparison.take_left();
        let findings = with_nondeterminism(self.flow, findings, self.apart(&mask, &plain, &again));
        let report = self.report(&recorded, Some(&facts), &plain, &mask, &input);
        Ok(left.in_report(Report { findings, ..report }))
    }

    /// The request with these edits, or what is told where there is none.
    pub(crate) fn input(
        &self,
        edits: &Edits,
        recorded: &Observed<'_>,
    ) -> Result<Result<Input, Report>, ReplayError> {
        match input(self.recording, edits, self.route, &self.context.rule()) {
            Ok(input) => Ok(Ok(input)),
            Err(NoInput::Refused(refusal)) => Err(refusal),
            Err(NoInput::Impossible(why)) => Ok(Err(impossible(vec![why]))),
            Err(NoInput::Moved) => Ok(Err(self.moved(recorded))),
        }
    }

    /// One run. What an earlier one performed for real is not performed again: it gives the same.
    pub(crate) fn once(
        &self,
        recorded: &Observed<'_>,
        input: &Input,
        edits: &Edits,
        mask: Mask,
        earlier: Option<&Rerun>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Rerun, ReplayError> {
        let mut prepared = Prepared::new(edits, self.flow, self.context.rule())?;
        let performed = earlier.map(|earlier| (earlier.facts(self.flow.info()), &earlier.live));
        let mut answers = Answers::new(recorded, &self.recording.secrets);
        if let Some((facts, live)) = &performed {
            answers = answers.and_performed(facts, live);
        }
        let (mut ends, mut outside) = (None, Outside::default());
        if !edits.is_empty() {
            ends = Some(self.ends(recorded, input));
            let ReplayContext { timers, live, .. } = self.context;
            outside = Outside {
                timers,
                live: live.filter(|_| !edits.live.is_empty() && earlier.is_none()),
                kinds: &edits.live,
                mask,
            };
        }
        let clock = Clock::new(recorded, input.received_ns, ends);
        let mut run = Runner::new(answers, &mut prepared, clock, outside).run(self.flow, input, progress)?;
        if edits.is_empty() {
            return Ok(run);
        }
        let facts = run.facts(self.flow.info());
        run.applied.splice(0..0, input.applied.iter().cloned());
        for effect in prepared.unused_effects() {
            if !is_asked(effect, recorded) {
                return Err(unknown_effect(effect, recorded.calls().chain(facts.calls())));
            }
            run.notes.push(format!("nothing asked for {effect} any more"));
        }
        for kind in &edits.live {
            let is_live = |call: &Call<'_>| *call.kind == *kind.kind && run.live.contains(&call.number);
            if run.unanswered.is_none() && !facts.calls().any(is_live) {
                let kind = &kind.kind;
                run.notes.push(format!("no effect of kind {kind} was performed for real: none was new"));
            }
        }
        run.notes.extend(prepared.unreached(self.flow.info()));
        Ok(run)
    }

    /// What ends a run in virtual time from outside.
    fn ends(&self, recorded: &Observed<'_>, input: &Input) -> Ends {
        let is_gone = matches!(recorded.outcome, Some(Outcome::Gone { .. }));
        let limit = self.flow.deadline().or(self.context.deadline);
        let limit_ns = limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        Ends {
            deadline_ns: input.received_ns.saturating_add(limit_ns),
            gone_ns: is_gone.then(|| recorded.ended_ns().unwrap_or(input.received_ns)),
        }
    }

    /// Whether the kinds that are to be performed for real can be.
    fn check_live(&self) -> Result<(), ReplayError> {
        let kinds = self.context.live.map_or(Vec::new(), LivePerformer::kinds);
        let named = self.edits.live.iter().map(|live| live.kind.as_str());
        match named.into_iter().find(|kind| !kinds.contains(kind)) {
            None => Ok(()),
            Some(kind) => Err(suggest(
                ReplayError::new(format!("the service performs no effect of kind {kind}")),
                kind,
                &kinds,
            )),
        }
    }

    /// Whether the effects with which something is to go wrong are there. Where something else is edited as well, that
    /// may bring them; then it is seen afterwards, unless something would have been performed for real by then.
    pub(crate) fn check_faults(
        &self,
        recorded: &Observed<'_>,
        plain: Option<&Observed<'_>>,
    ) -> Result<(), ReplayError> {
        let faults_alone = Edits { faults: self.edits.faults.clone(), ..Edits::default() };
        if self.edits.live.is_empty() && (*self.edits != faults_alone || plain.is_none()) {
            return Ok(());
        }
        let all = || recorded.calls().chain(plain.into_iter().flat_map(Observed::calls));
        let known =
            |effect: &str| is_asked(effect, recorded) || plain.is_some_and(|plain| is_asked(effect, plain));
        match self.edits.faults.iter().find(|fault| !known(&fault.effect)) {
            Some(fault) => Err(unknown_effect(&fault.effect, all())),
            None => Ok(()),
        }
    }

    /// What is told where the flow is there and its route is another one.
    fn moved(&self, recorded: &Observed<'_>) -> Report {
        let route = |flow: &FlowInfo| ReportedValue::text(format!("{} {}", flow.method, flow.pattern));
        let (then, now) = (&self.recording.trace.flow, self.flow.info());
        let finding = Finding {
            class: FindingClass::CodeChanged,
            step: String::new(),
            field: "route".to_owned(),
            expected: route(then),
            got: route(now),
            source: None,
        };
        let decisions_recorded = recorded.runs.len() as u32;
        Report {
            coverage: Coverage { decisions_recorded, ..Coverage::default() },
            findings: vec![finding],
            ..Report::default()
        }
    }

    pub(crate) fn unknown(&self, input: &Input) -> Vec<String> {
        let dropped = self.recording.trace.events_dropped;
        let events = (dropped > 0).then(|| format!("what happened: {dropped} events were not recorded"));
        input.unknown.iter().cloned().chain(events).collect()
    }

    /// What must not be told of the recording and of the edits.
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
                && let Ok(given) = Given::read(&edit.json)
            {
                mask.add(&given.plain.root());
            }
        }
        mask
    }

    /// What a run wrote into secret slots must not be told either.
    pub(crate) fn hide(&self, mask: &mut Mask, run: &Rerun) {
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

    /// All but what was compared: `now`, which is none where all of it is what was recorded.
    pub(crate) fn report(
        &self,
        recorded: &Observed<'_>,
        now: Option<&Observed<'_>>,
        run: &Rerun,
        mask: &Mask,
        input: &Input,
    ) -> Report {
        let mut notes = run.notes.clone();
        for unknown in &self.unknown(input) {
            let what = unknown.split("; --").next().unwrap_or_default();
            notes.push(format!("nothing depended on {what}"));
        }
        let origin = &self.recording.trace.origin;
        if now.is_some() && *origin == Origin::NotRecorded && input.arrival.request.uri.authority().is_none()
        {
            notes.push("whether its target named an authority of its own was not recorded".to_owned());
        }
        if now.is_some() && recorded.lacks_response() {
            notes.push(
                "the response was not recorded, for the client had left: it is not compared".to_owned(),
            );
        }
        if let Some(unanswered) = &run.unanswered {
            let label = mask.text(&unanswered.label);
            let kind = label.split(' ').next().unwrap_or_default();
            notes.push(format!(
                "the replay ended at {label}; --answer '{label}=JSON' gives it an answer, --live {kind} asks for real"
            ));
        }
        let decisions_recorded = recorded.runs.len() as u32;
        Report {
            coverage: Coverage {
                decisions_reproduced: now
                    .map_or(decisions_recorded, |now| Comparison::rederived(self.flow.info(), recorded, now)),
                decisions_recorded,
                effects_replayed: run.fed,
                effects_live: run.live.len() as u32,
                effects_unanswered: run.unanswered.is_some().into(),
            },
            applied: run.applied.iter().map(|applied| masked(applied, mask)).collect(),
            notes,
            response: run.response.as_ref().map(|response| replied(response, mask)),
            edited_outcome: Some(run)
                .filter(|_| !self.edits.is_empty())
                .and_then(|run| ending(self, run, recorded, mask)),
            ..Report::default()
        }
    }
}

/// Whether a call has this name or this number.
fn is_asked(effect: &str, facts: &Observed<'_>) -> bool {
    facts.calls().any(|call| call.label() == effect || call.number.to_string() == effect)
}

fn unknown_effect<'c>(effect: &str, calls: impl Iterator<Item = &'c Call<'c>>) -> ReplayError {
    let mut names: Vec<&str> = calls.map(Call::label).collect();
    names.dedup();
    suggest(ReplayError::new(format!("nothing asked for {effect}")), effect, &names)
}

pub(crate) fn impossible(impossible: Vec<String>) -> Report {
    Report { missing_inputs: impossible, ..Report::default() }
}

fn without_steps(trace: &Trace) -> Report {
    let reason = match &trace.outcome {
        Outcome::Rejected { reason } => format!(": {}", zerver_trace::text::clean(reason)),
        _ => String::new(),
    };
    impossible(vec![format!("it was answered before any step ran{reason}")])
}

/// What is told of a trace whose flow is no longer there, or which no flow took.
pub fn removed_flow_report<'n>(trace: &Trace, names: impl IntoIterator<Item = &'n str>) -> Report {
    if trace.flow.name.is_empty() {
        return without_steps(trace);
    }
    let got = match nearest_name(&trace.flow.name, names) {
        Some(name) => ReportedValue::text(format!("no such flow; the nearest is {name}")),
        None => ReportedValue::text("no such flow"),
    };
    let finding = Finding {
        class: FindingClass::CodeChanged,
        step: String::new(),
        field: "flow".to_owned(),
        expected: ReportedValue::text(trace.flow.name.clone()),
        got,
        source: None,
    };
    let decisions_recorded = Observed::of_trace(trace).runs.len() as u32;
    Report {
        coverage: Coverage { decisions_recorded, ..Coverage::default() },
        findings: vec![finding],
        ..Report::default()
    }
}
