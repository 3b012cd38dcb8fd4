//! Whatever comes in whatever order, nothing panics, and every frame fits.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;

use super::*;
use crate::dev::{Dev, State};
use crate::hostile::any_trace;
use crate::message::Notice;

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
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..KEYS.len()).prop_map(Step::Key),
        3 => (0u8..6, 0u16..220, 0u16..60).prop_map(|(kind, x, y)| Step::Mouse(kind, x, y)),
        2 => (0u16..220, 0u16..60).prop_map(|(width, height)| Step::Resize(width, height)),
        1 => any::<String>().prop_map(Step::Paste),
        1 => any::<u64>().prop_map(Step::Now),
        1 => prop::collection::vec(any_trace(), 0..3).prop_map(Step::Newer),
        1 => (0u8..7, any::<String>()).prop_map(|(state, text)| Step::Dev(state, text)),
        1 => any::<String>().prop_map(Step::Notice),
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
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_every_frame_fits(
        traces in prop::collection::vec(any_trace(), 0..5),
        width in 0u16..220,
        height in 0u16..60,
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
        }
    }
}
