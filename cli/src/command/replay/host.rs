//! The user's own program as the host of replays: started with a socket that only we can reach, and gone with us.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zerver_replay::wire::{Hello, HostReply, HostRequest, VERSIONS, receive, send};
use zerver_replay::{Edits, Recording, ReplayError, Report};
use zerver_trace::text::clean_bytes;

use crate::command::dev::process::Process;
use crate::place::shown;
use crate::trouble::Trouble;

/// A program that is asked for replays says so at once; reading itself for its build id takes the longest.
const HELLO: Duration = Duration::from_secs(10);
/// No run of a replay takes longer: nothing is waited for in it.
pub(super) const REPLAY: Duration = Duration::from_secs(10);
/// How long what a program said before its end may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// No effect that is performed for real takes longer, whatever the service allows.
const LIVE: Duration = Duration::from_secs(3600);
/// How much of what the program says beside is kept.
const SAID: u64 = 64 << 10;

pub(super) struct Host {
    exe: PathBuf,
    process: Process,
    stream: UnixStream,
    hello: Hello,
    heard: Receiver<Heard>,
    /// How long is waited for it, whatever is asked.
    patience: Duration,
    said: Option<JoinHandle<Vec<String>>>,
    _folder: TempDir,
}

/// What a host says next.
pub(super) enum Next {
    /// A run of the request begins, which has its own time.
    Run,
    /// It is about to run this step.
    Before(String),
    /// It is about to perform this effect for real, which may take so long.
    Live(String, Duration),
    Report(Box<Report>),
    Refused(ReplayError),
    /// The program has ended, and how.
    Died(String),
    /// What comes is no answer.
    Nonsense(Trouble),
    /// Nothing so far.
    Nothing,
}

/// Until when a host is waited for. Each run has its own time, however long those before it took.
pub(super) struct Patience(Instant);

impl Patience {
    pub(super) fn begin(now: Instant) -> Self {
        Self(now + REPLAY)
    }

    pub(super) fn hear(&mut self, next: &Next, now: Instant) {
        match next {
            Next::Run => self.0 = now + REPLAY,
            Next::Live(_, within) => self.0 = now + (*within).min(LIVE) + REPLAY,
            _ => {}
        }
    }

    pub(super) fn left(&self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }
}

enum Heard {
    Hello(UnixStream, Hello),
    Told(HostReply),
    /// The stream has ended, or what came is no frame.
    Closed(Option<std::io::Error>),
    /// The process has ended.
    Ended,
}

impl Host {
    /// Starts the program, and waits until it says who it is.
    pub(super) fn start(exe: &Path) -> Result<Self, Trouble> {
        let trouble = || {
            Trouble::new(format!("cannot replay with {}", shown(exe)))
                .hint("is it a zerver service, whose main hands its app to zerver?")
        };
        // Only we may enter a folder that `tempfile` makes.
        let folder = tempfile::Builder::new().prefix("zerver-").tempdir();
        let folder = folder.map_err(|error| Trouble::new("cannot make a folder").because(&error))?;
        let socket = folder.path().join("ipc");
        let listener = UnixListener::bind(&socket)
            .map_err(|error| Trouble::new(format!("cannot listen on {}", shown(&socket))).because(&error))?;
        let mut command = Command::new(exe);
        command.env("ZERVER_IPC", &socket).env_remove("ZERVER_CATALOG").env_remove("ZERVER_SETTINGS");
        // That of another package, where Cargo runs us.
        command.env_remove("CARGO_MANIFEST_DIR");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Process::spawn(&mut command).map_err(|error| trouble().because(&error))?;
        let said = process.stderr().map(|stderr| thread::spawn(move || lines(stderr)));
        let (tell, heard) = channel();
        let ended = tell.clone();
        process.when_ended(move || drop(ended.send(Heard::Ended)));
        thread::spawn(move || listen(&listener, &tell));
        match heard.recv_timeout(HELLO) {
            Ok(Heard::Hello(stream, hello)) if hello.is_compatible() => {
                // A step without an end does not keep us from giving up on it.
                stream.set_write_timeout(Some(REPLAY)).map_err(|error| trouble().because(&error))?;
                let (exe, patience) = (exe.to_owned(), Duration::MAX);
                Ok(Self { exe, process, stream, hello, heard, patience, said, _folder: folder })
            }
            Ok(Heard::Hello(_, hello)) => {
                let (from, to) = hello.versions;
                let mut trouble = trouble();
                trouble.causes.push(format!(
                    "it speaks versions {from} to {to} of the protocol, and this command {} to {}",
                    VERSIONS.0, VERSIONS.1
                ));
                Err(trouble.hint("use the zerver of the version that the service depends on"))
            }
            Ok(Heard::Closed(error)) => {
                let error = error.unwrap_or_else(|| ErrorKind::UnexpectedEof.into());
                Err(trouble().because(&error))
            }
            Ok(Heard::Ended) => {
                let mut trouble = trouble();
                trouble.causes.push(format!("it ended with {}", how(&mut process)));
                trouble.causes.extend(said.and_then(|said| said.join().ok()?.pop()));
                Err(trouble)
            }
            _ => {
                let mut trouble = trouble();
                trouble.causes.push(format!("it said nothing for {} s", HELLO.as_secs()));
                Err(trouble)
            }
        }
    }

    /// The id of the build.
    pub(super) fn build(&self) -> &str {
        &self.hello.build
    }

