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
use super::store_follower::follow;
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
    pub look: Appearance,
    /// What to show first.
    pub open: StartScreen,
    /// Says of the thread that calls it whether a panic there is dealt with: it does not give the terminal back then, and is
    /// not printed.
    pub is_quiet: Option<fn() -> bool>,
    /// Whether SIGINT, SIGTERM and SIGHUP are somebody else's business, who then sends [`Message::Exit`].
    pub signals_elsewhere: bool,
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
    remote: &MessageSender,
    told: &MessageReceiver,
) -> io::Result<ExitReason> {
    follow(services.source(), remote.clone());
    let screen = TerminalGuard::take(options.is_quiet)?;
    let input = InputThread::start(remote.clone())?;
    on_signals(remote.clone(), options.signals_elsewhere)?;
    let (width, height) = crossterm::terminal::size()?;
    let mut app = App::new(options.look, Size::new(width, height), now_unix_ns());
    let asked = start(&mut app, options.open).into();
    let performer = CommandRunner::new(Arc::clone(services), remote.clone());
    let mut run = EventLoop { app, screen, services: Arc::clone(services), performer, input, asked };
    let mut ended = run.perform()?;
    while ended.is_none() {
        if run.app.take_changed() {
            run.screen.draw(&run.app)?;
        }
        let Some(messages) = told.messages() else { return Ok(ExitReason::Requested) };
        for message in messages {
            let is_end = matches!(message, Message::Exit);
            run.tell(message);
            ended = run.perform()?;
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
    screen: TerminalGuard,
    services: Arc<dyn Services>,
    performer: CommandRunner,
    input: InputThread,
    /// What has been asked for and is not done.
    asked: VecDeque<Command>,
}

impl EventLoop {
    /// Tells the state what came in. What it asks for is done by [`EventLoop::perform`], wherever this is called.
    fn tell(&mut self, message: Message) {
        let commands = update(&mut self.app, message);
        self.asked.extend(commands);
    }

    /// Does what has been asked for, and what that asks for in turn.
    fn perform(&mut self) -> io::Result<Option<ExitReason>> {
        while let Some(command) = self.asked.pop_front() {
            match command {
                Command::Quit => return Ok(Some(ExitReason::UserQuit)),
                Command::Redraw => self.screen.forget()?,
                Command::Suspend => {
                    self.lend(|| {
                        // Stops all threads, until somebody continues us.
                        let _ = signal_hook::low_level::raise(SIGSTOP);
                    })?;
                }
                Command::Copy { text, what } => self.performer.copy(text, what),
                Command::WriteTerminal(sequence) => self.screen.send(&sequence)?,
                Command::OpenEditor { file, line } => {
                    let services = Arc::clone(&self.services);
                    if let Err(why) = self.lend(|| services.edit(&file, line))? {
                        self.tell(Message::Notice(Notice::bad(why)));
                    }
                }
                Command::EditText(text) => {
                    let services = Arc::clone(&self.services);
                    let edited = self.lend(|| services.edit_text(&text))?;
                    self.tell(Message::Edited(edited));
                }
                Command::LoadTrace(id) => self.performer.load(id),
                Command::ReadSource(file) => self.performer.read(file),
                Command::Explain(id) => self.performer.explain(id),
                Command::Scan { generation, requests, terms } => {
                    self.performer.scan(generation, requests, terms);
                }
                Command::Replay { number, id, edits } => self.performer.replay(number, id, edits),
                Command::MeasureFlow(flow) => self.performer.measure(flow),
                Command::CheckReplays { number, ids } => self.performer.check(number, ids),
                Command::ListFlows => self.performer.flows(),
                Command::FetchStatus(addr) => self.performer.health(addr),
                Command::Continue => self.performer.go_on(),
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
            self.screen.lend(to)?
        };
        self.tell(resized()?);
        Ok(result)
    }
}

fn resized() -> io::Result<Message> {
    let (width, height) = crossterm::terminal::size()?;
    Ok(Message::Input(Event::Resize(width, height)))
}

fn on_signals(remote: MessageSender, elsewhere: bool) -> io::Result<()> {
    let ours: &[i32] =
        if elsewhere { &[SIGTSTP, SIGWINCH] } else { &[SIGTSTP, SIGWINCH, SIGINT, SIGTERM, SIGHUP] };
    let mut signals = Signals::new(ours)?;
    thread::spawn(move || {
        for signal in signals.forever() {
            remote.send(match signal {
                SIGTSTP => Message::Suspend,
                SIGWINCH => resized().unwrap_or(Message::Exit),
                _ => Message::Exit,
            });
        }
    });
    Ok(())
}
