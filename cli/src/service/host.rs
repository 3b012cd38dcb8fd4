//! The service's own program as the host of replays. It connects to a socket that only we can reach, and ends with us.

use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zerver_replay::wire::{Hello, HostReply, HostRequest, VERSIONS, receive, send};
use zerver_replay::{CallExplanation, Edits, Recording, ReplayError, Report, ValueSlice};

use super::output_lines::each_line;
use super::process::Process;
use crate::error::CommandError;
use crate::paths;

/// Maximum time until the program connects. Hashing itself for its build id takes it longest.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time of one run of a request. A run never waits, so only an endless step takes as long.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum time to read what a program sent before it ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Maximum time of an effect that is performed for real, even if the service allows more.
const MAX_LIVE_EFFECT: Duration = Duration::from_secs(3600);
/// Maximum size of the standard error that is kept, in bytes.
const MAX_STDERR: usize = 64 << 10;

pub(crate) struct ReplayHost {
    exe: PathBuf,
    process: Process,
    stream: UnixStream,
    hello: Hello,
    incoming: Receiver<Incoming>,
    /// Maximum wait for the next event, whatever the caller allows.
    max_wait: Duration,
    stderr: Option<JoinHandle<Vec<String>>>,
    _folder: TempDir,
}

/// Next event of a host.
pub(crate) enum HostEvent {
    /// A run of the request begins; each run has its own deadline.
    RunStarted,
    /// The step of this name is about to run.
    StepStarting(String),
    /// This effect is about to be performed for real, within this time.
    LiveEffect(String, Duration),
    Report(Box<Report>),
    Explained(Vec<CallExplanation>),
    /// The trial of this number is about to run.
    TrialStarting(u32),
    Sliced(Box<ValueSlice>),
    Refused(ReplayError),
    /// The program ended, in the way described.
    Died(String),
    /// The program sent something that is no valid reply.
    Malformed(CommandError),
    /// Nothing came within the time allowed.
    TimedOut,
}

/// Deadline of a run, extended by effects that are performed for real.
pub(crate) struct RunDeadline(Instant);

impl RunDeadline {
    pub(crate) fn new(now: Instant) -> Self {
        Self(now + RUN_TIMEOUT)
    }

    /// Moves the deadline after an event.
    pub(crate) fn update(&mut self, event: &HostEvent, now: Instant) {
        match event {
            HostEvent::RunStarted | HostEvent::TrialStarting(_) => self.0 = now + RUN_TIMEOUT,
            HostEvent::LiveEffect(_, within) => self.0 = now + (*within).min(MAX_LIVE_EFFECT) + RUN_TIMEOUT,
            _ => {}
        }
    }

    pub(crate) fn remaining(&self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }
}

/// Message from the threads of a host.
enum Incoming {
    Hello(UnixStream, Hello),
    Reply(HostReply),
    /// The stream ended, or a frame on it was invalid.
    Closed(Option<std::io::Error>),
    ProcessEnded,
}

