//! Common form of a recording and a run of today's code, so that they can be compared.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Duration;

use zerver_engine::{Call, Response, RetryVerdict};
use zerver_trace::{
    Answer, Decision, Event, FlowInfo, Header, Message, MessageInfo, MessagePart, MissingReason, Name,
    Outcome, PolicyDecision, QueueReason, Recorded, RecordedBody, Redaction, SharedValue, StepInfo, Trace,
    Value,
};

use crate::value::label;

/// Course of one request, step run by step run. Data of the flow and the recording is borrowed.
#[derive(Default)]
pub(crate) struct Observed<'f> {
    pub(crate) runs: Vec<ObservedRun<'f>>,
    /// `None` if the run did not end.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) response: Option<ObservedResponse<'f>>,
    /// Source file and line of a panic.
    pub(crate) panicked_at: Option<(Name, u32)>,
    /// Texts that the recorder changed; `None` for a run of today's code.
    pub(crate) redaction: Option<&'f Redaction>,
}

/// A run of a step.
pub(crate) struct ObservedRun<'f> {
    pub(crate) name: Cow<'f, str>,
    /// Number of this run among the runs of its step, from 0. Steps run more than once if they yield.
    pub(crate) occurrence: u32,
    /// `None` if the flow has no such step.
    pub(crate) info: Option<&'f StepInfo>,
    pub(crate) ready_ns: u64,
    pub(crate) at_ns: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) decision: Decision,
    pub(crate) progress: Option<Cow<'f, Recorded>>,
    pub(crate) writes: Vec<ObservedWrite<'f>>,
    pub(crate) calls: Vec<ObservedCall<'f>>,
}

pub(crate) struct ObservedWrite<'f> {
    pub(crate) name: Cow<'f, str>,
    pub(crate) path: &'f str,
    pub(crate) secret: bool,
    pub(crate) value: Cow<'f, Recorded>,
}

pub(crate) struct ObservedCall<'f> {
    pub(crate) number: u32,
    pub(crate) kind: Name,
    label: OnceCell<String>,
    pub(crate) args: Cow<'f, Recorded>,
    pub(crate) timeout_ns: Option<u64>,
    pub(crate) asked_ns: u64,
    /// Pause before this attempt.
    pub(crate) retry_delay_ns: u64,
    /// Time spent waiting for permits.
    pub(crate) queued_ns: u64,
    /// Reason for which the call is waiting, and since when.
    hold: Option<(QueueReason, u64)>,
    /// True if the call was canceled because the request had ended.
    pub(crate) was_cut_off: bool,
    /// Decision of a policy about another attempt after this one, and the pause before it.
    pub(crate) retry_decision: Option<(PolicyDecision, u64)>,
    /// Number of answers the request had received when it made the call.
    pub(crate) asked_after: usize,
    /// Position of the answer among the request's answers, and its time.
    pub(crate) answered: Option<(usize, u64)>,
    pub(crate) answer: Option<Answer<Cow<'f, Recorded>>>,
}

/// A response to the client.
pub(crate) struct ObservedResponse<'f> {
    pub(crate) status: u16,
    pub(crate) headers: Cow<'f, [Header<Recorded>]>,
    /// Names of headers that the code marked as sensitive.
    pub(crate) marked: Vec<String>,
    pub(crate) body: Cow<'f, RecordedBody>,
    /// True for a run of today's code whose response is streamed: an effect makes the body, so that there is none to compare.
    pub(crate) is_streamed: bool,
}

impl<'f> Observed<'f> {
    /// Creates the form of a recording.
    pub(crate) fn of_trace(trace: &'f Trace) -> Self {
        let mut facts = Self::of_events(&trace.flow, &trace.events, Cow::Borrowed);
        facts.outcome = Some(trace.outcome.clone());
        if matches!(trace.outcome, Outcome::TimedOut { .. } | Outcome::ClientLeft { .. }) {
            // The last cancellations are due to the end of the request, not to another answer.
            let cut_off = trace.events.iter().rev().take_while(|event| is_cancellation(event)).count();
            let answers = facts.calls().filter(|call| call.answered.is_some()).count();
            for call in facts.runs.iter_mut().flat_map(|run| &mut run.calls) {
                call.was_cut_off = call.answered.is_some_and(|(at, _)| at >= answers.saturating_sub(cut_off));
            }
        }
        facts.redaction = Some(&trace.redaction);
        facts.response = (trace.status != 0).then(|| ObservedResponse {
            status: trace.status,
            headers: Cow::Borrowed(&trace.response_headers),
            marked: Vec::new(),
            body: Cow::Borrowed(&trace.response_body),
            is_streamed: false,
        });
        facts
    }

