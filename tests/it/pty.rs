//! A pseudo-terminal with a program in it. Tests read its screen and press keys.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

use crate::harness::PATIENCE;
use crate::other_process::is_stopped;

pub(crate) struct Terminal {
    shown: Arc<Shown>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    // Reads the output of the program to its end.
    master: Box<dyn MasterPty + Send>,
}

/// Screen of the terminal.
struct Shown {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Everything that was written to the terminal.
    written: Vec<u8>,
    is_closed: bool,
}

impl Terminal {
    /// Starts a program in a terminal of this size, in columns and rows.
    pub(crate) fn start(command: &Command, cols: u16, rows: u16) -> Self {
        let size = PtySize { cols, rows, ..PtySize::default() };
        let pty = native_pty_system().openpty(size).unwrap();
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.cwd(command.get_current_dir().unwrap());
        builder.env("TERM", "xterm-256color");
        builder.env("LANG", "C.UTF-8");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            }
        }
        let child = pty.slave.spawn_command(builder).unwrap();
        drop(pty.slave);
        let state =
            State { parser: vt100::Parser::new(rows, cols, 0), written: Vec::new(), is_closed: false };
        let shown = Arc::new(Shown { state: Mutex::new(state), changed: Condvar::new() });
        let mut reader = pty.master.try_clone_reader().unwrap();
        let filled = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let read = reader.read(&mut bytes).unwrap_or(0);
                let mut state = filled.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.parser.process(&bytes[..read]);
                state.written.extend_from_slice(&bytes[..read]);
                state.is_closed = read == 0;
                filled.changed.notify_all();
                if state.is_closed {
                    return;
                }
            }
        });
        let keys = pty.master.take_writer().unwrap();
        Self { shown, keys, child, master: pty.master }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Resizes the terminal, and notifies the program.
    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        let mut state = self.shown.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.parser.screen_mut().set_size(rows, cols);
        self.master.resize(PtySize { cols, rows, ..PtySize::default() }).unwrap();
    }

    /// Notifies the program of these sizes, one after another, and then of the real one. The emulated screen keeps its
    /// size, so it must not be examined until everything was drawn again.
    pub(crate) fn shake(&self, sizes: &[(u16, u16)]) {
        let own = self.shown.state.lock().unwrap().parser.screen().size();
        for (cols, rows) in sizes.iter().copied().chain([(own.1, own.0)]) {
            self.master.resize(PtySize { cols, rows, ..PtySize::default() }).unwrap();
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Waits until the program has stopped, as on Ctrl-Z. A signal to continue before that would be lost.
    pub(crate) fn wait_until_stopped(&self) {
        let until = Instant::now() + PATIENCE;
        while !is_stopped(self.id()) {
            assert!(Instant::now() < until, "it does not stop");
            thread::yield_now();
        }
    }

    /// Waits until the screen satisfies a condition, and returns its text.
    pub(crate) fn wait(&self, what: &str, is_wanted: impl Fn(&vt100::Screen) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shown.state.lock().unwrap();
        loop {
            let screen = state.parser.screen();
            if is_wanted(screen) {
                return screen.contents();
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!state.is_closed && !left.is_zero(), "no {what}:\n{}", screen.contents());
            state = self.shown.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Returns everything that was written to the terminal so far.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.shown.state.lock().unwrap().written.clone()
    }

    /// Waits until all of these texts are on the screen at the same time.
    pub(crate) fn wait_for(&self, parts: &[&str]) -> String {
        self.wait(&format!("{parts:?}"), |screen| {
            let text = screen.contents();
            parts.iter().all(|part| text.contains(part))
        })
    }

    /// Waits for the end of the program. The terminal must then be in its original state.
    pub(crate) fn end(mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shown.state.lock().unwrap();
        while !state.is_closed {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not end:\n{}", state.parser.screen().contents());
            state = self.shown.changed.wait_timeout(state, left).unwrap().0;
        }
        let screen = state.parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen is left");
        assert!(!screen.hide_cursor(), "the cursor is shown");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        assert!(!screen.bracketed_paste());
        drop(state);
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The program may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
