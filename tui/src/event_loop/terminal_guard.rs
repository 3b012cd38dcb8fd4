//! Ownership of the terminal: raw mode, alternate screen, mouse. The terminal is restored when the guard is dropped and
//! when a thread panics.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};

use crate::app::App;

/// True while there is something to restore.
static IS_ACQUIRED: AtomicBool = AtomicBool::new(false);

/// Terminal in use by the UI.
pub(crate) struct TerminalGuard {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl TerminalGuard {
    /// Takes over the terminal.
    pub(crate) fn acquire(is_panic_handled: PanicCheck) -> io::Result<Self> {
        install_panic_hook(is_panic_handled);
        acquire()?;
        Ok(Self { terminal: Terminal::new(CrosstermBackend::new(io::stdout()))? })
    }

    pub(crate) fn draw(&mut self, app: &App) -> io::Result<()> {
        if !IS_ACQUIRED.load(Ordering::Acquire) {
            return Err(io::Error::other("a thread panicked and the terminal was restored"));
        }
        self.terminal.draw(|frame| app.draw(frame.buffer_mut()))?;
        Ok(())
    }

    /// Forgets the last frame, so that the next one is drawn completely.
    pub(crate) fn invalidate(&mut self) -> io::Result<()> {
        // `clear` would query the cursor position, which some terminals never answer.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Writes an escape sequence. The terminal does not report whether it supports it.
    pub(crate) fn write_sequence(&mut self, sequence: &str) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(sequence.as_bytes())?;
        out.flush()
    }

    /// Restores the terminal while another program uses it.
    pub(crate) fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        restore();
        let result = to();
        acquire()?;
        self.invalidate()?;
        Ok(result)
    }
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        restore();
    }
}

/// Returns true if a panic of the current thread is handled elsewhere.
pub(crate) type PanicCheck = Option<fn() -> bool>;

/// Installs a panic hook that restores the terminal first, so that the message is readable.
fn install_panic_hook(is_panic_handled: PanicCheck) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_panic_handled.is_some_and(|is_panic_handled| is_panic_handled()) {
                restore();
                before(info);
            }
        }));
    });
}

fn acquire() -> io::Result<()> {
    enable_raw_mode()?;
    IS_ACQUIRED.store(true, Ordering::Release);
    write_enter(&mut io::stdout())
}

fn write_enter(out: &mut impl Write) -> io::Result<()> {
    queue!(out, EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, SetTitle("zerver"), Hide)?;
    out.flush()
}

/// Restores the terminal once. Errors are ignored: there is no way left to report them.
fn restore() {
    if IS_ACQUIRED.swap(false, Ordering::AcqRel) {
        let _ = write_leave(&mut io::stdout());
        let _ = disable_raw_mode();
    }
}

fn write_leave(out: &mut impl Write) -> io::Result<()> {
    execute!(out, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, Show)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn every_terminal_mode_is_reset() {
        let (mut on, mut off) = (Vec::new(), Vec::new());
        write_enter(&mut on).unwrap();
        write_leave(&mut off).unwrap();
        let (on, off) = (String::from_utf8(on).unwrap(), String::from_utf8(off).unwrap());
        // Alternate screen, bracketed paste and mouse modes. The cursor is inverted: hidden on entry.
        for mode in ["1049", "2004", "1000", "1002", "1003", "1006"] {
            assert!(on.contains(&format!("\u{1b}[?{mode}h")), "{mode}: {on:?}");
            assert!(off.contains(&format!("\u{1b}[?{mode}l")), "{mode}: {off:?}");
        }
        assert!(on.contains("\u{1b}[?25l") && off.contains("\u{1b}[?25h"));
    }

    #[test]
    fn a_panic_on_any_thread_restores_the_terminal() {
        install_panic_hook(Some(|| thread::current().name() == Some("quiet")));
        IS_ACQUIRED.store(true, Ordering::Release);
        let quiet = thread::Builder::new().name("quiet".to_owned());
        assert!(quiet.spawn(|| panic!("on purpose")).unwrap().join().is_err());
        assert!(IS_ACQUIRED.load(Ordering::Acquire), "a handled panic restores nothing");
        assert!(thread::spawn(|| panic!("on purpose")).join().is_err());
        assert!(!IS_ACQUIRED.load(Ordering::Acquire));
    }
}