    /// Returns true if the response was not recorded although there was one. Before schema 3, a response was not
    /// recorded if the client left early.
    pub(crate) fn lacks_response(&self) -> bool {
        self.response.is_none() && !matches!(self.outcome, None | Some(Outcome::ClientLeft { .. }))
    }

    /// Creates the form of a run of today's code.
    pub(crate) fn of_run(flow: &'f FlowInfo, events: &[Event<SharedValue>]) -> Self {
        Self::of_events(flow, events, |datum| Cow::Owned(plain(datum)))
    }

    fn of_events<'e, V>(
        flow: &'f FlowInfo,
        events: &'e [Event<V>],
        recorded: impl Fn(&'e V) -> Cow<'f, Recorded>,
    ) -> Self {
        let mut runs: Vec<ObservedRun<'f>> = Vec::with_capacity(flow.steps.len());
        let mut places: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        let (mut answers, mut panicked_at) = (0, None);
        let mut occurrences: BTreeMap<u16, u32> = BTreeMap::new();
        for event in events {
            match event {
                // The class, the thread and the duration are not decided by a step.
                Event::BodyReceived { .. }
                | Event::Reclassified { .. }
                | Event::Migrated { .. }
                | Event::QuantumExceeded { .. }
                | Event::CompletionDelayed { .. }
                | Event::ReadDelayed { .. }
                | Event::EffectPoint { .. }
                | Event::Logged { .. }
                | Event::StepLogged { .. }
                // Its effect on the call is part of the answer.
                | Event::FaultInjected { .. }
                // The effects of an undo are compared like any others.
                | Event::UndoRegistered { .. }
                | Event::UndoStarted { .. }
                | Event::UndoEnded { .. } => {}
                Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision } => {
                    let info = flow.steps.get(usize::from(*step));
                    let earlier = occurrences.entry(*step).or_default();
                    let occurrence = std::mem::replace(earlier, *earlier + 1);
                    runs.push(ObservedRun {
                        name: info.map_or_else(|| format!("step#{step}").into(), |info| (&*info.name).into()),
                        occurrence,
                        info,
                        ready_ns: *ready_ns,
                        at_ns: *at_ns,
                        cpu_ns: *cpu_ns,
                        decision: *decision,
                        progress: None,
                        writes: Vec::new(),
                        calls: Vec::new(),
                    });
                }
                Event::StepPanicked { file, line, .. } => panicked_at = Some((file.clone(), *line)),
                Event::StepYielded { progress, .. } => {
                    if let Some(run) = runs.last_mut() {
                        run.progress = Some(recorded(progress));
                    }
                }
                Event::SlotWritten { slot, value, .. } => {
                    let info = flow.slots.get(usize::from(*slot));
                    if let Some(run) = runs.last_mut() {
                        run.writes.push(ObservedWrite {
                            name: info
                                .map_or_else(|| format!("slot#{slot}").into(), |info| (&*info.name).into()),
                            path: info.map_or("", |info| &info.path),
                            secret: info.is_none_or(|info| info.is_secret),
                            value: recorded(value),
                        });
                    }
                }
                Event::EffectRequested { call, at_ns, kind, args, timeout_ns, .. } => {
                    let Some(last) = runs.len().checked_sub(1) else { continue };
                    places.insert(*call, (last, runs[last].calls.len()));
                    runs[last].calls.push(ObservedCall {
                        number: *call,
                        kind: kind.clone(),
                        label: OnceCell::new(),
                        args: recorded(args),
                        timeout_ns: *timeout_ns,
                        asked_ns: *at_ns,
                        retry_delay_ns: 0,
                        queued_ns: 0,
                        hold: None,
                        was_cut_off: false,
                        retry_decision: None,
                        asked_after: answers,
                        answered: None,
                        answer: None,
                    });
                }
                Event::EffectCompleted { call, at_ns, answer } => {
                    let Some(&(run, at)) = places.get(call) else { continue };
                    let call = &mut runs[run].calls[at];
                    call.free(*at_ns);
                    call.answered = Some((answers, *at_ns));
                    call.answer = Some(match answer {
                        Answer::Ok(output) => Answer::Ok(recorded(output)),
                        Answer::Err(error) => Answer::Err(error.clone()),
                        Answer::Canceled => Answer::Canceled,
                    });
                    answers += 1;
                }
                &Event::PolicyDecided { call, decision, wait_ns, .. } => {
                    let Some(&(run, at)) = places.get(&call) else { continue };
                    let decided = &mut runs[run].calls[at].retry_decision;
                    if matches!(
                        decision,
                        PolicyDecision::Retried
                            | PolicyDecision::BudgetExhausted
                            | PolicyDecision::RetryAfterObeyed
                            | PolicyDecision::RetryAfterTooLong
                    ) {
                        *decided = Some((decision, wait_ns));
                    }
                }
                Event::EffectQueued { call, at_ns, .. } | Event::EffectStarted { call, at_ns } => {
                    let Some(&(run, at)) = places.get(call) else { continue };
                    let call = &mut runs[run].calls[at];
                    call.free(*at_ns);
                    if let Event::EffectQueued { reason: by, .. } = event {
                        call.hold = Some((*by, *at_ns));
                    }
                }
            }
        }
        Self { runs, outcome: None, response: None, panicked_at, redaction: None }
    }

    /// Returns the time of the last step run or answer.
    pub(crate) fn ended_ns(&self) -> Option<u64> {
        let ran = self.runs.iter().map(|run| run.at_ns.saturating_add(run.cpu_ns));
        ran.chain(self.calls().filter_map(|call| Some(call.answered?.1))).max()
    }

    /// Returns all calls in the order in which they were made.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &ObservedCall<'f>> {
        self.runs.iter().flat_map(|run| &run.calls)
    }
}

