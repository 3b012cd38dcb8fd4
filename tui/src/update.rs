//! The one function that changes the state. It does nothing else: what is to be done is given back.

use crossterm::event::{Event, KeyEventKind, MouseEvent};
use ratatui::layout::{Rect, Size};

use crate::app::{App, areas};
use crate::keys::{self, Action, Press};
use crate::message::{Command, Message, Show};
use crate::screen::Tab;

/// What came in, and what is to be done about it.
pub(crate) fn update(app: &mut App, message: Message) -> Vec<Command> {
    app.is_changed |= !matches!(message, Message::Now(_));
    let commands = match &message {
        Message::Input(event) => input(app, event),
        Message::Now(unix_ns) => {
            app.is_changed |= app.shared.now_unix_ns / 1_000_000_000 != unix_ns / 1_000_000_000;
            app.shared.now_unix_ns = *unix_ns;
            Vec::new()
        }
        Message::Older { requests, is_last } => {
            app.shared.index.push_older(requests);
            if *is_last {
                app.shared.index.finish();
            }
            everywhere(app, &message)
        }
        Message::Newer(requests) => {
            app.shared.index.push_newer(requests);
            everywhere(app, &message)
        }
        Message::Loaded(id, loaded) => {
            app.shared.traces.put(*id, loaded.clone());
            everywhere(app, &message)
        }
        Message::Notice(notice) => {
            app.shared.notice = Some(notice.clone());
            Vec::new()
        }
        Message::Resumed => vec![Command::Redraw],
        Message::Stop => vec![Command::Suspend],
        Message::End => vec![Command::Quit],
    };
    follow(app, commands)
}

/// What the start asks for.
pub(crate) fn start(app: &mut App) -> Vec<Command> {
    let commands = app.screens.timeline.start(&app.shared);
    follow(app, commands)
}

fn everywhere(app: &mut App, message: &Message) -> Vec<Command> {
    Tab::ALL.into_iter().flat_map(|tab| app.screens.get_mut(tab).take(&mut app.shared, message)).collect()
}

/// Does what is ours of the commands, and gives back the rest.
fn follow(app: &mut App, commands: Vec<Command>) -> Vec<Command> {
    let mut rest = Vec::new();
    for command in commands {
        match command {
            Command::Show(show) => rest.extend(go(app, show)),
            command => rest.push(command),
        }
    }
    rest
}

fn go(app: &mut App, show: Show) -> Vec<Command> {
    match show {
        Show::Requests => app.to(Tab::Requests),
        Show::Timeline(id) => {
            app.to(Tab::Timeline);
            return app.screens.timeline.open(&app.shared, id);
        }
        Show::Back => app.tab = app.trail.pop().unwrap_or(Tab::Requests),
    }
    Vec::new()
}

impl App {
    fn to(&mut self, tab: Tab) {
        if tab != self.tab {
            self.trail.retain(|other| *other != tab && *other != self.tab);
            self.trail.push(self.tab);
            self.tab = tab;
        }
    }
}

fn input(app: &mut App, event: &Event) -> Vec<Command> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => {
            app.shared.notice = None;
            let action = Press::of(key).and_then(|press| keys::find(&app.keys(), press));
            action.map_or_else(Vec::new, |action| act(app, action))
        }
        Event::Mouse(event) => mouse(app, *event),
        Event::Resize(width, height) => {
            app.shared.size = Size::new(*width, *height);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

pub(crate) fn act(app: &mut App, action: Action) -> Vec<Command> {
    match action {
        Action::Quit => vec![Command::Quit],
        Action::Suspend => vec![Command::Suspend],
        Action::Redraw => vec![Command::Redraw],
        Action::Screen(number) => {
            if let Some(tab) = usize::from(number).checked_sub(1).and_then(|at| Tab::ALL.get(at)) {
                app.to(*tab);
            }
            Vec::new()
        }
        action => app.screens.get_mut(app.tab).act(&mut app.shared, action),
    }
}

fn mouse(app: &mut App, event: MouseEvent) -> Vec<Command> {
    let (_, body, _) = areas(Rect::from((ratatui::layout::Position::ORIGIN, app.shared.size)));
    app.screens.get_mut(app.tab).mouse(&mut app.shared, body, event)
}
