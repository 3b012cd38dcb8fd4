//! A recording and a run of today's code in one form, so that they can be compared.

use std::collections::BTreeMap;

use zerver_trace::{
    Answer, Datum, Decision, Event, FlowInfo, Header, HeldBy, Message, MessageInfo, Missing, Outcome,
    Recorded, RecordedBody, Trace, Value,
};

use super::report::Source;
use crate::timeline::label;

/// What happened to one request, by steps.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) runs: Vec<Run>,
    /// None where it did not come to an end.
    pub(super) outcome: Option<Outcome>,
    pub(super) response: Option<Reply>,
}

/// One run of a step.
pub(super) struct Run {
    pub(super) step: u16,
    pub(super) name: String,
    /// Which run of this step it is, from 0; more than one where it yields.
    pub(super) occurrence: u32,
    pub(super) source: Option<Source>,
    pub(super) ready_ns: u64,
    pub(super) at_ns: u64,
    pub(super) cpu_ns: u64,
    pub(super) decision: Decision,
    pub(super) progress: Option<Recorded>,
    pub(super) writes: Vec<Write>,
    pub(super) calls: Vec<Call>,
}

pub(super) struct Write {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) secret: bool,
    pub(super) value: Recorded,
}

pub(super) struct Call {
    pub(super) number: u32,
    pub(super) kind: String,
    /// The kind and the summary, as `zerver trace` prints them.
    pub(super) label: String,
    pub(super) args: Recorded,
    pub(super) timeout_ns: Option<u64>,
    pub(super) asked_ns: u64,
    /// For how long it made a pause, since it was another attempt.
    pub(super) paused_ns: u64,
    /// For how long it waited for others.
    pub(super) held_ns: u64,
    /// For what it is held, and since when, while it is.
    hold: Option<(HeldBy, u64)>,
    /// When its answer came, among the answers of the request, and at what time.
    pub(super) answered: Option<(usize, u64)>,
    pub(super) answer: Option<Answer<Recorded>>,
}

/// An answer to the client.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<Header<Recorded>>,
    pub(super) body: RecordedBody,
}

impl Facts {
    /// What was recorded.
    pub(super) fn of_trace(trace: &Trace) -> Self {
        let mut facts = Self::of_events(&trace.flow, &trace.events);
        facts.outcome = Some(trace.outcome.clone());
        facts.response = (trace.status != 0).then(|| Reply {
            status: trace.status,
            headers: trace.response_headers.clone(),
            body: trace.response_body.clone(),
        });
        facts
    }

    /// What a run of today's code did.
    pub(super) fn of_run(flow: &FlowInfo, events: Vec<Event<Datum>>) -> Self {
        let events: Vec<_> = events.into_iter().map(|event| event.map(|datum| plain(&datum))).collect();
        Self::of_events(flow, &events)
    }

