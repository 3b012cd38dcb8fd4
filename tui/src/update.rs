//! The only function that changes the state. It has no side effects: work to be done is returned as commands.

use crossterm::event::{Event, KeyEvent, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Rect, Size};
use zerver_trace::RequestId;

use crate::app::App;
use crate::keys::{Action, KeyPress};
use crate::layout::areas;
use crate::message::StartScreen;
use crate::message::{Command, Message, Navigation};
use crate::overlay::{CommandPalette, Help, Overlay, OverlayOutcome, ValueSources};
use crate::screen::Tab;
use crate::services::CopyOutcome;
use crate::state::Notice;
use crate::state::{DevService, ServiceEvent, ServiceState};

/// Duration of a spinner frame, in nanoseconds.
const SPINNER_FRAME_NS: u64 = 125_000_000;
/// Time for which a notice is shown, in nanoseconds.
const NOTICE_NS: u64 = 6_000_000_000;
/// Time for which an error cannot be dismissed by a key, in nanoseconds, so that it can be read.
const ERROR_MIN_NS: u64 = 1_500_000_000;
/// Number of requests replayed after a rebuild.
const MAX_CHECKED: usize = 20;

impl App {
    /// Updates the state with a message. The returned commands must all be performed.
    #[must_use]
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        update(self, message)
    }
}

/// Updates the state with a message. Pending loads are recorded in the state, so all commands must be performed.
#[must_use = "a dropped load is never requested again"]
pub(crate) fn update(app: &mut App, message: Message) -> Vec<Command> {
    let is_nothing = match &message {
        Message::Tick(_) => true,
        Message::NewRequests(requests) => requests.is_empty(),
        _ => false,
    };
    app.is_changed |= !is_nothing;
    let before = app.shared.notice.clone();
    let commands = match &message {
        Message::Input(Event::Resize(width, height)) => {
            app.shared.size = Size::new(*width, *height);
            notify_screens(app, &message)
        }
        Message::Input(event) => on_input(app, event),
        Message::Tick(unix_ns) => {
            app.is_changed |= app.shared.now_unix_ns / 1_000_000_000 != unix_ns / 1_000_000_000;
            let turn = |unix_ns: u64| unix_ns / SPINNER_FRAME_NS;
            if let Some(service) = app.shared.service.as_mut().filter(|service| service.is_busy()) {
                app.is_changed |= turn(app.shared.now_unix_ns) != turn(*unix_ns);
                service.spinner_frame = turn(*unix_ns) as usize;
            }
            let is_searching = matches!(&app.overlay, Some(Overlay::Sources(of)) if of.is_running());
            if is_searching || app.tab == Tab::Replay && app.screens.replay.is_running() {
                app.is_changed |= turn(app.shared.now_unix_ns) != turn(*unix_ns);
            }
            app.shared.now_unix_ns = *unix_ns;
            if app.shared.notice.is_some() && unix_ns.saturating_sub(app.shared.notice_unix_ns) > NOTICE_NS {
                app.shared.notice = None;
                app.is_changed = true;
            }
            let is_shown = matches!(app.tab, Tab::Requests | Tab::Flows);
            let addr = if is_shown { app.shared.scheduler.poll_address(*unix_ns) } else { None };
            addr.map(Command::FetchStatus).into_iter().collect()
        }
        Message::ServiceAddress(addr) => {
            app.shared.scheduler.set_address(addr);
            Vec::new()
        }
        Message::Status(addr, health) => {
            app.shared.scheduler.record(addr, health);
            Vec::new()
        }
        Message::OlderRequests { requests, is_last } => {
            app.shared.index.push_older(requests);
            if *is_last {
                app.shared.index.mark_complete();
            }
            notify_screens(app, &message)
        }
        Message::NewRequests(requests) => {
            app.shared.index.push_newer(requests);
            if let Some(by) = app.shared.index.compact() {
                app.screens.requests.renumber(&app.shared, by);
            }
            notify_screens(app, &message)
        }
        Message::Explained(..)
        | Message::Scanned { .. }
        | Message::Queries(_)
        | Message::Nodes(_)
        | Message::Replayed(..)
        | Message::Edited(_)
        | Message::Flows(_)
        | Message::Continue
        | Message::Measured(..) => notify_screens(app, &message),
        Message::SourceText(file, text) => {
            app.shared.sources.insert(file.clone(), text.as_deref());
            app.screens.timeline.invalidate_inspector();
            Vec::new()
        }
        Message::Service(event) => {
            if matches!(event, ServiceEvent::State(ServiceState::Building)) {
                app.shared.sources.clear();
                app.screens.timeline.invalidate_inspector();
            }
            if let ServiceEvent::State(ServiceState::Serving(addr)) = event {
                app.shared.scheduler.set_address(addr);
            }
            let now_unix_ns = app.shared.now_unix_ns;
            app.shared.service.get_or_insert_with(DevService::default).apply(event, now_unix_ns);
            start_replay_check(app, event).into_iter().collect()
        }
        Message::ReplayChecked(number, id, is_changed) => {
            if *number == app.shared.replay_check.number {
                app.shared.replay_check.record(*id, *is_changed);
            }
            Vec::new()
        }
        Message::SourcesFound(number, found) => {
            if let Some(Overlay::Sources(sources)) = &mut app.overlay {
                sources.settle(*number, found);
            }
            Vec::new()
        }
        Message::Loaded(id, loaded) => {
            app.shared.traces.insert(*id, loaded.clone());
            notify_screens(app, &message)
        }
        Message::Copied { outcome, description } => {
            app.shared.notice = Some(copy_notice(outcome, description));
            match outcome {
                CopyOutcome::TerminalRequest { sequence, .. } => {
                    vec![Command::WriteTerminal(sequence.clone())]
                }
                _ => Vec::new(),
            }
        }
        Message::Notice(notice) => {
            app.shared.notice = Some(notice.clone());
            Vec::new()
        }
        Message::Suspend => vec![Command::Suspend],
        Message::Exit => vec![Command::Quit],
    };
    if app.shared.notice != before {
        app.shared.notice_unix_ns = app.shared.now_unix_ns;
    }
    let commands = apply_navigation(app, commands);
    if app.tab == Tab::Timeline {
        app.screens.timeline.refresh_inspector(&app.shared);
    }
    commands
}

