//! One request: a waterfall of its steps and effects, and an inspector that tells what each moment was like.

pub(crate) mod head;
mod inspect;
mod moments;
mod shown;
mod tree;
mod view;
pub(crate) mod waterfall;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::Why;
use zerver_trace::RequestId;

use self::inspect::Inspected;
use self::shown::Shown;
use self::tree::{Entry, Fold};
use self::waterfall::Subject;
use crate::curl;
use crate::draw::{Pointed, width};
use crate::keys::{self, Action, Key, key, named, row};
use crate::message::{Command, Message, Notice, Show};
use crate::prompt::Prompt;
use crate::screen::Screen;
use crate::shared::Shared;

/// The sources of so many files are shown.
const MAX_SOURCES: usize = 16;
/// The share of the waterfall, in percent: at the start, and within what limits.
const SHARE: u16 = 55;
const SHARES: std::ops::RangeInclusive<u16> = 15..=85;

const KEYS: &[Key] = &[
    row(&[key('h'), named(KeyCode::Left)], Action::Earlier, "An event back in time", Some("back in time")),
    row(&[key('l'), named(KeyCode::Right)], Action::Later, "An event on in time", Some("on")),
    row(
        &[named(KeyCode::Tab), named(KeyCode::BackTab)],
        Action::NextPane,
        "Between the waterfall and the inspector",
        Some("pane"),
    ),
    row(&[key('i')], Action::NextSection, "To the next section of the inspector", Some("section")),
    row(&[named(KeyCode::Enter), key(' ')], Action::Fold, "Look into the row; open or close a value", None),
    row(&[key('e')], Action::Edit, "Open the source of the step in $EDITOR", Some("edit")),
    row(&[key('/')], Action::Search, "Search in the part that has the keys", None),
    row(&[key('n')], Action::NextMatch, "To the next match", None),
    row(&[key('N')], Action::PreviousMatch, "To the match before", None),
    row(&[key('J'), key(']')], Action::NextRequest, "The next request of the list", None),
    row(&[key('K'), key('[')], Action::PreviousRequest, "The request before it in the list", None),
    row(&[key('y')], Action::CopyId, "Copy the id; in the inspector, the value of the line", Some("copy")),
    row(&[key('Y')], Action::CopyCurl, "Copy the request as a curl command", None),
    row(&[key('+')], Action::Grow, "Make the waterfall larger", None),
    row(&[key('-')], Action::Shrink, "Make the waterfall smaller", None),
    row(
        &[named(KeyCode::Esc), named(KeyCode::Backspace)],
        Action::Back,
        "Back to where you came from",
        Some("list"),
    ),
];

/// One request.
#[derive(Debug)]
pub(crate) struct TimelineScreen {
    id: Option<RequestId>,
    /// None until the trace has come.
    shown: Option<Shown>,
    why: Option<Result<Arc<Why>, String>>,
    is_inspecting: bool,
    share: u16,
    is_dragging: bool,
    prompt: Option<Prompt>,
    search: String,
    /// The step to go to when the trace has come.
    wanted: Option<u16>,
}

impl Default for TimelineScreen {
    fn default() -> Self {
        Self::new(None)
    }
}

impl TimelineScreen {
    pub(crate) fn new(id: Option<RequestId>) -> Self {
        Self {
            id,
            shown: None,
            why: None,
            is_inspecting: false,
            share: SHARE,
            is_dragging: false,
            prompt: None,
            search: String::new(),
            wanted: None,
        }
    }

    /// The request that is open.
    pub(crate) fn id(&self) -> Option<RequestId> {
        self.id
    }

    /// Shows another request.
    pub(crate) fn open(&mut self, shared: &Shared, id: RequestId) -> Vec<Command> {
        if self.id == Some(id) && self.shown.is_some() {
            return Vec::new();
        }
        (self.id, self.shown, self.why, self.is_inspecting) = (Some(id), None, None, false);
        let mut commands = vec![Command::Explain(id)];
        commands.extend(self.settle(shared));
        if self.shown.is_none() {
            commands.push(Command::Load(id));
        }
        commands
    }

    /// Goes to the first run of a step, now or when the trace has come.
    pub(crate) fn at_step(&mut self, shared: &Shared, step: u16) -> Vec<Command> {
        self.wanted = Some(step);
        self.settle(shared)
    }

    /// Shows the trace if it has come, and asks for its sources.
    fn settle(&mut self, shared: &Shared) -> Vec<Command> {
        let commands = self.show_what_came(shared);
        if let Some(shown) = &mut self.shown
            && let Some(step) = self.wanted.take()
        {
            shown.go_to_step(step);
        }
        commands
    }

