//! One run of today's code: a fresh job, the recorded inputs, in the recorded order and at the recorded times. No time
//! passes.

use std::sync::Arc;

use zerver_engine::{Flow, Job, Next, Performed, Start, Stop};
use zerver_trace::Outcome;

use super::answers::{Answers, Known};
use super::edits::Prepared;
use super::facts::{Facts, Reply};
use super::input::Input;
use super::report::{Applied, Refusal};
use crate::timeline::label;

/// What a run came to.
pub(super) struct Rerun {
    pub(super) facts: Facts,
    /// How many calls were answered.
    pub(super) fed: u32,
    /// What nothing had an answer to; the run ended there.
    pub(super) unanswered: Option<Unanswered>,
    /// The live answer, whose body may be longer than the facts say.
    pub(super) response: Option<zerver_engine::Response>,
    pub(super) applied: Vec<Applied>,
    /// Edits that it did not come to.
    pub(super) unreached: Vec<String>,
}

pub(super) struct Unanswered {
    /// The position of the run that asked.
    pub(super) run: usize,
    pub(super) label: String,
    pub(super) why: String,
}

/// A call that waits for its turn.
struct Pending {
    number: u32,
    /// None for one that never ended.
    ending: Option<(Performed, (usize, u64))>,
}

pub(super) struct Runner<'r> {
    recorded: &'r Facts,
    answers: Answers<'r>,
    edits: &'r mut Prepared,
    applied: Vec<Applied>,
    pending: Vec<Pending>,
    now_ns: u64,
    fed: u32,
}

/// Why a run goes no further.
enum Halt {
    Unanswered(String, String),
    Refused(Refusal),
}

impl<'r> Runner<'r> {
    pub(super) fn new(recorded: &'r Facts, answers: Answers<'r>, edits: &'r mut Prepared) -> Self {
        Self { recorded, answers, edits, applied: Vec::new(), pending: Vec::new(), now_ns: 0, fed: 0 }
    }

    /// Runs the flow; `before` is told of each step.
    pub(super) fn run(
        mut self,
        flow: &Arc<Flow>,
        input: &Input,
        before: &mut dyn FnMut(&str),
    ) -> Result<Rerun, Refusal> {
        self.now_ns = input.received_ns;
        let mut job = Job::new(Arc::clone(flow), input.arrival.clone(), input.received_ns);
        let (mut next, mut runs, mut unanswered) = (Next::Run, 0, None);
        let stop = self.recorded_stop();
        loop {
            let started = job.take_starts().into_iter().try_for_each(|start| self.begin(&start));
            let halted = match started {
                Err(halt) => Some(halt),
                Ok(()) => match next {
                    Next::Ended => break,
                    Next::Run if stop.is_some() && runs == self.recorded.runs.len() => {
                        job.stop(stop.unwrap_or(Stop::Gone), self.now_ns);
                        break;
                    }
                    Next::Run => {
                        self.step(flow, &mut job, before, &mut next)?;
                        runs += 1;
                        None
                    }
                    Next::Wait => match (self.next_ending(), stop) {
                        (Some((number, performed)), _) => {
                            next = job.complete(number, self.now_ns, performed);
                            None
                        }
                        (None, Some(stop)) => {
                            job.stop(stop, self.now_ns);
                            break;
                        }
                        (None, None) => {
                            Some(Halt::Unanswered("an effect".into(), "its recording has no answer".into()))
                        }
                    },
                },
            };
            match halted {
                None => {}
                Some(Halt::Refused(refusal)) => return Err(refusal),
                Some(Halt::Unanswered(label, why)) => {
                    unanswered = Some(Unanswered { run: runs.saturating_sub(1), label, why });
                    break;
                }
            }
        }
        let ended = job.finish();
        let mut facts = Facts::of_run(flow.info(), ended.events);
        let mut response = None;
        if unanswered.is_none() {
            facts.outcome = Some(ended.outcome);
            facts.response = ended.response.as_ref().and_then(|response| Reply::of(response));
            response = ended.response;
        }
        Ok(Rerun { facts, fed: self.fed, unanswered, response, applied: self.applied, unreached: Vec::new() })
    }

    /// What ended the recorded request from outside, if something did.
    fn recorded_stop(&self) -> Option<Stop> {
        match self.recorded.outcome {
            Some(Outcome::Gone { .. }) => Some(Stop::Gone),
            Some(Outcome::TimedOut { .. }) => Some(Stop::Deadline),
            _ => None,
        }
    }

    fn step(
        &mut self,
        flow: &Arc<Flow>,
        job: &mut Job,
        before: &mut dyn FnMut(&str),
        next: &mut Next,
    ) -> Result<(), Refusal> {
        let at = job.position();
        let name = flow.info().steps.get(usize::from(at)).map_or("", |step| step.name.as_str());
        before(name);
        self.edits.edit_slots(at, flow, job, &mut self.applied)?;
        // When it ran, if it did; else now.
        let recorded = self.recorded.runs.iter().find(|run| run.name == name && run.at_ns >= self.now_ns);
        let (at_ns, cpu_ns) = recorded.map_or((self.now_ns, 0), |run| (run.at_ns, run.cpu_ns));
        self.now_ns = at_ns.saturating_add(cpu_ns);
        let end_ns = self.now_ns;
        *next = job.run(at_ns, || end_ns);
        Ok(())
    }

    fn begin(&mut self, start: &Start) -> Result<(), Halt> {
        let call = &start.call;
        let recorded = super::facts::plain(call.data());
        let label = label::effect(call.kind(), &recorded);
        let Some(args) = recorded.value().cloned() else {
            return Err(Halt::Unanswered(label, "its arguments cannot be described".to_owned()));
        };
        let known = self.answers.take(call.kind(), &args);
        if let Some(said) = self.edits.answer(&label, start.number, call, &mut self.applied) {
            let performed = said.map_err(Halt::Refused)?;
            let answered = known.and_then(|call| call.answered).unwrap_or((0, self.now_ns));
            self.pending.push(Pending { number: start.number, ending: Some((performed, answered)) });
            return Ok(());
        }
        let Some(known) = known else {
            return Err(Halt::Unanswered(label, self.answers.why_not(call.kind())));
        };
        let ending = match self.answers.answer(known, call) {
            Known::Ended(performed, answered) => Some((performed, answered)),
            Known::InFlight if self.recorded_stop().is_some() => None,
            Known::InFlight => return Err(Halt::Unanswered(label, "its recording has no answer".to_owned())),
            Known::Nothing(why) => return Err(Halt::Unanswered(label, why)),
        };
        self.pending.push(Pending { number: start.number, ending });
        Ok(())
    }

    /// The call that ended first, of those in flight.
    fn next_ending(&mut self) -> Option<(u32, Performed)> {
        let ended = self.pending.iter().enumerate().filter_map(|(at, pending)| {
            let (_, (order, _)) = pending.ending.as_ref()?;
            Some((*order, at))
        });
        let (_, at) = ended.min()?;
        let Pending { number, ending } = self.pending.remove(at);
        let (performed, (_, at_ns)) = ending?;
        self.now_ns = self.now_ns.max(at_ns);
        self.fed += 1;
        Some((number, performed))
    }
}
