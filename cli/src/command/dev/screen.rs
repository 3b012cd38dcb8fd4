//! The terminal UI over the service that runs here. While it has the terminal, nothing else may write on it: what Cargo
//! and the service say comes through pipes, and what `dev` itself says is handed over, until it ends.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use zerver_tui::{Dev, Look, Message, Open, Options, Remote, State};

use crate::args::{self, Global};
use crate::command::replay::{Current, Replayer};
use crate::command::tui::{Source, check_terminal, tools};

/// A longer line of the service is cut.
const MAX_LINE: u64 = 16 * 1024;

/// The terminal UI on a thread of its own.
pub(super) struct Screen {
    pub(super) voice: Voice,
    /// The program that replays use.
    pub(super) current: Current,
    source: Arc<Source>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// What says something to it.
#[derive(Clone)]
pub(super) struct Voice {
    remote: Remote,
    is_over: Arc<AtomicBool>,
}

impl Screen {
    /// Whether it is to be shown; an error says why it cannot be, where the user can have expected it.
    pub(super) fn is_wanted(args: &args::Dev, global: &Global) -> Result<bool, &'static str> {
        if args.no_tui || global.json || global.quiet || check_terminal().is_err() {
            return Ok(false);
        }
        // It draws on the standard output, and whatever else is said must not get in between.
        if !io::stderr().is_terminal() {
            return Err("no terminal UI, because standard error is not a terminal");
        }
        Ok(true)
    }

    /// Takes the terminal. `over` is called when somebody has ended it.
    pub(super) fn start(
        store: PathBuf,
        replayer: Replayer,
        look: Look,
        over: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (remote, told) = zerver_tui::channel();
        let voice = Voice { remote: remote.clone(), is_over: Arc::default() };
        let source = Arc::new(Source::at(store));
        let current = replayer.current.clone();
        let services = tools(&source, replayer);
        let ending = Over { is_over: Arc::clone(&voice.is_over), then: Some(over) };
        let thread = thread::spawn(move || {
            let _ending = ending;
            let options = Options { look, open: Open::Requests, signals_elsewhere: true };
            zerver_tui::run(options, &services, &remote, &told).map(|_| ())
        });
        Self { voice, current, source, thread: Some(thread) }
    }

    /// Another store may have been made in the place of the one before.
    pub(super) fn reopen(&self) {
        self.source.reopen();
    }

    /// Gives the terminal back, and says why it could not be used, if so.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.voice.send(Message::End);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            // Its panic has been printed.
            Some(Err(_)) | None => Ok(()),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever wants to know has closed it.
        let _ = self.close();
    }
}

impl Voice {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    fn send(&self, message: Message) {
        self.remote.send(message);
    }

    pub(super) fn state(&self, state: State) {
        self.send(Message::Dev(Dev::State(state)));
    }

    pub(super) fn example(&self, command: String) {
        self.send(Message::Dev(Dev::Example(command)));
    }

    pub(super) fn line(&self, line: &str) {
        for line in line.lines() {
            self.send(Message::Dev(Dev::Line(line.to_owned())));
        }
    }

    /// Hands on what is read, line by line; when the screen is gone, to the standard error.
    pub(super) fn relay(&self, from: Option<impl Read + Send + 'static>) {
        let (Some(from), voice) = (from, self.clone()) else { return };
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while matches!((&mut from).take(MAX_LINE).read_until(b'\n', &mut line), Ok(1..)) {
                if voice.is_over() {
                    // There is nobody to tell.
                    let _ = io::stderr().write_all(&line);
                } else if !voice.remote.is_behind() {
                    voice.line(&String::from_utf8_lossy(&line));
                }
                line.clear();
            }
        });
    }
}

/// Says that it is over, however it ended.
struct Over<F: FnOnce()> {
    is_over: Arc<AtomicBool>,
    then: Option<F>,
}

impl<F: FnOnce()> Drop for Over<F> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(then) = self.then.take() {
            then();
        }
    }
}
