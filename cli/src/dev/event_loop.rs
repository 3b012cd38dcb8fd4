//! The loop of `zerver dev`: takes in what happens, has `plan` decide, and does it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zerver_tui::State;

use super::dep_info::SourceFiles;
use super::plan::{Action, Build, Ending, Input, Plan};
use super::screen::Screen;
use super::server::{Host, Server};
use super::service_output::Relay;
use super::service_source::{Service, store};
use super::source_watch::{LastBuild, Watch};
use super::store_follower::{Follower, News};
use super::{listener, suggestions};
use crate::args::{Dev, Global};
use crate::error::{Done, Trouble};
use crate::output::Output;
use crate::service::cargo;
use crate::service::process::Process;
use crate::service::replayer::Replayer;
use crate::terminal_ui;

/// How long a server may take to finish what it has.
pub(super) const DRAIN: Duration = Duration::from_secs(10);
/// Changes are acted on when there was none for so long, or when they have gone on for too long.
const CALM: Duration = Duration::from_millis(150);
const STORM: Duration = Duration::from_secs(2);
/// The ids of requests that pass by differ in the time that they begin with, to the millisecond.
const DIGITS: usize = 12;
/// So long a server may be silent before that is worth a word.
const SILENCE: Duration = Duration::from_secs(10);

/// All that can happen.
enum Message {
    Signal,
    /// Somebody has left the terminal UI.
    Left,
    Changed,
    /// Cargo has ended; the program it made, and whether that was there before.
    BuildEnded(Option<(PathBuf, bool)>),
    Ready {
        generation: u64,
    },
    Ended {
        generation: u64,
    },
    News(News),
    /// A request that the service answers, as a command.
    Example(String),
}

pub(crate) fn run(args: &Dev, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let service = Service::find(args)?;
    let store = store(global, service.folder())?;
    // Before anything is built: a port in use is said at once.
    let (listener, addr) = listener::listen(&args.addr)?;
    let (tell, told) = mpsc::channel();
    on_signals(tell.clone())?;
    let changed = {
        let tell = tell.clone();
        move || drop(tell.send(Message::Changed))
    };
    let last_build = LastBuild::default();
    let watch =
        if args.no_watch { None } else { Some(service.watch(&store, Arc::clone(&last_build), changed)?) };
    let host = Host::new(
        listener,
        addr,
        store.clone(),
        service.run_in(),
        service.folder().to_owned(),
        args.args.clone(),
    )?;
    let now_unix_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let follower = Follower::start(store.clone(), now_unix_ns, {
        let tell = tell.clone();
        move |news| drop(tell.send(Message::News(news)))
    });
    let is_wanted = Screen::is_wanted(args, global).unwrap_or_else(|why_not| {
        output.note(why_not);
        false
    });
    let screen = is_wanted.then(|| {
        let tell = tell.clone();
        let replayer = Replayer::new(Some(args.app.clone()), args.program.clone());
        Screen::start(store.clone(), replayer, terminal_ui::look(&args.look, global), move || {
            drop(tell.send(Message::Left))
        })
    });
    if let Some(screen) = &screen {
        let voice = screen.voice.clone();
        output.divert(Some(Box::new(move |text| voice.line(text))));
    }
    let (plan, first) = Plan::new(service.exe(), watch.is_some());
    let mut dev = Loop {
        service,
        release: args.program.release,
        global,
        output,
        addr,
        store,
        plan,
        host,
        watch,
        last_build,
        follower,
        tell,
        build: None,
        server: None,
        generation: 0,
        changed: None,
        kill_at: None,
        remind_at: None,
        digits: DIGITS,
        has_listened: false,
        example: None,
        screen,
    };
    let ended = dev.run(first, &told);
    // What is said now is to be seen.
    dev.close_screen();
    ended
}

fn on_signals(tell: Sender<Message>) -> Result<(), Trouble> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| Trouble::new("cannot listen for signals").because(&error))?;
    thread::spawn(move || {
        for _ in signals.forever() {
            if tell.send(Message::Signal).is_err() {
                return;
            }
        }
    });
    Ok(())
}

