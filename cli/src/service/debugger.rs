//! Replays in a native debugger. The service's program is the host of the replay, as in every replay, so that breakpoints in
//! its steps stop with the recorded inputs. The debugger has the terminal, and no time limit applies.

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, atomic::AtomicBool};
use std::thread;
use std::time::Duration;

use signal_hook::consts::SIGINT;
use zerver_replay::wire::{Hello, HostReply, HostRequest, receive, send};
use zerver_replay::{Edits, Recording, ReplayError, Report};
use zerver_trace::CatalogFlow;
use zerver_trace::text::clean;

use super::host::{HostEvent, ReplayHost};
use super::process::spawn_lock;
use super::query::{self, ask};
use crate::args::Debugger;
use crate::error::CommandError;
use crate::output::Output;

/// Longest wait for a person with a debugger.
const PATIENCE: Duration = Duration::from_secs(365 * 24 * 3600);

/// Source lines of steps.
type StepLines = Vec<(String, u32)>;

impl Debugger {
    /// Replays a request. Returns `None` if the debugger has ended before the replay.
    pub(crate) fn replay(
        &self,
        exe: &Path,
        opened: Recording,
        edits: Edits,
        output: &mut Output,
    ) -> Result<Option<Report>, CommandError> {
        let flow = opened.trace.flow.name.clone();
        // Without edits, one run tells what a person wants to see.
        let request = match edits.is_empty() {
            true => HostRequest::Check(Box::new(opened)),
            false => HostRequest::Replay(Box::new(opened), edits),
        };
        match self {
            Self::Attach => attach(exe, &request, output).map(Some),
            Self::Command(command) => {
                let lines = step_lines(exe, &flow, output);
                run(command, exe, &lines, request)
            }
        }
    }
}

/// Starts the program, waits until the user has attached a debugger, and replays the request.
fn attach(exe: &Path, request: &HostRequest, output: &mut Output) -> Result<Report, CommandError> {
    let mut host = ReplayHost::start(exe)?;
    output.notice(&format!(
        "process {} waits: attach a debugger to it, set breakpoints in its steps, let it continue, and press Enter here",
        host.process_id()
    ));
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line) {
        Ok(0) => {
            return Err(CommandError::new("standard input has ended, so nobody can say when to begin")
                .with_hint("run it in a terminal"));
        }
        Ok(_) => {}
        Err(error) => return Err(CommandError::new("cannot read standard input").caused_by(&error)),
    }
    let sent = host.send(request);
    loop {
        match host.next_event(PATIENCE) {
            HostEvent::RunStarted | HostEvent::StepStarting(_) => {}
            HostEvent::LiveEffect(effect, _) => output.notice(&format!("live: {}", clean(&effect))),
            HostEvent::Report(report) => return Ok(*report),
            HostEvent::Refused(refusal) => return Err(refusal.into()),
            HostEvent::Malformed(error) => return Err(error),
            HostEvent::Explained(_) | HostEvent::TrialStarting(_) | HostEvent::Sliced(_) => {
                return Err(host.malformed());
            }
            HostEvent::Died(how) => {
                let died = CommandError::new(format!("the service died: {how}"));
                return Err(match sent {
                    Ok(()) => died,
                    Err(error) => died.caused_by(&error),
                });
            }
            HostEvent::TimedOut => return Err(CommandError::new("the debugger took longer than a year")),
        }
    }
}

/// Runs the program in a debugger that has the terminal. The last replay counts: the program may be run several times.
fn run(
    command: &str,
    exe: &Path,
    lines: &StepLines,
    request: HostRequest,
) -> Result<Option<Report>, CommandError> {
    let failed = || CommandError::new(format!("cannot run the debugger {}", clean(command)));
    // `tempfile` makes the folder private.
    let folder = tempfile::Builder::new().prefix("zerver-").tempdir();
    let folder = folder.map_err(|error| failed().caused_by(&error))?;
    let socket = folder.path().join("ipc");
    let listener = UnixListener::bind(&socket).map_err(|error| failed().caused_by(&error))?;
    let (sender, results) = channel();
    thread::spawn(move || host_replays(&listener, &request, &sender));
    // Ctrl-C interrupts the program in the debugger, not us. A handler, unlike an ignored signal, is not inherited.
    let interrupt = signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)));
    let interrupt = interrupt.map_err(|error| failed().caused_by(&error))?;
    let mut process = Command::new("sh");
    process
        .args(["-c", &format!("{command} \"$@\""), "sh"])
        .args(arguments(command, exe, lines))
        .env("ZERVER_IPC", &socket)
        .env_remove("ZERVER_CATALOG")
        .env_remove("ZERVER_SETTINGS")
        .env_remove("CARGO_MANIFEST_DIR")
        .stdin(Stdio::inherit());
    let started = {
        let _lock = spawn_lock();
        process.spawn()
    };
    let ended = started.and_then(|mut child| child.wait());
    signal_hook::low_level::unregister(interrupt);
    let status = ended.map_err(|error| failed().caused_by(&error))?;
    // The shell ends with these codes if it cannot run the command.
    if let Some(code @ (126 | 127)) = status.code() {
        return Err(failed()
            .with_cause(format!("the shell ended with exit code {code}"))
            .with_hint("is it installed? rust-gdb and rust-lldb come with Rust, and need gdb or lldb"));
    }
    match results.try_iter().last() {
        None => Ok(None),
        Some(Ok(report)) => Ok(Some(*report)),
        Some(Err(refusal)) => Err(refusal.into()),
    }
}

