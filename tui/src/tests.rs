//! Screens as they are drawn, and keys as they work.

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use zerver_trace::{RequestId, Summary, Trace};

use crate::app::App;
use crate::message::{Command, Message};
use crate::run::Open;
use crate::sample;
use crate::shared::Story;
use crate::theme::{Look, Palette};
use crate::update::{start, update};

const LOOK: Look = Look { palette: Palette::Dark, is_ascii: false };

/// A terminal with an app in it.
pub(crate) struct Stage {
    pub(crate) app: App,
    /// What was asked for and is not done yet.
    pub(crate) asked: Vec<Command>,
    traces: Vec<Trace>,
}

impl Stage {
    pub(crate) fn new(width: u16, height: u16, traces: Vec<Trace>) -> Self {
        Self::looking(LOOK, width, height, traces)
    }

    pub(crate) fn looking(look: Look, width: u16, height: u16, traces: Vec<Trace>) -> Self {
        let now = sample::slow().started_unix_ns + 90_000_000_000;
        let mut app = App::new(look, Size::new(width, height), now);
        let asked = start(&mut app, Open::Requests);
        let mut stage = Self { app, asked, traces };
        let requests: Vec<Summary> = stage.traces.iter().rev().map(Trace::summary).collect();
        stage.say(Message::Older { requests, is_last: true });
        stage
    }

    /// A message, and what it asks for: traces are answered at once.
    pub(crate) fn say(&mut self, message: Message) -> &mut Self {
        for command in update(&mut self.app, message) {
            match command {
                Command::Load(id) => {
                    let trace = self.traces.iter().find(|trace| trace.id == id).cloned();
                    let trace = trace.map(|trace| Arc::new(Story::of(trace)));
                    self.say(Message::Loaded(id, Ok(trace)));
                }
                command => self.asked.push(command),
            }
        }
        self
    }

    /// Keys, one after another: single characters, `<enter>`, `<c-d>`.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (event, tail) = match named {
                Some((name, tail)) => (by_name(name), tail),
                None => (KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &rest[c.len_utf8()..]),
            };
            self.say(Message::Input(Event::Key(event)));
            rest = tail;
        }
        self
    }

    /// What is drawn, as text.
    pub(crate) fn text(&self) -> String {
        let size = self.app.shared.size;
        let mut buffer = Buffer::empty(Rect::new(0, 0, size.width, size.height));
        self.app.draw(&mut buffer);
        text(&buffer)
    }
}

fn by_name(name: &str) -> KeyEvent {
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "backspace" => KeyCode::Backspace,
        _ => {
            let c = name.strip_prefix("c-").and_then(|name| name.chars().next());
            return KeyEvent::new(KeyCode::Char(c.expect(name)), KeyModifiers::CONTROL);
        }
    };
    KeyEvent::new(code, KeyModifiers::NONE)
}

/// The characters of a buffer, without blanks at the ends of lines.
fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            // The cell after a wide character belongs to it.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            covered = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

pub(crate) fn numbered(mut trace: Trace, n: u64) -> Trace {
    trace.id = RequestId::from_u128(trace.id.as_u128() + (u128::from(n) << 68));
    trace.started_unix_ns += n * 1_000_000_000;
    trace
}

pub(crate) fn three() -> Vec<Trace> {
    vec![numbered(sample::slow(), 0), numbered(sample::failed(), 1), numbered(sample::report(40), 2)]
}

#[test]
fn a_list_of_three() {
    insta::assert_snapshot!(Stage::new(80, 8, three()).text(), @r"
    zerver   1 requests   2 timeline
    id              age  method  path                  status       took  flow
    019aa4ea-1f3b    1m  GET     /reports/todos           200   40.43 ms  report
    019aa4c2-1f3b    1m  GET     /v1/todos/456            404   900.0 µs  todos-it…
    019aa4c2-1f3b    1m  GET     /v1/todos/456            200    5.40 ms  todos-it…


    enter open  f follow  q quit
    ");
}

#[test]
fn an_empty_store() {
    insta::assert_snapshot!(Stage::new(80, 5, vec![]).text(), @r"
    zerver   1 requests   2 timeline
    id              age  method  path                  status       took  flow


    enter open  f follow  q quit
    ");
}

#[test]
fn a_request_opens_and_closes() {
    let mut stage = Stage::new(80, 9, three());
    insta::assert_snapshot!(stage.press("j<enter>").text(), @r"
    zerver   1 requests   2 timeline
    019aa4c2-1f3b  GET /v1/todos/456  404  900.0 µs
       10.0 µs  parse_auth
        5.0 µs  lookup_user
        5.0 µs  verify_roles
        5.0 µs  load_todo


    esc back  y copy id  q quit
    ");
    stage.press("y");
    assert_eq!(stage.asked, [Command::Explain(three()[1].id), Command::copy_id(three()[1].id)]);
    assert_eq!(stage.press("<esc>").text(), Stage::new(80, 9, three()).press("j").text());
}

#[test]
fn no_size_is_too_small() {
    for (width, height) in [(0, 0), (1, 1), (1, 9), (9, 1), (3, 3)] {
        let mut stage = Stage::new(width, height, three());
        stage.text();
        stage.press("jjG<enter>").text();
    }
}
