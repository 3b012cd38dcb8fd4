//! Random input in random order: nothing panics, and every frame fits.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use zerver_analysis::{Baseline, Timeline};
use zerver_replay::{
    Coverage, EditedOutcome, Finding, FindingClass, MissingInput, ReplayError, ReplayedResponse, Report,
    ReportedValue, SourceLocation,
};
use zerver_trace::CatalogFlow;

use super::*;
use crate::services::{FlowMeasurement, ReplayResult};
use crate::state::Notice;
use crate::state::{RunningStep, SchedulerStatus, WorkerStatus};
use crate::state::{ServiceEvent, ServiceState};
use zerver_testkit::hostile::any_trace;

/// Size of the largest terminal.
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
    Serves(String, Option<SchedulerStatus>),
    Replayed(Result<Report, ReplayError>),
    Checked,
    Edited(bool, String),
    Flows,
    Measured(String),
}

/// Unusual text, and very wide text.
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
        // Ids are unique, as in a store.
        traces.into_iter().map(|(trace, n)| numbered(trace, n.into())).collect()
    })
}

fn any_health() -> impl Strategy<Value = SchedulerStatus> {
    let running = (any_text(), any_text(), any_text(), any::<u64>());
    let running =
        running.prop_map(|(flow, step, request, running_ns)| RunningStep { flow, step, request, running_ns });
    let worker = (any_text(), any::<bool>(), any::<Option<u64>>(), prop::option::of(running));
    let worker = worker.prop_map(|(name, is_stuck, busy_ns, running)| WorkerStatus {
        name,
        is_stuck,
        busy_ns,
        running,
    });
    let counts = (any::<[Option<u64>; 3]>(), any::<[u32; 3]>(), any::<u64>());
    (any_text(), any::<Option<u64>>(), prop::collection::vec(worker, 0..9), counts).prop_map(
        |(status, uptime_ns, workers, (queue_lengths, shed, many))| SchedulerStatus {
            status,
            uptime_ns,
            workers,
            queue_lengths,
            shed: shed.map(u64::from),
            reclassified: many,
            overruns: many,
            breakers: vec![("\u{1b}[2J".to_owned(), "open".to_owned())],
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
        any_text().prop_map(MissingInput::Other),
        any_text().prop_map(|reason| MissingInput::Header { name: "authorization".to_owned(), reason }),
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
                stream: None,
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

fn perform(ui: &mut TestApp, step: Step) {
    match step {
        Step::Key(at) => {
            ui.press(KEYS[at]);
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
            ui.send(Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers })));
        }
        Step::Resize(width, height) => {
            ui.send(Message::Input(Event::Resize(width, height)));
        }
        Step::Paste(text) => {
            ui.send(Message::Input(Event::Paste(text)));
        }
        Step::Now(now) => {
            ui.send(Message::Tick(now));
        }
        Step::Newer(traces) => {
            ui.traces.extend(traces.iter().cloned());
            ui.send(Message::NewRequests(traces.iter().map(Trace::summary).collect()));
        }
        Step::Dev(state, text) => {
            ui.send(Message::Service(match state {
                0 => ServiceEvent::State(ServiceState::Building),
                1 => ServiceEvent::State(ServiceState::Starting),
                2 => ServiceEvent::State(ServiceState::Serving(text)),
                3 => ServiceEvent::State(ServiceState::BuildFailed { is_serving: true }),
                4 => ServiceEvent::State(ServiceState::Ended(text)),
                5 => ServiceEvent::State(ServiceState::Stopping),
                _ => ServiceEvent::Output(text),
            }));
        }
        Step::Notice(text) => {
            ui.send(Message::Notice(Notice::error(text)));
        }
        Step::Unreadable(why) => {
            let Some(trace) = ui.traces.first() else { return };
            let id = trace.id;
            ui.send(Message::Loaded(id, Err(why.clone())));
            ui.send(Message::Explained(id, Err(why)));
        }
        Step::Source(text) => {
            let files: Vec<String> =
                flows(ui).into_iter().flat_map(|flow| flow.flow.steps).map(|step| step.file).collect();
            for file in files {
                ui.send(Message::SourceText(file, Some(text.clone())));
            }
        }
        Step::Serves(addr, health) => {
            ui.send(Message::ServiceAddress(addr.clone()));
            ui.send(Message::Status(addr.clone(), health.ok_or(addr)));
        }
        Step::Replayed(result) => {
            let commands = ui.commands.iter().rev().find_map(|command| match command {
                Command::Replay { number, .. } => Some(*number),
                _ => None,
            });
            let replayed = result.map(|report| Arc::new(ReplayResult { report, build: String::new() }));
            ui.send(Message::Replayed(commands.unwrap_or(0), replayed));
        }
        Step::Checked => {
            let ids: Vec<RequestId> = ui.traces.iter().map(|trace| trace.id).collect();
            for id in ids {
                ui.send(Message::ReplayChecked(ui.app.shared.replay_check.number, id, Some(true)));
            }
        }
        Step::Edited(is_done, text) => {
            ui.send(Message::Edited(if is_done { Ok(text) } else { Err(text) }));
        }
        Step::Flows => {
            let flows = flows(ui);
            ui.send(Message::Flows(Ok(flows)));
        }
        Step::Measured(why) => {
            let timelines: Vec<Timeline> = ui.traces.iter().map(Timeline::of).collect();
            for (at, flow) in flows(ui).into_iter().enumerate() {
                let measured = Arc::new(FlowMeasurement { times: Baseline::of(&timelines), unreadable: at });
                ui.send(Message::Measured(
                    flow.flow.name,
                    if at % 3 == 2 { Err(why.clone()) } else { Ok(measured) },
                ));
            }
        }
    }
}

fn flows(ui: &TestApp) -> Vec<CatalogFlow> {
    ui.traces.iter().map(|trace| (*trace.flow).clone().into()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn random_input_never_panics_and_every_frame_fits(
        traces in any_recorded(),
        width in 0..=WIDTH,
        height in 0..=HEIGHT,
        is_ascii in any::<bool>(),
        steps in prop::collection::vec(any_step(), 0..40),
    ) {
        let mut ui = TestApp::with_appearance(Appearance { colors: ColorScheme::Dark, is_ascii }, width, height, traces);
        for step in steps {
            perform(&mut ui, step);
            let buffer = ui.buffer();
            prop_assert_eq!((buffer.area.width, buffer.area.height), (ui.app.shared.size.width, ui.app.shared.size.height));
            let bad = buffer.content.iter().flat_map(|cell| cell.symbol().chars()).find(|c| zerver_trace::text::is_dangerous(*c));
            prop_assert_eq!(bad, None);
            // Part of all sealed values.
            prop_assert!(!text(&buffer).contains("ciphertext"));
        }
    }
}
