//! The event loop: one loop over one channel. Slow work runs on other threads and comes back as a message. A frame is
//! drawn only if something changed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;

use crossterm::event::Event;
use ratatui::layout::Size;
use signal_hook::consts::{SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;

use zerver_analysis::TimeZone;

use super::channel::{MessageReceiver, MessageSender, now_unix_ns};
use super::command_runner::CommandRunner;
use super::store_follower::follow_store;
use super::terminal_guard::TerminalGuard;
use crate::app::App;
use crate::input::InputThread;
use crate::message::{Command, Message, StartScreen};
use crate::services::Services;
use crate::state::Notice;
use crate::theme::Appearance;
use crate::update::{start, update};
use crate::user_config::UserConfig;

/// Start-up options.
#[derive(Debug, Clone)]
pub struct Options {
    /// Colors and glyphs.
    pub appearance: Appearance,
    /// First screen.
    pub start_screen: StartScreen,
    /// Returns true if a panic on the calling thread is handled by the caller: then the terminal is not restored and
    /// the panic is not printed.
    pub is_panic_handled: Option<fn() -> bool>,
    /// True if the caller handles SIGINT, SIGTERM and SIGHUP, and sends [`Message::Exit`] for them.
    pub has_external_signal_handling: bool,
    /// Keys and colors of the user.
    pub config: UserConfig,
    /// Time zone of the user.
    pub time_zone: TimeZone,
}

/// Reason for which the UI ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// The user quit.
    UserQuit,
    /// A signal or [`Message::Exit`] ended it.
    Requested,
}

/// Runs the UI: takes over the terminal, and restores it at the end.
///
/// # Errors
/// If the terminal cannot be set up, read or drawn on.
pub fn run(
    options: Options,
    services: &Arc<dyn Services>,
    sender: &MessageSender,
    receiver: &MessageReceiver,
) -> io::Result<ExitReason> {
    follow_store(services.trace_source(), sender.clone());
    let terminal = TerminalGuard::acquire(options.is_panic_handled)?;
    let input = InputThread::start(sender.clone())?;
    on_signals(sender.clone(), options.has_external_signal_handling)?;
    let (width, height) = crossterm::terminal::size()?;
    let mut app = App::new(options.appearance, Size::new(width, height), now_unix_ns());
    app.shared.time_zone = options.time_zone;
    let pending = start(&mut app, options.start_screen).into();
    app.configure(&options.config, options.appearance);
    let runner = CommandRunner::new(Arc::clone(services), sender.clone());
    let mut run = EventLoop { app, terminal, services: Arc::clone(services), runner, input, pending };
    let mut ended = run.run_commands()?;
    while ended.is_none() {
        if run.app.take_changed() {
            run.terminal.draw(&run.app)?;
        }
        let Some(messages) = receiver.next_batch() else { return Ok(ExitReason::Requested) };
        for message in messages {
            let is_end = matches!(message, Message::Exit);
            run.handle(message);
            ended = run.run_commands()?;
            if ended.is_some() {
                ended = if is_end { Some(ExitReason::Requested) } else { ended };
                break;
            }
        }
    }
    Ok(ended.unwrap_or(ExitReason::Requested))
}

/// State, and everything that performs its commands.
struct EventLoop {
    app: App,
    terminal: TerminalGuard,
    services: Arc<dyn Services>,
    runner: CommandRunner,
    input: InputThread,
    /// Commands not yet performed.
    pending: VecDeque<Command>,
}

impl EventLoop {
    /// Updates the state. The resulting commands are performed by the next [`EventLoop::run_commands`].
    fn handle(&mut self, message: Message) {
        let commands = update(&mut self.app, message);
        self.pending.extend(commands);
    }

    /// Performs all pending commands, including those that follow from them.
    fn run_commands(&mut self) -> io::Result<Option<ExitReason>> {
        while let Some(command) = self.pending.pop_front() {
            match command {
                Command::Quit => return Ok(Some(ExitReason::UserQuit)),
                Command::Redraw => self.terminal.invalidate()?,
                Command::Suspend => {
                    self.lend(|| {
                        // Stops the whole process until SIGCONT.
                        let _ = signal_hook::low_level::raise(SIGSTOP);
                    })?;
                }
                Command::Copy { text, description } => self.runner.copy(text, description),
                Command::WriteTerminal(sequence) => self.terminal.write_sequence(&sequence)?,
                Command::OpenEditor { file, line } => {
                    let services = Arc::clone(&self.services);
                    if let Err(why) = self.lend(|| services.open_editor(&file, line))? {
                        self.handle(Message::Notice(Notice::error(why)));
                    }
                }
                Command::EditText(text) => {
                    let services = Arc::clone(&self.services);
                    let edited = self.lend(|| services.edit_text(&text))?;
                    self.handle(Message::Edited(edited));
                }
                Command::LoadTrace(id) => self.runner.load(id),
                Command::ReadSource(file) => self.runner.read(file),
                Command::Explain(id) => self.runner.explain(id),
                Command::Scan { generation, requests, query } => {
                    self.runner.scan(generation, requests, query);
                }
                Command::ReadQueries(ids) => self.runner.queries(ids),
                Command::Replay { number, id, edits } => self.runner.replay(number, id, edits),
                Command::FindSources { number, id, value } => self.runner.sources(number, id, value),
                Command::MeasureFlow(flow) => self.runner.measure(flow),
                Command::CheckReplays { number, ids } => self.runner.check(number, ids),
                Command::ListFlows => self.runner.flows(),
                Command::FetchStatus(addr) => self.runner.health(addr),
                Command::Continue => self.runner.go_on(),
                // Handled by `update`.
                Command::Navigate(_) => {}
            }
        }
        Ok(None)
    }

    /// Hands the terminal to another program. Its size may have changed afterwards.
    fn lend<T>(&mut self, to: impl FnOnce() -> T) -> io::Result<T> {
        let result = {
            let _paused = self.input.pause();
            self.terminal.lend(to)?
        };
        self.handle(resized()?);
        Ok(result)
    }
}

fn resized() -> io::Result<Message> {
    let (width, height) = crossterm::terminal::size()?;
    Ok(Message::Input(Event::Resize(width, height)))
}

fn on_signals(sender: MessageSender, elsewhere: bool) -> io::Result<()> {
    let ours: &[i32] =
        if elsewhere { &[SIGTSTP, SIGWINCH] } else { &[SIGTSTP, SIGWINCH, SIGINT, SIGTERM, SIGHUP] };
    let mut signals = Signals::new(ours)?;
    thread::spawn(move || {
        for signal in signals.forever() {
            sender.send(match signal {
                SIGTSTP => Message::Suspend,
                SIGWINCH => resized().unwrap_or(Message::Exit),
                _ => Message::Exit,
            });
        }
    });
    Ok(())
}
