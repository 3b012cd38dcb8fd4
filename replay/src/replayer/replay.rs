//! A replay: today's code is run twice with the recorded inputs, and once more with the edits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_engine::{Flow, Request};
use zerver_trace::{FlowInfo, Missing, Node, Outcome, Recorded, Trace, Value};

use super::answers::Answers;
use super::clock::{Clock, Ends};
use super::compare::Comparison;
use super::edits::{Edits, Prepared, suggest};
use super::facts::{Call, Facts};
use super::input::{Input, NoInput, input};
use super::mask::{Mask, is_sensitive};
use super::nearest;
use super::report::{Coverage, Finding, FindingClass, Refusal, Report, Seen};
use super::run::{Outside, Rerun, Runner};
use super::told::{ending, masked, replied};
use super::world::{Live, World};

/// A trace with what its sealed values hold.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Opened {
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
pub(super) enum Gone {
    Hash,
    Missing(Missing),
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => f.write_str("only a hash of it is here"),
            Self::Missing(missing) => write!(f, "not recorded: {}", crate::json::why(missing)),
        }
    }
}

impl Secrets {
    pub(super) fn plain<'v>(&'v self, recorded: &'v Recorded) -> Result<&'v Value, Gone> {
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
    pub opened: &'r Opened,
    /// Today's flow of that name.
    pub flow: &'r Arc<Flow>,
    /// Puts the path's parameters into a request, and says whether the flow takes it.
    pub route: &'r dyn Fn(&mut Request) -> bool,
    /// What is to be different.
    pub edits: &'r Edits,
    /// What it may ask of the program around it.
    pub world: World<'r>,
}

impl Replay<'_> {
    /// Runs it; `before` is told of each step before that runs.
    ///
    /// # Errors
    /// When an edit does not fit.
    pub fn run(&self, before: &mut dyn FnMut(&str)) -> Result<Report, Refusal> {
        let trace = &self.opened.trace;
        if matches!(trace.outcome, Outcome::Rejected { .. }) {
            return Ok(without_steps(trace));
        }
        Prepared::new(self.edits, self.flow)?;
        self.check_live()?;
        let recorded = Facts::of_trace(trace);
        let unedited = Edits::default();
        let (input, plain) = match self.once(&recorded, &unedited, Mask::default(), before)? {
            Ok(run) => run,
            // What is not there may be what is edited.
            Err(report) if self.edits.is_empty() => return Ok(report),
            Err(_) => return self.edited_only(&recorded, before),
        };
        let mut mask = self.mask();
        self.hide(&mut mask, &plain);
        let mut comparison = Comparison::new(self, &mask);
        let mut findings = comparison.findings(&recorded, &plain);
        let is_complete = input.unknown.is_empty() && trace.is_complete();
        if !findings.is_empty() && !is_complete {
            return match self.edits.is_empty() {
                true => Ok(impossible(self.unknown(&input))),
                false => self.edited_only(&recorded, before),
            };
        }
        if let Ok((_, again)) = self.once(&recorded, &unedited, Mask::default(), before)? {
            let mut differing = Comparison::new(self, &mask).findings(&plain.facts, &again);
            let label = |run: &Rerun| run.unanswered.as_ref().map(|unanswered| unanswered.label.clone());
            if label(&plain) == label(&again) {
                differing.retain(|finding| finding.class != FindingClass::Unanswered);
            }
            findings = with_nondeterminism(self.flow, findings, differing);
        }
        if self.edits.is_empty() {
            let skipped = comparison.take_skipped();
            return Ok(self.report(&recorded, &plain, &mask, findings, skipped, &input));
        }
        self.check_faults(&recorded, Some(&plain.facts))?;
        let (input, edited) = match self.once(&recorded, self.edits, mask.clone(), before)? {
            Ok(run) => run,
            Err(report) => return Ok(report),
        };
        self.hide(&mut mask, &edited);
        let mut comparison = Comparison::new(self, &mask);
        let after = comparison.findings(&recorded, &edited);
        let findings = after.into_iter().map(|finding| blame(finding, &findings)).collect();
        let skipped = comparison.take_skipped();
        Ok(self.report(&recorded, &edited, &mask, findings, skipped, &input))
    }