    /// Has a request run again; `announce` is told of effects that are about to be performed for real.
    pub(super) fn replay(
        &mut self,
        opened: Recording,
        edits: Edits,
        announce: &mut dyn FnMut(&str),
    ) -> Result<Report, Trouble> {
        let flow = zerver_trace::text::clean(&opened.trace.flow.name).into_owned();
        let mut at = None;
        let sent = self.ask(&HostRequest::Replay(Box::new(opened), edits));
        let mut patience = Patience::begin(Instant::now());
        loop {
            let where_ = || match &at {
                Some(step) => format!("in step {step} of flow {flow}"),
                None => format!("before the first step of flow {flow}"),
            };
            let next = self.next(patience.left(Instant::now()));
            patience.hear(&next, Instant::now());
            match next {
                Next::Run => at = None,
                Next::Before(step) => at = Some(step),
                Next::Live(name, _) => announce(&name),
                Next::Report(report) => return Ok(*report),
                Next::Refused(refusal) => {
                    let mut trouble = Trouble::new(refusal.message);
                    (trouble.causes, trouble.hints) = (refusal.causes, refusal.hints);
                    return Err(trouble);
                }
                Next::Nonsense(trouble) => return Err(trouble),
                Next::Died(how) => {
                    let trouble = Trouble::new(format!("the service died {}: {how}", where_()));
                    return Err(match sent {
                        Ok(()) => trouble,
                        Err(error) => trouble.because(&error),
                    });
                }
                Next::Nothing => {
                    self.process.kill();
                    return Err(Trouble::new(format!(
                        "no answer within {} s, {}",
                        REPLAY.as_secs(),
                        where_()
                    ))
                    .hint("a replay waits for nothing: that step does not end, or does I/O of its own"));
                }
            }
        }
    }

    /// Whether the program still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        !self.process.has_ended()
    }

    /// Asks for something; asks may go ahead of their answers.
    ///
    /// # Errors
    /// When the program does not take it: it has ended, or is busy with something that has no end.
    pub(super) fn ask(&mut self, ask: &HostRequest) -> std::io::Result<()> {
        send(&mut self.stream, ask)
    }

    /// What it says next, if it says something within this time.
    pub(super) fn next(&mut self, wait: Duration) -> Next {
        let until = Instant::now() + wait;
        loop {
            match self.heard.recv_timeout(until.saturating_duration_since(Instant::now()).min(self.patience))
            {
                Ok(Heard::Told(HostReply::RunStarted)) => return Next::Run,
                Ok(Heard::Told(HostReply::StepStarting(step))) => return Next::Before(step),
                Ok(Heard::Told(HostReply::EffectStarting { name, limit_ns: within_ns })) => {
                    return Next::Live(name, Duration::from_nanos(within_ns));
                }
                Ok(Heard::Told(HostReply::Report(report))) => return Next::Report(report),
                Ok(Heard::Told(HostReply::Failed(refusal))) => return Next::Refused(refusal),
                Ok(Heard::Hello(..)) => return Next::Nonsense(self.no_answer()),
                Ok(Heard::Closed(Some(error))) if error.kind() == ErrorKind::InvalidData => {
                    return Next::Nonsense(self.no_answer().because(&error));
                }
                // What it said before is still to be read.
                Ok(Heard::Ended) => self.patience = LAST_WORDS,
                Err(RecvTimeoutError::Timeout) if self.patience > LAST_WORDS => return Next::Nothing,
                Ok(Heard::Closed(_)) | Err(_) => return Next::Died(how(&mut self.process)),
            }
        }
    }

    fn no_answer(&self) -> Trouble {
        Trouble::new(format!("{} said what is no answer", shown(&self.exe)))
            .hint("use the zerver of the version that the service depends on")
    }

    /// What the program said beside, to the end of it; the program is gone then.
    pub(super) fn said(&mut self) -> Vec<String> {
        self.process.kill();
        self.said.take().and_then(|said| said.join().ok()).unwrap_or_default()
    }
}

fn how(process: &mut Process) -> String {
    process.kill();
    process.reap().map_or_else(|error| error.to_string(), |exit| exit.text)
}

fn listen(listener: &UnixListener, tell: &Sender<Heard>) {
    let heard = listener.accept().and_then(|(stream, _)| {
        let mut told = BufReader::new(stream.try_clone()?);
        let Some(hello) = receive(&mut told)? else { return Ok(()) };
        // Nobody listens any more when the time is over.
        let _ = tell.send(Heard::Hello(stream, hello));
        while let Some(told) = receive(&mut told)? {
            let _ = tell.send(Heard::Told(told));
        }
        Ok(())
    });
    let _ = tell.send(Heard::Closed(heard.err()));
}

/// The lines of what a program says, made safe for a terminal.
fn lines(said: impl Read) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut said, mut line) = (BufReader::new(said), Vec::new());
    let mut kept = 0;
    while matches!(said.by_ref().take(SAID).read_until(b'\n', &mut line), Ok(1..)) {
        kept += line.len() as u64;
        // The rest is read too, so that the program does not wait for us.
        if kept <= SAID {
            lines.push(clean_bytes(line.trim_ascii_end()));
        }
        line.clear();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_its_own_time_and_a_step_has_none() {
        let begun = Instant::now();
        let at = |s: u64| begun + Duration::from_secs(s);
        let mut patience = Patience::begin(begun);
        assert_eq!(patience.left(at(0)), REPLAY);
        patience.hear(&Next::Before("spin".to_owned()), at(9));
        assert_eq!(patience.left(at(9)), Duration::from_secs(1));
        assert_eq!(patience.left(at(11)), Duration::ZERO);
        // A second run, after one that took nearly all of its time; and one after a request that took more than that.
        for s in [9, 18, 60] {
            patience.hear(&Next::Run, at(s));
            assert_eq!(patience.left(at(s)), REPLAY);
        }
        patience.hear(&Next::Live("http GET a".to_owned(), Duration::from_secs(30)), at(61));
        assert_eq!(patience.left(at(61)), Duration::from_secs(40));
    }
}
