//! Runs a service as a program: environment, signals, exit code.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use zerver_recorder::Recorder;

use crate::environment::Environment;
use crate::{App, Impure, Settings, StartError, host, listen, notice, record};

/// The exit code of a service that could not start.
const TROUBLE: u8 = 2;

/// The exit code of a service that was told twice to stop.
const FORCED: i32 = 1;

/// Runs a service until SIGTERM or SIGINT (Ctrl-C), as [`main!`](crate::main) does: the environment says where it
/// listens and what it records.
///
/// On the first signal it stops accepting, answers what is in flight, and writes what is recorded; then the exit code
/// is 0. On the second it exits at once with 1. When it cannot start, the code is 2 and standard error says why.
///
/// A SIGHUP counts as such a signal where the service runs in a terminal, which has then gone away; elsewhere it does
/// nothing, for there is nothing to reload. A limit on the size of files (SIGXFSZ) is to the recorder what a full disk
/// is.
pub fn run(app: App) -> ExitCode {
    match try_run(app) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            notice::error(&error.to_string());
            ExitCode::from(TROUBLE)
        }
    }
}

impl App {
    /// The same as [`run`].
    pub fn run(self) -> ExitCode {
        run(self)
    }
}

fn try_run(app: App) -> Result<(), StartError> {
    let environment = Environment::read()?;
    if let Some(socket) = &environment.ipc {
        return host::serve(app, socket);
    }
    if environment.catalog {
        return print_catalog(&app);
    }
    // From here on a signal drains instead of killing, also one that arrives while it starts.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    let mut signals = {
        let _context = runtime.enter();
        Signals::new().map_err(StartError::Worker)?
    };
    let listener = match listen::inherited()? {
        Some(listener) => listener,
        None => listen::listen(environment.addr.as_deref().unwrap_or(app.listens_on()))?,
    };
    let recorder = record::open(&environment)?;
    if let Some(recorder) = &recorder {
        recorder.declare(&app.catalog()?);
    }
    let app = match environment.workers {
        Some(workers) => app.workers(workers),
        None => app,
    };
    let app = match environment.batch_workers {
        Some(workers) => app.batch_workers(workers),
        None => app,
    };
    let running = app.start(Settings {
        listener: Some(listener),
        sink: recorder.as_ref().map(Recorder::sink),
        record_token: environment.record_token,
        twice: environment.twice.then(|| Arc::new(tell_impure) as _),
        ..Settings::default()
    })?;
    let notify = environment.notify.as_deref();
    tell(notify, "READY=1");
    if !environment.dev {
        notice::say(&format!("listening on http://{}", running.addr()));
    }
    runtime.block_on(signals.next());
    tell(notify, "STOPPING=1");
    std::thread::spawn(move || {
        runtime.block_on(signals.next());
        std::process::exit(FORCED);
    });
    running.stop();
    if let Some(recorder) = recorder {
        record::close(recorder);
    }
    Ok(())
}

/// Tells whoever develops the service of a step that is not the same twice.
fn tell_impure(impure: &Impure) {
    notice::warn(&format!("{impure}; a step may use nothing but its slots (ZERVER_TWICE=0 runs it once)"));
}

fn print_catalog(app: &App) -> Result<(), StartError> {
    let catalog = app.catalog()?;
    let mut out = io::stdout().lock();
    // Whoever asked may have gone; that is not for us to say.
    let _ = serde_json::to_writer(&mut out, &catalog).map_err(io::Error::from).and_then(|()| writeln!(out));
    Ok(())
}

/// Tells a service manager how it goes (sd_notify(3)).
fn tell(socket: Option<&OsStr>, state: &str) {
    let Some(socket) = socket else { return };
    let addr = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(socket),
    };
    let told = addr.and_then(|addr| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &addr));
    if let Err(error) = told {
        notice::warn(&format!("cannot tell NOTIFY_SOCKET {}: {error}", socket.to_string_lossy()));
    }
}

/// The signals that stop a service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Whether there is a terminal that can go away.
    in_terminal: bool,
    /// Listened for, so that it does not kill: the write that is too large fails as well.
    _too_large: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            in_terminal: io::stdin().is_terminal() || io::stderr().is_terminal(),
            _too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => if self.in_terminal { return },
            }
        }
    }
}
