//! Whatever comes in whatever order, nothing panics, and every frame fits.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use zerver_analysis::{Baseline, Timeline};
use zerver_replay::{
    Coverage, EditedOutcome, Finding, FindingClass, ReplayError, ReplayedResponse, Report, ReportedValue,
    SourceLocation,
};
use zerver_trace::FlowInfo;

use super::*;
use crate::dev::{Dev, State};
use crate::hostile::any_trace;
use crate::message::Notice;
use crate::scheduler::{Health, Running, Worker};
use crate::services::{Measured, Replayed};

/// The largest terminal.
const WIDTH: u16 = 250;
const HEIGHT: u16 = 80;

const KEYS: &[&str] = &[
    "j",
    "k",
    "h",
    "l",
    "g",
    "G",
    "<c-d>",
    "<c-u>",
    "<c-f>",
    "<c-b>",
    "<enter>",
    "<esc>",
    "<tab>",
    "q",
    "f",
    "s",
    "m",
    "'",
    "n",
    "N",
    "/",
    ":",
    "?",
    "1",
    "2",
    "3",
    "4",
    "5",
    "d",
    "r",
    "x",
    "a",
    "E",
    "i",
    " ",
    "e",
    "J",
    "K",
    "y",
    "Y",
    "+",
    "-",
    "L",
    "<up>",
    "<down>",
    "<left>",
    "<right>",
    "<backspace>",
    "<c-z>",
    "<c-l>",
    "<c-w>",
    "漢",
    "status:4xx",
    "slot.Todo.id=1",
    "<c-u>",
];

#[derive(Debug, Clone)]
enum Step {
    Key(usize),
    Mouse(u8, u16, u16),
    Resize(u16, u16),
    Paste(String),
    Now(u64),
    Newer(Vec<Trace>),
    Dev(u8, String),
    Notice(String),
    Unreadable(String),
    Source(String),
    Serves(String, Option<Health>),
    Replayed(Result<Report, ReplayError>),
    Checked,
    Edited(bool, String),
    Flows,
    Measured(String),
}

/// What nobody would write, and what is as wide as can be.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), Just("\u{1b}[2J\u{202e}漢字\u{7}".repeat(20)), "[a-z 漢\n]{0,200}"]
}

fn any_recorded() -> impl Strategy<Value = Vec<Trace>> {
    let one = prop_oneof![
        2 => any_trace(),
        1 => Just(nasty()),
        1 => Just(sample::slow()),
        1 => Just(sample::failed()),
        1 => (0u64..300).prop_map(sample::report),
    ];
    prop::collection::vec((one, any::<u16>()), 0..5).prop_map(|traces| {
        // Each has an id of its own, as in a store.
        traces.into_iter().map(|(trace, n)| numbered(trace, n.into())).collect()
    })
}

fn any_health() -> impl Strategy<Value = Health> {
    let running = (any_text(), any_text(), any_text(), any::<u64>());
    let running = running.prop_map(|(flow, step, request, for_ns)| Running { flow, step, request, for_ns });
    let worker = (any_text(), any::<bool>(), any::<Option<u64>>(), prop::option::of(running));
    let worker =
        worker.prop_map(|(name, is_stuck, busy_ns, running)| Worker { name, is_stuck, busy_ns, running });
    let counts = (any::<[Option<u64>; 3]>(), any::<[u32; 3]>(), any::<u64>());
    (any_text(), any::<Option<u64>>(), prop::collection::vec(worker, 0..9), counts).prop_map(
        |(status, uptime_ns, workers, (waiting, shed, many))| Health {
            status,
            uptime_ns,
            workers,
            waiting,
            shed: shed.map(u64::from),
            moved: many,
            overruns: many,
        },
    )
}

