//! The loop of `zerver dev`: receives events, has `plan` decide, and carries out the decisions.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use zerver_tui::ServiceState;

use super::dep_info::SourceFiles;
use super::local_servers::{LocalServers, LocalServersState};
use super::plan::{Action, Build, DRAIN_TIMEOUT, Ending, Input, Plan};
use super::reporter::Reporter;
use super::screen::DevScreen;
use super::server::{Server, ServerLauncher};
use super::service_source::{ServiceSource, store_dir};
use super::source_watch::{LastBuild, SourceWatch};
use super::web::DevWeb;
use super::{drill, listener, signals, suggestions};
use crate::args::{Dev, Global};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::requests::store_follower::{News, StoreFollower};
use crate::service::cargo::{Artifact, CargoStderr};
use crate::service::output_lines::Relay;
use crate::service::process::Process;
use crate::service::replayer::Replayer;
use crate::terminal_ui;

/// Time without further changes after which changes are acted on.
const SETTLE_TIME: Duration = Duration::from_millis(150);
/// Maximum delay of changes that do not stop.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(2);
/// Time after which a server that has not reported that it is ready is mentioned.
const READY_REMINDER: Duration = Duration::from_secs(10);

/// Everything that can happen.
enum DevEvent {
    Signal,
    /// The user has left the terminal UI.
    ScreenClosed,
    SourcesChanged,
    /// Cargo has ended; holds the binary if it built one.
    BuildEnded(Option<Artifact>),
    Ready {
        generation: u64,
    },
    Ended {
        generation: u64,
    },
    News(News),
    /// The servers that the service needs have started, or one of them has not.
    ServersStarted(Result<LocalServers, CommandError>),
    /// Requests that the service can handle, as shell commands.
    Suggestions(Vec<String>),
}

pub(crate) fn run(args: &Dev, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let service = ServiceSource::find(args)?;
    let store = store_dir(global, service.folder())?;
    // A port in use is reported before anything is built.
    let (listener, addr) = listener::listen(&args.addr)?;
    let (events, received) = mpsc::channel();
    let of_signals = events.clone();
    signals::forward(move || of_signals.send(DevEvent::Signal).is_ok())?;
    let last_build = LastBuild::default();
    let watch = match args.no_watch {
        true => None,
        false => {
            let events = events.clone();
            let changed = move || drop(events.send(DevEvent::SourcesChanged));
            Some(service.watch(&store, Arc::clone(&last_build), changed)?)
        }
    };
    let launcher = ServerLauncher::new(
        listener,
        addr,
        store.clone(),
        service.working_folder(),
        service.folder().to_owned(),
        args.args.clone(),
        drill::variables(args),
    )?;
    let follower = StoreFollower::start(store.clone().into(), now_unix_ns(), {
        let events = events.clone();
        move |news| drop(events.send(DevEvent::News(news)))
    });
    let opens_screen = DevScreen::is_wanted(args, global).unwrap_or_else(|why_not| {
        output.info(why_not);
        false
    });
    let screen = opens_screen.then(|| {
        let events = events.clone();
        let replayer = Replayer::new(Some(args.app.clone()), args.program.clone());
        DevScreen::start(store.clone(), replayer, terminal_ui::look(&args.theme, global), move || {
            drop(events.send(DevEvent::ScreenClosed))
        })
    });
    let web = match args.no_web {
        true => None,
        false => Some(DevWeb::start(args, &store, &url(addr))?),
    };
    let (plan, first) = Plan::new(service.exe(), watch.is_some());
    let mut dev = DevLoop {
        service,
        is_release: args.program.release,
        global,
        reporter: Reporter::new(output, screen, web, url(addr), store),
        plan,
        launcher,
        watch,
        last_build,
        follower,
        events,
        build: None,
        local_servers: LocalServersState::Unknown,
        server: None,
        generation: 0,
        changes: None,
        kill_at: None,
        remind_at: None,
    };
    let ended = dev.run(first, &received);
    // What is printed from here on has to be visible.
    dev.reporter.close_screen();
    ended
}

fn url(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

struct DevLoop<'a> {
    service: ServiceSource,
    is_release: bool,
    global: &'a Global,
    reporter: Reporter<'a>,
    plan: Plan,
    launcher: ServerLauncher,
    watch: Option<SourceWatch>,
    last_build: LastBuild,
    follower: StoreFollower,
    events: Sender<DevEvent>,
    build: Option<Process>,
    server: Option<Server>,
    /// After the server that uses them, so that they are dropped later.
    local_servers: LocalServersState,
    /// Number of servers started so far.
    generation: u64,
    changes: Option<PendingChanges>,
    /// Time at which the server is killed unless it has ended.
    kill_at: Option<Instant>,
    /// Time at which to mention that the server has not reported that it is ready.
    remind_at: Option<Instant>,
}

/// Changes that wait for further ones.
#[derive(Clone, Copy)]
struct PendingChanges {
    began: Instant,
    act_at: Instant,
}

