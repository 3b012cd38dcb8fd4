//! Traces from an untrusted source: every name and text in them is hostile, and none reaches a terminal unescaped.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use zerver_fixtures::story;
use zerver_recorder::portable;
use zerver_trace::text::is_dangerous;
use zerver_trace::{Answer, EffectError, Event, Name, Outcome, Recorded, RequestId, Trace, Value};

use crate::harness::{Place, programs};
use crate::pty::Terminal;

/// Text with colors, the clipboard (OSC 52), a link (OSC 8), a one-byte escape (C1), right-to-left text and a line
/// break.
const EVIL: &str = "\u{1b}[31m\u{1b}]52;c;AAAA\u{7}\u{1b}]8;;http://evil.example\u{7}\u{9b}2J\u{202e}\n";

fn taint(text: &mut String) {
    text.push_str(EVIL);
}

fn tainted(name: &Name) -> Name {
    Name::from(format!("{name}{EVIL}"))
}

fn taint_value(recorded: &mut Recorded) {
    *recorded =
        Recorded::Plain { value: Value::from_serialize(EVIL).unwrap(), summary: Some(EVIL.to_owned()) };
}

/// Returns the trace with hostile text in every string.
fn hostile(mut trace: Trace, number: u128) -> Trace {
    trace.id = RequestId::from_u128(trace.id.as_u128() ^ number);
    let flow = Arc::make_mut(&mut trace.flow);
    for text in [&mut flow.name, &mut flow.method, &mut flow.pattern] {
        taint(text);
    }
    for slot in &mut flow.slots {
        taint(&mut slot.name);
        taint(&mut slot.path);
    }
    for step in &mut flow.steps {
        for text in [&mut step.name, &mut step.doc, &mut step.file] {
            taint(text);
        }
    }
    for text in [&mut trace.build, &mut trace.method, &mut trace.path, &mut trace.version, &mut trace.peer] {
        taint(text);
    }
    taint_value(&mut trace.target);
    for header in trace.request_headers.iter_mut().chain(&mut trace.response_headers) {
        taint(&mut header.name);
        taint_value(&mut header.value);
    }
    taint_value(&mut trace.request_body.bytes);
    taint_value(&mut trace.response_body.bytes);
    match &mut trace.outcome {
        Outcome::Failed(failure) => {
            failure.what = tainted(&failure.what);
            failure.causes.push(EVIL.to_owned());
            taint(&mut failure.key);
            taint(&mut failure.message);
        }
        Outcome::Panicked { message: text, .. } | Outcome::Rejected { reason: text } => taint(text),
        Outcome::Done | Outcome::TimedOut { .. } | Outcome::ClientLeft { .. } => {}
    }
    for event in &mut trace.events {
        match event {
            Event::StepYielded { progress: value, .. } | Event::SlotWritten { value, .. } => {
                taint_value(value)
            }
            Event::EffectRequested { kind, args, .. } => {
                *kind = tainted(kind);
                taint_value(args);
            }
            Event::EffectCompleted { answer: Answer::Ok(value), .. }
            | Event::UndoEnded { failure: Some(value), .. } => taint_value(value),
            Event::EffectCompleted { answer: Answer::Err(EffectError { message, .. }), .. } => taint(message),
            Event::Reclassified { reason, .. } => *reason = tainted(reason),
            Event::StepPanicked { file, .. } => *file = tainted(file),
            Event::EffectPoint { point, .. } => *point = tainted(point),
            Event::FaultInjected { rule, .. } => *rule = tainted(rule),
            Event::Logged { target, line, .. } | Event::StepLogged { target, line, .. } => {
                *target = tainted(target);
                taint_value(line);
            }
            Event::CompletionDelayed { flow, step, .. } | Event::ReadDelayed { flow, step, .. } => {
                *flow = tainted(flow);
                *step = tainted(step);
            }
            Event::BodyReceived { .. }
            | Event::StepRan { .. }
            | Event::EffectCompleted { answer: Answer::Canceled, .. }
            | Event::EffectQueued { .. }
            | Event::EffectStarted { .. }
            | Event::PolicyDecided { .. }
            | Event::Migrated { .. }
            | Event::QuantumExceeded { .. }
            | Event::UndoRegistered { .. }
            | Event::UndoStarted { .. }
            | Event::UndoEnded { failure: None, .. } => {}
        }
    }
    trace
}