fn any_report() -> impl Strategy<Value = Report> {
    let class = prop::sample::select(vec![
        FindingClass::CodeChanged,
        FindingClass::InputEdited,
        FindingClass::Nondeterminism,
        FindingClass::Unanswered,
        FindingClass::Died,
    ]);
    let finding =
        (class, any_text(), any_text(), any::<u32>()).prop_map(|(class, step, field, line)| Finding {
            class,
            expected: ReportedValue::text(&*step),
            got: ReportedValue::Secret,
            source: Some(SourceLocation { file: field.clone(), line }),
            step,
            field,
        });
    let ending = (any_text(), any::<u64>()).prop_map(|(text, ns)| EditedOutcome {
        outcome: text.clone(),
        failure: text.clone(),
        failure_kind: text.clone(),
        call: None,
        step: text,
        duration_ns: ns,
        recorded_duration_ns: ns,
    });
    let why = prop_oneof![
        any_text(),
        Just("the request's header authorization: only a hash of it is here".to_owned())
    ];
    let parts = (prop::collection::vec(why, 0..2), prop::collection::vec(finding, 0..5));
    (parts, prop::option::of(ending), prop::option::of(any_text()), any::<[u32; 5]>()).prop_map(
        |((impossible, findings), ending, body, n)| Report {
            missing_inputs: impossible,
            findings,
            edited_outcome: ending,
            notes: body.clone().into_iter().collect(),
            response: body.map(|body| ReplayedResponse {
                status: n[0] as u16,
                body: Some(body),
                body_bytes: n[1].into(),
                headers: Vec::new(),
            }),
            coverage: Coverage {
                decisions_reproduced: n[0],
                decisions_recorded: n[1],
                effects_replayed: n[2],
                effects_live: n[3],
                effects_unanswered: n[4],
            },
            ..Report::default()
        },
    )
}

fn any_refusal() -> impl Strategy<Value = ReplayError> {
    let texts = || prop::collection::vec(any_text(), 0..4);
    (any_text(), texts(), texts()).prop_map(|(what, causes, hints)| ReplayError {
        message: what,
        causes,
        hints,
    })
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..KEYS.len()).prop_map(Step::Key),
        3 => (0u8..6, 0..=WIDTH, 0..=HEIGHT).prop_map(|(kind, x, y)| Step::Mouse(kind, x, y)),
        2 => (0..=WIDTH, 0..=HEIGHT).prop_map(|(width, height)| Step::Resize(width, height)),
        1 => any_text().prop_map(Step::Paste),
        1 => any::<u64>().prop_map(Step::Now),
        1 => any_recorded().prop_map(Step::Newer),
        1 => (0u8..7, any_text()).prop_map(|(state, text)| Step::Dev(state, text)),
        1 => any_text().prop_map(Step::Notice),
        1 => any_text().prop_map(Step::Unreadable),
        1 => any_text().prop_map(Step::Source),
        1 => (any_text(), prop::option::of(any_health())).prop_map(|(addr, health)| Step::Serves(addr, health)),
        3 => prop_oneof![any_report().prop_map(Ok), any_refusal().prop_map(Err)].prop_map(Step::Replayed),
        1 => Just(Step::Checked),
        1 => (any::<bool>(), any_text()).prop_map(|(is_done, text)| Step::Edited(is_done, text)),
        1 => Just(Step::Flows),
        1 => any_text().prop_map(Step::Measured),
    ]
}

