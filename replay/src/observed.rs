//! A recording and a run of today's code in one form, so that they can be compared.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use zerver_trace::{
    Answer, Decision, Event, FlowInfo, Header, Message, MessageInfo, MessagePart, MissingReason, Name,
    Outcome, QueueReason, Recorded, RecordedBody, Redaction, SharedValue, StepInfo, Trace, Value,
};

use crate::value::label;

/// What happened to one request, by steps. What is in the flow or in a recording is not copied.
#[derive(Default)]
pub(crate) struct Observed<'f> {
    pub(crate) runs: Vec<ObservedRun<'f>>,
    /// None where it did not come to an end.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) response: Option<ObservedResponse<'f>>,
    /// Where it panicked: the source file and the line.
    pub(crate) panicked_at: Option<(Name, u32)>,
    /// What the recorder changed; nothing in a run of today's code.
    pub(crate) redaction: Option<&'f Redaction>,
}

/// One run of a step.
pub(crate) struct ObservedRun<'f> {
    pub(crate) name: Cow<'f, str>,
    /// Which run of this step it is, from 0; more than one where it yields.
    pub(crate) occurrence: u32,
    /// None for a step that its flow does not have.
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
    /// For how long it made a pause, since it was another attempt.
    pub(crate) retry_delay_ns: u64,
    /// For how long it waited for others.
    pub(crate) queued_ns: u64,
    /// For what it is held, and since when, while it is.
    hold: Option<(QueueReason, u64)>,
    /// How many answers of the request had come when it was asked for.
    pub(crate) asked_after: usize,
    /// When its answer came, among the answers of the request, and at what time.
    pub(crate) answered: Option<(usize, u64)>,
    pub(crate) answer: Option<Answer<Cow<'f, Recorded>>>,
}

/// An answer to the client.
pub(crate) struct ObservedResponse<'f> {
    pub(crate) status: u16,
    pub(crate) headers: Cow<'f, [Header<Recorded>]>,
    /// The names of those that the code which made it has marked as secrets.
    pub(crate) marked: Vec<String>,
    pub(crate) body: Cow<'f, RecordedBody>,
}

impl<'f> Observed<'f> {
    /// What was recorded.
    pub(crate) fn of_trace(trace: &'f Trace) -> Self {
        let mut facts = Self::of_events(&trace.flow, &trace.events, Cow::Borrowed);
        facts.outcome = Some(trace.outcome.clone());
        facts.redaction = Some(&trace.redaction);
        facts.response = (trace.status != 0).then(|| ObservedResponse {
            status: trace.status,
            headers: Cow::Borrowed(&trace.response_headers),
            marked: Vec::new(),
            body: Cow::Borrowed(&trace.response_body),
        });
        facts
    }

    /// Whether there was a response that was not recorded: under a schema before 3 none was that the client had not waited
    /// for.
    pub(crate) fn lacks_response(&self) -> bool {
        self.response.is_none() && !matches!(self.outcome, None | Some(Outcome::Gone { .. }))
    }

    /// What a run of today's code did.
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
                // Which class it had, where it ran and for how long is no decision of a step.
                Event::BodyReceived { .. }
                | Event::Reclassified { .. }
                | Event::Migrated { .. }
                | Event::QuantumExceeded { .. }
                | Event::CompletionDelayed { .. }
                | Event::ReadDelayed { .. } => {}
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
                        Answer::Cancelled => Answer::Cancelled,
                    });
                    answers += 1;
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

    /// When the last thing happened, if anything did.
    pub(crate) fn ended_ns(&self) -> Option<u64> {
        let ran = self.runs.iter().map(|run| run.at_ns.saturating_add(run.cpu_ns));
        ran.chain(self.calls().filter_map(|call| Some(call.answered?.1))).max()
    }

    /// All calls, in the order in which they were asked for.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &ObservedCall<'f>> {
        self.runs.iter().flat_map(|run| &run.calls)
    }
}

impl ObservedCall<'_> {
    /// The kind and the summary, as `zerver trace` prints them.
    pub(crate) fn label(&self) -> &str {
        self.label.get_or_init(|| label::effect(&self.kind, &self.args))
    }

    /// How long it took after its pause, in nanoseconds.
    pub(crate) fn took_ns(&self) -> Option<u64> {
        self.answered
            .map(|(_, at_ns)| at_ns.saturating_sub(self.asked_ns).saturating_sub(self.retry_delay_ns))
    }

    /// It is held no longer.
    fn free(&mut self, at_ns: u64) {
        let Some((by, since_ns)) = self.hold.take() else { return };
        let held_ns =
            if by == QueueReason::RetryDelay { &mut self.retry_delay_ns } else { &mut self.queued_ns };
        *held_ns = held_ns.saturating_add(at_ns.saturating_sub(since_ns));
    }
}

impl ObservedResponse<'_> {
    /// A live answer, with as much of its body as a value can hold.
    pub(crate) fn of(message: &dyn Message) -> Option<Self> {
        const MAX_BODY: usize = 192 << 10;
        let MessageInfo::Response(info) = message.describe(MAX_BODY) else { return None };
        let header = |Header { name, value }: Header| Header { name, value: bytes(&value) };
        let mut marked = Vec::new();
        message.visit_parts(0, &mut |part| {
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
        })
    }
}

fn bytes(bytes: &[u8]) -> Recorded {
    match Value::from_bytes(bytes) {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(MissingReason::TooLarge),
    }
}

/// A live value as the recorder would have it, before anything in it is sealed.
pub(crate) fn plain(datum: &SharedValue) -> Recorded {
    match Value::from_recordable(&**datum) {
        Ok(value) => Recorded::Plain { value, summary: datum.summary() },
        Err(zerver_trace::ValueError::TooDeep | zerver_trace::ValueError::TooLong) => {
            Recorded::Missing(MissingReason::TooLarge)
        }
        Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
    }
}