/// Describes where a copied text is, without claiming more than is known.
fn copy_notice(outcome: &CopyOutcome, what: &str) -> Notice {
    match outcome {
        CopyOutcome::Copied(place) => Notice::confirmation(format!("copied to {place}: {what}")),
        CopyOutcome::TerminalRequest { file: Some(file), .. } => {
            Notice::confirmation(format!("sent to the terminal; also in {file}: {what}"))
        }
        CopyOutcome::TerminalRequest { file: None, .. } => {
            Notice::confirmation(format!("sent to the terminal, which may ignore it: {what}"))
        }
        CopyOutcome::FileOnly { file, why } => Notice::error(format!("not copied: {why}; saved in {file}")),
        CopyOutcome::Failed(why) => Notice::error(format!("not copied: {why}")),
    }
}

/// Starts replays of the newest requests after a rebuild.
fn start_replay_check(app: &mut App, event: &ServiceEvent) -> Option<Command> {
    let check = &mut app.shared.replay_check;
    match event {
        // A program that is not built by `dev` only restarts.
        ServiceEvent::State(ServiceState::Building | ServiceState::Starting) => {
            check.is_due = check.has_served
        }
        ServiceEvent::State(ServiceState::Serving(_)) => {
            check.has_served = true;
            if std::mem::take(&mut check.is_due) {
                let index = &app.shared.index;
                let seqs = (0..MAX_CHECKED).filter_map(|position| index.nth_newest(position));
                let ids: Vec<RequestId> = seqs.filter_map(|seq| Some(index.row(seq)?.id)).collect();
                return Some(Command::CheckReplays { number: check.start(ids.len()), ids });
            }
        }
        _ => {}
    }
    None
}

/// Opens the start screen.
#[must_use]
pub(crate) fn start(app: &mut App, open: StartScreen) -> Vec<Command> {
    let show = match open {
        StartScreen::Requests => return Vec::new(),
        StartScreen::Timeline(id) => Navigation::Timeline(id),
        StartScreen::Diff(a, b) => Navigation::Diff(a, b),
    };
    apply_navigation(app, vec![Command::Navigate(show)])
}

