//! Byte sequences of terminals and the events they decode to.

use proptest::prelude::*;

use super::*;

/// Decodes pieces that are read one by one, followed by a long silence.
fn decode(pieces: &[&[u8]]) -> Vec<Event> {
    let (mut decoder, now) = (Decoder::default(), Instant::now());
    pieces.iter().for_each(|piece| decoder.feed(piece, now));
    decoder.expire(now + SEQUENCE_TIMEOUT);
    decoder.take_events()
}

fn name(event: &Event) -> String {
    match event {
        Event::Key(key) => {
            let held = [
                (KeyModifiers::CONTROL, "ctrl-"),
                (KeyModifiers::ALT, "alt-"),
                (KeyModifiers::SHIFT, "shift-"),
            ];
            let held: String = held
                .iter()
                .filter(|(held, _)| key.modifiers.contains(*held))
                .map(|(_, name)| *name)
                .collect();
            match key.code {
                KeyCode::Char(c) => format!("{held}{c}"),
                code => format!("{held}{code:?}"),
            }
        }
        Event::Paste(text) => format!("paste {text:?}"),
        Event::Mouse(mouse) => format!("{:?} {},{}", mouse.kind, mouse.column, mouse.row),
        other => format!("{other:?}"),
    }
}

/// Splits keys with Alt into Escape and the key, as they decode when they arrive in pieces.
fn without_alt(events: Vec<Event>) -> Vec<Event> {
    let taken_apart = |event: Event| match event {
        Event::Key(mut key) if key.modifiers.contains(KeyModifiers::ALT) => {
            key.modifiers.remove(KeyModifiers::ALT);
            vec![Event::Key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)), Event::Key(key)]
        }
        event => vec![event],
    };
    events.into_iter().flat_map(taken_apart).collect()
}

fn check(bytes: &[u8], wanted: &str) {
    let names = |events: &[Event]| events.iter().map(name).collect::<Vec<_>>().join(" ");
    let whole = decode(&[bytes]);
    assert_eq!(names(&whole), wanted, "{}", bytes.escape_ascii());
    // The position of the cut does not matter if the rest follows at once.
    let whole = without_alt(whole);
    for at in 0..=bytes.len() {
        let got = without_alt(decode(&[&bytes[..at], &bytes[at..]]));
        assert_eq!(names(&got), names(&whole), "{} cut at {at}", bytes.escape_ascii());
    }
}