impl ReplayHost {
    /// Starts the program, and waits until it has connected and identified itself.
    pub(crate) fn start(exe: &Path) -> Result<Self, CommandError> {
        let failed = || {
            CommandError::new(format!("cannot replay with {}", paths::display(exe)))
                .with_hint("is it a zerver service? its main must hand its app to zerver")
        };
        // `tempfile` makes the folder private.
        let folder = tempfile::Builder::new().prefix("zerver-").tempdir();
        let folder = folder
            .map_err(|error| CommandError::new("cannot create a temporary folder").caused_by(&error))?;
        let socket = folder.path().join("ipc");
        let listener = UnixListener::bind(&socket).map_err(|error| {
            CommandError::new(format!("cannot listen on {}", paths::display(&socket))).caused_by(&error)
        })?;
        let mut command = Command::new(exe);
        command.env("ZERVER_IPC", &socket).env_remove("ZERVER_CATALOG").env_remove("ZERVER_SETTINGS");
        // If Cargo runs us, it is the folder of another package.
        command.env_remove("CARGO_MANIFEST_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command).map_err(|error| failed().caused_by(&error))?;
        let stderr = process.stderr().map(|stderr| thread::spawn(move || first_lines(stderr)));
        let (sender, incoming) = channel();
        let ended = sender.clone();
        process.when_ended(move || drop(ended.send(Incoming::ProcessEnded)));
        thread::spawn(move || receive_replies(&listener, &sender));
        match incoming.recv_timeout(CONNECT_TIMEOUT) {
            Ok(Incoming::Hello(stream, hello)) if hello.is_compatible() => {
                // We must be able to give up on a program that is stuck in a step and reads nothing.
                stream.set_write_timeout(Some(RUN_TIMEOUT)).map_err(|error| failed().caused_by(&error))?;
                let (exe, max_wait) = (exe.to_owned(), Duration::MAX);
                Ok(Self { exe, process, stream, hello, incoming, max_wait, stderr, _folder: folder })
            }
            Ok(Incoming::Hello(_, hello)) => {
                let (from, to) = hello.versions;
                let cause = format!(
                    "it supports versions {from} to {to} of the protocol, and this command {} to {}",
                    VERSIONS.0, VERSIONS.1
                );
                Err(failed()
                    .with_cause(cause)
                    .with_hint("use the zerver version that the service depends on"))
            }
            Ok(Incoming::Closed(error)) => {
                let error = error.unwrap_or_else(|| ErrorKind::UnexpectedEof.into());
                Err(failed().caused_by(&error))
            }
            Ok(Incoming::ProcessEnded) => {
                let mut error = failed().with_cause(format!("it ended with {}", end_of(&mut process)));
                error.causes.extend(stderr.and_then(|stderr| stderr.join().ok()?.pop()));
                Err(error)
            }
            _ => {
                Err(failed().with_cause(format!("it did not connect within {} s", CONNECT_TIMEOUT.as_secs())))
            }
        }
    }

    /// Returns the build id of the program.
    pub(crate) fn build(&self) -> &str {
        &self.hello.build
    }

    /// Replays a request. Calls `announce` with each effect that is about to be performed for real.
    pub(crate) fn replay(
        &mut self,
        opened: Recording,
        edits: Edits,
        announce: &mut dyn FnMut(&str),
    ) -> Result<Report, CommandError> {
        let flow = zerver_trace::text::clean(&opened.trace.flow.name).into_owned();
        let mut current_step = None;
        let sent = self.send(&HostRequest::Replay(Box::new(opened), edits));
        let mut deadline = RunDeadline::new(Instant::now());
        loop {
            let position = || match &current_step {
                Some(step) => format!("in step {step} of flow {flow}"),
                None => format!("before the first step of flow {flow}"),
            };
            let event = self.next_event(deadline.remaining(Instant::now()));
            deadline.update(&event, Instant::now());
            match event {
                HostEvent::RunStarted => current_step = None,
                HostEvent::StepStarting(step) => current_step = Some(step),
                HostEvent::LiveEffect(name, _) => announce(&name),
                HostEvent::Report(report) => return Ok(*report),
                HostEvent::Explained(_) | HostEvent::TrialStarting(_) | HostEvent::Sliced(_) => {
                    return Err(self.malformed());
                }
                HostEvent::Refused(refusal) => return Err(refusal.into()),
                HostEvent::Malformed(error) => return Err(error),
                HostEvent::Died(how) => {
                    let died = CommandError::new(format!("the service died {}: {how}", position()));
                    return Err(match sent {
                        Ok(()) => died,
                        Err(error) => died.caused_by(&error),
                    });
                }
                HostEvent::TimedOut => {
                    self.process.kill();
                    let seconds = RUN_TIMEOUT.as_secs();
                    return Err(CommandError::new(format!("no reply within {seconds} s, {}", position()))
                        .with_hint("a replay never waits: the step does not end, or performs I/O itself"));
                }
            }
        }
    }

    /// Has the service explain a call.
    pub(crate) fn explain(
        &mut self,
        opened: Recording,
        call: u32,
        analyze: bool,
    ) -> Result<Vec<CallExplanation>, CommandError> {
        let sent = self.send(&HostRequest::Explain { recording: Box::new(opened), call, analyze });
        let mut deadline = RunDeadline::new(Instant::now());
        loop {
            let event = self.next_event(deadline.remaining(Instant::now()));
            deadline.update(&event, Instant::now());
            match event {
                HostEvent::RunStarted | HostEvent::StepStarting(_) | HostEvent::LiveEffect(..) => {}
                HostEvent::Explained(explanations) => return Ok(explanations),
                HostEvent::Refused(refusal) => return Err(refusal.into()),
                HostEvent::Malformed(error) => return Err(error),
                HostEvent::Report(_) | HostEvent::TrialStarting(_) | HostEvent::Sliced(_) => {
                    return Err(self.malformed());
                }
                HostEvent::Died(how) => {
                    let died =
                        CommandError::new(format!("the service died before it explained the call: {how}"));
                    return Err(match sent {
                        Ok(()) => died,
                        Err(error) => died.caused_by(&error),
                    });
                }
                HostEvent::TimedOut => {
                    self.process.kill();
                    return Err(CommandError::new("the service did not explain the call in time")
                        .with_hint("does it start? it opens the same resources as when it serves"));
                }
            }
        }
    }

    /// Returns the number of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Returns true if the program still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Sends a request. Further requests may be sent before the reply.
    ///
    /// # Errors
    /// If the program has ended, or is stuck in something endless.
    pub(crate) fn send(&mut self, request: &HostRequest) -> std::io::Result<()> {
        send(&mut self.stream, request)
    }

    /// Returns the next event within this time.
    pub(crate) fn next_event(&mut self, wait: Duration) -> HostEvent {
        let until = Instant::now() + wait;
        loop {
            let wait = until.saturating_duration_since(Instant::now()).min(self.max_wait);
            match self.incoming.recv_timeout(wait) {
                Ok(Incoming::Reply(HostReply::RunStarted)) => return HostEvent::RunStarted,
                Ok(Incoming::Reply(HostReply::StepStarting(step))) => return HostEvent::StepStarting(step),
                Ok(Incoming::Reply(HostReply::EffectStarting { name, limit_ns })) => {
                    return HostEvent::LiveEffect(name, Duration::from_nanos(limit_ns));
                }
                Ok(Incoming::Reply(HostReply::Report(report))) => return HostEvent::Report(report),
                Ok(Incoming::Reply(HostReply::Explained(explanations))) => {
                    return HostEvent::Explained(explanations);
                }
                Ok(Incoming::Reply(HostReply::TrialStarting(trial))) => {
                    return HostEvent::TrialStarting(trial);
                }
                Ok(Incoming::Reply(HostReply::Sliced(slice))) => return HostEvent::Sliced(slice),
                Ok(Incoming::Reply(HostReply::Failed(refusal))) => return HostEvent::Refused(refusal),
                Ok(Incoming::Hello(..)) => return HostEvent::Malformed(self.malformed()),
                Ok(Incoming::Closed(Some(error))) if error.kind() == ErrorKind::InvalidData => {
                    return HostEvent::Malformed(self.malformed().caused_by(&error));
                }
                // What it sent before its end is still to be read.
                Ok(Incoming::ProcessEnded) => self.max_wait = DRAIN_TIMEOUT,
                Err(RecvTimeoutError::Timeout) if self.max_wait > DRAIN_TIMEOUT => {
                    return HostEvent::TimedOut;
                }
                Ok(Incoming::Closed(_)) | Err(_) => return HostEvent::Died(end_of(&mut self.process)),
            }
        }
    }

    /// Returns the error for a reply that fits no request.
    pub(super) fn malformed(&self) -> CommandError {
        CommandError::new(format!("{} sent a malformed reply", paths::display(&self.exe)))
            .with_hint("use the zerver version that the service depends on")
    }

    /// Ends the program, and returns what it printed to standard error.
    pub(crate) fn take_stderr(&mut self) -> Vec<String> {
        self.process.kill();
        self.stderr.take().and_then(|stderr| stderr.join().ok()).unwrap_or_default()
    }
}

/// Ends the process, and describes how it ended.
fn end_of(process: &mut Process) -> String {
    process.kill();
    process.reap().map_or_else(|error| error.to_string(), |exit| exit.text)
}

fn receive_replies(listener: &UnixListener, sender: &Sender<Incoming>) {
    let received = listener.accept().and_then(|(stream, _)| {
        let mut replies = BufReader::new(stream.try_clone()?);
        let Some(hello) = receive(&mut replies)? else { return Ok(()) };
        // Nothing receives it after the timeout.
        let _ = sender.send(Incoming::Hello(stream, hello));
        while let Some(reply) = receive(&mut replies)? {
            let _ = sender.send(Incoming::Reply(reply));
        }
        Ok(())
    });
    let _ = sender.send(Incoming::Closed(received.err()));
}

/// Reads an output to its end, so that the program never blocks on it, and returns the first lines.
fn first_lines(from: impl Read) -> Vec<String> {
    let (mut lines, mut kept) = (Vec::new(), 0);
    each_line(from, b"\n", |line| {
        kept += line.len() + 1;
        if kept <= MAX_STDERR {
            lines.push(line.to_owned());
        }
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_its_own_deadline_which_a_step_does_not_move() {
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        let mut deadline = RunDeadline::new(begun);
        assert_eq!(deadline.remaining(at(0)), RUN_TIMEOUT);
        deadline.update(&HostEvent::StepStarting("spin".to_owned()), at(9));
        assert_eq!(deadline.remaining(at(9)), Duration::from_secs(1));
        assert_eq!(deadline.remaining(at(11)), Duration::ZERO);
        // A run after one that took nearly all of its time, and a run after a request that took longer than that.
        for s in [9, 18, 60] {
            deadline.update(&HostEvent::RunStarted, at(s));
            assert_eq!(deadline.remaining(at(s)), RUN_TIMEOUT);
        }
        deadline.update(&HostEvent::LiveEffect("http GET a".to_owned(), Duration::from_secs(30)), at(61));
        assert_eq!(deadline.remaining(at(61)), Duration::from_secs(40));
    }
}
