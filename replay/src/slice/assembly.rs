//! A slice from beginning to end: the runs without changes, the search, and the report.

use std::collections::BTreeSet;

use zerver_trace::{Outcome, Value};

use super::inputs::{Input, Place, Root, roots, split};
use super::leaves::NewContent;
use super::recorded_value::{part, recorded_whole};
use super::report::{
    ChangedInput, EffectOnPath, InputInfluence, Relation, RuledOut, SlotOnPath, StepOnPath, Undecided,
    ValueSlice,
};
use super::search::{Search, SliceRequest, Verdict, relevant_calls};
use super::static_slice::Reach;
use super::trial::{Laboratory, Observation, writer};
use super::value_path::{ValuePath, ValueRoot};
use crate::edits::edit_set::Edits;
use crate::edits::prepared_edits::MarkedInputs;
use crate::mask::Mask;
use crate::observed::Observed;
use crate::replay::Replay;
use crate::replay_error::ReplayError;
use crate::report::{ReportedValue, SourceLocation};
use crate::value::json_tree::JsonTree;
use crate::value::path::own;

impl Replay<'_> {
    /// Finds the inputs from which a value came, by runs in which one input at a time is changed. Each of these trials has
    /// a number, which `progress` receives before it starts.
    ///
    /// # Errors
    /// Fails if the recording has no such value, or if the request cannot be run again.
    pub fn slice(
        &self,
        request: &SliceRequest,
        progress: &mut dyn FnMut(u32),
    ) -> Result<ValueSlice, ReplayError> {
        let trace = &self.recording.trace;
        let target = &request.target;
        if matches!(trace.outcome, Outcome::Rejected { .. }) {
            return Err(ReplayError::new("no step of this request ran: it was rejected before"));
        }
        let reach = Reach::of(trace, target)?;
        let recorded = Observed::of_trace(trace);
        let input = match self.input(&Edits::default(), &recorded)? {
            Ok(input) => input,
            Err(report) => {
                let mut error = ReplayError::new("the request cannot be run again");
                error.causes = report.missing_inputs.iter().map(ToString::to_string).collect();
                error.causes.extend(report.findings.iter().map(|finding| finding.field.clone()));
                return Err(error);
            }
        };
        let roots = roots(self.recording, self.flow.info());
        let inputs = split(&roots);
        let target_slot = self.target_slot(target)?;
        let laboratory = Laboratory {
            replay: self,
            recorded: &recorded,
            input: &input,
            target,
            target_slot,
            roots: &roots,
        };
        let failed = |reason: String| ReplayError::new("the request cannot be run again").because(reason);
        let run = laboratory.run(&input, MarkedInputs::default()).map_err(failed)?;
        let mut mask = self.mask();
        self.hide(&mut mask, &run);
        let base = laboratory.observe(&[], true).map_err(failed)?;
        let again = laboratory.observe(&[], true).map_err(failed)?;
        if base != again {
            return Err(ReplayError::new(format!(
                "two runs with the same inputs differ, so that nothing is known about {target}"
            ))
            .hint("`zerver replay <id>` shows what is not deterministic"));
        }
        let Some(value) = base.value.clone() else {
            let error = ReplayError::new(format!("today's code has no {target} for this request"));
            return Err(match &base.halted {
                Some(reason) => error.because(reason.clone()),
                None => error.hint("`zerver trace -v <id>` shows the values of a request"),
            });
        };
        let plain = |recorded: &_| self.recording.secrets.plain(recorded).ok().cloned();
        let recorded_value =
            recorded_whole(trace, target, &plain).and_then(|whole| part(&whole, &target.path));
        let search = Search::new(laboratory, &inputs, base.clone(), &reach, request);
        let (verdicts, runs) = search.verdicts(progress);
        let assembly = Assembly {
            replay: self,
            recorded: &recorded,
            roots: &roots,
            inputs: &inputs,
            verdicts: &verdicts,
            base: &base,
            relevant: relevant_calls(&roots, &inputs, &verdicts),
            mask,
        };
        let side = |value: &Value| assembly.mask.side(&value.root(), &target.path);
        Ok(ValueSlice {
            target: target.to_string(),
            recorded_value: recorded_value.filter(|recorded| *recorded != value).map(|value| side(&value)),
            value: Some(side(&value)),
            sources: assembly.sources(target),
            slots: assembly.slots(target),
            effects: assembly.effects(),
            steps: assembly.steps(&reach),
            ruled_out: assembly.ruled_out(),
            undecided: assembly.undecided(),
            runs: runs + 3,
        })
    }

    /// Returns the position of the slot that a target names.
    fn target_slot(&self, target: &ValuePath) -> Result<Option<u16>, ReplayError> {
        let ValueRoot::Slot(name) = &target.root else { return Ok(None) };
        let slots = &self.flow.info().slots;
        match slots.iter().position(|slot| slot.name == *name || slot.path == *name) {
            Some(at) => Ok(Some(at as u16)),
            None => Err(ReplayError::new(format!("today's flow has no slot {name}"))),
        }
    }
}

