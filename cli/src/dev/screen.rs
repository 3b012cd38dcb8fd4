//! The terminal UI over the service that runs here. While it has the terminal, nothing else may write on it: what Cargo
//! and the service say comes through pipes, and what `dev` itself says is handed over, until it ends.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use zerver_tui::{Dev, Look, Message, Open, Options, Remote, State};

use crate::args::{self, Global};
use crate::service::replayer::{Current, Replayer};
use crate::terminal_ui::{Source, check_terminal, tools};

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
    /// Decides whether to open the terminal UI. The error is the reason why not, for users who would expect it to open.
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
            let options = Options {
                look,
                open: Open::Requests,
                signals_elsewhere: true,
                is_quiet: Some(zerver_recorder::quiet::is_quiet),
            };
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

    /// A line that Cargo or the service printed; when the screen is gone, it goes to the standard error.
    pub(super) fn relayed(&self, line: &str) {
        if self.is_over() {
            // There is nobody to tell.
            let _ = writeln!(io::stderr(), "{line}");
        } else if !self.remote.is_behind() {
            self.line(line);
        }
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
