//! The one place that prints. Data goes to the standard output, everything else to the standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use zerver_trace::text::clean;

use crate::args::{Color, Global};
use crate::error::Trouble;
use crate::view::style;
use crate::{locale, safe_json, view};

/// How wide to draw where there is no terminal.
const DEFAULT_WIDTH: usize = 100;
/// What is narrower is drawn for this width, and wraps.
const MIN_WIDTH: usize = 40;

/// Who gets what is said.
pub(crate) type Listener = Box<dyn Fn(&str)>;

pub(crate) struct Output {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    is_terminal: bool,
    /// Whether our own signs are to be ASCII.
    is_ascii: bool,
    /// Whether how far it is can be shown, and is being shown.
    shows_progress: bool,
    has_progress: bool,
    pub(crate) is_json: bool,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    /// Who gets what would go to the standard error, while that is not ours.
    diverted: Option<Listener>,
}

impl Output {
    /// As without any option.
    pub(crate) fn plain() -> Self {
        Self::new(&Global { store: None, json: false, color: Color::Auto, quiet: false, verbose: false })
    }

    pub(crate) fn new(global: &Global) -> Self {
        let choose = |auto: ColorChoice| match global.color {
            Color::Auto => auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let (out, err) = (AutoStream::choice(&stdout), AutoStream::choice(&stderr));
        Self {
            is_terminal: stdout.is_terminal(),
            is_ascii: locale::is_ascii(),
            shows_progress: stderr.is_terminal() && !global.quiet,
            has_progress: false,
            stdout: AutoStream::new(stdout, choose(out)),
            stderr: AutoStream::new(stderr, choose(err)),
            is_json: global.json,
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            diverted: None,
        }
    }

    /// Whether the standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How many columns there are to draw in; none where lines may be of any length.
    pub(crate) fn columns(&self) -> Option<usize> {
        let size = self.is_terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
        let columns = usize::from(size?.ws_col);
        (columns > 0).then(|| columns.max(MIN_WIDTH))
    }

    /// How many columns to draw in.
    pub(crate) fn width(&self) -> usize {
        self.columns().unwrap_or(DEFAULT_WIDTH)
    }

    /// Has everything but data go elsewhere; none ends that.
    pub(crate) fn divert(&mut self, to: Option<Listener>) {
        self.diverted = to;
    }

    /// Data, with styles in it.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Trouble> {
        let text = self.signs(text);
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.flush()?;
        Ok(())
    }

    /// The text with signs that the user's locale has.
    fn signs<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_ascii { locale::in_ascii(text) } else { Cow::Borrowed(text) }
    }

    /// The same in the place of what was there: the screen is not cleared first, so that nothing flickers. What does not fit
    /// is left out.
    pub(crate) fn screen(&mut self, text: &str) -> Result<(), Trouble> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        let rows = size.map_or(usize::MAX, |size| usize::from(size.ws_row).saturating_sub(1).max(1));
        let text = match self.stdout.current_choice() {
            ColorChoice::Never => strip_str(text).to_string(),
            _ => text.to_owned(),
        };
        let lines: String = text.lines().take(rows).map(|line| format!("{line}\x1b[K\n")).collect();
        let lines = self.signs(&lines);
        // Home, lines that do not wrap, and nothing below them.
        self.bytes(format!("\x1b[H\x1b[?7l{lines}\x1b[J\x1b[?7h").as_bytes())
    }

    /// Data for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Trouble> {
        let document = safe_json::document(value, self.is_terminal)?;
        self.bytes(&document)
    }

    /// One of many documents, on a line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Trouble> {
        let document = safe_json::document(value, false)?;
        self.bytes(&document)
    }

    /// Data as it is.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// Something to know, unless it is to be quiet. Nothing is done about an error: there is nobody to tell.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.is_quiet {
            self.err(text);
        }
    }

    /// Something that must be known.
    pub(crate) fn say(&mut self, text: &str) {
        self.err(text);
    }

    /// Something that is not as it should be, and does not stop the command.
    pub(crate) fn warn(&mut self, text: &str) {
        let text = format!("{} {text}", view::paint(style::WARN, "warning:"));
        self.err(&text);
    }

    /// What stopped the command.
    pub(crate) fn trouble(&mut self, trouble: &Trouble) {
        let mut text = format!("{} {}", view::paint(style::BAD, "error:"), clean(&trouble.what));
        for cause in &trouble.causes {
            text += &format!("\n  because {}", clean(cause));
        }
        for hint in &trouble.hints {
            text += &format!("\n{} {}", view::paint(style::HINT, "hint:"), clean(hint));
        }
        self.err(&text);
    }

    /// How far it is, on a line that the next output replaces; only on a terminal.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.shows_progress {
            let text = self.signs(text);
            let _ = write!(self.stderr, "\r{}\x1b[K", view::fit(&text, MIN_WIDTH * 2 - 1));
            let _ = self.stderr.flush();
            self.has_progress = true;
        }
    }

    /// Takes away what [`Output::progress`] showed.
    pub(crate) fn no_progress(&mut self) {
        if std::mem::take(&mut self.has_progress) {
            let _ = write!(self.stderr, "\r\x1b[K");
            let _ = self.stderr.flush();
        }
    }

    fn err(&mut self, text: &str) {
        if let Some(diverted) = &self.diverted {
            return diverted(text);
        }
        self.no_progress();
        let text = self.signs(text);
        let _ = writeln!(self.stderr, "{text}");
    }
}