/// Writes hostile files of many kinds of requests, and returns their ids.
fn files(folder: &Path) -> (Vec<String>, Vec<String>) {
    let stories =
        ["slow-upstream", "fast-upstream", "not-found", "panic", "retry", "unauthorized", "big-body"];
    let make = |(number, name): (usize, &&str)| {
        let trace = portable::read(&fs::read(story(name)).unwrap()).unwrap();
        let trace = hostile(trace, number as u128 + 1);
        let file = folder.join(name).with_extension("zrv");
        fs::write(&file, portable::write(&trace).unwrap()).unwrap();
        (file.to_str().unwrap().to_owned(), trace.id.to_string())
    };
    stories.iter().enumerate().map(make).unzip()
}

#[test]
fn no_name_of_a_foreign_trace_reaches_the_terminal_raw() {
    let place = Place::new();
    let (files, ids) = files(place.path());
    fs::create_dir(place.store()).unwrap();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let imported = place.zerver(&[&["import"], &files[..]].concat());
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let todos = programs().todos.to_str().unwrap();
    let check = |arguments: &[&str]| {
        let ran = place.zerver(arguments);
        let is_bad = |text: &str| text.chars().any(|c| is_dangerous(c) && c != '\n');
        assert!(!is_bad(&ran.out) && !is_bad(&ran.err), "{arguments:?}: {ran:?}");
        assert!(
            ran.code.is_some_and(|code| code <= 2) && !ran.err.contains("panicked"),
            "{arguments:?}: {ran:?}"
        );
        assert!(ran.out.len() + ran.err.len() > 0, "{arguments:?} says nothing");
    };
    for id in ids.iter().map(String::as_str).chain(files.iter().copied()) {
        for arguments in [
            &["trace", "-v", id][..],
            &["trace", "--json", id],
            &["why", id],
            &["diff", "--no-tui", "--all-headers", &ids[0], id],
            &["diff", "--json", &ids[1], id],
            &["replay", "--exe", todos, id],
            &["replay", "--json", "--exe", todos, id],
            &["replay", "--faults", "--exe", todos, id],
            &["export", "--test", id, "-o", "-"],
        ] {
            check(arguments);
        }
    }
    for arguments in [
        &["ls"][..],
        &["ls", "--json"],
        &["catalog"],
        &["catalog", "--json"],
        &["simulate"],
        &["doctor"],
        &["replay", "--all", "--exe", todos],
        &["diff", "--no-tui", "--slow", EVIL],
        &["ls", "--flow", EVIL],
    ] {
        check(arguments);
    }
    assert_eq!(place.wait_for(ids.len()).len(), ids.len());
}

#[test]
fn no_name_of_a_foreign_trace_leaves_the_terminal_ui_raw() {
    let place = Place::new();
    let (files, ids) = files(place.path());
    fs::create_dir(place.store()).unwrap();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    assert_eq!(place.zerver(&[&["import"], &files[..]].concat()).code, Some(0));
    let look = |arguments: &[&str], parts: &[&str], keys: &str| {
        let mut terminal = Terminal::start(&place.command(arguments), 160, 50);
        terminal.wait_for(parts);
        terminal.press(keys);
        // The list is last, so all earlier keys have been handled.
        terminal.press("1");
        terminal.wait_for(&["live", "\\u{1b}]52;"]);
        let written = terminal.written();
        terminal.press("q");
        terminal.end();
        let text = String::from_utf8_lossy(&written);
        for raw in ["\u{1b}]52;", "\u{1b}]8;", "\u{9b}", "\u{202e}", "\u{7}\u{1b}]"] {
            assert!(!text.contains(raw), "{arguments:?}: {raw:?} is in what the terminal got");
        }
    };
    for id in &ids {
        look(&["tui", id], &["2 timeline", "took"], "jjjjjjjj5");
    }
    look(&["diff", &ids[0], &ids[1]], &["3 diff", "differences"], "jjjj");
}
