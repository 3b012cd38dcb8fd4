//! The fake interpreter: it answers a call as a recorded call of the same kind with the same arguments was answered,
//! each once. Where a kind says that less identifies a call than its arguments, one with another text is answered too, if
//! it stands at the same place. It never guesses.

use std::collections::BTreeSet;

use zerver_engine::{Call, CallResult};
use zerver_trace::{Answer, Value};

use super::facts::{self, Facts};
use super::replay::Secrets;

/// The recorded answers of one request.
pub(super) struct Answers<'r> {
    calls: Vec<(&'r facts::Call<'r>, bool)>,
    /// The run of a step that asked for each of them, and at which position.
    places: Vec<(&'r facts::Run<'r>, usize)>,
    /// Those whose answers went to nobody, for something went wrong with the call.
    spared: Vec<&'r facts::Call<'r>>,
    /// What was performed for real in an earlier run.
    performed: Vec<&'r facts::Call<'r>>,
    secrets: &'r Secrets,
}

/// Where today's run is: the run of a step, and how many calls it has asked for.
#[derive(Default)]
pub(super) struct Place {
    pub(super) step: u16,
    /// How often each step has run, by its position.
    runs: Vec<u32>,
    asked: usize,
}

impl Place {
    /// A run of this step begins.
    pub(super) fn enter(&mut self, step: u16) {
        self.step = step;
        if self.runs.len() <= usize::from(step) {
            self.runs.resize(usize::from(step) + 1, 0);
        }
        self.runs[usize::from(step)] += 1;
        self.asked = 0;
    }

    /// Which run of the step it is, from 0.
    pub(super) fn occurrence(&self) -> u32 {
        self.runs.get(usize::from(self.step)).map_or(0, |runs| runs.saturating_sub(1))
    }

    /// The position of the call that is asked for now.
    pub(super) const fn next(&mut self) -> usize {
        self.asked += 1;
        self.asked - 1
    }
}

/// What is known of how a call ended.
pub(super) enum Known {
    /// So.
    Ended(CallResult),
    /// It was in flight when the request ended.
    InFlight,
    /// Nothing, and why.
    Nothing(String),
}

impl<'r> Answers<'r> {
    pub(super) fn new(recorded: &'r Facts<'r>, secrets: &'r Secrets) -> Self {
        let places = recorded.runs.iter().flat_map(|run| (0..run.calls.len()).map(move |at| (run, at)));
        let calls = recorded.calls().map(|call| (call, false)).collect();
        Self { calls, places: places.collect(), spared: Vec::new(), performed: Vec::new(), secrets }
    }

    /// The same with what was performed for real in an earlier run: what it asked for then need not be done again.
    pub(super) fn and_performed(mut self, earlier: &'r Facts<'r>, live: &BTreeSet<u32>) -> Self {
        self.performed = earlier.calls().filter(|call| live.contains(&call.number)).collect();
        self.calls.extend(self.performed.iter().map(|call| (*call, false)));
        self
    }

    /// Whether this is one that was performed for real in an earlier run.
    pub(super) fn was_performed(&self, known: &facts::Call<'_>) -> bool {
        self.performed.iter().any(|call| std::ptr::eq::<facts::Call<'_>>(*call, known))
    }

    /// The recorded call that this one is, if there is one left.
    pub(super) fn take(&mut self, kind: &str, args: &Value) -> Option<&'r facts::Call<'r>> {
        let secrets = self.secrets;
        let same = |call: &facts::Call<'_>| *call.kind == *kind && secrets.plain(&call.args) == Ok(args);
        let found = self.calls.iter_mut().find(|(call, taken)| !taken && same(call))?;
        found.1 = true;
        Some(found.0)
    }

    /// The recorded call that this one is but for its text: of the same kind and identity, in the same run of its step,
    /// and there at the same position or the only one.
    pub(super) fn take_reworded(
        &mut self,
        call: &Call,
        step: &str,
        occurrence: u32,
        index: usize,
    ) -> Option<&'r facts::Call<'r>> {
        let identity = call.identity()?;
        let secrets = self.secrets;
        let alike: Vec<(usize, usize)> = std::iter::zip(&self.calls, &self.places)
            .enumerate()
            .filter(|(_, ((known, taken), (run, _)))| {
                let args = || secrets.plain(&known.args).ok();
                !taken
                    && *known.kind == *call.kind()
                    && (&*run.name, run.occurrence) == (step, occurrence)
                    && args().and_then(|args| call.identity_of(args)).is_some_and(|known| known == identity)
            })
            .map(|(at, (_, (_, position)))| (at, *position))
            .collect();
        let args = |at: usize| &self.calls[at].0.args;
        let (first, _) = *alike.first()?;
        let at = match alike.iter().find(|(_, position)| *position == index) {
            Some((at, _)) => *at,
            // Attempts at one call are alike, and come in their order.
            None if alike.iter().all(|(at, _)| args(*at) == args(first)) => first,
            None => return None,
        };
        self.calls[at].1 = true;
        Some(self.calls[at].0)
    }

    /// The same for another attempt at a call: where no more were recorded, the one whose answer was spared.
    pub(super) fn take_again(&mut self, kind: &str, args: &Value) -> Option<&'r facts::Call<'r>> {
        let secrets = self.secrets;
        self.take(kind, args).or_else(|| {
            let same = |call: &&facts::Call<'_>| *call.kind == *kind && secrets.plain(&call.args) == Ok(args);
            let at = self.spared.iter().position(same)?;
            Some(self.spared.remove(at))
        })
    }

    /// The answer of this one went to nobody.
    pub(super) fn spare(&mut self, call: &'r facts::Call<'r>) {
        self.spared.push(call);
    }

    /// Why a call has no answer.
    pub(super) fn why_not(&self, kind: &str) -> String {
        let hidden =
            self.calls.iter().filter(|(call, taken)| !taken && *call.kind == *kind).find_map(|(call, _)| {
                Some(format!("the arguments of {}: {}", call.label(), self.secrets.plain(&call.args).err()?))
            });
        hidden.unwrap_or_else(|| "it was not recorded with these arguments".to_owned())
    }

    /// How a recorded call ended, as an answer to `call`.
    pub(super) fn answer(&self, recorded: &facts::Call<'_>, call: &Call) -> Known {
        match (&recorded.answer, recorded.answered) {
            (Some(Answer::Ok(output)), Some(_)) => match self.secrets.plain(output) {
                Ok(output) => match call.decode_output(output) {
                    Ok(output) => Known::Ended(Ok(output)),
                    Err(error) => {
                        Known::Nothing(format!("its recorded answer fits no more: {}", error.message))
                    }
                },
                Err(gone) => Known::Nothing(format!("its recorded answer: {gone}")),
            },
            (Some(Answer::Err(error)), Some(_)) => Known::Ended(Err(error.clone())),
            _ => Known::InFlight,
        }
    }
}