fn notify_screens(app: &mut App, message: &Message) -> Vec<Command> {
    Tab::ALL
        .into_iter()
        .flat_map(|tab| app.screens.get_mut(tab).on_message(&mut app.shared, message))
        .collect()
}

/// Applies navigation commands, and returns the others.
fn apply_navigation(app: &mut App, commands: Vec<Command>) -> Vec<Command> {
    let mut rest = Vec::new();
    for command in commands {
        match command {
            Command::Navigate(show) => {
                let commands = navigate(app, show);
                rest.extend(apply_navigation(app, commands));
            }
            Command::FindSources { number, ref value, .. } => {
                let sources = ValueSources::new(number, &value.to_string());
                app.overlay = Some(Overlay::Sources(sources));
                rest.push(command);
            }
            // Drop loads that are already pending.
            Command::LoadTrace(id) if !app.shared.traces.begin_load(id) => {}
            command => rest.push(command),
        }
    }
    rest
}

fn navigate(app: &mut App, show: Navigation) -> Vec<Command> {
    match show {
        Navigation::Requests => app.switch_to(Tab::Requests),
        Navigation::RequestsOfFlow { flow, terms } => {
            app.switch_to(Tab::Requests);
            let name = app.shared.index.flow_name(flow).replace('\\', "\\\\").replace('"', "\\\"");
            let query = format!("flow=\"{name}\"{terms}");
            return app.screens.requests.show_filter(&app.shared, &query);
        }
        Navigation::Timeline(id) => {
            app.switch_to(Tab::Timeline);
            return app.screens.timeline.open(&app.shared, id);
        }
        Navigation::Neighbor { is_below } => {
            let Some(id) = app.screens.timeline.id() else { return Vec::new() };
            let Some(seq) = app.screens.requests.neighbor(&app.shared, id, is_below) else {
                let end = if is_below { "last" } else { "first" };
                app.shared.notice = Some(Notice::error(format!("this is the {end} request in the list")));
                return Vec::new();
            };
            app.screens.requests.choose(&app.shared, seq);
            if let Some(row) = app.shared.index.row(seq) {
                return app.screens.timeline.open(&app.shared, row.id);
            }
        }
        Navigation::Step(id, step) => {
            app.switch_to(Tab::Timeline);
            let mut commands = app.screens.timeline.open(&app.shared, id);
            commands.extend(app.screens.timeline.show_step(&app.shared, step));
            return commands;
        }
        Navigation::Diff(a, b) => {
            app.switch_to(Tab::Diff);
            return app.screens.diff.open(&app.shared, a, b);
        }
        Navigation::Replay(id) => {
            app.switch_to(Tab::Replay);
            return app.screens.replay.open(&app.shared, id);
        }
        Navigation::Back => app.tab = app.trail.pop().unwrap_or(Tab::Requests),
    }
    Vec::new()
}

impl App {
    fn switch_to(&mut self, tab: Tab) {
        if tab != self.tab {
            self.trail.retain(|other| *other != tab && *other != self.tab);
            self.trail.push(self.tab);
            self.tab = tab;
        }
    }
}

fn on_input(app: &mut App, event: &Event) -> Vec<Command> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => on_key(app, key),
        Event::Paste(text) => on_paste(app, text),
        Event::Mouse(event) => on_mouse(app, *event),
        _ => Vec::new(),
    }
}

fn on_key(app: &mut App, key: &KeyEvent) -> Vec<Command> {
    let shared = &mut app.shared;
    let is_new = shared.now_unix_ns.saturating_sub(shared.notice_unix_ns) < ERROR_MIN_NS;
    shared.notice.take_if(|notice| !(notice.is_error() && is_new));
    if let Some(overlay) = &mut app.overlay {
        return match overlay.press(&app.shared, key) {
            OverlayOutcome::Stay => Vec::new(),
            OverlayOutcome::Close => {
                app.overlay = None;
                Vec::new()
            }
            OverlayOutcome::Run(action) => {
                app.overlay = None;
                run_action(app, action)
            }
        };
    }
    if let Some(commands) = app.screens.get_mut(app.tab).on_text_key(&mut app.shared, key) {
        return commands;
    }
    let press = KeyPress::from_event(key);
    let Some(action) = press.and_then(|press| app.shared.key_map.find(Some(app.tab), &app.keys(), press))
    else {
        app.shared.notice = Some(no_effect(app, press));
        return Vec::new();
    };
    let is_available = app.is_available(action);
    let commands = run_action(app, action);
    // Screens often know a better explanation.
    if !is_available && app.shared.notice.is_none() {
        app.shared.notice = Some(no_effect(app, press));
    }
    commands
}

