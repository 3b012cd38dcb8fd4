//! Connects the state with a terminal and the world: one loop over one channel. Whatever takes time happens on other
//! threads and comes back as a message; drawn is only what has changed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;

use crossterm::event::Event;
use ratatui::layout::Size;
use signal_hook::consts::{SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;

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

/// How to start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How everything looks.
    pub appearance: Appearance,
    /// What to show first.
    pub start_screen: StartScreen,
    /// Says of the thread that calls it whether a panic there is dealt with: it does not give the terminal back then, and is
    /// not printed.
    pub is_panic_handled: Option<fn() -> bool>,
    /// Whether SIGINT, SIGTERM and SIGHUP are somebody else's business, who then sends [`Message::Exit`].
    pub has_external_signal_handling: bool,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitReason {
    /// Somebody pressed a key for it.
    UserQuit,
    /// A signal, or [`Message::Exit`].
    Requested,
}

/// Takes the terminal, and gives it back at the end.
///
/// # Errors
/// When the terminal cannot be taken, read or drawn on.
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
    let pending = start(&mut app, options.start_screen).into();
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

/// The state, and all that it may ask for.
struct EventLoop {
    app: App,
    terminal: TerminalGuard,
    services: Arc<dyn Services>,
    runner: CommandRunner,
    input: InputThread,
    /// What has been asked for and is not done.
    pending: VecDeque<Command>,
}

impl EventLoop {
    /// Tells the state what came in. What it asks for is done by [`EventLoop::run_commands`], wherever this is called.
    fn handle(&mut self, message: Message) {
        let commands = update(&mut self.app, message);
        self.pending.extend(commands);
    }

    /// Does what has been asked for, and what that asks for in turn.
    fn run_commands(&mut self) -> io::Result<Option<ExitReason>> {
        while let Some(command) = self.pending.pop_front() {
            match command {
                Command::Quit => return Ok(Some(ExitReason::UserQuit)),
                Command::Redraw => self.terminal.invalidate()?,
                Command::Suspend => {
                    self.lend(|| {
                        // Stops all threads, until somebody continues us.
                        let _ = signal_hook::low_level::raise(SIGSTOP);
                    })?;
                }
                Command::Copy { text, what } => self.runner.copy(text, what),
                Command::WriteTerminal(sequence) => self.terminal.write_sequence(&sequence)?,
                Command::OpenEditor { file, line } => {
                    let services = Arc::clone(&self.services);
                    if let Err(why) = self.lend(|| services.open_editor(&file, line))? {
                        self.handle(Message::Notice(Notice::bad(why)));
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
                Command::Scan { generation, requests, terms } => {
                    self.runner.scan(generation, requests, terms);
                }
                Command::Replay { number, id, edits } => self.runner.replay(number, id, edits),
                Command::MeasureFlow(flow) => self.runner.measure(flow),
                Command::CheckReplays { number, ids } => self.runner.check(number, ids),
                Command::ListFlows => self.runner.flows(),
                Command::FetchStatus(addr) => self.runner.health(addr),
                Command::Continue => self.runner.go_on(),
                // Done by `update`.
                Command::Navigate(_) => {}
            }
        }
        Ok(None)
    }

    /// Lets something else have the terminal. It may have another size afterwards.
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
