//! Random keys, clicks and replay results on all screens.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use zerver_replay::ReplayError;

use super::replay::{changed, replayed};
use super::*;
use zerver_testkit::hostile::any_trace;

/// Random messages for these screens.
fn any_message() -> impl Strategy<Value = Message> {
    let keys = "12345drjkgGxsaeEwc.=\"{}";
    let key = proptest::sample::select(keys.chars().map(KeyCode::Char).collect::<Vec<_>>());
    let named = proptest::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Down,
        KeyCode::PageDown,
        KeyCode::Backspace,
    ]);
    let press = |code| Message::Input(Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    let kind = proptest::sample::select(vec![
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
        MouseEventKind::Down(MouseButton::Left),
    ]);
    let mouse = (kind, 0u16..220, 0u16..60).prop_map(|(kind, column, row)| {
        Message::Input(Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }))
    });
    let resize =
        (0u16..220, 0u16..60).prop_map(|(width, height)| Message::Input(Event::Resize(width, height)));
    let number = 0u64..6;
    let done = (number.clone(), any::<bool>()).prop_map(|(number, is_changed)| {
        let findings = if is_changed { changed() } else { Vec::new() };
        match replayed(findings) {
            Message::Replayed(_, result) => Message::Replayed(number, result),
            other => other,
        }
    });
    let refused = number.prop_map(|number| Message::Replayed(number, Err(ReplayError::default())));
    prop_oneof![
        6 => key.prop_map(press),
        3 => named.prop_map(press),
        2 => mouse,
        1 => resize,
        1 => done,
        1 => refused,
        1 => any::<bool>().prop_map(|is_good| {
            Message::Edited(if is_good { Ok("{\"sub\": 1}".into()) } else { Err("no editor".into()) })
        }),
        1 => Just(Message::Flows(Ok(vec![(*sample::slow().flow).clone().into()]))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_messages_never_panic(
        a in any_trace(), b in any_trace(), messages in proptest::collection::vec(any_message(), 0..60),
    ) {
        let mut ui = TestApp::new(80, 24, vec![sample::slow(), a, b]);
        for message in messages {
            ui.send(message);
            let text = ui.text();
            prop_assert!(!text.chars().any(|c| zerver_trace::text::is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}
