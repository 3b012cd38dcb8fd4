//! The only place that prints. Results go to standard output, everything else to standard error.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use zerver_trace::text::clean;

use crate::args::{Color, Global};
use crate::error::CommandError;
use crate::view::layout::Layout;
use crate::view::style;
use crate::{locale, safe_json, view};

/// Width of the output if there is no terminal, in columns.
const DEFAULT_WIDTH: usize = 100;
/// Minimum width in columns. On a narrower terminal, lines wrap.
const MIN_WIDTH: usize = 40;

/// Receiver of messages that would go to standard error.
pub(crate) type MessageSink = Box<dyn Fn(&str)>;

pub(crate) struct Output {
    stdout: AutoStream<io::Stdout>,
    stderr: AutoStream<io::Stderr>,
    is_terminal: bool,
    /// True if the locale has only ASCII.
    is_ascii: bool,
    can_show_progress: bool,
    is_showing_progress: bool,
    pub(crate) is_json: bool,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    /// Receives the messages while something else has the terminal.
    sink: Option<MessageSink>,
}

impl Output {
    /// Returns the output of a command without options.
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
            can_show_progress: stderr.is_terminal() && !global.quiet,
            is_showing_progress: false,
            stdout: AutoStream::new(stdout, choose(out)),
            stderr: AutoStream::new(stderr, choose(err)),
            is_json: global.json,
            is_quiet: global.quiet,
            is_verbose: global.verbose,
            sink: None,
        }
    }

    /// Returns true if standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Returns the width of the terminal; `None` if lines may have any length.
    pub(crate) fn columns(&self) -> Option<usize> {
        let size = self.is_terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten();
        let columns = usize::from(size?.ws_col);
        (columns > 0).then(|| columns.max(MIN_WIDTH))
    }

    /// Returns the number of columns to draw in.
    pub(crate) fn width(&self) -> usize {
        self.columns().unwrap_or(DEFAULT_WIDTH)
    }

    /// Returns the layout of a document with ids of this many digits.
    pub(crate) fn layout(&self, digits: usize) -> Layout {
        Layout { columns: self.width(), folds: self.is_terminal, digits, is_verbose: self.is_verbose }
    }

    /// Sends messages to `sink` instead of standard error; `None` ends that.
    pub(crate) fn redirect_messages(&mut self, sink: Option<MessageSink>) {
        self.sink = sink;
    }

    /// Prints a result, which may contain styles.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), CommandError> {
        let text = self.localized(text);
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.flush()?;
        Ok(())
    }

    /// Returns the text with our symbols in ASCII if the locale requires it.
    fn localized<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.is_ascii { locale::to_ascii(text) } else { Cow::Borrowed(text) }
    }

    /// Returns the number of rows that [`Output::redraw`] shows.
    pub(crate) fn rows(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        size.map_or(usize::MAX, |size| usize::from(size.ws_row).saturating_sub(1).max(1))
    }

    /// Replaces the contents of the screen without clearing it first, which would flicker. Rows below the screen are
    /// left out.
    pub(crate) fn redraw(&mut self, text: &str) -> Result<(), CommandError> {
        let rows = self.rows();
        let text = match self.stdout.current_choice() {
            ColorChoice::Never => strip_str(text).to_string(),
            _ => text.to_owned(),
        };
        let lines: String = text.lines().take(rows).map(|line| format!("{line}\x1b[K\n")).collect();
        let lines = self.localized(&lines);
        // Home, lines that do not wrap, then clear the rest.
        self.bytes(format!("\x1b[H\x1b[?7l{lines}\x1b[J\x1b[?7h").as_bytes())
    }

    /// Prints a JSON document, indented on a terminal.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let document = safe_json::document(value, self.is_terminal)?;
        self.bytes(&document)
    }

    /// Prints one of several JSON documents, on one line.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), CommandError> {
        let document = safe_json::document(value, false)?;
        self.bytes(&document)
    }

    /// Writes bytes to standard output unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()?;
        Ok(())
    }

    /// Prints a message to standard error, unless `--quiet` is set. Messages ignore write errors: there is no place to
    /// report them.
    pub(crate) fn info(&mut self, text: &str) {
        if !self.is_quiet {
            self.message(text);
        }
    }

    /// Prints a message to standard error even if `--quiet` is set.
    pub(crate) fn notice(&mut self, text: &str) {
        self.message(text);
    }

    /// Prints a warning about something that does not stop the command.
    pub(crate) fn warn(&mut self, text: &str) {
        let text = format!("{} {text}", view::paint(style::WARN, "warning:"));
        self.message(&text);
    }

    /// Prints the error that stopped the command.
    pub(crate) fn error(&mut self, error: &CommandError) {
        let mut text = format!("{} {}", view::paint(style::BAD, "error:"), clean(&error.message));
        for cause in &error.causes {
            text += &format!("\n  because {}", clean(cause));
        }
        for hint in &error.hints {
            text += &format!("\n{} {}", view::paint(style::HINT, "hint:"), clean(hint));
        }
        self.message(&text);
    }

    /// Shows progress on a line that the next output replaces; only on a terminal.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.can_show_progress {
            let text = self.localized(text);
            let _ = write!(self.stderr, "\r{}\x1b[K", view::fit(&text, MIN_WIDTH * 2 - 1));
            let _ = self.stderr.flush();
            self.is_showing_progress = true;
        }
    }

    /// Clears the line that [`Output::progress`] wrote.
    pub(crate) fn clear_progress(&mut self) {
        if std::mem::take(&mut self.is_showing_progress) {
            let _ = write!(self.stderr, "\r\x1b[K");
            let _ = self.stderr.flush();
        }
    }

    fn message(&mut self, text: &str) {
        if let Some(sink) = &self.sink {
            return sink(text);
        }
        self.clear_progress();
        let text = self.localized(text);
        let _ = writeln!(self.stderr, "{text}");
    }
}
