//! Answers calls from the recording.
//!
//! A call gets the answer of a recorded call of the same kind with the same arguments; each recorded answer is used once.
//! A kind may declare that less than all arguments identifies a call. A call with other text is then answered as well, if
//! it is made at the same point of the flow. Nothing is ever answered by likeness.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zerver_engine::{Call, CallResult};
use zerver_trace::{Answer, Value};

use crate::observed::{Observed, ObservedCall, ObservedRun};
use crate::recording::Secrets;
use crate::run::found_call::CallPlace;

/// Recorded calls of one request, each with its answer.
///
/// Look-ups go through queues by kind and arguments, so that a request with many effects takes linear time.
pub(crate) struct RecordedAnswers<'r> {
    calls: Vec<RecordedCall<'r>>,
    /// Index of the queue with the calls of this kind and with these arguments.
    by_args: BTreeMap<CallKey<'r>, usize>,
    queues: Vec<CallQueue<'r>>,
    /// Calls that are identified by less than their arguments. A kind is added when its first call needs it.
    by_identity: BTreeMap<IdentityKey<'r>, usize>,
    groups: Vec<IdentityGroup<'r>>,
    kinds_identified: BTreeSet<String>,
    /// Calls that an earlier run performed for real.
    performed: BTreeSet<*const ObservedCall<'r>>,
    secrets: &'r Secrets,
}

/// Kind and arguments of a call.
type CallKey<'r> = (&'r str, &'r [u8]);

/// Kind of a call, step and run that made it, and identity.
type IdentityKey<'r> = (&'r str, &'r str, u32, Vec<u8>);

struct RecordedCall<'r> {
    call: &'r ObservedCall<'r>,
    /// Run that made the call, and position among its calls; `None` if an earlier replay run made it.
    origin: Option<(&'r ObservedRun<'r>, usize)>,
    /// Index of its [`IdentityGroup`].
    group: Option<usize>,
    is_taken: bool,
}

/// Calls of one kind with the same arguments.
#[derive(Default)]
struct CallQueue<'r> {
    /// Recorded calls in order. Calls that are taken already are skipped.
    recorded: VecDeque<usize>,
    /// Calls whose answers were not used because a fault replaced them.
    unused: VecDeque<&'r ObservedCall<'r>>,
}

/// Calls with one identity that were made by one run of a step.
#[derive(Default)]
struct IdentityGroup<'r> {
    in_order: VecDeque<usize>,
    by_position: BTreeMap<usize, usize>,
    /// Number of calls left for each of their arguments.
    args: BTreeMap<&'r [u8], usize>,
}

/// Point that today's run has reached: a run of a step, and the number of calls that it has made.
#[derive(Default)]
pub(crate) struct FlowPosition {
    pub(crate) step: u16,
    /// Number of runs of each step, by its index.
    runs: Vec<u32>,
    calls: usize,
}

impl FlowPosition {
    /// Begins a run of this step.
    pub(crate) fn enter(&mut self, step: u16) {
        self.step = step;
        if self.runs.len() <= usize::from(step) {
            self.runs.resize(usize::from(step) + 1, 0);
        }
        self.runs[usize::from(step)] += 1;
        self.calls = 0;
    }

    /// Returns the number of this run among the runs of its step, from 0.
    pub(crate) fn occurrence(&self) -> u32 {
        self.runs.get(usize::from(self.step)).map_or(0, |runs| runs.saturating_sub(1))
    }

    /// Counts a call, and returns its position in the run.
    pub(crate) const fn next_call(&mut self) -> usize {
        self.calls += 1;
        self.calls - 1
    }
}

/// End of a recorded call.
pub(crate) enum RecordedEnd {
    /// The call was answered.
    Answered(CallResult),
    /// The call was canceled, because another one had answered.
    Canceled,
    /// The call was in flight when the request ended.
    InFlight,
    /// The answer is unavailable.
    Unavailable(NoAnswer),
}

/// Reason why a call has no answer.
#[derive(Debug, Clone)]
pub(crate) struct NoAnswer {
    pub(crate) why: String,
    /// True if the recording lacks what is needed, so that nothing is known about today's code.
    pub(crate) is_unrecorded: bool,
}

