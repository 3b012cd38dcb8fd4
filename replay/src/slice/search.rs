//! Tries the inputs of a request one by one, and decides which of them have an influence on a value.

use std::collections::{BTreeMap, BTreeSet};

use bincode::{Decode, Encode};
use zerver_trace::{FlowInfo, Outcome, Value};

use super::alternatives::alternatives;
use super::inputs::{Input, Place, Root, general_name};
use super::leaves::NewContent;
use super::report::Relation;
use super::static_slice::Reach;
use super::trial::{Laboratory, Observation};
use super::value_path::{ValuePath, ValueRoot};

/// Number of inputs from which several are changed at the same time.
const MANY_INPUTS: usize = 400;
/// Number of inputs that are tried one by one.
const FEW_INPUTS: usize = 4;
/// Number of runs with changes of a group before all of it is ruled out.
const GROUP_ROUNDS: usize = 3;
/// Maximum number of reasons that are listed for one input.
const MAX_REASONS: usize = 3;

/// A value whose sources are to be found.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct SliceRequest {
    /// The value.
    pub target: ValuePath,
    /// Values that inputs have in other requests, from `recorded_inputs`. They are tried, too.
    pub seen: Vec<(String, Vec<Value>)>,
    /// Numbers of trials to leave out, because they did not end or ended the program.
    pub skipped: Vec<u32>,
}

/// Result of the trials of one input.
#[derive(Debug, Clone, Default)]
pub(super) struct Verdict {
    /// Relation, with the content and the run that showed it.
    pub(super) influence: Option<(Relation, NewContent, Observation)>,
    /// Recorded calls that were made with other arguments, each with the content and run that showed it.
    pub(super) asks: BTreeMap<u32, (NewContent, Observation)>,
    /// Number of changes that left the value as it is.
    pub(super) unchanged: u32,
    /// Reasons why other changes could not be tried.
    pub(super) blocked: Vec<String>,
    /// Reason why the input was not tried at all.
    pub(super) excluded: Option<&'static str>,
    /// Number of inputs of the group that was tried together with this one, which stands for all of them.
    pub(super) group: usize,
    /// True for an input that another one stands for.
    pub(super) is_represented: bool,
}