#[test]
fn keys_are_decoded() {
    check(b"aZ \r\t\x7f\x03\x1a\x00\x1c", "a shift-Z   Enter Tab Backspace ctrl-c ctrl-z ctrl-  ctrl-4");
    check("ü漢🎉\u{85}".as_bytes(), "ü 漢 🎉");
    check(b"\xff\xc3a\xe6\xbc\rb", "a Enter b");
    check(b"\x1ba\x1b\x01\x1bZ\x1b\xc3\xa4", "alt-a ctrl-alt-a alt-shift-Z alt-ä");
    check(b"\x1b", "Esc");
    check(b"\x1b\x1b\x1b[A", "Esc Esc Up");
    check(
        b"\x1b[A\x1bOB\x1b[1;5C\x1b[1;3D\x1bOP\x1b[15~\x1b[24~\x1b[[B",
        "Up Down ctrl-Right alt-Left F(1) F(5) F(12) F(2)",
    );
    check(b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1bOH\x1bOF", "Home End Home End Home End Home End");
    check(
        b"\x1b[5~\x1b[6~\x1b[3~\x1b[2~\x1b[Z\x1b[3;5~",
        "PageUp PageDown Delete Insert shift-BackTab ctrl-Delete",
    );
    check(b"\x1b[97;5u\x1b[27;5;98~\x1b[27u", "ctrl-a ctrl-b Esc");
    check(b"\x1b[I\x1b[O", "FocusGained FocusLost");
}

#[test]
fn mouse_events_are_decoded() {
    check(
        b"\x1b[<0;5;7M\x1b[<0;5;7m\x1b[<32;6;7M\x1b[<35;1;1M",
        "Down(Left) 4,6 Up(Left) 4,6 Drag(Left) 5,6 Moved 0,0",
    );
    check(b"\x1b[<64;300;200M\x1b[<65;1;1M\x1b[<66;1;1M", "ScrollUp 299,199 ScrollDown 0,0 ScrollLeft 0,0");
    check(b"\x1b[M !!\x1b[M\x61\x7f\xff\x1b[32;5;7M", "Down(Left) 0,0 ScrollDown 94,222 Down(Left) 4,6");
    check(b"\x1b[<0;0;0M\x1b[<1M\x1b[<999999;1;1Mq", "q");
}

#[test]
fn pastes_are_decoded() {
    check(b"\x1b[200~a\rb \x1b]q\xc3\xa4\x1b[201~q", "paste \"a\\rb \\u{1b}]qä\" q");
    check(b"\x1b[200~\x1b[201~", "paste \"\"");
    // A paste without an end is a paste once nothing more arrives.
    assert_eq!(decode(&[b"\x1b[200~abc"]), [Event::Paste("abc".to_owned())]);
    let long = [&b"\x1b[200~"[..], &vec![b'x'; 2 * MAX_PASTE], PASTE_END, b"q"].concat();
    let got = decode(&[&long]);
    assert!(matches!(&got[0], Event::Paste(text) if text.len() == MAX_PASTE));
    assert_eq!(name(&got[1]), "q");
}

#[test]
fn replies_of_the_terminal_are_not_keys() {
    for answer in [
        // Primary, secondary and tertiary device attributes.
        &b"\x1b[?62;22;52c"[..],
        b"\x1b[>1;10;0c",
        b"\x1bP!|7E565445\x1b\\",
        // Cursor position, status, size, a mode, light or dark theme, keyboard flags.
        b"\x1b[12;40R",
        b"\x1b[1;5R",
        b"\x1b[?12;40R",
        b"\x1b[0n",
        b"\x1b[8;24;80t",
        b"\x1b[?2026;2$y",
        b"\x1b[4;1$y",
        b"\x1b[?997;1n",
        b"\x1b[?1u",
        b"\x1b[>4;2m",
        b"\x1b[=1;2q",
        // Colors, clipboard, title, with either terminator.
        b"\x1b]11;rgb:1e1e/1e1e/1e1e\x1b\\",
        b"\x1b]10;rgb:ffff/ffff/ffff\x07",
        b"\x1b]4;1;rgb:cd/00/00\x07",
        b"\x1b]52;c;cXVpdA==\x1b\\",
        b"\x1b]lq title\x1b\\",
        // Version, capability, setting, graphics, privacy message, start of string.
        b"\x1bP>|XTerm(388)\x1b\\",
        b"\x1bP1+r524742=38\x1b\\",
        b"\x1bP1$r0 q\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b^quit\x1b\\",
        b"\x1bXrq\x1b\\",
    ] {
        check(answer, "");
        check(&[b"j", answer, b"k", answer, answer, b"\x1b[A"].concat(), "j k Up");
        // A reply that arrives after another program ended in the middle of a key.
        check(&[b"\x1b", answer].concat(), "Esc");
    }
}

#[test]
fn an_unfinished_sequence_swallows_keys_only_briefly() {
    for start in [
        &b"\x1b]"[..],
        b"\x1bP",
        b"\x1b_",
        b"\x1b[",
        b"\x1b[?",
        b"\x1bO",
        b"\x1b]11;rgb:",
        b"\xe6",
        b"\x1b[M",
    ] {
        let (mut decoder, now) = (Decoder::default(), Instant::now());
        decoder.feed(start, now);
        decoder.feed(b"", now + SEQUENCE_TIMEOUT / 2);
        decoder.feed(b"q", now + SEQUENCE_TIMEOUT);
        assert_eq!(
            decoder.take_events().iter().map(name).collect::<Vec<_>>(),
            ["q"],
            "{}",
            start.escape_ascii()
        );
    }
    // Alt+] and then Enter or Ctrl-C: replies contain no control characters.
    check(b"\x1b]\r", "Enter");
    check(b"\x1b]11;x\x03", "ctrl-c");
    check(b"\x1b[\r", "Enter");
    // A string cut off by another sequence.
    check(b"\x1b]11;rgb\x1b[A", "Up");
    check(b"\x1b[12;\x1b[A", "Up");
}

#[test]
fn a_lone_escape_is_a_key_after_a_pause() {
    let (mut decoder, now) = (Decoder::default(), Instant::now());
    decoder.feed(b"\x1b", now);
    decoder.expire(now + LONE_ESCAPE_TIMEOUT / 2);
    assert_eq!(decoder.take_events(), []);
    decoder.expire(now + LONE_ESCAPE_TIMEOUT);
    assert_eq!(decoder.take_events().iter().map(name).collect::<Vec<_>>(), ["Esc"]);
    decoder.feed(b"[A", now + LONE_ESCAPE_TIMEOUT);
    assert_eq!(decoder.take_events().iter().map(name).collect::<Vec<_>>(), ["[", "shift-A"]);
}

proptest! {
    #[test]
    fn decoding_does_not_depend_on_how_bytes_are_split(
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"\x1b\x1b[[]]P_O;:0123~Mmu<?\\\x07\xc3\xa4".to_vec())],
            0..64,
        ),
        at in any::<prop::sample::Index>(),
    ) {
        let (before, after) = bytes.split_at(at.index(bytes.len() + 1));
        // What follows an escape may not be a character; then the escape is a key only if it arrived alone.
        let others = |pieces: &[&[u8]]| {
            let mut events = without_alt(decode(pieces));
            events.retain(|event| !matches!(event, Event::Key(key) if key.code == KeyCode::Esc));
            events
        };
        prop_assert_eq!(others(&[before, after]), others(&[&bytes]));
        for event in decode(&[&bytes]) {
            let Event::Key(KeyEvent { code: KeyCode::Char(c), .. }) = event else { continue };
            prop_assert!(!c.is_control(), "{c:?}");
        }
        // The decoder returns to its initial state.
        let mut decoder = Decoder::default();
        let now = Instant::now();
        decoder.feed(&bytes, now);
        decoder.expire(now + SEQUENCE_TIMEOUT);
        prop_assert_eq!(decoder.state, State::Ground);
    }
}