    fn show_what_came(&mut self, shared: &Shared) -> Vec<Command> {
        let story = self.id.and_then(|id| shared.traces.story(id)).filter(|_| self.shown.is_none());
        let Some(story) = story else { return Vec::new() };
        self.shown = Some(Shown::of(story));
        let mut files: Vec<&str> = story.timeline.runs.iter().map(|run| run.step.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        files.retain(|file| !file.is_empty() && !shared.sources.is_known(file));
        files.into_iter().take(MAX_SOURCES).map(|file| Command::Read(file.to_owned())).collect()
    }

    fn why(&self) -> Option<&Why> {
        self.why.as_ref()?.as_ref().ok().map(Arc::as_ref)
    }

    /// Writes the lines of the inspector anew, where they are to tell something else.
    pub(crate) fn settle_lines(&mut self, shared: &Shared) {
        let columns = view::columns(view::areas(self, shared.body()).inspector);
        let Some(shown) = &mut self.shown else { return };
        if shown.lines.as_ref().is_some_and(|(of, _)| *of == columns) {
            return;
        }
        let of = Inspected {
            story: &shown.story,
            rows: &shown.rows,
            moments: &shown.moments,
            moment: shown.moment,
            why: self.why.as_ref(),
            sources: &shared.sources,
        };
        shown.lines = Some((columns, inspect::entries(&of, &shown.folds, columns)));
    }

    /// The lines of the inspector tell of something that is not as it was.
    pub(crate) fn forget_lines(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.lines = None;
        }
    }

    /// The lines of the inspector.
    fn entries(&self) -> &[Entry] {
        self.shown.as_ref().map_or(&[], Shown::entries)
    }

    /// The next match of the search from here, in the part that has the keys.
    fn seek(&mut self, shared: &mut Shared, down: bool) {
        let wanted = self.search.to_lowercase();
        let areas = view::areas(self, shared.body());
        let texts: Vec<String> = if self.is_inspecting {
            self.entries().iter().map(|entry| entry.line.text()).collect()
        } else {
            let rows = self.shown.iter().flat_map(|shown| &shown.rows);
            rows.map(|row| format!("{} {}", row.name, row.outcome)).collect()
        };
        let Some(shown) = self.shown.as_mut().filter(|_| !wanted.is_empty()) else { return };
        let here = if self.is_inspecting { shown.inspector.cursor } else { shown.row() };
        let n = texts.len();
        let order = (1..=n).map(|step| if down { (here + step) % n } else { (here + n - step) % n });
        let found = order.into_iter().find(|at| texts[*at].to_lowercase().contains(&wanted));
        match found {
            Some(at) if self.is_inspecting => {
                shown.inspector.cursor = at;
                shown.inspector.keep(n, usize::from(areas.inspector.height));
            }
            Some(at) => shown.go(shown.moments.of_row(at)),
            None => shared.notice = Some(Notice::bad(format!("{:?} is not here", self.search))),
        }
    }

    fn act_in_inspector(&mut self, shared: &Shared, action: Action) -> bool {
        let area = view::areas(self, shared.body()).inspector;
        let Some(shown) = &mut self.shown else { return false };
        let (len, height) = (shown.entries().len(), usize::from(area.height));
        match action {
            Action::NextSection => {
                let here = shown.inspector.first.max(shown.inspector.cursor);
                let entries = shown.entries().iter().enumerate();
                let next = entries.skip(here + 1).find(|(_, entry)| entry.is_head).map(|(at, _)| at);
                shown.inspector.cursor = next.unwrap_or(0);
                // Its head comes to the top.
                shown.inspector.first = shown.inspector.cursor;
                shown.inspector.keep(len, height);
                true
            }
            Action::Fold if self.is_inspecting => {
                let entry = shown.entries().get(shown.inspector.cursor);
                if let Some(Fold { place, .. }) = entry.and_then(|entry| entry.fold.clone()) {
                    shown.lines = None;
                    if !shown.folds.remove(&place) {
                        shown.folds.insert(place);
                    }
                }
                true
            }
            action if self.is_inspecting => shown.inspector.act(action, len, height),
            _ => false,
        }
    }

    fn point_in_inspector(&mut self, shared: &Shared, area: Rect, event: MouseEvent) {
        let len = self.entries().len();
        let Some(shown) = &mut self.shown else { return };
        let pointed = shown.inspector.mouse(event, area, len);
        let was_inspecting = self.is_inspecting;
        self.is_inspecting |= matches!(pointed, Pointed::Chosen | Pointed::Again);
        if pointed == Pointed::Again && was_inspecting {
            self.act_in_inspector(shared, Action::Fold);
        }
    }

    fn point_in_rows(&mut self, area: Rect, event: MouseEvent) {
        let Some(shown) = &mut self.shown else { return };
        let mut scroll = shown.scroll(area.height.into());
        let pointed = scroll.mouse(event, area, shown.rows.len());
        if pointed == Pointed::Nowhere {
            return;
        }
        shown.first = scroll.first;
        if pointed != Pointed::Turned {
            self.is_inspecting = false;
            shown.go(shown.moments.of_row(scroll.cursor));
        } else if scroll.cursor != shown.row() {
            shown.go(shown.moments.of_row(scroll.cursor));
        }
    }

    fn copy_value(&self) -> Option<Command> {
        let at = self.shown.as_ref()?.inspector.cursor;
        let text = self.entries().get(at)?.copy.clone()?;
        Some(Command::Copy { what: format!("{} columns of text", width(&text)), text })
    }

