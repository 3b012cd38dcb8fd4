//! Connects the state with a terminal and the world: one loop over one channel. Whatever takes time happens on other
//! threads and comes back as a message; drawn is only what has changed.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel as channel_of};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossterm::event::Event;
use ratatui::layout::Size;
use signal_hook::consts::{SIGHUP, SIGINT, SIGSTOP, SIGTERM, SIGTSTP, SIGWINCH};
use signal_hook::iterator::Signals;
use zerver_trace::RequestId;

use super::command_runner::Performer;
use super::store_follower::follow;
use super::terminal_guard::Screen;
use crate::app::App;
use crate::input::Input;
use crate::message::{Command, Message, Notice};
use crate::services::Services;
use crate::theme::Look;
use crate::update::{start, update};

/// With more messages waiting, whoever has many of them should pause.
const MANY: usize = 64;
/// The same for whoever has large ones.
const FEW: usize = 4;
/// Messages are taken in for so long before what they changed is drawn.
const BATCH: Duration = Duration::from_millis(8);
/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(250);

/// How to start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// How everything looks.
    pub look: Look,
    /// What to show first.
    pub open: Open,
    /// Says of the thread that calls it whether a panic there is dealt with: it does not give the terminal back then, and is
    /// not printed.
    pub is_quiet: Option<fn() -> bool>,
    /// Whether SIGINT, SIGTERM and SIGHUP are somebody else's business, who then sends [`Message::End`].
    pub signals_elsewhere: bool,
}

/// What to show first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Open {
    /// The list.
    #[default]
    Requests,
    /// One request.
    Timeline(RequestId),
    /// Two requests, compared.
    Diff(RequestId, RequestId),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody pressed a key for it.
    Quit,
    /// A signal, or [`Message::End`].
    Told,
}

/// Sends messages to a running [`run()`] from elsewhere. It never waits.
#[derive(Debug, Clone)]
pub struct Remote {
    tell: Sender<Message>,
    /// How many messages wait.
    waiting: Arc<AtomicUsize>,
}

impl Remote {
    /// Sends a message. Nothing happens if it has ended.
    pub fn send(&self, message: Message) {
        self.is_heard(message);
    }

    /// The same; whether it was still there.
    pub(crate) fn is_heard(&self, message: Message) -> bool {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.tell.send(message).is_ok()
    }

    /// Whether so much waits that no page of requests should be added: each takes up a megabyte.
    pub(crate) fn has_pages(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > FEW
    }

    /// Whether so much waits that whoever has much to send should pause, or leave it.
    pub fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > MANY
    }
}

/// What [`run()`] listens on.
#[derive(Debug)]
pub struct Told {
    told: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

impl Told {
    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        self.told.recv_timeout(TICK).inspect(|_| self.heard())
    }

    /// Waits a moment for messages, and gives those that come, the time before them: until nothing more is there, or what
    /// they changed is to be drawn. None when nobody can send any more.
    pub fn messages(&self) -> Option<impl Iterator<Item = Message>> {
        let first = match self.wait() {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let until = Instant::now() + BATCH;
        let more = std::iter::from_fn(move || (Instant::now() < until).then(|| self.more()).flatten());
        Some([Message::Now(now_unix_ns())].into_iter().chain(first).chain(more))
    }

    fn heard(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    fn more(&self) -> Option<Message> {
        self.told.try_recv().ok().inspect(|_| self.heard())
    }
}

/// Makes the channel on which [`run()`] listens.
pub fn channel() -> (Remote, Told) {
    let (tell, told) = channel_of();
    let waiting = Arc::new(AtomicUsize::new(0));
    (Remote { tell, waiting: Arc::clone(&waiting) }, Told { told, waiting })
}

/// Takes the terminal, and gives it back at the end.
///
/// # Errors
/// When the terminal cannot be taken, read or drawn on.
pub fn run(
    options: Options,
    services: &Arc<dyn Services>,
    remote: &Remote,
    told: &Told,
) -> io::Result<Ended> {
    follow(services.source(), remote.clone());
    let screen = Screen::take(options.is_quiet)?;
    let input = Input::start(remote.clone())?;
    on_signals(remote.clone(), options.signals_elsewhere)?;
    let (width, height) = crossterm::terminal::size()?;
    let mut app = App::new(options.look, Size::new(width, height), now_unix_ns());
    let asked = start(&mut app, options.open).into();
    let performer = Performer::new(Arc::clone(services), remote.clone());
    let mut run = Run { app, screen, services: Arc::clone(services), performer, input, asked };
    let mut ended = run.perform()?;
    while ended.is_none() {
        if run.app.take_changed() {
            run.screen.draw(&run.app)?;
        }
        let Some(messages) = told.messages() else { return Ok(Ended::Told) };
        for message in messages {
            let is_end = matches!(message, Message::End);
            run.tell(message);
            ended = run.perform()?;
            if ended.is_some() {
                ended = if is_end { Some(Ended::Told) } else { ended };
                break;
            }
        }
    }
    Ok(ended.unwrap_or(Ended::Told))
}

fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// The state, and all that it may ask for.
struct Run {
    app: App,
    screen: Screen,
    services: Arc<dyn Services>,
    performer: Performer,
    input: Input,
    /// What has been asked for and is not done.
    asked: VecDeque<Command>,
}

impl Run {
    /// Tells the state what came in. What it asks for is done by [`Run::perform`], wherever this is called.
    fn tell(&mut self, message: Message) {
        let commands = update(&mut self.app, message);
        self.asked.extend(commands);
    }

    /// Does what has been asked for, and what that asks for in turn.
    fn perform(&mut self) -> io::Result<Option<Ended>> {
        while let Some(command) = self.asked.pop_front() {
            match command {
                Command::Quit => return Ok(Some(Ended::Quit)),
                Command::Redraw => self.screen.forget()?,
                Command::Suspend => {
                    self.lend(|| {
                        // Stops all threads, until somebody continues us.
                        let _ = signal_hook::low_level::raise(SIGSTOP);
                    })?;
                }
                Command::Copy { text, what } => self.performer.copy(text, what),
                Command::Send(sequence) => self.screen.send(&sequence)?,
                Command::Edit { file, line } => {
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
                Command::Load(id) => self.performer.load(id),
                Command::Read(file) => self.performer.read(file),
                Command::Explain(id) => self.performer.explain(id),
                Command::Scan { generation, requests, terms } => {
                    self.performer.scan(generation, requests, terms);
                }
                Command::Replay { number, id, edits } => self.performer.replay(number, id, edits),
                Command::Measure(flow) => self.performer.measure(flow),
                Command::Check { number, ids } => self.performer.check(number, ids),
                Command::Flows => self.performer.flows(),
                Command::Health(addr) => self.performer.health(addr),
                Command::GoOn => self.performer.go_on(),
                // Done by `update`.
                Command::Show(_) => {}
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

fn on_signals(remote: Remote, elsewhere: bool) -> io::Result<()> {
    let ours: &[i32] =
        if elsewhere { &[SIGTSTP, SIGWINCH] } else { &[SIGTSTP, SIGWINCH, SIGINT, SIGTERM, SIGHUP] };
    let mut signals = Signals::new(ours)?;
    thread::spawn(move || {
        for signal in signals.forever() {
            remote.send(match signal {
                SIGTSTP => Message::Stop,
                SIGWINCH => resized().unwrap_or(Message::End),
                _ => Message::End,
            });
        }
    });
    Ok(())
}