impl DevLoop<'_> {
    fn run(
        &mut self,
        first: Vec<Action>,
        received: &Receiver<DevEvent>,
    ) -> Result<CommandOutcome, CommandError> {
        let mut ending = self.perform(first)?;
        while ending.is_none() {
            let event = match self.next_timer() {
                Some(at) => received.recv_timeout(at.saturating_duration_since(Instant::now())),
                None => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let actions = match event {
                Ok(event) => self.handle(event)?,
                Err(RecvTimeoutError::Timeout) => self.timer_expired(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            ending = self.perform(actions)?;
        }
        // The server has written its last traces before it ended.
        self.server = None;
        if ending != Some(Ending::Forced) {
            self.local_servers.finish();
        }
        self.follower.finish();
        for event in received.try_iter() {
            if let DevEvent::News(News::Requests(requests, digits, _)) = event {
                self.reporter.print(&requests, digits)?;
            }
        }
        match ending {
            Some(Ending::NoServer) => Err(CommandError::new("the service is not running")),
            Some(Ending::Forced) => Err(CommandError::new("stopped before the service had finished")),
            Some(Ending::Fine) | None => Ok(CommandOutcome::Success),
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let changes = self.changes.map(|changes| changes.act_at);
        self.kill_at.into_iter().chain(self.remind_at).chain(changes).min()
    }

    fn timer_expired(&mut self) -> Vec<Action> {
        let now = Instant::now();
        if self.remind_at.is_some_and(|at| at <= now) {
            self.remind_at = None;
            self.reporter.output.info("the service has not reported yet that it is ready");
        }
        if self.changes.is_some_and(|changes| changes.act_at <= now) {
            self.changes = None;
            return self.plan.handle(Input::Changed);
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            return self.plan.handle(Input::Overdue);
        }
        Vec::new()
    }

    fn handle(&mut self, event: DevEvent) -> Result<Vec<Action>, CommandError> {
        let input = match event {
            // A signal may have closed it already.
            DevEvent::ScreenClosed if !self.reporter.has_screen() => return Ok(Vec::new()),
            DevEvent::Signal | DevEvent::ScreenClosed => {
                self.reporter.close_screen();
                Input::Signal
            }
            DevEvent::SourcesChanged => {
                self.refresh_watch();
                self.reporter.set_current_program(None);
                let now = Instant::now();
                let began = self.changes.map_or(now, |changes| changes.began);
                let act_at = (now + SETTLE_TIME).min(began + MAX_SETTLE_TIME);
                self.changes = Some(PendingChanges { began, act_at });
                return Ok(Vec::new());
            }
            DevEvent::BuildEnded(artifact) => {
                let build = self.finish_build(artifact)?;
                let actions = self.plan.handle(Input::Built(build));
                if actions.is_empty() && self.server.is_some() {
                    self.reporter.show_state(ServiceState::Serving(self.reporter.url().to_owned()));
                }
                return Ok(actions);
            }
            DevEvent::ServersStarted(started) => return Ok(self.servers_started(started)),
            DevEvent::Suggestions(commands) => {
                self.reporter.suggest(commands);
                return Ok(Vec::new());
            }
            DevEvent::Ready { generation } if generation == self.generation => {
                self.remind_at = None;
                self.follower.reopen();
                self.reporter.reopen_store();
                Input::Ready
            }
            DevEvent::Ended { generation } if generation == self.generation => match self.server.take() {
                Some(mut server) => {
                    // Its last lines come before our message about its end.
                    std::mem::take(&mut server.outputs).into_iter().for_each(Relay::finish);
                    (self.kill_at, self.remind_at) = (None, None);
                    let exit = server.process.reap().map_err(|error| {
                        CommandError::new("cannot wait for the service").caused_by(&error)
                    })?;
                    Input::Exited { how: exit.text, is_success: exit.is_success }
                }
                None => return Ok(Vec::new()),
            },
            DevEvent::Ready { .. } | DevEvent::Ended { .. } => return Ok(Vec::new()),
            DevEvent::News(News::Requests(requests, digits, _)) => {
                return match self.reporter.print(&requests, digits) {
                    // The reader of our output is gone: let the service finish its requests.
                    Err(error) if error.is_broken_pipe => {
                        self.reporter.output.is_quiet = true;
                        Ok(self.plan.handle(Input::Signal))
                    }
                    printed => printed.map(|()| Vec::new()),
                };
            }
            DevEvent::News(News::Unreadable(error)) => {
                let error = error.to_string();
                let text = format!("cannot show requests: {}", zerver_trace::text::clean(&error));
                self.reporter.output.warn(&text);
                return Ok(Vec::new());
            }
        };
        Ok(self.plan.handle(input))
    }

    /// Watches folders that have been created since.
    fn refresh_watch(&mut self) {
        if let Some(watch) = &mut self.watch
            && let Err(error) = watch.refresh()
        {
            self.reporter
                .output
                .warn(&format!("cannot watch everything, some changes may be missed: {error}"));
        }
    }

    fn finish_build(&mut self, artifact: Option<Artifact>) -> Result<Build, CommandError> {
        let Some(mut build) = self.build.take() else { return Ok(Build::Failed) };
        let exit =
            build.reap().map_err(|error| CommandError::new("cannot wait for Cargo").caused_by(&error))?;
        let artifact = artifact.filter(|_| exit.is_success);
        let sources = artifact.as_ref().and_then(|artifact| SourceFiles::of(&artifact.exe));
        *self.last_build.lock().unwrap_or_else(PoisonError::into_inner) = sources;
        self.refresh_watch();
        Ok(match artifact {
            Some(Artifact { exe, is_fresh }) => {
                self.reporter.set_current_program(self.watch.as_ref().map(|_| exe.clone()));
                Build::Done { exe, is_fresh }
            }
            None => Build::Failed,
        })
    }

    /// Carries out actions. Returns the end of `dev` when it has come.
    fn perform(&mut self, actions: Vec<Action>) -> Result<Option<Ending>, CommandError> {
        for action in actions {
            match action {
                Action::Build => self.start_build()?,
                Action::CancelBuild => {
                    if let Some(build) = &self.build {
                        build.kill();
                    }
                }
                Action::Start(exe) => {
                    if let Err(error) = self.start_server(&exe) {
                        self.reporter.output.error(&error);
                        let actions = self.plan.handle(Input::NotStarted);
                        if let Some(ending) = self.perform(actions)? {
                            return Ok(Some(ending));
                        }
                    }
                }
                Action::Terminate => {
                    self.kill_at = Some(Instant::now() + DRAIN_TIMEOUT);
                    self.remind_at = None;
                    if let Some(server) = &self.server {
                        server.process.terminate();
                    } else if self.local_servers.take_waiting().is_some() {
                        self.kill_at = None;
                        let input = Input::Exited { how: "not started".to_owned(), is_success: true };
                        let actions = self.plan.handle(input);
                        if let Some(ending) = self.perform(actions)? {
                            return Ok(Some(ending));
                        }
                    }
                }
                Action::Kill => {
                    if let Some(server) = &self.server {
                        server.process.kill();
                    }
                }
                Action::Notify(notice) => self.reporter.notify(&notice),
                Action::Exit(ending) => return Ok(Some(ending)),
            }
        }
        Ok(None)
    }

    fn start_build(&mut self) -> Result<(), CommandError> {
        let ServiceSource::Package(package) = &self.service else { return Ok(()) };
        let stderr = match self.reporter.has_screen() {
            true => CargoStderr::PipedWithProgress,
            false => CargoStderr::Inherited,
        };
        let mut process = package.start_build(self.is_release, self.global, stderr)?;
        self.reporter.show_state(ServiceState::Building);
        self.reporter.relay_build(process.stderr());
        let (package, events, stdout) = (package.clone(), self.events.clone(), process.stdout());
        let (send_artifact, artifact) = mpsc::channel();
        thread::spawn(move || {
            drop(send_artifact.send(stdout.and_then(|stdout| package.read_artifact(stdout))))
        });
        process.when_ended(move || drop(events.send(DevEvent::BuildEnded(artifact.recv().ok().flatten()))));
        self.build = Some(process);
        Ok(())
    }

    /// Starts the server, as soon as the servers that it needs have started.
    fn start_server(&mut self, exe: &Path) -> Result<(), CommandError> {
        let events = self.events.clone();
        let started = move |started| drop(events.send(DevEvent::ServersStarted(started)));
        let Some(variables) = self.local_servers.variables_for(exe, self.service.folder(), started) else {
            return Ok(());
        };
        self.generation += 1;
        let generation = self.generation;
        let (ready, ended) = (self.events.clone(), self.events.clone());
        let mut server = self.launcher.start(
            exe,
            generation,
            variables,
            move || drop(ready.send(DevEvent::Ready { generation })),
            move || drop(ended.send(DevEvent::Ended { generation })),
        )?;
        if generation == 1 {
            self.find_suggestions(exe.to_owned());
        }
        self.reporter.show_state(ServiceState::Starting);
        server.outputs.extend(self.reporter.relay(server.process.stdout()));
        server.outputs.extend(self.reporter.relay(server.process.stderr()));
        self.server = Some(server);
        self.remind_at = Some(Instant::now() + READY_REMINDER);
        Ok(())
    }

    /// Starts the server that waited for others.
    fn servers_started(&mut self, started: Result<LocalServers, CommandError>) -> Vec<Action> {
        let waiting = self.local_servers.take_waiting();
        match started {
            Ok(servers) => {
                servers.describe().for_each(|line| self.reporter.output.info(&line));
                self.local_servers = LocalServersState::Started(servers);
                waiting.map(Action::Start).into_iter().collect()
            }
            Err(error) => {
                self.reporter.output.error(&error);
                self.local_servers = LocalServersState::Unknown;
                waiting.map_or_else(Vec::new, |_| self.plan.handle(Input::NotStarted))
            }
        }
    }

    fn find_suggestions(&self, exe: PathBuf) {
        let (events, url) = (self.events.clone(), self.reporter.url().to_owned());
        suggestions::find(exe, self.service.folder().to_owned(), url, move |commands| {
            drop(events.send(DevEvent::Suggestions(commands)));
        });
    }
}
