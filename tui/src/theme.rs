//! Styles by meaning, and the glyphs of bars and markers.

use std::borrow::Cow;

use ratatui::style::{Color, Modifier, Style};
use zerver_trace::is_client_error;

/// Set of colors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorScheme {
    /// 24-bit colors for dark backgrounds.
    #[default]
    Dark,
    /// 24-bit colors for light backgrounds.
    Light,
    /// The 16 colors of the terminal.
    Sixteen,
    /// No colors: only bold, dim and reversed text.
    Mono,
}

/// Colors and glyphs to use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Appearance {
    /// Colors.
    pub colors: ColorScheme,
    /// True if only ASCII is drawn, except for recorded text.
    pub is_ascii: bool,
}

/// Styles by meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    pub(crate) text: Style,
    /// Secondary text.
    pub(crate) secondary: Style,
    pub(crate) strong: Style,
    pub(crate) id: Style,
    pub(crate) good: Style,
    pub(crate) info: Style,
    pub(crate) warn: Style,
    pub(crate) bad: Style,
    /// Error of a client, which the service refused as it should.
    pub(crate) client_error: Style,
    /// Running step.
    pub(crate) cpu: Style,
    /// Effect in progress.
    pub(crate) effect: Style,
    /// Waiting in a queue.
    pub(crate) queue: Style,
    /// Attempt that was retried.
    pub(crate) retry: Style,
    /// Borders without and with the focus.
    pub(crate) border: Style,
    pub(crate) focus: Style,
    /// Selected row, with and without the focus.
    pub(crate) selected: Style,
    pub(crate) selected_inactive: Style,
    /// Keys in the footer and the help.
    pub(crate) key: Style,
    /// Marked row.
    pub(crate) mark: Style,
    pub(crate) glyphs: &'static Glyphs,
}

