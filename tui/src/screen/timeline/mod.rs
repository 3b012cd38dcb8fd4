//! One request: where its time went, step by step.

mod view;

use crossterm::event::{KeyCode, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_replay::Timeline;
use zerver_trace::RequestId;

use crate::draw::Scroll;
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Show};
use crate::screen::Screen;
use crate::shared::Shared;

const KEYS: &[Key] = &[
    row(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to where you came from",
        Some("back"),
    ),
    row(&[key('y')], Action::CopyId, "Copy the id", Some("copy id")),
];

/// One request.
#[derive(Debug, Default)]
pub(crate) struct TimelineScreen {
    id: Option<RequestId>,
    /// None until the trace has come.
    timeline: Option<Timeline>,
    scroll: Scroll,
}

impl TimelineScreen {
    pub(crate) fn new(id: Option<RequestId>) -> Self {
        Self { id, ..Self::default() }
    }

    /// Asks for what it needs.
    pub(crate) fn start(&mut self, shared: &Shared) -> Vec<Command> {
        self.id.take().map_or_else(Vec::new, |id| self.open(shared, id))
    }

    /// Shows another request.
    pub(crate) fn open(&mut self, shared: &Shared, id: RequestId) -> Vec<Command> {
        if self.id == Some(id) {
            return Vec::new();
        }
        *self = Self::new(Some(id));
        self.settle(shared);
        if shared.traces.get(id).is_none() { vec![Command::Load(id)] } else { Vec::new() }
    }

    fn settle(&mut self, shared: &Shared) {
        let loaded = self.id.and_then(|id| shared.traces.get(id));
        if let (None, Some(Ok(Some(trace)))) = (&self.timeline, loaded) {
            self.timeline = Some(Timeline::of(trace));
        }
    }
}

impl Screen for TimelineScreen {
    fn name(&self) -> &'static str {
        "timeline"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::MOVING]
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        let height = view::rows_height(shared);
        if self.scroll.act(action, view::rows_len(self), height) {
            return Vec::new();
        }
        match (action, self.id) {
            (Action::Back, _) => vec![Command::Show(Show::Back)],
            (Action::CopyId, Some(id)) => vec![Command::Copy(id.to_string())],
            _ => Vec::new(),
        }
    }

    fn take(&mut self, shared: &mut Shared, _message: &Message) -> Vec<Command> {
        self.settle(shared);
        Vec::new()
    }

    fn mouse(&mut self, shared: &mut Shared, _area: Rect, event: MouseEvent) -> Vec<Command> {
        let (len, height) = (view::rows_len(self), view::rows_height(shared));
        match event.kind {
            MouseEventKind::ScrollDown => self.scroll.wheel(3, len, height),
            MouseEventKind::ScrollUp => self.scroll.wheel(-3, len, height),
            _ => {}
        }
        Vec::new()
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
