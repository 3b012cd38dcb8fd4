//! Random flows that are served, recorded and replayed: a replay reproduces each recording, and an edit causes a finding.

use std::fmt::Write;
use std::sync::{Arc, Mutex, Once};

use proptest::prelude::{ProptestConfig, Strategy, any, prop};
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use proptest::{prop_assert, prop_assert_eq, proptest};
use zerver::effects::kv;
use zerver::effects::{EffectContext, EffectResult as Performed, Interpreter, Started};
use zerver::engine::{Flow, Step, StepDesc, StepOutput};
use zerver::prelude::*;
use zerver::{ImpureStep, StartOptions};
use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Report, Secrets};
use zerver_trace::{Event, Query, Trace};

use crate::raw_client::Client;

/// Number of flows of one service.
const FLOWS: usize = 125;
/// Number of services.
const ROUNDS: u32 = 8;
/// Start of the messages of intended panics, which are not printed.
const INTENDED: &str = "intended panic of a random flow";

/// The value of all slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Item {
    n: u64,
    text: String,
    list: Vec<Option<i32>>,
    state: State,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum State {
    Plain,
    Counted { by: u64 },
    Nested(Box<(f64, State)>),
}

impl Item {
    fn of(n: u64) -> Self {
        let list = (0..n % 4).map(|at| (at.is_multiple_of(2)).then_some((n >> at) as i32)).collect();
        let state = match n % 3 {
            0 => State::Plain,
            1 => State::Counted { by: n },
            _ => State::Nested(Box::new((n as f64 / 7.0, State::Counted { by: n % 100 }))),
        };
        Self { n, text: format!("{:x} \u{1b}ü", n % 1000), list, state }
    }
}

/// Returns a hash of the values that a step reads. It depends on every part of them.
fn hash(value: &impl std::fmt::Debug) -> u64 {
    let mut text = String::new();
    let _ = write!(text, "{value:?}");
    text.bytes().fold(7, |seed, byte| Random { seed: seed ^ u64::from(byte) }.u64(1))
}

/// An effect whose number determines whether it completes at once, completes later, or fails.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask(u64);

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = Item;
}

struct AskInterpreter;

impl Interpreter<Ask> for AskInterpreter {
    fn start(&self, ask: &Ask, _context: &EffectContext) -> Started<Performed<Ask>> {
        let n = ask.0;
        match n % 8 {
            0 => Started::Ready(Err(EffectError::new(
                EffectErrorKind::Unreachable,
                format!("{n} is unreachable"),
            ))),
            1..4 => Started::Ready(Ok(Item::of(n))),
            times => Started::Pending(Box::pin(async move {
                for _ in 0..times {
                    tokio::task::yield_now().await;
                }
                Ok(Item::of(n))
            })),
        }
    }
}

