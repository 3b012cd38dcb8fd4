//! Snapshots of screens, and the effects of keys.

mod diff;
mod flows;
mod keys;
mod navigation;
mod random_input;
mod random_messages;
mod replay;
mod requests;
mod timeline;
mod value_sources;

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Size;
use zerver_analysis::Why;
use zerver_trace::{Cursor, Header, Outcome, Query, RequestId, SourceError, Summary, Trace, TraceSource};

use crate::app::App;
use crate::event_loop::query_strings;
use crate::message::StartScreen;
use crate::message::{Command, Message};
use crate::state::LoadedTrace;
use crate::theme::{Appearance, ColorScheme};
use crate::update::{start, update};
use zerver_testkit::sample;

pub(crate) const LOOK: Appearance = Appearance { colors: ColorScheme::Dark, is_ascii: false };

/// App without a terminal, driven by messages.
pub(crate) struct TestApp {
    pub(crate) app: App,
    /// Commands that the test driver does not perform.
    pub(crate) commands: Vec<Command>,
    traces: Vec<Trace>,
}

/// The traces of a test as a source.
struct StoredTraces<'t>(&'t [Trace]);

impl TraceSource for StoredTraces<'_> {
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError> {
        Ok(self.0.iter().map(Trace::summary).filter(|summary| query.matches(summary)).collect())
    }

    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError> {
        Ok(self.0.iter().find(|trace| trace.id == id).cloned())
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(Cursor { block: 0, seen: 0 })
    }

    fn list_before(&self, _: Cursor, _: usize) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        Ok((Vec::new(), None))
    }

    fn list_since(&self, cursor: Cursor, _: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        Ok((Vec::new(), cursor))
    }
}

impl TestApp {
    pub(crate) fn new(width: u16, height: u16, traces: Vec<Trace>) -> Self {
        Self::with_appearance(LOOK, width, height, traces)
    }

    pub(crate) fn with_appearance(
        appearance: Appearance,
        width: u16,
        height: u16,
        traces: Vec<Trace>,
    ) -> Self {
        let now = sample::slow().started_unix_ns + 90_000_000_000;
        let mut app = App::new(appearance, Size::new(width, height), now);
        let commands = start(&mut app, StartScreen::Requests);
        let mut ui = Self { app, commands, traces };
        let requests: Vec<Summary> = ui.traces.iter().rev().map(Trace::summary).collect();
        ui.send(Message::OlderRequests { requests, is_last: true });
        ui
    }

    /// Sends a message and performs the resulting commands; traces are loaded at once.
    pub(crate) fn send(&mut self, message: Message) -> &mut Self {
        for command in update(&mut self.app, message) {
            let find = |id: RequestId| self.traces.iter().find(|trace| trace.id == id);
            match command {
                Command::LoadTrace(id) => {
                    let source = StoredTraces(&self.traces);
                    let loaded = find(id).cloned().map(|trace| Arc::new(LoadedTrace::among(trace, &source)));
                    self.send(Message::Loaded(id, Ok(loaded)));
                }
                Command::ReadQueries(ids) => {
                    let queries = query_strings(&StoredTraces(&self.traces), ids);
                    self.send(Message::Queries(queries));
                }
                Command::Explain(id) => {
                    let why = find(id).map(|trace| Why::of(trace, &self.traces));
                    if let Some(why) = why {
                        self.send(Message::Explained(id, Ok(Arc::new(why))));
                    }
                }
                Command::Scan { generation, requests, query } => {
                    let fits = |id: RequestId| find(id).is_some_and(|trace| query.matches(trace));
                    let found = requests.iter().filter(|(_, id)| fits(*id)).map(|(seq, _)| *seq).collect();
                    self.send(Message::Scanned { generation, scanned: requests.len(), found });
                }
                Command::ReadSource(file) => {
                    let text = (1..60).map(|line| match line % 10 {
                        0 => format!("fn step_{line}() {{\n"),
                        3 => "}\n".to_owned(),
                        _ => format!("    line({line});\n"),
                    });
                    let text = text.collect::<String>();
                    self.send(Message::SourceText(file, Some(text)));
                }
                Command::Continue => drop(self.send(Message::Continue)),
                command => self.commands.push(command),
            }
        }
        self
    }

    /// Presses keys: single characters, `<enter>`, `<c-d>`.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
            let (event, tail) = match named {
                Some((name, tail)) => (by_name(name), tail),
                None => (KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE), &rest[c.len_utf8()..]),
            };
            self.send(Message::Input(Event::Key(event)));
            rest = tail;
        }
        self
    }

    /// Returns the screen as text.
    pub(crate) fn text(&self) -> String {
        text(&self.buffer())
    }

    pub(crate) fn buffer(&self) -> Buffer {
        let size = self.app.shared.size;
        let mut terminal = Terminal::new(TestBackend::new(size.width, size.height)).unwrap();
        terminal.draw(|frame| self.app.draw(frame.buffer_mut())).unwrap();
        terminal.backend().buffer().clone()
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

/// Returns the characters of a buffer, without trailing blanks.
fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            // The next cell belongs to a wide character.
            if covered > 0 {
                covered -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            covered = unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

pub(crate) fn numbered(mut trace: Trace, n: u64) -> Trace {
    trace.id = RequestId::from_u128(sample::slow().id.as_u128() + (u128::from(n) << 80));
    trace.started_unix_ns = sample::slow().started_unix_ns + n * 1_000_000_000;
    trace
}

/// A slow request, one that failed after a retry, and a report.
pub(crate) fn three() -> Vec<Trace> {
    vec![numbered(sample::slow(), 0), numbered(sample::failed(), 1), numbered(sample::report(40), 2)]
}

/// Trace with hostile text in every field.
pub(crate) fn nasty() -> Trace {
    const TEXT: &str = "\u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}漢字";
    let mut trace = numbered(sample::failed(), 3);
    let mut flow = (*trace.flow).clone();
    let step = &mut flow.steps[1];
    for name in [&mut flow.name, &mut step.name, &mut step.doc, &mut step.file] {
        TEXT.clone_into(name);
    }
    TEXT.clone_into(&mut flow.slots[1].name);
    trace.flow = Arc::new(flow);
    for text in [&mut trace.path, &mut trace.method, &mut trace.version, &mut trace.peer, &mut trace.build] {
        TEXT.clone_into(text);
    }
    trace.target = sample::wire(TEXT.as_bytes());
    trace.request_headers.push(Header { name: TEXT.to_owned(), value: sample::wire(b"\xff\x1b[2J") });
    trace.response_body.bytes = sample::wire(format!("a\tb\n{TEXT}").as_bytes());
    if let Outcome::Failed(info) = &mut trace.outcome {
        for text in [&mut info.key, &mut info.message, &mut info.causes[0]] {
            TEXT.clone_into(text);
        }
    }
    trace
}
