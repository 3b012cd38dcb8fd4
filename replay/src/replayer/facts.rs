//! A recording and a run of today's code in one form, so that they can be compared.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeMap;

use zerver_trace::{
    Answer, Decision, Event, FlowInfo, Header, Message, MessageInfo, MessagePart, MissingReason, Name,
    Outcome, QueueReason, Recorded, RecordedBody, Redaction, SharedValue, StepInfo, Trace, Value,
};

use crate::label;

/// What happened to one request, by steps. What is in the flow or in a recording is not copied.
#[derive(Default)]
pub(super) struct Facts<'f> {
    pub(super) runs: Vec<Run<'f>>,
    /// None where it did not come to an end.
    pub(super) outcome: Option<Outcome>,
    pub(super) response: Option<Reply<'f>>,
    /// Where it panicked: the source file and the line.
    pub(super) panicked_at: Option<(Name, u32)>,
    /// What the recorder changed; nothing in a run of today's code.
    pub(super) redaction: Option<&'f Redaction>,
}

/// One run of a step.
pub(super) struct Run<'f> {
    pub(super) name: Cow<'f, str>,
    /// Which run of this step it is, from 0; more than one where it yields.
    pub(super) occurrence: u32,
    /// None for a step that its flow does not have.
    pub(super) info: Option<&'f StepInfo>,
    pub(super) ready_ns: u64,
    pub(super) at_ns: u64,
    pub(super) cpu_ns: u64,
    pub(super) decision: Decision,
    pub(super) progress: Option<Cow<'f, Recorded>>,
    pub(super) writes: Vec<Write<'f>>,
    pub(super) calls: Vec<Call<'f>>,
}

pub(super) struct Write<'f> {
    pub(super) name: Cow<'f, str>,
    pub(super) path: &'f str,
    pub(super) secret: bool,
    pub(super) value: Cow<'f, Recorded>,
}

pub(super) struct Call<'f> {
    pub(super) number: u32,
    pub(super) kind: Name,
    label: OnceCell<String>,
    pub(super) args: Cow<'f, Recorded>,
    pub(super) timeout_ns: Option<u64>,
    pub(super) asked_ns: u64,
    /// For how long it made a pause, since it was another attempt.
    pub(super) paused_ns: u64,
    /// For how long it waited for others.
    pub(super) held_ns: u64,
    /// For what it is held, and since when, while it is.
    hold: Option<(QueueReason, u64)>,
    /// How many answers of the request had come when it was asked for.
    pub(super) asked_after: usize,
    /// When its answer came, among the answers of the request, and at what time.
    pub(super) answered: Option<(usize, u64)>,
    pub(super) answer: Option<Answer<Cow<'f, Recorded>>>,
}

/// An answer to the client.
pub(super) struct Reply<'f> {
    pub(super) status: u16,
    pub(super) headers: Cow<'f, [Header<Recorded>]>,
    /// The names of those that the code which made it has marked as secrets.
    pub(super) marked: Vec<String>,
    pub(super) body: Cow<'f, RecordedBody>,
}

impl<'f> Facts<'f> {
    /// What was recorded.
    pub(super) fn of_trace(trace: &'f Trace) -> Self {
        let mut facts = Self::of_events(&trace.flow, &trace.events, Cow::Borrowed);
        facts.outcome = Some(trace.outcome.clone());
        facts.redaction = Some(&trace.redaction);
        facts.response = (trace.status != 0).then(|| Reply {
            status: trace.status,
            headers: Cow::Borrowed(&trace.response_headers),
            marked: Vec::new(),
            body: Cow::Borrowed(&trace.response_body),
        });
        facts
    }

    /// Whether there was a response that was not recorded: under a schema before 3 none was that the client had not waited
    /// for.
    pub(super) fn lacks_response(&self) -> bool {
        self.response.is_none() && !matches!(self.outcome, None | Some(Outcome::Gone { .. }))
    }

    /// What a run of today's code did.
    pub(super) fn of_run(flow: &'f FlowInfo, events: &[Event<SharedValue>]) -> Self {
        Self::of_events(flow, events, |datum| Cow::Owned(plain(datum)))
    }

    fn of_events<'e, V>(
        flow: &'f FlowInfo,
        events: &'e [Event<V>],
        recorded: impl Fn(&'e V) -> Cow<'f, Recorded>,
    ) -> Self {
        let mut runs: Vec<Run<'f>> = Vec::with_capacity(flow.steps.len());
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
                    runs.push(Run {
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
                        run.writes.push(Write {
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
                    runs[last].calls.push(Call {
                        number: *call,
                        kind: kind.clone(),
                        label: OnceCell::new(),
                        args: recorded(args),
                        timeout_ns: *timeout_ns,
                        asked_ns: *at_ns,
                        paused_ns: 0,
                        held_ns: 0,
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
    pub(super) fn ended_ns(&self) -> Option<u64> {
        let ran = self.runs.iter().map(|run| run.at_ns.saturating_add(run.cpu_ns));
        ran.chain(self.calls().filter_map(|call| Some(call.answered?.1))).max()
    }

    /// All calls, in the order in which they were asked for.
    pub(super) fn calls(&self) -> impl Iterator<Item = &Call<'f>> {
        self.runs.iter().flat_map(|run| &run.calls)
    }
}

impl Call<'_> {
    /// The kind and the summary, as `zerver trace` prints them.
    pub(super) fn label(&self) -> &str {
        self.label.get_or_init(|| label::effect(&self.kind, &self.args))
    }

    /// How long it took after its pause, in nanoseconds.
    pub(super) fn took_ns(&self) -> Option<u64> {
        self.answered.map(|(_, at_ns)| at_ns.saturating_sub(self.asked_ns).saturating_sub(self.paused_ns))
    }

    /// It is held no longer.
    fn free(&mut self, at_ns: u64) {
        let Some((by, since_ns)) = self.hold.take() else { return };
        let held_ns = if by == QueueReason::RetryDelay { &mut self.paused_ns } else { &mut self.held_ns };
        *held_ns = held_ns.saturating_add(at_ns.saturating_sub(since_ns));
    }
}

impl Reply<'_> {
    /// A live answer, with as much of its body as a value can hold.
    pub(super) fn of(message: &dyn Message) -> Option<Self> {
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
pub(super) fn plain(datum: &SharedValue) -> Recorded {
    match Value::from_recordable(&**datum) {
        Ok(value) => Recorded::Plain { value, summary: datum.summary() },
        Err(zerver_trace::ValueError::TooDeep | zerver_trace::ValueError::TooLong) => {
            Recorded::Missing(MissingReason::TooLarge)
        }
        Err(error) => Recorded::Missing(MissingReason::Failed(error.to_string())),
    }
}