/// Performs one of the actions of a step, which depends on `which` and `n`. `write` converts the result to slots.
fn behave<W: StepOutput>(
    which: u8,
    n: u64,
    so_far: Option<u64>,
    write: fn(Item, Option<String>) -> W,
) -> Decision<W, u64> {
    let ask = |at: u64| effect(Ask(n.wrapping_add(at)));
    let write_hash = move |value: u64| {
        let n = hash(&(n, value));
        write(Item::of(n), (n.is_multiple_of(2)).then(|| format!("note {n}")))
    };
    let key = ("item", n % 5);
    match which {
        0 => Need(ask(0).map(move |item| write_hash(hash(&item)))),
        1 => Need(ask(0).attempt().map(move |item| write_hash(hash(&item)))),
        2 => Need(all((ask(1).optional(), kv::add("count", 1))).map(move |both| write_hash(hash(&both)))),
        3 => Need(join_all((0..n % 5).map(|at| ask(at).optional())).map(move |all| write_hash(hash(&all)))),
        4 => Need(
            ask(1).and_then(move |item| effect(Ask(item.n + 1))).map(move |item| write_hash(hash(&item))),
        ),
        5 => Need(kv::get::<Item>(key).map(move |item| write_hash(hash(&item)))),
        6 => Need(
            all((kv::put(key, Item::of(n)), ask(2).attempt())).map(move |(_, item)| write_hash(hash(&item))),
        ),
        7 => match so_far.unwrap_or(n % 4) {
            0 => Continue(write_hash(1)),
            left => Yield(left - 1),
        },
        8 if n.is_multiple_of(5) => Done(Response::json(&n)),
        9 if n.is_multiple_of(5) => Fail(Failure::conflict("item", n).message("intended")),
        10 if n.is_multiple_of(5) => panic!("{INTENDED}: {n}"),
        11 => Need(ask(3).attempt().try_map(move |item| match n % 5 {
            0 => panic!("{INTENDED}, late: {n} {}", hash(&item)),
            1 => Err(Failure::unavailable("item").key(hash(&item))),
            _ => Ok(write_hash(hash(&item))),
        })),
        _ => Continue(write_hash(0)),
    }
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct S0(Item);

#[derive(Debug, Slot, Serialize, Deserialize)]
struct N0(String);

/// Reads all parts of a request that may be edited.
#[step]
fn start(request: &Request) -> (S0, Option<N0>) {
    let parts = (request.uri.path(), request.header("x-n"), &request.body);
    (S0(Item::of(hash(&parts))), None)
}

/// Defines the steps that a flow may have at one level. Each reads what the step of the previous level write_hash.
macro_rules! level {
    ($level:ident: $from:ident $noted:ident -> $slot:ident $note:ident) => {
        #[derive(Debug, Slot, Serialize, Deserialize)]
        struct $slot(Item);

        #[derive(Debug, Slot, Serialize, Deserialize)]
        struct $note(String);

        mod $level {
            use super::*;

            level!(@steps $from $noted $slot $note:
                a 0, b 1, c 2, d 3, e 4, f 5, g 6, h 7, i 8, j 9, k 10, l 11, m 12);

            #[step]
            fn render(slot: &$slot, note: Option<&$note>) -> Response {
                Response::json(&(slot, note))
            }

            pub(super) const RENDER: StepDesc = <render as Step>::DESC;
        }
    };
    (@steps $from:ident $noted:ident $slot:ident $note:ident: $($name:ident $which:literal),*) => {
        $(
            #[step]
            fn $name(from: &$from, note: Option<&$noted>, so_far: Option<u64>)
                -> Decision<($slot, Option<$note>), u64> {
                let write = |item, note: Option<String>| ($slot(item), note.map($note));
                behave($which, hash(&(from, note)), so_far, write)
            }
        )*

        pub(super) const STEPS: &[StepDesc] = &[$(<$name as Step>::DESC),*];
    };
}

level!(first: S0 N0 -> S1 N1);
level!(second: S1 N1 -> S2 N2);
level!(third: S2 N2 -> S3 N3);
level!(fourth: S3 N3 -> S4 N4);
level!(fifth: S4 N4 -> S5 N5);

const LEVELS: [(&[StepDesc], StepDesc); 5] = [
    (first::STEPS, first::RENDER),
    (second::STEPS, second::RENDER),
    (third::STEPS, third::RENDER),
    (fourth::STEPS, fourth::RENDER),
    (fifth::STEPS, fifth::RENDER),
];

/// A flow, a request to it, and an edit of its recording.
#[derive(Debug, Clone)]
struct Case {
    steps: Vec<usize>,
    header: u32,
    body: String,
    edit: (u8, u64),
}

/// Returns the cases of a seed. A failure shows the seed and the case. Cases are not shrunk, because that would serve them
/// hundreds of times.
fn cases(seed: &[u8; 32]) -> Vec<Case> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, seed);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    prop::collection::vec(case(), FLOWS).new_tree(&mut runner).unwrap().current()
}

fn case() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(0..first::STEPS.len(), 1..=LEVELS.len());
    (steps, any::<u32>(), "[a-z]{0,40}", any::<(u8, u64)>()).prop_map(|(steps, header, body, edit)| Case {
        steps,
        header,
        body,
        edit,
    })
}

/// Returns the flow of the case at this position. Its parts are leaked, because `flow!` also creates static values.
fn def(at: usize, case: &Case) -> FlowDef {
    let first = <start as Step>::DESC;
    let steps = case.steps.iter().enumerate().map(|(level, step)| LEVELS[level].0[*step]);
    let render = LEVELS[case.steps.len() - 1].1;
    let steps: Vec<_> = std::iter::once(first).chain(steps).chain([render]).collect();
    let chains = vec![Chain::new(steps.leak())];
    FlowDef::new(format!("random-{at}").leak(), "POST", format!("/{at}").leak(), chains.leak())
}