impl NoAnswer {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_unrecorded: false }
    }

    fn unrecorded(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_unrecorded: true }
    }
}

impl<'r> RecordedAnswers<'r> {
    pub(crate) fn new(recorded: &'r Observed<'r>, secrets: &'r Secrets) -> Self {
        let mut answers = Self {
            calls: Vec::new(),
            by_args: BTreeMap::new(),
            by_identity: BTreeMap::new(),
            groups: Vec::new(),
            kinds_identified: BTreeSet::new(),
            queues: Vec::new(),
            performed: BTreeSet::new(),
            secrets,
        };
        for run in &recorded.runs {
            for (position, call) in run.calls.iter().enumerate() {
                answers.add(call, Some((run, position)));
            }
        }
        answers
    }

    /// Adds the calls that an earlier run performed for real, so that they need not be performed again.
    pub(crate) fn and_performed(mut self, earlier: &'r Observed<'r>, live: &BTreeSet<u32>) -> Self {
        for call in earlier.calls().filter(|call| live.contains(&call.number)) {
            self.performed.insert(std::ptr::from_ref(call));
            self.add(call, None);
        }
        self
    }

    fn add(&mut self, call: &'r ObservedCall<'r>, origin: Option<(&'r ObservedRun<'r>, usize)>) {
        if let Ok(args) = self.secrets.plain(&call.args) {
            let queue = *self.by_args.entry((&call.kind, args.tokens())).or_insert_with(|| {
                self.queues.push(CallQueue::default());
                self.queues.len() - 1
            });
            self.queues[queue].recorded.push_back(self.calls.len());
        }
        self.calls.push(RecordedCall { call, origin, group: None, is_taken: false });
    }

    /// Returns true if an earlier run performed this call for real.
    pub(crate) fn was_performed(&self, known: &ObservedCall<'r>) -> bool {
        self.performed.contains(&std::ptr::from_ref(known))
    }

    /// Takes the next recorded call of this kind with these arguments.
    pub(crate) fn take(&mut self, kind: &str, args: &Value) -> Option<&'r ObservedCall<'r>> {
        let queue = *self.by_args.get(&(kind, args.tokens()))?;
        loop {
            let at = self.queues[queue].recorded.pop_front()?;
            if !self.calls[at].is_taken {
                return Some(self.mark_taken(at));
            }
        }
    }

    /// Takes a recorded call for another attempt. If no more were recorded, takes one whose answer was not used.
    pub(crate) fn take_retry(&mut self, kind: &str, args: &Value) -> Option<&'r ObservedCall<'r>> {
        self.take(kind, args).or_else(|| {
            let queue = *self.by_args.get(&(kind, args.tokens()))?;
            self.queues[queue].unused.pop_front()
        })
    }

    /// Takes a recorded call that differs from this one only in its text: it has the same kind and identity, was made by
    /// the same run of the step, and there at the same position. The position does not matter if all such calls are alike.
    pub(crate) fn take_reworded(
        &mut self,
        call: &Call,
        step: &str,
        occurrence: u32,
        position: usize,
    ) -> Option<&'r ObservedCall<'r>> {
        let identity = call.identity()?;
        self.identify(call);
        let group = *self.by_identity.get(&(call.kind(), step, occurrence, identity.tokens().to_vec()))?;
        let group = &mut self.groups[group];
        while group.in_order.front().is_some_and(|at| self.calls[*at].is_taken) {
            group.in_order.pop_front();
        }
        let first = *group.in_order.front()?;
        let at = match group.by_position.get(&position) {
            Some(at) => *at,
            // Attempts at one call are alike, and come in order.
            None if group.args.len() == 1 => first,
            None => return None,
        };
        Some(self.mark_taken(at))
    }

