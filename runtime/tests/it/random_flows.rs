//! A thousand random flows, served and recorded as any, and replayed: nothing differs; and any one edit shows.

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

/// So many flows at a time, on one service.
const FLOWS: usize = 125;
/// So many times.
const ROUNDS: u32 = 8;
/// What a step that panics says, so that its word is not printed a hundred times.
const TOLD_TO: &str = "told to by a random flow";

/// What all slots hold.
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

/// Mixes what a step reads into one number: every part of it counts.
fn mixed(of: &impl std::fmt::Debug) -> u64 {
    let mut text = String::new();
    let _ = write!(text, "{of:?}");
    text.bytes().fold(7, |seed, byte| Random { seed: seed ^ u64::from(byte) }.u64(1))
}

/// An effect that ends as its number says: at once, later, or not well.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ask(u64);

impl EffectKind for Ask {
    const KIND: &'static str = "ask";
    type Output = Item;
}

struct Answering;

impl Interpreter<Ask> for Answering {
    fn start(&self, ask: &Ask, _context: &EffectContext) -> Started<Performed<Ask>> {
        let n = ask.0;
        match n % 8 {
            0 => Started::Ready(Err(EffectError::new(EffectErrorKind::Unreachable, format!("{n} is away")))),
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

/// What a step does: one of the things a step can do, with numbers of its own. `write` puts it into its slots.
fn behave<W: StepOutput>(
    which: u8,
    n: u64,
    so_far: Option<u64>,
    write: fn(Item, Option<String>) -> W,
) -> Decision<W, u64> {
    let ask = |at: u64| effect(Ask(n.wrapping_add(at)));
    let wrote = move |more: u64| {
        let n = mixed(&(n, more));
        write(Item::of(n), (n.is_multiple_of(2)).then(|| format!("note {n}")))
    };
    let key = ("item", n % 5);
    match which {
        0 => Need(ask(0).map(move |item| wrote(mixed(&item)))),
        1 => Need(ask(0).attempt().map(move |item| wrote(mixed(&item)))),
        2 => Need(all((ask(1).optional(), kv::add("count", 1))).map(move |both| wrote(mixed(&both)))),
        3 => Need(join_all((0..n % 5).map(|at| ask(at).optional())).map(move |all| wrote(mixed(&all)))),
        4 => Need(ask(1).and_then(move |item| effect(Ask(item.n + 1))).map(move |item| wrote(mixed(&item)))),
        5 => Need(kv::get::<Item>(key).map(move |item| wrote(mixed(&item)))),
        6 => {
            Need(all((kv::put(key, Item::of(n)), ask(2).attempt())).map(move |(_, item)| wrote(mixed(&item))))
        }
        7 => match so_far.unwrap_or(n % 4) {
            0 => Continue(wrote(1)),
            left => Yield(left - 1),
        },
        8 if n.is_multiple_of(5) => Done(Response::json(&n)),
        9 if n.is_multiple_of(5) => Fail(Failure::conflict("item", n).message("it was so")),
        10 if n.is_multiple_of(5) => panic!("{TOLD_TO}: {n}"),
        11 => Need(ask(3).attempt().try_map(move |item| match n % 5 {
            0 => panic!("{TOLD_TO}, late: {n} {}", mixed(&item)),
            1 => Err(Failure::unavailable("item").key(mixed(&item))),
            _ => Ok(wrote(mixed(&item))),
        })),
        _ => Continue(wrote(0)),
    }
}

#[derive(Debug, Slot, Serialize, Deserialize)]
struct S0(Item);

#[derive(Debug, Slot, Serialize, Deserialize)]
struct N0(String);

/// Reads all there is of a request that may be edited.
#[step]
fn start(request: &Request) -> (S0, Option<N0>) {
    let asked = (request.uri.path(), request.header("x-n"), &request.body);
    (S0(Item::of(mixed(&asked))), None)
}

/// The steps that may stand at one place of a flow: each reads what the one before it wrote.
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
                behave($which, mixed(&(from, note)), so_far, write)
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

/// A flow, a request to it, and what of that is edited afterwards.
#[derive(Debug, Clone)]
struct Case {
    steps: Vec<usize>,
    header: u32,
    body: String,
    edit: (u8, u64),
}

/// The cases of a seed. What fails is told with its seed and its case; making it smaller would serve it hundreds of times.
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

/// The flow of the case at this position. What it is made of stays in memory, as what `flow!` makes does.
fn def(at: usize, case: &Case) -> FlowDef {
    let begin = <start as Step>::DESC;
    let steps = case.steps.iter().enumerate().map(|(level, step)| LEVELS[level].0[*step]);
    let render = LEVELS[case.steps.len() - 1].1;
    let steps: Vec<_> = std::iter::once(begin).chain(steps).chain([render]).collect();
    let chains = vec![Chain::new(steps.leak())];
    FlowDef::new(format!("random-{at}").leak(), "POST", format!("/{at}").leak(), chains.leak())
}

/// Serves them, and gives the trace of each with what its client got; and steps that were called impure.
fn served(cases: &[Case], defs: &[FlowDef]) -> (Vec<(Recording, String)>, Vec<ImpureStep>) {
    let dir = tempfile::tempdir().unwrap();
    let options = RecorderOptions { policy: RecordingPolicy::All, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).unwrap();
    let impure = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&impure);
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        on_impure_step: Some(Arc::new(move |step| tell.lock().unwrap().push(ImpureStep::clone(step)))),
        ..StartOptions::default()
    };
    let app = App::new().kv(kv::Memory::new()).interpreter(Answering).flows(defs.iter().copied()).workers(1);
    let server = app.start(options).unwrap();
    let mut client = Client::connect(server.addr());
    let answers = cases.iter().enumerate().map(|(at, case)| {
        let Case { header, body, .. } = case;
        let len = body.len();
        let head =
            format!("POST /{at} HTTP/1.1\r\nhost: a\r\nx-n: {header}\r\ncontent-length: {len}\r\n\r\n");
        client.ask(head + body).body
    });
    let answers: Vec<_> = answers.collect();
    server.stop();
    assert_eq!(recorder.close().recorded, cases.len() as u64);
    let reader = Reader::open(dir.path()).unwrap();
    let mut summaries = reader.list(&Query::default()).unwrap();
    summaries.sort_by_key(|summary| summary.id);
    assert_eq!(summaries.len(), cases.len());
    let opened = summaries.iter().zip(answers).map(|(summary, answer)| {
        let trace = reader.load(summary.id).unwrap().unwrap();
        let secrets = Secrets(reader.open_secrets(&trace).unwrap());
        (Recording { trace, secrets }, answer)
    });
    let opened = opened.collect();
    let impure = impure.lock().unwrap().clone();
    (opened, impure)
}

fn replayed(opened: &Recording, def: &FlowDef, edits: &Edits) -> Report {
    let flow = Arc::new(Flow::new(def, |failure, _| failure.to_response()).unwrap());
    let replay =
        Replay { recording: opened, flow: &flow, route: &|_| true, edits, context: ReplayContext::default() };
    replay.run(&mut |_| {}).unwrap_or_else(|refusal| panic!("{edits:?}: {refusal:?}"))
}

/// One edit of what there is to edit in a trace.
fn edit(trace: &Trace, (which, by): (u8, u64)) -> Edits {
    let item = serde_json::to_string(&Item::of(by)).unwrap();
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
    let at = (by % 97) as usize;
    match which % 5 {
        0 if !calls.is_empty() => {
            edits.answers.push(format!("{}={item}", calls[at % calls.len()]).parse().unwrap())
        }
        1 => edits.headers.push(("x-n".to_owned(), format!("edited {by}"))),
        2 => edits.body = Some(format!("edited {by}").into_bytes()),
        3 => edits.slots.push(
            format!("{}.state={{\"Counted\":{{\"by\":{by}}}}}", slots[at % slots.len()]).parse().unwrap(),
        ),
        _ => edits.slots.push(format!("{}={item}", slots[at % slots.len()]).parse().unwrap()),
    }
    edits
}

/// Panics that are meant to be are not printed.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let told_to = panic.payload_as_str().is_some_and(|message| message.starts_with(TOLD_TO));
            if !told_to {
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
    fn what_random_flows_did_is_replayed_and_an_edit_shows(seed: [u8; 32]) {
        quiet();
        let cases = cases(&seed);
        let defs: Vec<_> = cases.iter().enumerate().map(|(at, case)| def(at, case)).collect();
        let (traces, impure) = served(&cases, &defs);
        prop_assert!(impure.is_empty(), "{impure:?}");
        for (at, ((opened, answer), case)) in traces.iter().zip(&cases).enumerate() {
            let events = &opened.trace.events;
            let ran = events.iter().filter(|event| matches!(event, Event::StepRan { .. })).count();
            let answered = events.iter().filter(|event| matches!(event, Event::EffectCompleted { .. })).count();
            let report = replayed(opened, &defs[at], &Edits::default());
            prop_assert!(report.is_same(), "{case:?}: {report:?}");
            prop_assert_eq!(report.coverage.decisions_reproduced as usize, ran);
            prop_assert_eq!(report.coverage.effects_replayed as usize, answered);
            prop_assert!(report.not_compared.is_empty() && report.notes.is_empty(), "{case:?}: {report:?}");
            let body = report.response.and_then(|response| response.body);
            prop_assert_eq!(body.as_ref(), Some(answer));

            let edits = edit(&opened.trace, case.edit);
            let report = replayed(opened, &defs[at], &edits);
            if report.applied.is_empty() {
                let unreached = |note: &String| note.contains("the flow ended before");
                prop_assert!(report.notes.iter().any(unreached), "{case:?} {edits:?}: {report:?}");
            } else {
                prop_assert!(!report.findings.is_empty(), "{case:?} {edits:?}: {report:?}");
            }
        }
    }
}