impl ObservedCall<'_> {
    /// Returns kind and summary, as `zerver trace` prints them.
    pub(crate) fn label(&self) -> &str {
        self.label.get_or_init(|| label::effect(&self.kind, &self.args))
    }

    /// Returns the time from the end of the pause to the answer, in nanoseconds.
    pub(crate) fn took_ns(&self) -> Option<u64> {
        self.answered
            .map(|(_, at_ns)| at_ns.saturating_sub(self.asked_ns).saturating_sub(self.retry_delay_ns))
    }

    /// Ends the current wait of the call.
    fn free(&mut self, at_ns: u64) {
        let Some((by, since_ns)) = self.hold.take() else { return };
        let held_ns = if matches!(by, QueueReason::RetryDelay | QueueReason::Hedge) {
            &mut self.retry_delay_ns
        } else {
            &mut self.queued_ns
        };
        *held_ns = held_ns.saturating_add(at_ns.saturating_sub(since_ns));
    }
}

impl ObservedResponse<'_> {
    /// Creates the form of a live response. The body is cut to what a value can hold.
    pub(crate) fn of(response: &Response) -> Option<Self> {
        const MAX_BODY: usize = 192 << 10;
        let MessageInfo::Response(info) = response.describe(MAX_BODY) else { return None };
        let header = |Header { name, value }: Header| Header { name, value: bytes(&value) };
        let mut marked = Vec::new();
        response.visit_parts(0, &mut |part| {
            if let MessagePart::SecretHeader(name, _) = part {
                marked.push(name.to_owned());
            }
        });
        Some(Self {
            status: info.status,
            marked,
            headers: info.headers.into_iter().map(header).collect(),
            body: Cow::Owned(RecordedBody {
                full_len: info.body.full_len,
                kept_len: info.body.bytes.len() as u64,
                bytes: bytes(&info.body.bytes),
            }),
            is_streamed: response.stream.is_some(),
        })
    }
}

fn bytes(bytes: &[u8]) -> Recorded {
    match Value::from_bytes(bytes) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(MissingReason::TooLarge),
    }
}

/// Converts a live value to its recorded form, without sealing.
pub(crate) fn plain(datum: &SharedValue) -> Recorded {
    match Value::from_recordable(&**datum) {
        Ok(value) => Recorded::Plain { value, summary: datum.summary() },
        Err(zerver_trace::ValueError::TooDeep | zerver_trace::ValueError::TooLong) => {
            Recorded::Missing(MissingReason::TooLarge)
        }
        Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
    }
}

fn is_cancellation<V>(event: &Event<V>) -> bool {
    matches!(event, Event::EffectCompleted { answer: Answer::Canceled, .. })
}

/// Returns what a recorded decision says about another attempt of `call`, or `None` if it says nothing.
pub(crate) fn retry_verdict(decision: PolicyDecision, wait_ns: u64, call: &Call) -> Option<RetryVerdict> {
    match decision {
        PolicyDecision::BudgetExhausted | PolicyDecision::RetryAfterTooLong => Some(RetryVerdict::Stop),
        PolicyDecision::Retried | PolicyDecision::RetryAfterObeyed => {
            Some(RetryVerdict::Again(call.clone(), Duration::from_nanos(wait_ns)))
        }
        PolicyDecision::BreakerRefused
        | PolicyDecision::BreakerProbe
        | PolicyDecision::BreakerOpened
        | PolicyDecision::BreakerClosed
        | PolicyDecision::RateRefused
        | PolicyDecision::TargetTimeout
        | PolicyDecision::HedgeWon
        | PolicyDecision::HedgeLost
        | PolicyDecision::EgressRefused
        | PolicyDecision::Resent
        | PolicyDecision::PlaceRefused => None,
    }
}
