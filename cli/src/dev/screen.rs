//! The terminal UI of `dev`. While it has the terminal, nothing else may write to it: the output of Cargo and the service
//! comes through pipes, and messages of `dev` are sent to it.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use zerver_tui::{BuildProgress, Message, MessageSender, Options, ServiceEvent, ServiceState, StartScreen};

use crate::args::{self, Global};
use crate::clock::local_clock;
use crate::service::replayer::{CurrentProgram, Replayer};
use crate::store_source::StoreSource;
use crate::terminal_ui::{Look, check_terminal, services};

/// The terminal UI on another thread.
pub(super) struct DevScreen {
    pub(super) handle: ScreenHandle,
    /// The program that replays use.
    pub(super) current: CurrentProgram,
    source: Arc<StoreSource>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

/// Sends messages to the terminal UI.
#[derive(Clone)]
pub(super) struct ScreenHandle {
    sender: MessageSender,
    is_closed: Arc<AtomicBool>,
}

impl DevScreen {
    /// Decides whether to open the terminal UI. The error is the reason why not, for users who would expect it to open.
    pub(super) fn is_wanted(args: &args::Dev, global: &Global) -> Result<bool, &'static str> {
        if args.no_tui || global.json || global.quiet || check_terminal().is_err() {
            return Ok(false);
        }
        // It draws on standard output, and messages on standard error must not get in between.
        if !io::stderr().is_terminal() {
            return Err("no terminal UI, because standard error is not a terminal");
        }
        Ok(true)
    }

    /// Takes the terminal. Calls `closed` when the user has left the terminal UI.
    pub(super) fn start(
        store: PathBuf,
        replayer: Replayer,
        look: Look,
        closed: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (sender, received) = zerver_tui::channel();
        let handle = ScreenHandle { sender: sender.clone(), is_closed: Arc::default() };
        let source = Arc::new(StoreSource::new(store.into()));
        let current = replayer.current();
        let services = services(&source, replayer);
        let on_close = OnClose { is_closed: Arc::clone(&handle.is_closed), then: Some(closed) };
        let thread = thread::spawn(move || {
            let _on_close = on_close;
            let options = Options {
                appearance: look.appearance,
                config: look.config,
                start_screen: StartScreen::Requests,
                has_external_signal_handling: true,
                is_panic_handled: Some(zerver_recorder::catch_panic::is_catching),
                time_zone: local_clock().zone,
            };
            zerver_tui::run(options, &services, &sender, &received).map(|_| ())
        });
        Self { handle, current, source, thread: Some(thread) }
    }

    /// Reopens the store: another one may have replaced it.
    pub(super) fn reopen_store(&self) {
        self.source.reopen();
    }

    /// Gives the terminal back.
    ///
    /// # Errors
    /// If the terminal could not be used.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.handle.send(Message::Exit);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            // Its panic has been printed.
            Some(Err(_)) | None => Ok(()),
        }
    }
}

impl Drop for DevScreen {
    fn drop(&mut self) {
        // The owner that cares about an error has called `close`.
        let _ = self.close();
    }
}

impl ScreenHandle {
    fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    fn send(&self, message: Message) {
        self.sender.send(message);
    }

    pub(super) fn state(&self, state: ServiceState) {
        self.send(Message::Service(ServiceEvent::State(state)));
    }

    /// Shows the progress of a build, unless the screen cannot keep up.
    pub(super) fn progress(&self, progress: BuildProgress) {
        if !self.sender.is_backlogged() {
            self.send(Message::Service(ServiceEvent::BuildProgress(progress)));
        }
    }

    pub(super) fn examples(&self, commands: Vec<String>) {
        self.send(Message::Service(ServiceEvent::ExampleRequests(commands)));
    }

    pub(super) fn web_ui(&self, url: String) {
        self.send(Message::Service(ServiceEvent::WebUi(url)));
    }

    pub(super) fn line(&self, line: &str) {
        for line in line.lines() {
            self.send(Message::Service(ServiceEvent::Output(line.to_owned())));
        }
    }

    /// Passes on a line that Cargo or the service printed; to standard error once the screen is closed.
    pub(super) fn relayed(&self, line: &str) {
        if self.is_closed() {
            // An error cannot be reported anywhere.
            let _ = writeln!(io::stderr(), "{line}");
        } else if !self.sender.is_backlogged() {
            self.line(line);
        }
    }
}

/// Reports the end of the terminal UI, even after a panic.
struct OnClose<F: FnOnce()> {
    is_closed: Arc<AtomicBool>,
    then: Option<F>,
}

impl<F: FnOnce()> Drop for OnClose<F> {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Release);
        if let Some(then) = self.then.take() {
            then();
        }
    }
}