fn perform(stage: &mut Stage, step: Step) {
    match step {
        Step::Key(at) => {
            stage.press(KEYS[at]);
        }
        Step::Mouse(kind, column, row) => {
            let left = MouseButton::Left;
            let kind = [
                MouseEventKind::Down(left),
                MouseEventKind::Up(left),
                MouseEventKind::Drag(left),
                MouseEventKind::ScrollDown,
                MouseEventKind::ScrollUp,
                MouseEventKind::Moved,
            ][usize::from(kind)];
            let modifiers = KeyModifiers::NONE;
            stage.say(Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers })));
        }
        Step::Resize(width, height) => {
            stage.say(Message::Input(Event::Resize(width, height)));
        }
        Step::Paste(text) => {
            stage.say(Message::Input(Event::Paste(text)));
        }
        Step::Now(now) => {
            stage.say(Message::Now(now));
        }
        Step::Newer(traces) => {
            stage.traces.extend(traces.iter().cloned());
            stage.say(Message::Newer(traces.iter().map(Trace::summary).collect()));
        }
        Step::Dev(state, text) => {
            stage.say(Message::Dev(match state {
                0 => Dev::State(State::Building),
                1 => Dev::State(State::Starting),
                2 => Dev::State(State::Serving(text)),
                3 => Dev::State(State::BuildFailed { is_serving: true }),
                4 => Dev::State(State::Ended(text)),
                5 => Dev::State(State::Stopping),
                _ => Dev::Line(text),
            }));
        }
        Step::Notice(text) => {
            stage.say(Message::Notice(Notice::bad(text)));
        }
        Step::Unreadable(why) => {
            let Some(trace) = stage.traces.first() else { return };
            let id = trace.id;
            stage.say(Message::Loaded(id, Err(why.clone())));
            stage.say(Message::Explained(id, Err(why)));
        }
        Step::Source(text) => {
            let files: Vec<String> =
                flows(stage).into_iter().flat_map(|flow| flow.steps).map(|step| step.file).collect();
            for file in files {
                stage.say(Message::Source(file, Some(text.clone())));
            }
        }
        Step::Serves(addr, health) => {
            stage.say(Message::Serves(addr.clone()));
            stage.say(Message::Health(addr.clone(), health.ok_or(addr)));
        }
        Step::Replayed(result) => {
            let asked = stage.asked.iter().rev().find_map(|command| match command {
                Command::Replay { number, .. } => Some(*number),
                _ => None,
            });
            let replayed = result.map(|report| Arc::new(Replayed { report, build: String::new() }));
            stage.say(Message::Replayed(asked.unwrap_or(0), replayed));
        }
        Step::Checked => {
            let ids: Vec<RequestId> = stage.traces.iter().map(|trace| trace.id).collect();
            for id in ids {
                stage.say(Message::Checked(stage.app.shared.check.number, id, true));
            }
        }
        Step::Edited(is_done, text) => {
            stage.say(Message::Edited(if is_done { Ok(text) } else { Err(text) }));
        }
        Step::Flows => {
            let flows = flows(stage);
            stage.say(Message::Flows(Ok(flows)));
        }
        Step::Measured(why) => {
            let timelines: Vec<Timeline> = stage.traces.iter().map(Timeline::of).collect();
            for (at, flow) in flows(stage).into_iter().enumerate() {
                let measured = Arc::new(Measured { usual: Baseline::of(&timelines), unreadable: at });
                stage.say(Message::Measured(
                    flow.name,
                    if at % 3 == 2 { Err(why.clone()) } else { Ok(measured) },
                ));
            }
        }
    }
}

fn flows(stage: &Stage) -> Vec<FlowInfo> {
    stage.traces.iter().map(|trace| (*trace.flow).clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_every_frame_fits(
        traces in any_recorded(),
        width in 0..=WIDTH,
        height in 0..=HEIGHT,
        is_ascii in any::<bool>(),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let mut stage = Stage::looking(Look { palette: Palette::Dark, is_ascii }, width, height, traces);
        for step in steps {
            perform(&mut stage, step);
            let buffer = stage.buffer();
            prop_assert_eq!((buffer.area.width, buffer.area.height), (stage.app.shared.size.width, stage.app.shared.size.height));
            let bad = buffer.content.iter().flat_map(|cell| cell.symbol().chars()).find(|c| zerver_trace::text::is_dangerous(*c));
            prop_assert_eq!(bad, None);
            // What is sealed in the traces.
            prop_assert!(!text(&buffer).contains("ciphertext"));
        }
    }
}