/// Glyphs of bars and markers.
#[derive(Debug)]
pub(crate) struct Glyphs {
    /// Horizontal blocks of one to eight eighths.
    pub(crate) eighths: [&'static str; 8],
    /// Vertical blocks of one to eight eighths.
    pub(crate) levels: [&'static str; 8],
    pub(crate) cpu: &'static str,
    pub(crate) effect: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) retry: &'static str,
    pub(crate) receive: &'static str,
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
    pub(crate) unknown: &'static str,
    pub(crate) effect_of: &'static str,
    pub(crate) mark: &'static str,
    pub(crate) open: &'static str,
    pub(crate) closed: &'static str,
    pub(crate) ellipsis: &'static str,
    pub(crate) dot: &'static str,
    pub(crate) vertical: &'static str,
    pub(crate) horizontal: &'static str,
    pub(crate) corners: [&'static str; 4],
    pub(crate) scrollbar: &'static str,
    pub(crate) micro: &'static str,
    pub(crate) descending: &'static str,
    pub(crate) ascending: &'static str,
    pub(crate) spinner: &'static [&'static str],
    /// Two bars in one line: first only, second only, both.
    pub(crate) pair: [&'static str; 3],
    pub(crate) arrow: &'static str,
    /// Points to the left, at the place of the request.
    pub(crate) here: &'static str,
    pub(crate) differs: &'static str,
}

const UNICODE: Glyphs = Glyphs {
    eighths: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    cpu: "█",
    effect: "━",
    queue: "░",
    retry: "╍",
    receive: "·",
    good: "✓",
    bad: "✗",
    unknown: "?",
    effect_of: "↳",
    mark: "◆",
    open: "▾",
    closed: "▸",
    ellipsis: "…",
    dot: "·",
    vertical: "│",
    horizontal: "─",
    corners: ["╭", "╮", "╰", "╯"],
    scrollbar: "┃",
    micro: "µ",
    descending: "↓",
    ascending: "↑",
    spinner: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    pair: ["▀", "▄", "█"],
    arrow: "→",
    here: "◂",
    differs: "≠",
};

const ASCII: Glyphs = Glyphs {
    eighths: [".", ":", ":", "-", "-", "=", "=", "#"],
    levels: ["_", ".", ".", "-", "-", "=", "=", "#"],
    cpu: "#",
    effect: "=",
    queue: ".",
    retry: "~",
    receive: "-",
    good: "+",
    bad: "x",
    unknown: "?",
    effect_of: ">",
    mark: "*",
    open: "-",
    closed: "+",
    ellipsis: "~",
    dot: "-",
    vertical: "|",
    horizontal: "-",
    corners: ["+", "+", "+", "+"],
    scrollbar: "#",
    micro: "u",
    descending: "v",
    ascending: "^",
    spinner: &["|", "/", "-", "\\"],
    pair: ["'", ".", ":"],
    arrow: "->",
    here: "<",
    differs: "!",
};

impl Theme {
    /// Creates the theme for an appearance.
    pub(crate) const fn new(appearance: Appearance) -> Self {
        let glyphs = if appearance.is_ascii { &ASCII } else { &UNICODE };
        match appearance.colors {
            ColorScheme::Dark => Self::from_colors(&DARK, glyphs),
            ColorScheme::Light => Self::from_colors(&LIGHT, glyphs),
            ColorScheme::Sixteen => Self::from_colors(&SIXTEEN, glyphs),
            ColorScheme::Mono => Self::mono(glyphs),
        }
    }

    /// Returns the style of matched characters.
    pub(crate) const fn matched(&self) -> Style {
        self.info.add_modifier(Modifier::UNDERLINED)
    }

    /// Replaces our own non-ASCII glyphs if only ASCII may be drawn. Recorded text must not pass through here.
    pub(crate) fn drawable<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.glyphs.micro == UNICODE.micro {
            return Cow::Borrowed(text);
        }
        Cow::Owned(text.replace('µ', "u").replace('│', "|").replace('●', "*").replace('…', "~"))
    }

    const fn from_colors(colors: &Colors, glyphs: &'static Glyphs) -> Self {
        const fn fg(color: Color) -> Style {
            Style::new().fg(color)
        }
        Self {
            text: Style::new(),
            secondary: fg(colors.secondary),
            strong: Style::new().add_modifier(Modifier::BOLD),
            id: fg(colors.magenta),
            good: fg(colors.green),
            info: fg(colors.cyan),
            warn: fg(colors.yellow),
            bad: fg(colors.red).add_modifier(Modifier::BOLD),
            client_error: fg(colors.yellow),
            cpu: fg(colors.green),
            effect: fg(colors.blue),
            queue: fg(colors.yellow),
            retry: fg(colors.magenta),
            border: fg(colors.line),
            focus: fg(colors.cyan),
            selected: colors.selected,
            selected_inactive: colors.selected_inactive,
            key: fg(colors.cyan).add_modifier(Modifier::BOLD),
            mark: fg(colors.magenta).add_modifier(Modifier::BOLD),
            glyphs,
        }
    }

    const fn mono(glyphs: &'static Glyphs) -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let dim = plain.add_modifier(Modifier::DIM);
        Self {
            text: plain,
            secondary: dim,
            strong: bold,
            id: plain,
            good: plain,
            info: plain,
            warn: bold,
            bad: bold,
            client_error: plain,
            cpu: plain,
            effect: plain,
            queue: dim,
            retry: plain,
            border: dim,
            focus: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            selected_inactive: plain.add_modifier(Modifier::UNDERLINED),
            key: bold,
            mark: bold,
            glyphs,
        }
    }

    /// Returns the style of a failure: calmer if the client was at fault.
    pub(crate) const fn failure(&self, status: u16) -> Style {
        if is_client_error(status) { self.client_error } else { self.bad }
    }

    /// Returns the style of an HTTP status.
    pub(crate) const fn status(&self, status: u16) -> Style {
        match status {
            200..300 => self.good,
            300..400 => self.info,
            400..500 => self.client_error,
            _ => self.bad,
        }
    }
}

struct Colors {
    secondary: Color,
    line: Color,
    selected: Style,
    selected_inactive: Style,
    red: Color,
    green: Color,
    yellow: Color,
    blue: Color,
    magenta: Color,
    cyan: Color,
}

const DARK: Colors = Colors {
    secondary: Color::Rgb(0x7d, 0x85, 0x99),
    line: Color::Rgb(0x45, 0x4b, 0x5c),
    selected: Style::new().bg(Color::Rgb(0x2d, 0x3a, 0x55)).add_modifier(Modifier::BOLD),
    selected_inactive: Style::new().bg(Color::Rgb(0x26, 0x2a, 0x36)),
    red: Color::Rgb(0xff, 0x7a, 0x85),
    green: Color::Rgb(0x8f, 0xce, 0x83),
    yellow: Color::Rgb(0xe6, 0xc1, 0x6c),
    blue: Color::Rgb(0x6f, 0xb0, 0xff),
    magenta: Color::Rgb(0xc6, 0x9c, 0xf0),
    cyan: Color::Rgb(0x6a, 0xcf, 0xd6),
};

const LIGHT: Colors = Colors {
    secondary: Color::Rgb(0x6a, 0x71, 0x82),
    line: Color::Rgb(0xb8, 0xbe, 0xcb),
    selected: Style::new().bg(Color::Rgb(0xcf, 0xdf, 0xfa)).add_modifier(Modifier::BOLD),
    selected_inactive: Style::new().bg(Color::Rgb(0xe8, 0xeb, 0xf1)),
    red: Color::Rgb(0xc0, 0x1f, 0x33),
    green: Color::Rgb(0x2f, 0x7d, 0x2b),
    yellow: Color::Rgb(0x93, 0x66, 0x00),
    blue: Color::Rgb(0x1f, 0x5f, 0xc4),
    magenta: Color::Rgb(0x7d, 0x3f, 0xb5),
    cyan: Color::Rgb(0x0d, 0x74, 0x7d),
};

const SIXTEEN: Colors = Colors {
    secondary: Color::DarkGray,
    line: Color::DarkGray,
    // Each of the sixteen colors is used for text, so the selected row sets its text color as well.
    selected: Style::new().fg(Color::Black).bg(Color::Cyan),
    selected_inactive: Style::new().add_modifier(Modifier::UNDERLINED),
    red: Color::Red,
    green: Color::Green,
    yellow: Color::Yellow,
    blue: Color::Blue,
    magenta: Color::Magenta,
    cyan: Color::Cyan,
};