pub(super) struct Search<'s> {
    pub(super) laboratory: Laboratory<'s>,
    pub(super) inputs: &'s [Input],
    pub(super) base: Observation,
    pub(super) reach: &'s Reach,
    pub(super) request: &'s SliceRequest,
    pub(super) runs: u32,
    trials: u32,
    verdicts: Vec<Verdict>,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        laboratory: Laboratory<'s>,
        inputs: &'s [Input],
        base: Observation,
        reach: &'s Reach,
        request: &'s SliceRequest,
    ) -> Self {
        let verdicts = vec![Verdict::default(); inputs.len()];
        Self { laboratory, inputs, base, reach, request, runs: 0, trials: 0, verdicts }
    }

    /// Tries all inputs, and returns the result for each.
    pub(super) fn verdicts(mut self, progress: &mut dyn FnMut(u32)) -> (Vec<Verdict>, u32) {
        let mut tried = Vec::new();
        for at in 0..self.inputs.len() {
            let root = &self.laboratory.roots[self.inputs[at].root];
            match self.excluded(root) {
                Some(reason) => self.verdicts[at].excluded = Some(reason),
                None => tried.push(at),
            }
        }
        let (containers, leaves): (Vec<usize>, Vec<usize>) =
            tried.into_iter().partition(|at| self.inputs[*at].leaf.is_container);
        if leaves.len() <= MANY_INPUTS {
            leaves.iter().for_each(|at| self.try_one(*at, progress));
        } else {
            for group in
                leaves.chunk_by(|a, b| self.inputs[*a].root == self.inputs[*b].root).collect::<Vec<_>>()
            {
                self.try_group(group, progress);
            }
        }
        for at in containers {
            // The number of entries matters by itself only if no entry does.
            if self.has_influence_within(at) {
                self.verdicts[at].is_represented = true;
            } else {
                self.try_one(at, progress);
            }
        }
        (self.verdicts, self.runs)
    }

    /// Returns the reason why no step that could have used an input had run.
    fn excluded(&self, root: &Root) -> Option<&'static str> {
        let trace = &self.laboratory.replay.recording.trace;
        let reads = |path: &str| {
            let is_it =
                |slot: &u16| trace.flow.slots.get(usize::from(*slot)).is_some_and(|of| of.path == path);
            self.reach.read.iter().any(is_it)
        };
        let is_read = match &root.place {
            Place::Param(_) | Place::Query(_) | Place::Header(_) | Place::Body => {
                // Without a recovery step, the flow makes the response to a failure, for which it sees the request.
                let is_rendered = self.laboratory.is_response() && !matches!(trace.outcome, Outcome::Done);
                is_rendered || reads("zerver::Request")
            }
            Place::ArrivalTime => reads("zerver::ArrivalTime"),
            Place::Random => reads("zerver::Random"),
            Place::RequestId => reads("zerver::RequestId"),
            Place::Slot(slot) => {
                if self.laboratory.target_slot == Some(*slot) {
                    return Some("it is what was asked about");
                }
                let info = self.laboratory.replay.flow.info().slots.get(usize::from(*slot));
                info.is_some_and(|slot| slot.path != FlowInfo::FAILURE_PATH && reads(&slot.path))
            }
            Place::Answer(call) | Place::Error(call) => {
                let target = match self.laboratory.target.root {
                    ValueRoot::Arguments(target) => target,
                    _ => u32::MAX,
                };
                return (*call >= target || !self.ran_before(*call)).then_some("it was answered later");
            }
        };
        (!is_read).then_some("no step read it before")
    }

    fn ran_before(&self, call: u32) -> bool {
        let runs = self.laboratory.recorded.runs.iter();
        let made = |run: &&crate::observed::ObservedRun<'_>| run.calls.iter().any(|of| of.number == call);
        let steps = &self.laboratory.replay.recording.trace.flow.steps;
        let mut found =
            runs.filter(made).filter_map(|run| steps.iter().position(|step| step.name == *run.name));
        found.any(|step| self.reach.ran.contains(&(step as u16)))
    }

    fn has_influence_within(&self, container: usize) -> bool {
        let of = &self.inputs[container];
        let is_within = |input: &Input| {
            input.root == of.root
                && input.leaf.path.len() > of.leaf.path.len()
                && input.leaf.path.starts_with(&of.leaf.path)
        };
        let mut pairs = self.inputs.iter().zip(&self.verdicts);
        pairs.any(|(input, verdict)| {
            is_within(input) && (verdict.influence.is_some() || !verdict.asks.is_empty())
        })
    }

    fn contents(&self, at: usize) -> Vec<NewContent> {
        let input = &self.inputs[at];
        let Ok(root) = &self.laboratory.roots[input.root].value else { return Vec::new() };
        let name = general_name(&input.name);
        let seen = self.request.seen.iter().find(|(of, _)| *of == name);
        alternatives(root, &input.leaf, seen.map_or(&[], |(_, values)| values))
    }

    /// Runs a trial, unless it is to be left out.
    fn observe(
        &mut self,
        changes: &[(&Input, NewContent)],
        progress: &mut dyn FnMut(u32),
    ) -> Result<Observation, String> {
        let number = self.trials;
        self.trials += 1;
        if self.request.skipped.contains(&number) {
            return Err("a step does not end, or ends the service".to_owned());
        }
        progress(number);
        self.runs += 1;
        let observed = self.laboratory.observe(changes, true)?;
        if observed.path == self.base.path {
            return Ok(observed);
        }
        // Other effects are requested, so that their positions mean nothing.
        self.runs += 1;
        self.laboratory.observe(changes, false)
    }

    /// Returns the reason why a run says nothing about the value.
    fn blocked<'o>(&self, observed: &'o Observation) -> Option<&'o str> {
        let halted = observed.halted.as_deref()?;
        // A failure has a status, too. A request that was recorded as failed may end in any way but without an answer.
        let may_fail = self.base.halted.is_some() || self.laboratory.target.root == ValueRoot::Status;
        (!may_fail || observed.is_unanswered).then_some(halted)
    }

    fn try_one(&mut self, at: usize, progress: &mut dyn FnMut(u32)) {
        let inputs = self.inputs;
        let mut verdict = Verdict { group: 1, ..Verdict::default() };
        for content in self.contents(at) {
            let observed = match self.observe(&[(&inputs[at], content.clone())], progress) {
                Ok(observed) => observed,
                Err(reason) => {
                    verdict.block(reason);
                    continue;
                }
            };
            for call in &observed.asked_differently {
                verdict.asks.entry(*call).or_insert_with(|| (content.clone(), observed.clone()));
            }
            if let Some(reason) = self.blocked(&observed) {
                verdict.block(reason.to_owned());
            } else if observed.value == self.base.value {
                verdict.unchanged += 1;
            } else if observed.path == self.base.path {
                verdict.influence = Some((Relation::FlowsInto, content, observed));
                break;
            } else if verdict.influence.is_none() {
                verdict.influence = Some((Relation::Decides, content, observed));
            }
        }
        self.verdicts[at] = verdict;
    }

    /// Changes all inputs of a group in one run, and tries halves of it only if that made a difference.
    fn try_group(&mut self, group: &[usize], progress: &mut dyn FnMut(u32)) {
        if group.len() <= FEW_INPUTS {
            return group.iter().for_each(|at| self.try_one(*at, progress));
        }
        let inputs = self.inputs;
        let contents: Vec<Vec<NewContent>> = group.iter().map(|at| self.contents(*at)).collect();
        for round in 0..GROUP_ROUNDS {
            let changes: Vec<(&Input, NewContent)> = group
                .iter()
                .zip(&contents)
                .filter_map(|(at, contents)| {
                    Some((&inputs[*at], contents.get(round % contents.len().max(1))?.clone()))
                })
                .collect();
            let is_same = self.observe(&changes, progress).is_ok_and(|observed| {
                self.blocked(&observed).is_none()
                    && observed.value == self.base.value
                    && observed.path == self.base.path
                    && observed.asked_differently.is_empty()
            });
            if !is_same {
                let (first, second) = group.split_at(group.len() / 2);
                self.try_group(first, progress);
                return self.try_group(second, progress);
            }
        }
        for (n, at) in group.iter().enumerate() {
            let (unchanged, is_represented) = (GROUP_ROUNDS as u32, n > 0);
            self.verdicts[*at] =
                Verdict { unchanged, group: group.len(), is_represented, ..Verdict::default() };
        }
    }
}

impl Verdict {
    fn block(&mut self, reason: String) {
        if self.blocked.len() < MAX_REASONS && !self.blocked.contains(&reason) {
            self.blocked.push(reason);
        }
    }
}

/// Returns the calls whose answers have an influence: directly, or on the arguments of one that has.
pub(super) fn relevant_calls(roots: &[Root], inputs: &[Input], verdicts: &[Verdict]) -> BTreeSet<u32> {
    let call_of = |input: &Input| match roots[input.root].place {
        Place::Answer(call) | Place::Error(call) => Some(call),
        _ => None,
    };
    let mut relevant = BTreeSet::new();
    loop {
        let before = relevant.len();
        for (input, verdict) in inputs.iter().zip(verdicts) {
            let asks = verdict.asks.keys().any(|call| relevant.contains(call));
            if verdict.influence.is_some() || asks {
                relevant.extend(call_of(input));
            }
        }
        if relevant.len() == before {
            return relevant;
        }
    }
}