    /// Without a run to compare with that has no edits, all that differs comes from the edits.
    fn edited_only(&self, recorded: &Facts, before: &mut dyn FnMut(&str)) -> Result<Report, Refusal> {
        let mut mask = self.mask();
        self.check_faults(recorded, None)?;
        let (input, edited) = match self.once(recorded, self.edits, mask.clone(), before)? {
            Ok(run) => run,
            Err(report) => return Ok(report),
        };
        self.hide(&mut mask, &edited);
        let mut comparison = Comparison::new(self, &mask);
        let findings: Vec<_> =
            comparison.findings(recorded, &edited).into_iter().map(|finding| blame(finding, &[])).collect();
        let skipped = comparison.take_skipped();
        let is_complete = input.unknown.is_empty() && self.opened.trace.is_complete();
        if !findings.is_empty() && !is_complete {
            return Ok(impossible(self.unknown(&input)));
        }
        Ok(self.report(recorded, &edited, &mask, findings, skipped, &input))
    }

    fn once(
        &self,
        recorded: &Facts,
        edits: &Edits,
        mask: Mask,
        before: &mut dyn FnMut(&str),
    ) -> Result<Result<(Input, Rerun), Report>, Refusal> {
        let input = match input(self.opened, edits, self.route) {
            Ok(input) => input,
            Err(NoInput::Refused(refusal)) => return Err(refusal),
            Err(NoInput::Impossible(why)) => return Ok(Err(impossible(vec![why]))),
            Err(NoInput::Moved) => return Ok(Err(self.moved(recorded))),
        };
        let mut prepared = Prepared::new(edits, self.flow)?;
        let answers = Answers::new(recorded, &self.opened.secrets);
        let (mut ends, mut outside) = (None, Outside::default());
        if !edits.is_empty() {
            ends = Some(self.ends(recorded, &input));
            let World { timers, live, .. } = self.world;
            outside =
                Outside { timers, live: live.filter(|_| !edits.live.is_empty()), kinds: &edits.live, mask };
        }
        let clock = Clock::new(recorded, input.received_ns, ends);
        let mut run = Runner::new(answers, &mut prepared, clock, outside).run(self.flow, &input, before)?;
        run.applied.splice(0..0, input.applied.iter().cloned());
        for effect in prepared.unused_effects() {
            if !is_asked(effect, recorded) {
                return Err(unknown_effect(effect, recorded.calls().chain(run.facts.calls())));
            }
            run.notes.push(format!("nothing asked for {effect} any more"));
        }
        for kind in &edits.live {
            if !run.facts.calls().any(|call| call.kind == *kind && run.live.contains(&call.number)) {
                run.notes.push(format!("no effect of kind {kind} was performed for real: none was new"));
            }
        }
        run.notes.extend(prepared.unreached(self.flow.info()));
        Ok(Ok((input, run)))
    }

    /// What ends a run in virtual time from outside.
    fn ends(&self, recorded: &Facts, input: &Input) -> Ends {
        let is_gone = matches!(recorded.outcome, Some(Outcome::Gone { .. }));
        let limit = self.flow.deadline().or(self.world.deadline);
        let limit_ns = limit.map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        Ends {
            deadline_ns: input.received_ns.saturating_add(limit_ns),
            gone_ns: is_gone.then(|| recorded.ended_ns().unwrap_or(input.received_ns)),
        }
    }