    fn of_events(flow: &FlowInfo, events: &[Event<Recorded>]) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let mut places: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        let mut answers = 0;
        for event in events {
            match event {
                // Which class it had, where it ran and for how long is no decision of a step.
                Event::Received { .. }
                | Event::Moved { .. }
                | Event::Carried { .. }
                | Event::Overran { .. } => {}
                Event::Ran { step, ready_ns, at_ns, cpu_ns, decision } => {
                    let info = flow.steps.get(usize::from(*step));
                    let earlier = runs.iter().filter(|run| run.step == *step).count();
                    runs.push(Run {
                        step: *step,
                        name: info.map_or_else(|| format!("step#{step}"), |info| info.name.clone()),
                        occurrence: earlier as u32,
                        source: info.map(|info| Source { file: info.file.clone(), line: info.line }),
                        ready_ns: *ready_ns,
                        at_ns: *at_ns,
                        cpu_ns: *cpu_ns,
                        decision: *decision,
                        progress: None,
                        writes: Vec::new(),
                        calls: Vec::new(),
                    });
                }
                Event::Yielded { progress, .. } => {
                    if let Some(run) = runs.last_mut() {
                        run.progress = Some(progress.clone());
                    }
                }
                Event::Wrote { slot, value, .. } => {
                    let info = flow.slots.get(usize::from(*slot));
                    if let Some(run) = runs.last_mut() {
                        run.writes.push(Write {
                            name: info.map_or_else(|| format!("slot#{slot}"), |info| info.name.clone()),
                            path: info.map_or_else(String::new, |info| info.path.clone()),
                            secret: info.is_none_or(|info| info.secret),
                            value: value.clone(),
                        });
                    }
                }
                Event::Asked { call, at_ns, kind, args, timeout_ns, .. } => {
                    let Some(last) = runs.len().checked_sub(1) else { continue };
                    places.insert(*call, (last, runs[last].calls.len()));
                    runs[last].calls.push(Call {
                        number: *call,
                        kind: kind.to_string(),
                        label: label::effect(kind, args),
                        args: args.clone(),
                        timeout_ns: *timeout_ns,
                        asked_ns: *at_ns,
                        paused_ns: 0,
                        held_ns: 0,
                        hold: None,
                        answered: None,
                        answer: None,
                    });
                }
                Event::Answered { call, at_ns, answer } => {
                    let Some(&(run, at)) = places.get(call) else { continue };
                    let call = &mut runs[run].calls[at];
                    call.free(*at_ns);
                    call.answered = Some((answers, *at_ns));
                    call.answer = Some(answer.clone());
                    answers += 1;
                }
                Event::Held { call, at_ns, .. } | Event::Begun { call, at_ns } => {
                    let Some(&(run, at)) = places.get(call) else { continue };
                    let call = &mut runs[run].calls[at];
                    call.free(*at_ns);
                    if let Event::Held { by, .. } = event {
                        call.hold = Some((*by, *at_ns));
                    }
                }
            }
        }
        Self { runs, outcome: None, response: None }
    }

    /// When the last thing happened, if anything did.
    pub(super) fn ended_ns(&self) -> Option<u64> {
        let ran = self.runs.iter().map(|run| run.at_ns.saturating_add(run.cpu_ns));
        ran.chain(self.calls().filter_map(|call| Some(call.answered?.1))).max()
    }

    /// All calls, in the order in which they were asked for.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.runs.iter().flat_map(|run| &run.calls)
    }
}

impl Call {
    /// How long it took after its pause, in nanoseconds.
    pub(super) fn took_ns(&self) -> Option<u64> {
        self.answered.map(|(_, at_ns)| at_ns.saturating_sub(self.asked_ns).saturating_sub(self.paused_ns))
    }

    /// It is held no longer.
    fn free(&mut self, at_ns: u64) {
        let Some((by, since_ns)) = self.hold.take() else { return };
        let held_ns = if by == HeldBy::Pause { &mut self.paused_ns } else { &mut self.held_ns };
        *held_ns = held_ns.saturating_add(at_ns.saturating_sub(since_ns));
    }
}

impl Reply {
    /// A live answer, with as much of its body as a value can hold.
    pub(super) fn of(message: &dyn Message) -> Option<Self> {
        const MAX_BODY: usize = 192 << 10;
        let MessageInfo::Response(info) = message.describe(MAX_BODY) else { return None };
        let header = |Header { name, value }: Header| Header { name, value: bytes(&value) };
        Some(Self {
            status: info.status,
            headers: info.headers.into_iter().map(header).collect(),
            body: RecordedBody {
                full_len: info.body.full_len,
                kept_len: info.body.bytes.len() as u64,
                bytes: bytes(&info.body.bytes),
            },
        })
    }
}

fn bytes(bytes: &[u8]) -> Recorded {
    match Value::bytes(bytes) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(Missing::TooLarge),
    }
}

/// A live value as the recorder would have it, before anything in it is sealed.
pub(super) fn plain(datum: &Datum) -> Recorded {
    match Value::of_data(&**datum) {
        Ok(value) => Recorded::Plain { value, summary: datum.summary() },
        Err(zerver_trace::ValueError::TooDeep | zerver_trace::ValueError::TooLong) => {
            Recorded::Missing(Missing::TooLarge)
        }
        Err(error) => Recorded::Missing(Missing::Failed(error.to_string())),
    }
}
