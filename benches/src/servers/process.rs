//! The servers, each in a process of its own on the first core.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use crate::variant::Variant;
use crate::{busy, busy_axum, say, work};

/// How long a server is looked at to see whether it is still at work.
const LOOK: Duration = Duration::from_millis(60);

/// So often it is looked at; then it is taken as it is.
const LOOKS: usize = 100;

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    store: PathBuf,
}

impl Server {
    /// One that [`serve`] knows by this name.
    pub(crate) fn start(name: &str) -> Result<Self, String> {
        Self::launch(Command::new(program()?), name)
    }

    /// The same by a command that runs [`program`].
    pub(crate) fn launch(mut command: Command, name: &str) -> Result<Self, String> {
        let store = std::env::temp_dir().join(format!("zerver-bench-{}", std::process::id()));
        let mut child = command
            .args(["serve", name])
            .env("ZERVER_STORE", &store)
            .env(work::ENV, work::rounds_per_ms().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let addr =
            line.trim().parse().map_err(|_| format!("the server said {line:?} instead of its address"))?;
        Ok(Self { child, addr, store })
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> std::io::Result<Duration> {
        let mut total = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            total += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(total))
    }

    /// The same, once it has done what it had left to do, such as writing down what it recorded.
    pub(crate) fn cpu_at_rest(&self) -> std::io::Result<Duration> {
        let mut before = self.cpu()?;
        for _ in 0..LOOKS {
            std::thread::sleep(LOOK);
            let now = self.cpu()?;
            // The watchdog of a service looks about all the time, for a few microseconds.
            if now - before < Duration::from_millis(1) {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }

    /// How much memory it has, and the most it has had, in bytes.
    pub(crate) fn memory(&self) -> std::io::Result<(u64, u64)> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        Ok((kib("VmRSS:").unwrap_or(0) * 1024, kib("VmHWM:").unwrap_or(0) * 1024))
    }

    /// Ends it at once, whatever it does.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| error.to_string())
    }

    /// Ends it; `look` may look into its store before that is gone.
    pub(crate) fn stop<T>(mut self, look: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
        // It ends when its standard input does.
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let looked = look(&self.store);
        let _ = std::fs::remove_dir_all(&self.store);
        if status.success() { looked } else { Err(format!("the server ended with {status}")) }
    }
}

/// What is running.
pub(crate) fn program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// The processor time of this thread so far.
pub(crate) fn cpu() -> Result<Duration, String> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(|error| error.to_string())?;
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or("no processor time")?;
    Ok(Duration::from_nanos(ns))
}

/// Keeps this process, with the threads it will start, on one core, where there are several.
pub(crate) fn stay_on(core: usize) {
    stay_among(core..core + 1);
}

/// Lets it use all cores.
pub(crate) fn roam() {
    stay_among(0..rustix::thread::CpuSet::MAX_CPU);
}

fn stay_among(among: Range<usize>) {
    let mut cores = rustix::thread::CpuSet::new();
    among.for_each(|core| cores.set(core));
    // On a machine with one core everything shares it, and the ratios still hold.
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

/// Lets this process have as many open files as it may. How many those are.
pub(crate) fn open_many() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// The other side of [`Server::start`].
pub(crate) fn serve(name: &str) -> ExitCode {
    stay_on(0);
    open_many();
    let ready = |addr: SocketAddr| {
        say(&addr.to_string());
        let _ = std::io::stdout().flush();
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    };
    let variant = Variant::ALL.into_iter().find(|variant| variant.argument() == name);
    let result = match (variant, name) {
        (Some(variant), _) => variant.serve(ready),
        (None, "busy") => busy::serve(ready),
        (None, "busy-axum") => busy_axum::serve(false, ready),
        (None, "busy-axum-blocking") => busy_axum::serve(true, ready),
        (None, _) => Err(format!("there is no server {name}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(2)
        }
    }
}