    /// Where the source of the chosen step is.
    fn source(&self) -> Option<Command> {
        let shown = self.shown.as_ref()?;
        let run = match shown.rows.get(shown.row())?.subject {
            Subject::Run(run) | Subject::Effect(run, _) => run,
            Subject::Request => 0,
            Subject::Response => shown.story.timeline.runs.len().checked_sub(1)?,
        };
        let step = &shown.story.timeline.runs.get(run)?.step;
        (step.line > 0).then(|| Command::Edit { file: step.file.clone(), line: step.line })
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

    fn type_key(&mut self, shared: &mut Shared, key: &KeyEvent) -> Option<Vec<Command>> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Enter => {
                self.search = prompt.text();
                self.prompt = None;
                self.seek(shared, true);
            }
            KeyCode::Esc => self.prompt = None,
            KeyCode::Backspace if prompt.is_empty() => self.prompt = None,
            _ => drop(prompt.press(key)),
        }
        Some(Vec::new())
    }

    fn typing(&self) -> Option<&'static [(&'static str, &'static str)]> {
        self.prompt.as_ref().map(|_| &[("enter", "find it"), ("esc", "leave")][..])
    }

    fn paste(&mut self, _shared: &mut Shared, text: &str) -> Vec<Command> {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text);
        }
        Vec::new()
    }

    fn act(&mut self, shared: &mut Shared, action: Action) -> Vec<Command> {
        if self.act_in_inspector(shared, action) {
            return Vec::new();
        }
        let height = usize::from(view::areas(self, shared.body()).rows.height);
        if let Some(shown) = &mut self.shown {
            let mut scroll = shown.scroll(height);
            if scroll.act(action, shown.rows.len(), height) {
                shown.first = scroll.first;
                shown.go(shown.moments.of_row(scroll.cursor));
                return Vec::new();
            }
        }
        match action {
            Action::Back if self.is_inspecting => self.is_inspecting = false,
            Action::Back => return vec![Command::Show(Show::Back)],
            Action::NextPane => self.is_inspecting = !self.is_inspecting,
            Action::Fold | Action::Open => self.is_inspecting = true,
            Action::Earlier | Action::Later => {
                if let Some(shown) = &mut self.shown {
                    let step = if action == Action::Later { 1 } else { -1 };
                    shown.go(shown.moment.saturating_add_signed(step).min(shown.moments.len() - 1));
                    shown.first = shown.scroll(height).first;
                }
            }
            Action::Search => self.prompt = Some(Prompt::default()),
            Action::NextMatch => self.seek(shared, true),
            Action::PreviousMatch => self.seek(shared, false),
            Action::NextRequest => return vec![Command::Show(Show::Beside { down: true })],
            Action::PreviousRequest => return vec![Command::Show(Show::Beside { down: false })],
            Action::Grow => self.share = (self.share + 5).min(*SHARES.end()),
            Action::Shrink => self.share = self.share.saturating_sub(5).max(*SHARES.start()),
            Action::CopyId if self.is_inspecting => return self.copy_value().into_iter().collect(),
            Action::CopyId => return self.id.map(Command::copy_id).into_iter().collect(),
            Action::CopyCurl => {
                let curl = self.shown.as_ref().map(|shown| curl::command(&shown.story.trace));
                let copy = |curl: curl::Curl| {
                    let lacks = if curl.is_partial { "; above it stands what it lacks" } else { "" };
                    Command::Copy { text: curl.text, what: format!("the request as a curl command{lacks}") }
                };
                return curl.map(copy).into_iter().collect();
            }
            Action::Edit => match self.source() {
                Some(command) => return vec![command],
                None => shared.notice = Some(Notice::bad("the trace does not say where this is written")),
            },
            _ => {}
        }
        Vec::new()
    }

    fn take(&mut self, shared: &mut Shared, message: &Message) -> Vec<Command> {
        if let Message::Explained(id, why) = message
            && Some(*id) == self.id
        {
            self.why = Some(why.clone());
            self.forget_lines();
        }
        self.settle(shared)
    }

    fn mouse(&mut self, shared: &mut Shared, area: Rect, event: MouseEvent) -> Vec<Command> {
        let areas = view::areas(self, area);
        let place = (event.column, event.row).into();
        match event.kind {
            MouseEventKind::Up(_) => self.is_dragging = false,
            MouseEventKind::Drag(MouseButton::Left) if self.is_dragging => {
                self.share =
                    view::share_at(areas.whole, areas.is_wide, event).clamp(*SHARES.start(), *SHARES.end());
            }
            MouseEventKind::Down(MouseButton::Left) if areas.splitter.contains(place) => {
                self.is_dragging = true
            }
            _ if areas.inspector.contains(place) => self.point_in_inspector(shared, areas.inspector, event),
            _ => self.point_in_rows(areas.rows, event),
        }
        Vec::new()
    }

    fn draw(&self, shared: &Shared, area: Rect, buffer: &mut Buffer) {
        view::draw(self, shared, area, buffer);
    }
}
