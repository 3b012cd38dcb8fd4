//! Keys as data: what is pressed, what it does, and how that is said. The footer and the help are drawn from it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key, a click or a line of the palette asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Quit,
    /// Leave what is open: a filter, the screen.
    Back,
    Suspend,
    Redraw,
    Help,
    Palette,
    /// The screen with this number.
    Screen(u8),
    Down,
    Up,
    HalfDown,
    HalfUp,
    PageDown,
    PageUp,
    Top,
    Bottom,
    Open,
    /// The other part of the screen.
    NextPane,
    ToggleFollow,
    Filter,
    NextSort,
    Mark,
    NextMark,
    NextFailed,
    PreviousFailed,
    Search,
    NextMatch,
    PreviousMatch,
    /// The event before and after, in time.
    PreviousEvent,
    NextEvent,
    NextSection,
    Fold,
    NextRequest,
    PreviousRequest,
    OpenSource,
    CopyId,
    CopyCurl,
    /// The splitter.
    Grow,
    Shrink,
    /// With the chosen request.
    Diff,
    Replay,
    Swap,
    EditValue,
    EditInEditor,
    RevertEdit,
    ChooseStep,
    SupplyMissing,
    /// Something goes wrong with an effect.
    InjectFault,
    Rerun,
    /// Navigation or hide what the service and its build say.
    ToggleLog,
}

impl Action {
    /// Whether it moves in a list.
    pub(crate) fn is_moving(self) -> bool {
        MOVING.iter().any(|key| key.action == self)
    }
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPress {
    code: KeyCode,
    control: bool,
}

pub(crate) const fn key(c: char) -> KeyPress {
    KeyPress { code: KeyCode::Char(c), control: false }
}

pub(crate) const fn ctrl(c: char) -> KeyPress {
    KeyPress { code: KeyCode::Char(c), control: true }
}

pub(crate) const fn named(code: KeyCode) -> KeyPress {
    KeyPress { code, control: false }
}

impl KeyPress {
    /// What was pressed; none for a combination that means nothing here.
    pub(crate) fn from_event(event: &KeyEvent) -> Option<Self> {
        if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META) {
            return None;
        }
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(Self { code: event.code, control })
    }

    /// As it is written in the help.
    pub(crate) fn name(self) -> String {
        let name = match self.code {
            KeyCode::Char(' ') => "space".to_owned(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::Enter => "enter".to_owned(),
            KeyCode::Esc => "esc".to_owned(),
            KeyCode::Tab => "tab".to_owned(),
            KeyCode::BackTab => "shift-tab".to_owned(),
            KeyCode::Up => "up".to_owned(),
            KeyCode::Down => "down".to_owned(),
            KeyCode::Left => "left".to_owned(),
            KeyCode::Right => "right".to_owned(),
            KeyCode::Home => "home".to_owned(),
            KeyCode::End => "end".to_owned(),
            KeyCode::PageUp => "pgup".to_owned(),
            KeyCode::PageDown => "pgdn".to_owned(),
            KeyCode::F(n) => format!("f{n}"),
            other => format!("{other:?}").to_lowercase(),
        };
        if self.control { format!("^{name}") } else { name }
    }
}

/// A row of the table of keys.
#[derive(Debug)]
pub(crate) struct KeyBinding {
    pub(crate) presses: &'static [KeyPress],
    pub(crate) action: Action,
    /// What it does, in a sentence without its full stop.
    pub(crate) what: &'static str,
    /// The word in the footer; none where it is not shown there.
    pub(crate) hint: Option<&'static str>,
}

pub(crate) const fn binding(
    presses: &'static [KeyPress],
    action: Action,
    what: &'static str,
    hint: Option<&'static str>,
) -> KeyBinding {
    KeyBinding { presses, action, what, hint }
}

/// Moving in lists, the same on every screen.
pub(crate) static MOVING: &[KeyBinding] = &[
    binding(&[key('j'), named(KeyCode::Down)], Action::Down, "One row down", None),
    binding(&[key('k'), named(KeyCode::Up)], Action::Up, "One row up", None),
    binding(&[ctrl('d')], Action::HalfDown, "Half a page down", None),
    binding(&[ctrl('u')], Action::HalfUp, "Half a page up", None),
    binding(&[ctrl('f'), named(KeyCode::PageDown)], Action::PageDown, "A page down", None),
    binding(&[ctrl('b'), named(KeyCode::PageUp)], Action::PageUp, "A page up", None),
    binding(&[key('g'), named(KeyCode::Home)], Action::Top, "To the first row", None),
    binding(&[key('G'), named(KeyCode::End)], Action::Bottom, "To the last row", None),
];

/// What can be done with a chosen request.
pub(crate) const REQUEST: &[KeyBinding] = &[
    binding(&[key('d')], Action::Diff, "Compare: d on one, then d on the other", Some("diff")),
    binding(&[key('r')], Action::Replay, "Run it again with today's code", Some("replay")),
];

/// What works everywhere.
pub(crate) static EVERYWHERE: &[KeyBinding] = &[
    binding(&[key('1')], Action::Screen(1), "The requests", None),
    binding(&[key('2')], Action::Screen(2), "The timeline of one request", None),
    binding(&[key('3')], Action::Screen(3), "The diff of two", None),
    binding(&[key('4')], Action::Screen(4), "The replay of one", None),
    binding(&[key('5')], Action::Screen(5), "The flows, and the scheduler of the service", None),
    binding(&[key(':')], Action::Palette, "Do something by its name", None),
    binding(&[key('?'), named(KeyCode::F(1))], Action::Help, "All keys", Some("keys")),
    binding(&[named(KeyCode::Esc)], Action::Back, "Back", None),
    binding(&[ctrl('z')], Action::Suspend, "Stop for now; `fg` goes on", None),
    binding(&[ctrl('l')], Action::Redraw, "Draw everything again", None),
    binding(&[key('q'), ctrl('c')], Action::Quit, "Quit", Some("quit")),
];

/// The first action for a press in these tables.
pub(crate) fn find(tables: &[&'static [KeyBinding]], press: KeyPress) -> Option<Action> {
    tables
        .iter()
        .flat_map(|table| table.iter())
        .find(|key| key.presses.contains(&press))
        .map(|key| key.action)
}