/// Serves the cases. Returns the recording and the response body of each, and the steps that were reported as impure.
fn serve(cases: &[Case], defs: &[FlowDef]) -> (Vec<(Recording, String)>, Vec<ImpureStep>) {
    let dir = tempfile::tempdir().unwrap();
    let options = RecorderOptions { policy: RecordingPolicy::All, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).unwrap();
    let impure = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&impure);
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        on_impure_step: Some(Arc::new(move |step| sink.lock().unwrap().push(ImpureStep::clone(step)))),
        ..StartOptions::default()
    };
    let app =
        App::new().kv(kv::Memory::new()).interpreter(AskInterpreter).flows(defs.iter().copied()).workers(1);
    let server = app.start(options).unwrap();
    let mut client = Client::connect(server.addr());
    let answers = cases.iter().enumerate().map(|(at, case)| {
        let Case { header, body, .. } = case;
        let len = body.len();
        let head =
            format!("POST /{at} HTTP/1.1\r\nhost: a\r\nx-n: {header}\r\ncontent-length: {len}\r\n\r\n");
        client.request(head + body).body
    });
    let answers: Vec<_> = answers.collect();
    server.stop();
    assert_eq!(recorder.close().recorded, cases.len() as u64);
    let reader = Reader::open(dir.path()).unwrap();
    let mut summaries = reader.list(&Query::default()).unwrap();
    summaries.sort_by_key(|summary| summary.id);
    assert_eq!(summaries.len(), cases.len());
    let recordings = summaries.iter().zip(answers).map(|(summary, answer)| {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let secrets = Secrets(reader.open_secrets(&trace).unwrap());
        (Recording { trace, secrets }, answer)
    });
    let recordings = recordings.collect();
    let impure = impure.lock().unwrap().clone();
    (recordings, impure)
}

fn replay(recording: &Recording, def: &FlowDef, edits: &Edits) -> Report {
    let flow = Arc::new(Flow::new(def, |failure, _| failure.to_response()).unwrap());
    let replay =
        Replay { recording, flow: &flow, route: &|_| true, edits, context: ReplayContext::default() };
    replay.run(&mut |_| {}).unwrap_or_else(|error| panic!("{edits:?}: {error:?}"))
}

/// Returns one edit of a part of a trace.
fn edit(trace: &Trace, (which, n): (u8, u64)) -> Edits {
    let item = serde_json::to_string(&Item::of(n)).unwrap();
    let mut edits = Edits::default();
    let mut slots = Vec::new();
    let mut calls = Vec::new();
    for event in &trace.events {
        match event {
            Event::SlotWritten { slot, .. } => slots.push(trace.flow.slots[usize::from(*slot)].name.as_str()),
            Event::EffectRequested { call, kind, .. } if &**kind == "ask" => calls.push(call),
            _ => {}
        }
    }
    slots.retain(|slot| slot.starts_with('S'));
    let at = (n % 97) as usize;
    match which % 5 {
        0 if !calls.is_empty() => {
            edits.answers.push(format!("{}={item}", calls[at % calls.len()]).parse().unwrap())
        }
        1 => edits.headers.push(("x-n".to_owned(), format!("edited {n}"))),
        2 => edits.body = Some(format!("edited {n}").into_bytes()),
        3 => edits.slots.push(
            format!("{}.state={{\"Counted\":{{\"by\":{n}}}}}", slots[at % slots.len()]).parse().unwrap(),
        ),
        _ => edits.slots.push(format!("{}={item}", slots[at % slots.len()]).parse().unwrap()),
    }
    edits
}

/// Suppresses the messages of intended panics.
fn silence_intended_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_intended = panic.payload_as_str().is_some_and(|message| message.starts_with(INTENDED));
            if !is_intended {
                print(panic);
            }
        }));
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ROUNDS, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn replays_reproduce_random_flows_and_an_edit_causes_a_finding(seed: [u8; 32]) {
        silence_intended_panics();
        let cases = cases(&seed);
        let defs: Vec<_> = cases.iter().enumerate().map(|(at, case)| def(at, case)).collect();
        let (recordings, impure) = serve(&cases, &defs);
        prop_assert!(impure.is_empty(), "{impure:?}");
        for (at, ((recording, answer), case)) in recordings.iter().zip(&cases).enumerate() {
            let events = &recording.trace.events;
            let ran = events.iter().filter(|event| matches!(event, Event::StepRan { .. })).count();
            let completed = events.iter().filter(|event| matches!(event, Event::EffectCompleted { .. })).count();
            let report = replay(recording, &defs[at], &Edits::default());
            prop_assert!(report.is_same(), "{case:?}: {report:?}");
            prop_assert_eq!(report.coverage.decisions_reproduced as usize, ran);
            prop_assert_eq!(report.coverage.effects_replayed as usize, completed);
            prop_assert!(report.not_compared.is_empty() && report.notes.is_empty(), "{case:?}: {report:?}");
            let body = report.response.and_then(|response| response.body);
            prop_assert_eq!(body.as_ref(), Some(answer));

            let edits = edit(&recording.trace, case.edit);
            let report = replay(recording, &defs[at], &edits);
            if report.applied.is_empty() {
                let unreached = |note: &String| note.contains("the flow ended before");
                prop_assert!(report.notes.iter().any(unreached), "{case:?} {edits:?}: {report:?}");
            } else {
                prop_assert!(!report.findings.is_empty(), "{case:?} {edits:?}: {report:?}");
            }
        }
    }
}