    /// Returns a recorded call with the same arguments, even if it has been taken already.
    pub(crate) fn with_same_arguments(&self, kind: &str, args: &Value) -> Option<&'r ObservedCall<'r>> {
        let is_same = |known: &&RecordedCall<'r>| {
            *known.call.kind == *kind
                && self.secrets.plain(&known.call.args).is_ok_and(|known| known.tokens() == args.tokens())
        };
        self.calls.iter().find(is_same).map(|known| known.call)
    }

    /// Takes the call that the same run of the step made at the same position, whatever its arguments.
    pub(crate) fn take_at(&mut self, kind: &str, place: CallPlace<'_>) -> Option<&'r ObservedCall<'r>> {
        let is_there = |known: &RecordedCall<'r>| {
            let there = |(run, at): &(&ObservedRun<'r>, usize)| {
                run.name == place.step && run.occurrence == place.occurrence && *at == place.index
            };
            *known.call.kind == *kind && !known.is_taken && known.origin.as_ref().is_some_and(there)
        };
        let at = self.calls.iter().position(is_there)?;
        Some(self.mark_taken(at))
    }

    /// Groups the recorded calls of this kind by their identity.
    fn identify(&mut self, call: &Call) {
        if !self.kinds_identified.insert(call.kind().to_owned()) {
            return;
        }
        for (at, known) in self.calls.iter_mut().enumerate() {
            let Some((run, position)) = known.origin else { continue };
            if known.is_taken || *known.call.kind != *call.kind() {
                continue;
            }
            let Ok(args) = self.secrets.plain(&known.call.args) else { continue };
            let Some(identity) = call.identity_of(args) else { continue };
            let key = (&*known.call.kind, &*run.name, run.occurrence, identity.tokens().to_vec());
            let number = *self.by_identity.entry(key).or_insert_with(|| {
                self.groups.push(IdentityGroup::default());
                self.groups.len() - 1
            });
            known.group = Some(number);
            let group = &mut self.groups[number];
            group.in_order.push_back(at);
            group.by_position.insert(position, at);
            *group.args.entry(args.tokens()).or_default() += 1;
        }
    }

    fn mark_taken(&mut self, at: usize) -> &'r ObservedCall<'r> {
        let known = &mut self.calls[at];
        known.is_taken = true;
        if let (Some(group), Some((_, position))) = (known.group, known.origin)
            && let Ok(args) = self.secrets.plain(&known.call.args)
        {
            let group = &mut self.groups[group];
            group.by_position.remove(&position);
            if let Some(left) = group.args.get_mut(args.tokens()) {
                *left -= 1;
                if *left == 0 {
                    group.args.remove(args.tokens());
                }
            }
        }
        known.call
    }

    /// Notes that the answer of this call was not used.
    pub(crate) fn put_back(&mut self, call: &'r ObservedCall<'r>) {
        let queue = self.secrets.plain(&call.args).ok().and_then(|args| {
            let key: CallKey<'_> = (&call.kind, args.tokens());
            self.by_args.get(&key).copied()
        });
        if let Some(queue) = queue {
            self.queues[queue].unused.push_back(call);
        }
    }

    /// Returns the reason why no recorded call of this kind fits.
    pub(crate) fn no_answer(&self, kind: &str) -> NoAnswer {
        let left = self.calls.iter().filter(|known| !known.is_taken && *known.call.kind == *kind);
        let hidden = left.map(|known| known.call).find_map(|call| {
            let reason = self.secrets.plain(&call.args).err()?;
            Some(NoAnswer::unrecorded(format!("the arguments of {}: {reason}", call.label())))
        });
        hidden.unwrap_or_else(|| NoAnswer::new("it was not recorded with these arguments"))
    }

    /// Returns the end of a recorded call, as an answer to `call`.
    pub(crate) fn answer(&self, recorded: &ObservedCall<'_>, call: &Call) -> RecordedEnd {
        match (&recorded.answer, recorded.answered) {
            (Some(Answer::Ok(output)), Some(_)) => match self.secrets.plain(output) {
                Ok(output) => match call.decode_output(output) {
                    Ok(output) => RecordedEnd::Answered(Ok(output)),
                    Err(error) => RecordedEnd::Unavailable(NoAnswer::new(format!(
                        "its recorded answer no longer fits: {}",
                        error.message
                    ))),
                },
                Err(reason) => {
                    RecordedEnd::Unavailable(NoAnswer::unrecorded(format!("its recorded answer: {reason}")))
                }
            },
            (Some(Answer::Err(error)), Some(_)) => RecordedEnd::Answered(Err(error.clone())),
            (Some(Answer::Canceled), Some(_)) if !recorded.was_cut_off => RecordedEnd::Canceled,
            _ => RecordedEnd::InFlight,
        }
    }
}