struct Assembly<'a> {
    replay: &'a Replay<'a>,
    recorded: &'a Observed<'a>,
    roots: &'a [Root],
    inputs: &'a [Input],
    verdicts: &'a [Verdict],
    base: &'a Observation,
    /// Calls whose answers have an influence.
    relevant: BTreeSet<u32>,
    mask: Mask,
}

impl Assembly<'_> {
    fn pairs(&self) -> impl Iterator<Item = (&Input, &Verdict)> {
        self.inputs.iter().zip(self.verdicts)
    }

    fn slot_of(&self, input: &Input) -> Option<u16> {
        match self.roots[input.root].place {
            Place::Slot(slot) => Some(slot),
            _ => None,
        }
    }

    /// Returns the relation of an input to the value, with the content and the run that showed it.
    fn influence<'v>(&self, verdict: &'v Verdict) -> Option<(Relation, &'v NewContent, &'v Observation)> {
        if let Some((relation, content, observed)) = &verdict.influence {
            return Some((*relation, content, observed));
        }
        let (_, (content, observed)) = verdict.asks.iter().find(|(call, _)| self.relevant.contains(call))?;
        Some((Relation::Asks, content, observed))
    }

    /// Returns the slots that have an influence, with their parts.
    fn influential_slots(&self) -> BTreeSet<u16> {
        let pairs = self.pairs().filter(|(_, verdict)| self.influence(verdict).is_some());
        pairs.filter_map(|(input, _)| self.slot_of(input)).collect()
    }

    fn sources(&self, target: &ValuePath) -> Vec<InputInfluence> {
        let slots = self.influential_slots();
        let flow = self.replay.flow.info();
        let mut sources = Vec::new();
        for (input, verdict) in self.pairs().filter(|(input, _)| self.slot_of(input).is_none()) {
            let Some((relation, content, observed)) = self.influence(verdict) else { continue };
            let is_changed = |slot: &&u16| observed.slots.get(*slot) != self.base.slots.get(*slot);
            let name = |slot: &u16| Some(format!("slot.{}", flow.slots.get(usize::from(*slot))?.name));
            let asked = observed.asked_differently.intersection(&self.relevant);
            sources.push(InputInfluence {
                input: input.name.clone(),
                relation,
                shown_by: self.changed(input, content, observed, target),
                through_slots: slots.iter().filter(is_changed).filter_map(name).collect(),
                through_effects: asked.copied().collect(),
            });
        }
        sources.sort_by_key(|source| source.relation);
        sources
    }

    fn slots(&self, target: &ValuePath) -> Vec<SlotOnPath> {
        let flow = self.replay.flow.info();
        let mut slots = Vec::new();
        for (input, verdict) in self.pairs() {
            let (Some(slot), Some((relation, content, observed))) =
                (self.slot_of(input), self.influence(verdict))
            else {
                continue;
            };
            let written_by = writer(flow, slot).unwrap_or(0);
            let of = SlotOnPath {
                slot: input.name.clone(),
                written_by: flow
                    .steps
                    .get(usize::from(written_by))
                    .map_or(String::new(), |step| step.name.clone()),
                relation,
                shown_by: self.changed(input, content, observed, target),
            };
            slots.push((written_by, of));
        }
        slots.sort_by_key(|(written_by, _)| *written_by);
        slots.into_iter().map(|(_, slot)| slot).collect()
    }

    fn changed(
        &self,
        input: &Input,
        content: &NewContent,
        observed: &Observation,
        target: &ValuePath,
    ) -> ChangedInput {
        if self.is_secret(input) {
            return ChangedInput {
                from: ReportedValue::Secret,
                to: ReportedValue::Secret,
                value: ReportedValue::Secret,
            };
        }
        let side = |value: &Value| self.mask.side(&value.root(), &input.leaf.path);
        ChangedInput {
            from: side(&input.leaf.value),
            to: match content {
                NewContent::Value(value) => side(value),
                NewContent::Json(json) => {
                    let value = JsonTree::read(json.as_bytes()).ok().and_then(|tree| own(&tree.node()).ok());
                    value.map_or_else(|| ReportedValue::Text(self.mask.text(json)), |value| side(&value))
                }
            },
            value: match &observed.value {
                Some(value) => self.mask.side(&value.root(), &target.path),
                None => ReportedValue::Absent,
            },
        }
    }

    /// Returns true if an input is a secret, or contains one. A changed secret would still show most of it.
    fn is_secret(&self, input: &Input) -> bool {
        let root = &self.roots[input.root];
        if root.is_secret {
            return true;
        }
        let value = &input.leaf.value;
        if let Place::Header(at) = root.place {
            let name = &self.replay.recording.trace.request_headers[at].name;
            let bytes = value.root().as_bytes().unwrap_or_default().into_owned();
            return self.mask.header(name, &bytes).is_none_or(|shown| shown.as_bytes() != bytes);
        }
        let names: Vec<String> = input.name.split('.').map(ToOwned::to_owned).collect();
        self.mask.side(&value.root(), &names) != ReportedValue::Value(value.clone())
    }

    fn effects(&self) -> Vec<EffectOnPath> {
        let calls = self.recorded.runs.iter().flat_map(|run| run.calls.iter().map(move |call| (run, call)));
        let relevant = calls.filter(|(_, call)| self.relevant.contains(&call.number));
        let effect =
            |(run, call): (&crate::observed::ObservedRun<'_>, &crate::observed::ObservedCall<'_>)| {
                let effect = self.mask.text(call.label());
                EffectOnPath { call: call.number, effect, step: run.name.clone().into_owned() }
            };
        relevant.map(effect).collect()
    }

    fn steps(&self, reach: &Reach) -> Vec<StepOnPath> {
        let (today, then) = (self.replay.flow.info(), &self.replay.recording.trace.flow);
        let mut names: BTreeSet<&str> = BTreeSet::new();
        names.extend(then.steps.get(usize::from(reach.producer)).map(|step| step.name.as_str()));
        for slot in self.influential_slots() {
            let step = writer(today, slot).and_then(|step| today.steps.get(usize::from(step)));
            names.extend(step.map(|step| step.name.as_str()));
        }
        for run in &self.recorded.runs {
            if run.calls.iter().any(|call| self.relevant.contains(&call.number)) {
                names.insert(&run.name);
            }
        }
        let on_path = today.steps.iter().filter(|step| names.contains(step.name.as_str()));
        on_path
            .map(|step| StepOnPath {
                step: step.name.clone(),
                source: Some(SourceLocation { file: step.file.clone(), line: step.line }),
            })
            .collect()
    }

    fn ruled_out(&self) -> Vec<RuledOut> {
        let mut ruled_out: Vec<RuledOut> = Vec::new();
        for (input, verdict) in self.pairs() {
            if self.influence(verdict).is_some() || verdict.is_represented {
                continue;
            }
            if let Some(reason) = verdict.excluded {
                // Parts that were not tried need no line each.
                let input = self.roots[input.root].name.clone();
                if ruled_out.iter().all(|known| known.input != input) {
                    ruled_out.push(RuledOut { input, tried: 0, reason: reason.to_owned() });
                }
            } else if verdict.unchanged > 0 && !(input.leaf.is_container && self.has_parts(input)) {
                let input = match verdict.group {
                    0 | 1 => input.name.clone(),
                    group => format!("{} and {} more parts", input.name, group - 1),
                };
                let mut reason = "the value stayed the same".to_owned();
                if !verdict.blocked.is_empty() {
                    let blocked = self.mask.text(&verdict.blocked.join("; "));
                    reason += &format!(", and other changes could not be tried: {blocked}");
                }
                ruled_out.push(RuledOut { input, tried: verdict.unchanged, reason });
            }
        }
        ruled_out
    }

    fn undecided(&self) -> Vec<Undecided> {
        let mut undecided = Vec::new();
        for root in self.roots {
            if let Err(reason) = &root.value {
                undecided.push(Undecided { input: root.name.clone(), reason: reason.clone() });
            }
        }
        for (input, verdict) in self.pairs() {
            let is_known = verdict.unchanged > 0 || verdict.excluded.is_some() || verdict.is_represented;
            if is_known
                || self.influence(verdict).is_some()
                || (input.leaf.is_container && self.has_parts(input))
            {
                continue;
            }
            let reason = match verdict.blocked.as_slice() {
                [] => "there is nothing else of its type to try".to_owned(),
                reasons => {
                    let reasons: Vec<String> = reasons.iter().map(|reason| self.mask.text(reason)).collect();
                    format!("every change fails: {}", reasons.join("; "))
                }
            };
            undecided.push(Undecided { input: input.name.clone(), reason });
        }
        undecided
    }

    /// Returns true if an input has parts that are tried by themselves.
    fn has_parts(&self, container: &Input) -> bool {
        let path = &container.leaf.path;
        let is_within = |input: &Input| {
            input.root == container.root
                && input.leaf.path.len() > path.len()
                && input.leaf.path.starts_with(path)
        };
        self.inputs.iter().any(is_within)
    }
}
