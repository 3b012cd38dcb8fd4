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
    /// The step to go to when the trace has come.
    wanted: Option<u16>,
}

impl TimelineScreen {
    pub(crate) fn new(id: Option<RequestId>) -> Self {
        Self { id, ..Self::default() }
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

    /// Goes to the first run of a step, now or when the trace has come.
    pub(crate) fn at_step(&mut self, shared: &Shared, step: u16) {
        self.wanted = Some(step);
        self.settle(shared);
    }

    fn settle(&mut self, shared: &Shared) {
        let Some(story) = self.id.and_then(|id| shared.traces.story(id)) else { return };
        let runs = &self.timeline.get_or_insert_with(|| story.timeline.clone()).runs;
        if let Some(step) = self.wanted.take()
            && let Some(at) = runs.iter().position(|run| run.step.index == step)
        {
            self.scroll.cursor = at;
            self.scroll.keep(runs.len(), view::rows_height(shared));
        }
    }
}

impl Screen for TimelineScreen {
    fn name(&self) -> &'static str {
        "timeline"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::REQUEST, keys::MOVING]
    }

    fn request(&self, _shared: &Shared) -> Option<RequestId> {
        self.id
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
