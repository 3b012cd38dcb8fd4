//! The list of requests: the newest on top, followed as they come, or held still.

mod view;

use crossterm::event::{KeyCode, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::RequestId;

use crate::draw::Scroll;
use crate::index::Seq;
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Show};
use crate::screen::Screen;
use crate::shared::Shared;

/// The wheel turns by so many rows.
const WHEEL: isize = 3;

const KEYS: &[Key] = &[
    row(&[named(KeyCode::Enter), key('l')], Action::Open, "Open the request", Some("open")),
    row(&[key('f')], Action::Follow, "Follow new requests, or hold the list still", Some("follow")),
];

/// The list of requests.
#[derive(Debug)]
pub(crate) struct Requests {
    /// Whether the newest is chosen as it comes.
    is_following: bool,
    /// The chosen request, and the one on the first line; both stay where they are when others come.
    cursor: Option<Seq>,
    first: Option<Seq>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { is_following: true, cursor: None, first: None }
    }
}

impl Requests {
    /// Where the list stands now, in places from the newest.
    fn scroll(&self, shared: &Shared) -> Scroll {
        let place = |seq: Option<Seq>| seq.and_then(|seq| shared.index.place(seq)).unwrap_or(0);
        if self.is_following {
            Scroll::default()
        } else {
            Scroll { cursor: place(self.cursor), first: place(self.first) }
        }
    }

    fn set(&mut self, shared: &Shared, scroll: Scroll) {
        self.cursor = shared.index.nth_newest(scroll.cursor);
        self.first = shared.index.nth_newest(scroll.first);
    }

    fn body(shared: &Shared) -> Rect {
        let whole = Rect::new(0, 0, shared.size.width, shared.size.height);
        crate::app::areas(whole).1
    }
}

impl Screen for Requests {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn keys(&self) -> Vec<&'static [Key]> {
        vec![KEYS, keys::REQUEST, keys::MOVING]
    }

    fn request(&self, shared: &Shared) -> Option<RequestId> {
        let seq = shared.index.nth_newest(self.scroll(shared).cursor)?;
        Some(shared.index.row(seq)?.id)
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        let height = usize::from(view::rows(Self::body(shared)).height);
        let mut scroll = self.scroll(shared);
        if scroll.act(action, shared.index.len(), height) {
            // Whoever moves wants to look: only the top follows.
            self.is_following = action == Action::Top;
            self.set(shared, scroll);
            return Vec::new();
        }
        match action {
            Action::Follow => {
                self.set(shared, scroll);
                self.is_following = !self.is_following;
                Vec::new()
            }
            Action::Open => {
                let row = shared.index.nth_newest(scroll.cursor).and_then(|seq| shared.index.row(seq));
                row.map(|row| Command::Show(Show::Timeline(row.id))).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn take(&mut self, shared: &mut Shared, _message: &Message) -> Vec<Command> {
        let mut scroll = self.scroll(shared);
        scroll.keep(shared.index.len(), usize::from(view::rows(Self::body(shared)).height));
        self.set(shared, scroll);
        Vec::new()
    }

    fn mouse(&mut self, shared: &mut Shared, area: Rect, event: MouseEvent) -> Vec<Command> {
        let rows = view::rows(area);
        let (len, height) = (shared.index.len(), usize::from(rows.height));
        let mut scroll = self.scroll(shared);
        match event.kind {
            MouseEventKind::ScrollDown => scroll.wheel(WHEEL, len, height),
            MouseEventKind::ScrollUp => scroll.wheel(-WHEEL, len, height),
            MouseEventKind::Down(MouseButton::Left) if rows.contains((event.column, event.row).into()) => {
                let clicked = scroll.first + usize::from(event.row - rows.y);
                if clicked >= len {
                    return Vec::new();
                }
                if clicked == scroll.cursor {
                    return self.act(shared, Action::Open);
                }
                scroll.cursor = clicked;
            }
            _ => return Vec::new(),
        }
        self.is_following = false;
        self.set(shared, scroll);
        Vec::new()
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