    /// Whether the kinds that are to be performed for real can be.
    fn check_live(&self) -> Result<(), Refusal> {
        let kinds = self.world.live.map_or(Vec::new(), Live::kinds);
        match self.edits.live.iter().find(|kind| !kinds.contains(&kind.as_str())) {
            None => Ok(()),
            Some(kind) => Err(suggest(
                Refusal::new(format!("the service performs no effect of kind {kind}")),
                kind,
                &kinds,
            )),
        }
    }

    /// Whether the effects with which something is to go wrong are there. Where something else is edited as well, that
    /// may bring them; then it is seen afterwards, unless something would have been performed for real by then.
    fn check_faults(&self, recorded: &Facts, plain: Option<&Facts>) -> Result<(), Refusal> {
        let faults_alone = Edits { faults: self.edits.faults.clone(), ..Edits::default() };
        if self.edits.live.is_empty() && (*self.edits != faults_alone || plain.is_none()) {
            return Ok(());
        }
        let all = || recorded.calls().chain(plain.into_iter().flat_map(Facts::calls));
        let known =
            |effect: &str| is_asked(effect, recorded) || plain.is_some_and(|plain| is_asked(effect, plain));
        match self.edits.faults.iter().find(|fault| !known(&fault.effect)) {
            Some(fault) => Err(unknown_effect(&fault.effect, all())),
            None => Ok(()),
        }
    }

    /// What is told where the flow is there and its route is another one.
    fn moved(&self, recorded: &Facts) -> Report {
        let route = |flow: &FlowInfo| Seen::text(format!("{} {}", flow.method, flow.pattern));
        let (then, now) = (&self.opened.trace.flow, self.flow.info());
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

    fn unknown(&self, input: &Input) -> Vec<String> {
        let dropped = self.opened.trace.events_dropped;
        let events = (dropped > 0).then(|| format!("what happened: {dropped} events were not recorded"));
        input.unknown.iter().cloned().chain(events).collect()
    }

    /// What must not be told of the recording and of the edits.
    fn mask(&self) -> Mask {
        let mut mask = Mask::of(self.opened);
        for (name, value) in &self.edits.headers {
            if is_sensitive(name) {
                mask.add_bytes(value.as_bytes());
            }
        }
        for edit in &self.edits.slots {
            let info = self.flow.info().slots.iter().find(|slot| slot.name == edit.slot);
            if info.is_some_and(|slot| slot.secret)
                && let Ok(value) = serde_json::from_str::<serde_json::Value>(&edit.json)
                && let Ok(value) = Value::of(&value)
            {
                mask.add(&value.root());
            }
        }
        mask
    }

    /// What a run wrote into secret slots must not be told either.
    fn hide(&self, mask: &mut Mask, run: &Rerun) {
        let writes = run.facts.runs.iter().flat_map(|run| &run.writes).filter(|write| write.secret);
        writes.filter_map(|write| write.value.value()).for_each(|value| mask.add(&value.root()));
    }

    fn report(
        &self,
        recorded: &Facts,
        run: &Rerun,
        mask: &Mask,
        findings: Vec<Finding>,
        not_compared: Vec<String>,
        input: &Input,
    ) -> Report {
        let mut notes = run.notes.clone();
        for unknown in &self.unknown(input) {
            let what = unknown.split("; --").next().unwrap_or_default();
            notes.push(format!("nothing depended on {what}"));
        }
        if let Some(unanswered) = &run.unanswered {
            let label = mask.text(&unanswered.label);
            let kind = label.split(' ').next().unwrap_or_default();
            notes.push(format!(
                "the replay ended at {label}; --answer '{label}=JSON' gives it an answer, --live {kind} asks for real"
            ));
        }
        Report {
            impossible: Vec::new(),
            coverage: Coverage {
                decisions: Comparison::rederived(self.flow.info(), recorded, run),
                decisions_recorded: recorded.runs.len() as u32,
                effects_fed: run.fed,
                effects_live: run.live.len() as u32,
                effects_unanswered: run.unanswered.is_some().into(),
            },
            findings,
            applied: run.applied.iter().map(|applied| masked(applied, mask)).collect(),
            not_compared,
            notes,
            response: run.response.as_ref().map(|response| replied(response, mask)),
            ending: Some(run)
                .filter(|_| !self.edits.is_empty())
                .and_then(|run| ending(self, run, recorded, mask)),
        }
    }
}

/// Whether a call has this name or this number.
fn is_asked(effect: &str, facts: &Facts) -> bool {
    facts.calls().any(|call| call.label == effect || call.number.to_string() == effect)
}

fn unknown_effect<'c>(effect: &str, calls: impl Iterator<Item = &'c Call>) -> Refusal {
    let mut names: Vec<&str> = calls.map(|call| call.label.as_str()).collect();
    names.dedup();
    suggest(Refusal::new(format!("nothing asked for {effect}")), effect, &names)
}

