//! Key bindings as data: the keys, their actions and their descriptions. The footer, the help and the command palette
//! are generated from them.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Action of a key, a click or a command palette entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    Quit,
    /// Leaves what is open: a filter, a pane, the screen.
    Back,
    Suspend,
    Redraw,
    Help,
    Palette,
    /// Switches to the screen with this number.
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
    /// Moves the focus to the other part of the screen.
    NextPane,
    ToggleFollow,
    Filter,
    NextSort,
    /// Selects the next window of time.
    NextWindow,
    Mark,
    NextMark,
    NextFailed,
    /// Next request that differs with the new code.
    NextChanged,
    PreviousFailed,
    Search,
    NextMatch,
    PreviousMatch,
    /// Steps through the events in time.
    PreviousEvent,
    NextEvent,
    NextSection,
    Fold,
    NextRequest,
    PreviousRequest,
    OpenSource,
    CopyId,
    CopyCurl,
    /// Shows where a value came from.
    WhyValue,
    /// Moves the splitter.
    Grow,
    Shrink,
    /// Acts on the selected request.
    Diff,
    Replay,
    Swap,
    EditValue,
    EditInEditor,
    RevertEdit,
    /// Takes back the last change of the edits.
    UndoEdit,
    CopyReplay,
    ChooseStep,
    SupplyMissing,
    /// Cycles through the faults of an effect.
    InjectFault,
    Rerun,
    /// Shows or hides the log of the service and its build.
    ToggleLog,
}

impl Action {
    /// Returns true for movements in a list.
    pub(crate) fn is_moving(self) -> bool {
        MOVING.iter().any(|key| key.action == self)
    }
}

/// Key with its modifiers.
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
    /// Converts a key event; `None` for combinations that have no meaning here.
    pub(crate) fn from_event(event: &KeyEvent) -> Option<Self> {
        if event.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META) {
            return None;
        }
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(Self { code: event.code, control })
    }

    /// Returns the name shown in the help.
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

/// Binding of keys to an action.
#[derive(Debug)]
pub(crate) struct KeyBinding {
    pub(crate) presses: &'static [KeyPress],
    pub(crate) action: Action,
    /// Description, as a phrase without a full stop.
    pub(crate) description: &'static str,
    /// Label in the footer; `None` if the key is not shown there.
    pub(crate) hint: Option<&'static str>,
}

pub(crate) const fn binding(
    presses: &'static [KeyPress],
    action: Action,
    description: &'static str,
    hint: Option<&'static str>,
) -> KeyBinding {
    KeyBinding { presses, action, description, hint }
}

/// Movements in lists, the same on every screen.
pub(crate) static MOVING: &[KeyBinding] = &[
    binding(&[key('j'), named(KeyCode::Down)], Action::Down, "Down one row", None),
    binding(&[key('k'), named(KeyCode::Up)], Action::Up, "Up one row", None),
    binding(&[ctrl('d')], Action::HalfDown, "Down half a page", None),
    binding(&[ctrl('u')], Action::HalfUp, "Up half a page", None),
    binding(&[ctrl('f'), named(KeyCode::PageDown)], Action::PageDown, "Down one page", None),
    binding(&[ctrl('b'), named(KeyCode::PageUp)], Action::PageUp, "Up one page", None),
    binding(&[key('g'), named(KeyCode::Home)], Action::Top, "First row", None),
    binding(&[key('G'), named(KeyCode::End)], Action::Bottom, "Last row", None),
];

/// Actions on the selected request.
pub(crate) const REQUEST: &[KeyBinding] = &[
    binding(&[key('d')], Action::Diff, "Compare: press d on one request, then on another", Some("diff")),
    binding(&[key('r')], Action::Replay, "Replay the request with the current code", Some("replay")),
];

/// Keys that work on every screen.
pub(crate) static EVERYWHERE: &[KeyBinding] = &[
    binding(&[key('1')], Action::Screen(1), "Request list", None),
    binding(&[key('2')], Action::Screen(2), "Timeline of a request", None),
    binding(&[key('3')], Action::Screen(3), "Diff of two requests", None),
    binding(&[key('4')], Action::Screen(4), "Replay of a request", None),
    binding(&[key('5')], Action::Screen(5), "Flows, and the scheduler of a running service", None),
    binding(&[key(':')], Action::Palette, "Find a command by name", None),
    binding(&[key('?'), named(KeyCode::F(1))], Action::Help, "Show all keys", Some("keys")),
    binding(&[named(KeyCode::Esc)], Action::Back, "Back", None),
    binding(&[ctrl('z')], Action::Suspend, "Suspend; `fg` resumes", None),
    binding(&[ctrl('l')], Action::Redraw, "Redraw the screen", None),
    binding(&[key('q'), ctrl('c')], Action::Quit, "Quit", Some("quit")),
];

/// Returns the action of the first matching binding.
pub(crate) fn find(tables: &[&'static [KeyBinding]], press: KeyPress) -> Option<Action> {
    tables
        .iter()
        .flat_map(|table| table.iter())
        .find(|key| key.presses.contains(&press))
        .map(|key| key.action)
}
