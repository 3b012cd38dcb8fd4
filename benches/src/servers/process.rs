//! Server processes, their processor time and memory, and the placement of processes on cores.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::cpu_work;

/// Interval in which a server that is at rest uses no processor time.
const REST_INTERVAL: Duration = Duration::from_millis(60);

/// Maximum number of intervals to wait for a server to come to rest.
const REST_ATTEMPTS: usize = 100;

/// A running server process.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    store: PathBuf,
}

impl Server {
    /// Starts the server that [`serve`](super::serve) knows by this name.
    pub(crate) fn start(name: &str) -> Result<Self, String> {
        Self::launch(Command::new(program()?), name)
    }

    /// Starts the server by a command that runs [`program`].
    pub(crate) fn launch(mut command: Command, name: &str) -> Result<Self, String> {
        let store = std::env::temp_dir().join(format!("zerver-bench-{}", std::process::id()));
        let mut child = command
            .args(["serve", name])
            .env("ZERVER_STORE", &store)
            .env(cpu_work::ENV, cpu_work::rounds_per_ms().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(|error| error.to_string())?;
        }
        let addr =
            line.trim().parse().map_err(|_| format!("the server printed {line:?} instead of its address"))?;
        Ok(Self { child, addr, store })
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns the processor time of all threads since the start.
    pub(crate) fn cpu(&self) -> std::io::Result<Duration> {
        cpu_of(self.child.id(), |_| true)
    }

    /// Returns the processor time of the threads of this name.
    pub(crate) fn thread_cpu(&self, name: &str) -> std::io::Result<Duration> {
        cpu_of(self.child.id(), |found| found == name)
    }

    /// Returns the same once the server is at rest, and has written what it recorded.
    pub(crate) fn cpu_at_rest(&self) -> std::io::Result<Duration> {
        let mut before = self.cpu()?;
        for _ in 0..REST_ATTEMPTS {
            std::thread::sleep(REST_INTERVAL);
            let now = self.cpu()?;
            // The watchdog of a service always uses a few microseconds.
            if now - before < Duration::from_millis(1) {
                return Ok(now);
            }
            before = now;
        }
        Ok(before)
    }

    /// Returns the resident memory and its peak, in bytes.
    pub(crate) fn memory(&self) -> std::io::Result<(u64, u64)> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix(" kB")?.parse::<u64>().ok()
        };
        Ok((kib("VmRSS:").unwrap_or(0) * 1024, kib("VmHWM:").unwrap_or(0) * 1024))
    }

    /// Kills the server.
    pub(crate) fn kill(mut self) -> Result<(), String> {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).map_err(|error| error.to_string())
    }

    /// Stops the server. `inspect` may read its store before the store is removed.
    pub(crate) fn stop<T>(mut self, inspect: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
        // The server stops when its standard input is closed.
        drop(self.child.stdin.take());
        let status = self.child.wait().map_err(|error| error.to_string())?;
        let inspected = inspect(&self.store);
        let _ = std::fs::remove_dir_all(&self.store);
        if status.success() { inspected } else { Err(format!("the server exited with {status}")) }
    }
}

/// Returns the processor time of this process, including threads that have ended.
pub(crate) fn own_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Returns the processor time of the threads of a process whose names `is_wanted`.
fn cpu_of(process: u32, is_wanted: impl Fn(&str) -> bool) -> std::io::Result<Duration> {
    let mut total = 0;
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.path();
        if is_wanted(std::fs::read_to_string(task.join("comm"))?.trim()) {
            let text = std::fs::read_to_string(task.join("schedstat"))?;
            total += text.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(total))
}

/// Returns the path of this program.
pub(crate) fn program() -> Result<PathBuf, String> {
    std::env::current_exe().map_err(|error| error.to_string())
}

/// Returns the processor time of this thread.
pub(crate) fn thread_cpu() -> Result<Duration, String> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(|error| error.to_string())?;
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or("no processor time")?;
    Ok(Duration::from_nanos(ns))
}

/// Pins this process, and the threads that it will start, to one core, if there are several.
pub(crate) fn pin_to(core: usize) {
    set_cores(core..core + 1);
}

/// Lets this process use all cores.
pub(crate) fn unpin() {
    set_cores(0..rustix::thread::CpuSet::MAX_CPU);
}

fn set_cores(range: Range<usize>) {
    let mut cores = rustix::thread::CpuSet::new();
    range.for_each(|core| cores.set(core));
    // On a machine with one core all processes share it, and the ratios still hold.
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

/// Raises the limit on open files to its maximum, and returns it.
pub(crate) fn raise_file_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}