fn impossible(impossible: Vec<String>) -> Report {
    Report { impossible, ..Report::default() }
}

/// Says that a difference comes from the edits, unless it is there without them.
fn blame(mut finding: Finding, without: &[Finding]) -> Finding {
    let known = without.iter().find(|known| {
        (&known.step, &known.field, &known.got) == (&finding.step, &finding.field, &finding.got)
    });
    match known {
        Some(known) => finding.class = known.class,
        None if finding.class == FindingClass::Unanswered => {}
        None => finding.class = FindingClass::InputEdited,
    }
    finding
}

/// Of two runs with the same inputs, the first difference is the step's own; all from there on may come from it.
fn with_nondeterminism(flow: &Flow, findings: Vec<Finding>, differing: Vec<Finding>) -> Vec<Finding> {
    let position = |finding: &Finding| {
        flow.info().steps.iter().position(|step| step.name == finding.step).unwrap_or(usize::MAX)
    };
    let Some(first) = differing.iter().map(position).min() else { return findings };
    let (mut before, after): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| position(finding) < first);
    let blame = |finding: Finding| Finding { class: FindingClass::Nondeterminism, ..finding };
    let has = |list: &[Finding], finding: &Finding| {
        list.iter().any(|known| (&known.step, &known.field) == (&finding.step, &finding.field))
    };
    let mut from_there: Vec<_> = after.into_iter().map(blame).collect();
    for finding in differing {
        if !has(&from_there, &finding) {
            from_there.push(blame(finding));
        }
    }
    from_there.sort_by_key(position);
    before.extend(from_there);
    before
}

fn without_steps(trace: &Trace) -> Report {
    let reason = match &trace.outcome {
        Outcome::Rejected { reason } => format!(": {}", zerver_trace::text::clean(reason)),
        _ => String::new(),
    };
    impossible(vec![format!("it was answered before any step ran{reason}")])
}

/// What is told of a trace whose flow is no longer there, or which no flow took.
pub fn flow_is_gone<'n>(trace: &Trace, names: impl IntoIterator<Item = &'n str>) -> Report {
    if trace.flow.name.is_empty() {
        return without_steps(trace);
    }
    let got = match nearest(&trace.flow.name, names) {
        Some(name) => Seen::text(format!("no such flow; the nearest is {name}")),
        None => Seen::text("no such flow"),
    };
    let finding = Finding {
        class: FindingClass::CodeChanged,
        step: String::new(),
        field: "flow".to_owned(),
        expected: Seen::text(trace.flow.name.clone()),
        got,
        source: None,
    };
    let decisions_recorded = Facts::of_trace(trace).runs.len() as u32;
    Report {
        coverage: Coverage { decisions_recorded, ..Coverage::default() },
        findings: vec![finding],
        ..Report::default()
    }
}

/// The text of a value, if that is what it is.
pub(super) fn text(value: &Value) -> Option<String> {
    match value.root() {
        Node::Str(text) => Some(text.to_owned()),
        Node::Bytes(bytes) => str::from_utf8(bytes).ok().map(ToOwned::to_owned),
        _ => None,
    }
}
