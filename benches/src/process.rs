//! The servers, each in a process of its own on the first core.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use zerver_recorder::{Policy, Tail};

use crate::{axum_twin, say, todos};

/// A server to compare. The first is what the others are compared with.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Variant {
    Axum,
    Unrecorded,
    Tail,
    All,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] = [Self::Axum, Self::Unrecorded, Self::Tail, Self::All];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum 0.8",
            Self::Unrecorded => "zerver, unrecorded",
            Self::Tail => "zerver, tail",
            Self::All => "zerver, all",
        }
    }

    const fn argument(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Unrecorded => "off",
            Self::Tail => "tail",
            Self::All => "all",
        }
    }
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    store: PathBuf,
}

impl Server {
    pub(crate) fn start(variant: Variant) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let store = std::env::temp_dir().join(format!("zerver-bench-{}", std::process::id()));
        let mut child = Command::new(program)
            .args(["serve", variant.argument()])
            .env("ZERVER_STORE", &store)
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

/// The processor time of this thread so far.
pub(crate) fn cpu() -> Result<Duration, String> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").map_err(|error| error.to_string())?;
    let ns = text.split(' ').next().and_then(|ns| ns.parse().ok()).ok_or("no processor time")?;
    Ok(Duration::from_nanos(ns))
}

/// Keeps this process, with the threads it will start, on one core, where there are several.
pub(crate) fn stay_on(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    // On a machine with one core everything shares it, and the ratios still hold.
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

/// The other side of [`Server::start`].
pub(crate) fn serve(variant: &str) -> ExitCode {
    stay_on(0);
    let ready = |addr: SocketAddr| {
        say(&addr.to_string());
        let _ = std::io::stdout().flush();
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    };
    let result = match variant {
        "axum" => axum_twin::serve(ready),
        "off" => todos::serve(None, ready),
        "tail" => todos::serve(Some(Policy::Tail(Tail::default())), ready),
        _ => todos::serve(Some(Policy::All), ready),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(2)
        }
    }
}