fn no_effect(app: &App, press: Option<KeyPress>) -> Notice {
    let name = press.map_or_else(|| "that key".to_owned(), KeyPress::name);
    let help = app.shared.key_map.name_of(app.tab, &app.keys(), Action::Help);
    Notice::hint(format!("{name} does nothing here; {help} lists all keys"))
}

fn on_paste(app: &mut App, text: &str) -> Vec<Command> {
    if let Some(overlay) = &mut app.overlay {
        overlay.paste(text);
        return Vec::new();
    }
    app.screens.get_mut(app.tab).on_paste(&mut app.shared, text)
}

pub(crate) fn run_action(app: &mut App, action: Action) -> Vec<Command> {
    match action {
        Action::Quit => vec![Command::Quit],
        Action::Suspend => vec![Command::Suspend],
        Action::Redraw => vec![Command::Redraw],
        Action::Help => {
            app.overlay = Some(Overlay::Help(Help::new(app.key_tables(), app.tab, &app.shared.key_map)));
            Vec::new()
        }
        Action::Palette => {
            app.overlay = Some(Overlay::Palette(CommandPalette::new(
                app.key_tables(),
                app.tab,
                &app.shared.key_map,
                |action| app.is_available(action),
            )));
            Vec::new()
        }
        Action::Screen(number) => {
            let tab = usize::from(number).checked_sub(1).and_then(|at| Tab::ALL.get(at));
            tab.map_or_else(Vec::new, |tab| enter_tab(app, *tab))
        }
        Action::Diff | Action::Replay => {
            let request = app.screens.get(app.tab).current_request(&app.shared);
            request.map_or_else(Vec::new, |id| act_on_request(app, action, id))
        }
        action => app.screens.get_mut(app.tab).on_action(&mut app.shared, action),
    }
}

/// Switches to a screen. The timeline opens the selected request if none is open.
fn enter_tab(app: &mut App, tab: Tab) -> Vec<Command> {
    if tab == Tab::Timeline && app.screens.timeline.id().is_none() {
        let selected = app.screens.requests.selected(&app.shared).and_then(|seq| app.shared.index.row(seq));
        if let Some(row) = selected {
            return vec![Command::Navigate(Navigation::Timeline(row.id))];
        }
    }
    app.switch_to(tab);
    app.screens.get_mut(tab).on_enter(&app.shared)
}

/// Runs an action on the current request.
fn act_on_request(app: &mut App, action: Action, id: RequestId) -> Vec<Command> {
    if action == Action::Replay {
        return vec![Command::Navigate(Navigation::Replay(id))];
    }
    match app.shared.diff_base.take() {
        Some(first) if first == id => {
            app.shared.notice = Some(Notice::hint("comparison canceled"));
            Vec::new()
        }
        Some(first) => vec![Command::Navigate(Navigation::Diff(first, id))],
        None => {
            app.shared.diff_base = Some(id);
            let text = format!("a is {}: select b, press d", app.shared.index.short_id(id));
            app.shared.notice = Some(Notice::hint(text));
            Vec::new()
        }
    }
}

fn on_mouse(app: &mut App, event: MouseEvent) -> Vec<Command> {
    let is_click = event.kind == MouseEventKind::Down(MouseButton::Left);
    if app.overlay.is_some() {
        // A click closes the overlay.
        if is_click {
            app.overlay = None;
        }
        return Vec::new();
    }
    let whole = Rect::from((ratatui::layout::Position::ORIGIN, app.shared.size));
    let (head, body, _) = areas(whole);
    if is_click && head.contains((event.column, event.row).into()) {
        let tab = app.tab_at(event.column);
        return tab.map_or_else(Vec::new, |tab| enter_tab(app, tab));
    }
    app.screens.get_mut(app.tab).on_mouse(&mut app.shared, body, event)
}