pub(super) struct Loop<'a> {
    service: Service,
    release: bool,
    global: &'a Global,
    output: &'a mut Output,
    addr: SocketAddr,
    store: PathBuf,
    plan: Plan,
    host: Host,
    watch: Option<Watch>,
    last_build: LastBuild,
    follower: Follower,
    tell: Sender<Message>,
    build: Option<Process>,
    server: Option<Server>,
    generation: u64,
    /// When the changes began that are to be acted on, and when they will be.
    changed: Option<(Instant, Instant)>,
    /// When the server is killed if it has not ended.
    kill_at: Option<Instant>,
    /// When it is said that the server has not said that it is ready.
    remind_at: Option<Instant>,
    digits: usize,
    has_listened: bool,
    /// The first request to suggest, until the service listens.
    example: Option<String>,
    /// The terminal UI, while it has the terminal.
    screen: Option<Screen>,
}

impl Loop<'_> {
    fn run(&mut self, first: Vec<Action>, told: &Receiver<Message>) -> Result<Done, Trouble> {
        let mut ending = self.act(first)?;
        while ending.is_none() {
            let message = match self.until() {
                Some(until) => told.recv_timeout(until.saturating_duration_since(Instant::now())),
                None => told.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let actions = match message {
                Ok(message) => self.take(message)?,
                Err(RecvTimeoutError::Timeout) => self.late(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            ending = self.act(actions)?;
        }
        // The server wrote its last traces before it ended.
        self.server = None;
        self.follower.finish();
        for message in told.try_iter() {
            if let Message::News(News::Requests(requests, digits)) = message {
                self.print(&requests, digits)?;
            }
        }
        match ending {
            Some(Ending::NoServer) => Err(Trouble::new("the service does not run")),
            Some(Ending::Forced) => Err(Trouble::new("ended before the service had finished")),
            Some(Ending::Fine) | None => Ok(Done::Fine),
        }
    }

    fn until(&self) -> Option<Instant> {
        let changed = self.changed.map(|(_, at)| at);
        self.kill_at.into_iter().chain(self.remind_at).chain(changed).min()
    }

    /// One of these times has come.
    fn late(&mut self) -> Vec<Action> {
        let now = Instant::now();
        if self.remind_at.is_some_and(|at| at <= now) {
            self.remind_at = None;
            self.output.note("the service has not said yet that it is ready");
        }
        if self.changed.is_some_and(|(_, at)| at <= now) {
            self.changed = None;
            return self.plan.take(Input::Changed);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            return self.plan.take(Input::Overdue);
        }
        Vec::new()
    }

    fn take(&mut self, message: Message) -> Result<Vec<Action>, Trouble> {
        let input = match message {
            Message::Signal => {
                self.close_screen();
                Input::Signal
            }
            // The signal that closed it has been heard.
            Message::Left if self.screen.is_none() => return Ok(Vec::new()),
            Message::Left => {
                self.close_screen();
                Input::Signal
            }
            Message::Changed => {
                self.refresh_watch();
                self.know(None);
                let now = Instant::now();
                let began = self.changed.map_or(now, |(began, _)| began);
                self.changed = Some((began, (now + CALM).min(began + STORM)));
                return Ok(Vec::new());
            }
            Message::BuildEnded(artifact) => {
                let built = self.build_ended(artifact)?;
                let actions = self.plan.take(Input::Built(built));
                if actions.is_empty() && self.server.is_some() {
                    self.state(|dev| State::Serving(dev.url()));
                }
                return Ok(actions);
            }
            Message::Example(command) => {
                self.example(command);
                return Ok(Vec::new());
            }
            Message::Ready { generation } if generation == self.generation => {
                self.remind_at = None;
                self.follower.reopen();
                if let Some(screen) = &self.screen {
                    screen.reopen();
                }
                Input::Ready
            }
            Message::Ended { generation } if generation == self.generation => match self.server.take() {
                Some(mut server) => {
                    // Its last words come before ours about it.
                    std::mem::take(&mut server.outputs).into_iter().for_each(Relay::finish);
                    (self.kill_at, self.remind_at) = (None, None);
                    let exit = server
                        .process
                        .reap()
                        .map_err(|error| Trouble::new("cannot wait for the service").because(&error))?;
                    Input::Exited { how: exit.text, is_success: exit.is_success }
                }
                None => return Ok(Vec::new()),
            },
            Message::Ready { .. } | Message::Ended { .. } => return Ok(Vec::new()),
            Message::News(News::Requests(requests, digits)) => {
                return match self.print(&requests, digits) {
                    // Nobody listens to us any more: the service may finish what it has.
                    Err(trouble) if trouble.is_broken_pipe => {
                        self.output.is_quiet = true;
                        Ok(self.plan.take(Input::Signal))
                    }
                    printed => printed.map(|()| Vec::new()),
                };
            }
            Message::News(News::Unreadable(error)) => {
                self.output.warn(&format!(
                    "requests cannot be shown: {}",
                    zerver_trace::text::clean(&error.to_string())
                ));
                return Ok(Vec::new());
            }
        };
        Ok(self.plan.take(input))
    }

    /// Watches folders that have come since.
    fn refresh_watch(&mut self) {
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.refresh()
        {
            self.output.warn(&format!("some changes may be missed: {error}"));
        }
    }

    fn build_ended(&mut self, artifact: Option<(PathBuf, bool)>) -> Result<Build, Trouble> {
        let Some(mut build) = self.build.take() else { return Ok(Build::Failed) };
        let exit = build.reap().map_err(|error| Trouble::new("cannot wait for Cargo").because(&error))?;
        let built = artifact.as_ref().filter(|_| exit.is_success);
        let sources = built.and_then(|(exe, _)| SourceFiles::of(exe));
        *self.last_build.lock().unwrap_or_else(PoisonError::into_inner) = sources;
        self.refresh_watch();
        Ok(match artifact {
            Some((exe, is_fresh)) if exit.is_success => {
                self.know(Some(&exe).filter(|_| self.watch.is_some()));
                Build::Done { exe, is_fresh }
            }
            _ => Build::Failed,
        })
    }

    /// Does what was decided, and says how it all ends, when it does.
    fn act(&mut self, actions: Vec<Action>) -> Result<Option<Ending>, Trouble> {
        for action in actions {
            match action {
                Action::Build => self.start_build()?,
                Action::CancelBuild => {
                    if let Some(build) = &self.build {
                        build.kill();
                    }
                }
                Action::Start(exe) => {
                    if let Err(trouble) = self.start_server(&exe) {
                        self.output.trouble(&trouble);
                        let actions = self.plan.take(Input::NotStarted);
                        if let Some(ending) = self.act(actions)? {
                            return Ok(Some(ending));
                        }
                    }
                }
                Action::Terminate => {
                    self.kill_at = Some(Instant::now() + DRAIN);
                    self.remind_at = None;
                    if let Some(server) = &self.server {
                        server.process.terminate();
                    }
                }
                Action::Kill => {
                    if let Some(server) = &self.server {
                        server.process.kill();
                    }
                }
                Action::Say(note) => self.say(&note),
                Action::Exit(ending) => return Ok(Some(ending)),
            }
        }
        Ok(None)
    }

    fn start_build(&mut self) -> Result<(), Trouble> {
        let Service::Package(package) = &self.service else { return Ok(()) };
        let stderr = if self.screen.is_some() { Stdio::piped() } else { Stdio::inherit() };
        let mut process = cargo::spawn(package, self.release, self.global, stderr)?;
        self.state(|_| State::Building);
        // Of Cargo, nothing is waited for.
        drop(self.relay(process.stderr()));
        let (package, tell, stdout) = (package.clone(), self.tell.clone(), process.stdout());
        let (send_artifact, artifact) = mpsc::channel();
        thread::spawn(move || drop(send_artifact.send(stdout.and_then(|stdout| package.artifact(stdout)))));
        process.when_ended(move || drop(tell.send(Message::BuildEnded(artifact.recv().ok().flatten()))));
        self.build = Some(process);
        Ok(())
    }

    fn start_server(&mut self, exe: &Path) -> Result<(), Trouble> {
        self.generation += 1;
        let generation = self.generation;
        let (ready, ended) = (self.tell.clone(), self.tell.clone());
        let mut server = self.host.start(
            exe,
            generation,
            move || drop(ready.send(Message::Ready { generation })),
            move || drop(ended.send(Message::Ended { generation })),
        )?;
        if generation == 1 {
            let (tell, url) = (self.tell.clone(), self.url());
            suggestions::find(exe.to_owned(), self.service.folder().to_owned(), url, move |command| {
                drop(tell.send(Message::Example(command)));
            });
        }
        self.state(|_| State::Starting);
        server.outputs.extend(self.relay(server.process.stdout()));
        server.outputs.extend(self.relay(server.process.stderr()));
        self.server = Some(server);
        self.remind_at = Some(Instant::now() + SILENCE);
        Ok(())
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}