/// Sends the request to each program that connects, and passes on what it answers.
fn host_replays(
    listener: &UnixListener,
    request: &HostRequest,
    sender: &Sender<Result<Box<Report>, ReplayError>>,
) {
    for stream in listener.incoming() {
        let answer = match stream.and_then(|stream| answer_of(stream, request)) {
            Ok(Some(answer)) => answer,
            // It ended, or was ended, within the replay.
            Ok(None) => continue,
            Err(error) => Err(ReplayError {
                message: "the program in the debugger cannot replay the request".to_owned(),
                causes: vec![error.to_string()],
                hints: vec!["use the zerver version that the service depends on".to_owned()],
            }),
        };
        if sender.send(answer).is_err() {
            return;
        }
    }
}

fn answer_of(
    mut stream: UnixStream,
    request: &HostRequest,
) -> io::Result<Option<Result<Box<Report>, ReplayError>>> {
    let mut replies = BufReader::new(stream.try_clone()?);
    match receive::<Hello>(&mut replies)? {
        Some(hello) if hello.is_compatible() => {}
        Some(_) => return Err(io::Error::other("it supports other versions of the protocol")),
        None => return Ok(None),
    }
    send(&mut stream, request)?;
    while let Some(reply) = receive(&mut replies)? {
        match reply {
            HostReply::Report(report) => return Ok(Some(Ok(report))),
            HostReply::Failed(refusal) => return Ok(Some(Err(refusal))),
            _ => {}
        }
    }
    Ok(None)
}

/// Returns where the steps of a flow are in today's program. They do not come from the recording, which could name anything to
/// the debugger.
fn step_lines(exe: &Path, flow: &str, output: &mut Output) -> StepLines {
    let folder = std::env::current_dir().unwrap_or_default();
    let flows: Vec<CatalogFlow> = match ask(exe, &folder, query::FLOWS, Stdio::null()) {
        Ok(flows) => flows,
        Err(error) => {
            output.warn(&format!("no breakpoints are set: {}", error.one_line()));
            return Vec::new();
        }
    };
    let steps = flows.into_iter().filter(|known| known.flow.name == flow).flat_map(|known| known.flow.steps);
    let is_plain = |file: &str| file.chars().all(|c| c.is_alphanumeric() || "/._- ".contains(c));
    steps.filter(|step| step.line > 0 && is_plain(&step.file)).map(|step| (step.file, step.line)).collect()
}

/// Returns the arguments that have a debugger stop in the steps of the program, and run it. An unknown one gets the program.
fn arguments(command: &str, exe: &Path, lines: &StepLines) -> Vec<PathBuf> {
    let name = command.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
    let name = Path::new(name).file_name().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    let mut arguments: Vec<PathBuf> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(PathBuf::from));
    if name.contains("gdb") {
        add(&["-q"]);
        for (file, line) in lines {
            add(&["-ex", &format!("break -source \"{file}\" -line {line}")]);
        }
        add(&["-ex", "run", "--args"]);
    } else if name.contains("lldb") {
        for (file, line) in lines {
            add(&["-o", &format!("breakpoint set --file \"{file}\" --line {line}")]);
        }
        add(&["-o", "run", "--"]);
    }
    arguments.push(exe.to_owned());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &str, wanted: &str) {
        let lines = vec![("src/main.rs".to_owned(), 12)];
        let arguments = arguments(command, Path::new("/app"), &lines);
        let words: Vec<_> = arguments.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words.join(" "), wanted);
    }

    #[test]
    fn each_debugger_stops_in_the_steps() {
        check("rust-gdb", "-q -ex break -source \"src/main.rs\" -line 12 -ex run --args /app");
        check("'/usr/bin/gdb' -x a", "-q -ex break -source \"src/main.rs\" -line 12 -ex run --args /app");
        check("lldb", "-o breakpoint set --file \"src/main.rs\" --line 12 -o run -- /app");
        check("rr record", "/app");
    }
}
