//! Runs a service as a program: environment, signals, exit code.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::environment::Environment;
use super::log_printer;
use super::recorded_app::RecordedApp;
use super::settings_reload::{BackgroundRead, SettingsReload};
use crate::config::{Layers, LoadedSettings, TlsFiles};
use crate::execution::panic_report;
use crate::operator_log;
use crate::platform;
#[cfg(feature = "replay")]
use crate::replay_host::host;
use crate::server::listener;
use crate::{App, StartError, StartOptions};

/// Exit code of a service that could not start.
const CANNOT_START: u8 = 2;

/// Exit code of a service that received a second signal to stop.
const FORCED: i32 = 1;

/// Runs a service until SIGTERM or SIGINT (Ctrl-C), as [`main!`](crate::main) does. Settings in `zerver.toml` and in the
/// environment override those of the program.
///
/// ```no_run
/// use std::process::ExitCode;
/// use zerver::prelude::*;
///
/// fn main() -> ExitCode {
///     zerver::run(App::new())
/// }
/// ```
///
/// On the first signal, the service stops accepting connections, answers the requests in flight, and writes the recorded
/// traces; the exit code is then 0. On the second signal, it exits immediately with 1. If it cannot start, the exit code is
/// 2, and standard error contains the reason.
///
/// Messages are printed on standard error, unless the program has installed a `tracing` subscriber before.
///
/// The message of a panic may quote data of a client, so it is cleaned and masked before it is printed: see
/// `docs/reference/secrets.md`. This replaces a panic hook that was set before. A hook that is set later, such as in
/// [`App::on_startup`], may call it.
///
/// On SIGHUP, the service reads `zerver.toml` again and applies the settings that can change while it runs; a message names
/// those that cannot. A file with an error changes nothing. If the service was started in a terminal that has been closed,
/// SIGHUP stops it. A limit on the size of files (SIGXFSZ) has the same effect on the recorder as a full disk.
pub fn run(app: App) -> ExitCode {
    log_printer::install();
    match try_run(app) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            operator_log::error(&error.full_message());
            ExitCode::from(CANNOT_START)
        }
    }
}

impl App {
    /// Runs the service, like [`run`].
    pub fn run(self) -> ExitCode {
        run(self)
    }
}

/// Serves `zerver` itself, if it has started this program: hosts replays, or prints the flows or the settings. The process then
/// ends; otherwise, this returns at once. Programs that [mount](App::mount) flows call it first, so that the commands of
/// `zerver` work on them, too. [`run`] does so by itself.
///
/// `app` is an [`App`], or the function that returns it. See [`App::mount`] for an example.
pub fn host_if_asked(app: impl IntoApp) {
    match Environment::read() {
        Ok(environment) if !environment.is_asked() => {}
        environment => {
            log_printer::install();
            let code = match environment.and_then(|environment| prepare(app.into_app(), &environment)) {
                Ok(_) => 0,
                Err(error) => {
                    operator_log::error(&error.full_message());
                    i32::from(CANNOT_START)
                }
            };
            std::process::exit(code)
        }
    }
}

/// An [`App`], or a function that returns one.
pub trait IntoApp {
    /// Returns the app.
    fn into_app(self) -> App;
}

impl IntoApp for App {
    fn into_app(self) -> App {
        self
    }
}

impl<F: FnOnce() -> App> IntoApp for F {
    fn into_app(self) -> App {
        self()
    }
}

/// Loads the settings of an app. Returns `None` if the program was started by `zerver` itself, which then has its answer.
fn prepare(app: App, environment: &Environment) -> Result<Option<(App, Layers, LoadedSettings)>, StartError> {
    panic_report::install_hook();
    if environment.catalog {
        print(&app.full_catalog()?)?;
        return Ok(None);
    }
    if environment.openapi {
        app.catalog()?;
        print(&app.openapi_json())?;
        return Ok(None);
    }
    if environment.ipc.is_none() {
        Environment::unknown_variables().iter().for_each(|message| operator_log::warn(message));
    }
    let layers = environment.layers(app.config().clone());
    let loaded = layers.load()?;
    if environment.settings {
        print(&loaded.document())?;
        return Ok(None);
    }
    let mut config = loaded.config.clone();
    if environment.dev && !config.tls.cert.is_empty() {
        // `dev` reads the status of the service, and suggests commands for it.
        config.tls = TlsFiles::default();
        operator_log::info("TLS is off under zerver dev");
    }
    let app = app.with_config(config);
    operator_log::mask(app.secrets());
    #[cfg(feature = "replay")]
    if let Some(socket) = &environment.ipc {
        host::serve(app, socket)?;
        return Ok(None);
    }
    Ok(Some((app, layers, loaded)))
}

fn try_run(app: App) -> Result<(), StartError> {
    let environment = Environment::read()?;
    let Some((app, layers, loaded)) = prepare(app, &environment)? else { return Ok(()) };
    // From here on, a signal stops the service gracefully, even while it starts.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
    let mut signals = {
        let _context = runtime.enter();
        Signals::new().map_err(StartError::Worker)?
    };
    let listener = match listener::inherited()? {
        Some(listener) => listener,
        None => listener::listen(&loaded.config.addr)?,
    };
    let RecordedApp { app, options, recorder } = RecordedApp::new(app, &loaded, &environment)?;
    let server = app.start(StartOptions { listener: Some(listener), ..options })?;
    let notify = environment.notify.as_deref();
    if !environment.dev {
        let scheme = if server.uses_tls() { "https" } else { "http" };
        operator_log::info(&format!("listening on {scheme}://{}", server.addr()));
    }
    let mut reload = SettingsReload {
        layers: Arc::new(layers),
        started: loaded.clone(),
        loaded,
        server: &server,
        recorder: recorder.as_deref(),
        reading: BackgroundRead::default(),
    };
    let mut is_ready = false;
    let startup_error = runtime.block_on(async {
        loop {
            tokio::select! {
                ready = server.ready(), if !is_ready => match ready {
                    Ok(()) => {
                        is_ready = true;
                        notify_manager(notify, "READY=1");
                    }
                    Err(error) => break Some(error),
                },
                action = signals.next() => match action {
                    SignalAction::Stop => break None,
                    SignalAction::ReloadSettings => {
                        server.reload_certificates();
                        reload.begin();
                    }
                },
                read = reload.reading.done() => reload.apply(read),
            }
        }
    });
    notify_manager(notify, "STOPPING=1");
    std::thread::spawn(move || {
        while runtime.block_on(signals.next()) == SignalAction::ReloadSettings {}
        std::process::exit(FORCED);
    });
    server.stop();
    if let Some(recorder) = recorder {
        recorder.close();
    }
    startup_error.map_or(Ok(()), Err)
}

/// Prints one JSON document.
pub(super) fn print(document: &(impl serde::Serialize + ?Sized)) -> Result<(), StartError> {
    let mut out = io::stdout().lock();
    // The reader may have closed the pipe, which is not an error.
    let _ = serde_json::to_writer(&mut out, document).map_err(io::Error::from).and_then(|()| writeln!(out));
    Ok(())
}

/// Prints a message on standard error, for a program without a subscriber.
pub(super) fn print_message(prefix: &str, message: &str) {
    // A closed standard error is no reason to stop.
    let _ = writeln!(io::stderr().lock(), "{prefix}: {}", operator_log::safe(message));
}

/// Notifies the service manager of the state (sd_notify(3)).
pub(super) fn notify_manager(socket: Option<&OsStr>, state: &str) {
    let Some(socket) = socket else { return };
    let addr = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => platform::abstract_address(name),
        None => SocketAddr::from_pathname(socket),
    };
    let sent = addr.and_then(|addr| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &addr));
    if let Err(error) = sent {
        operator_log::warn(&format!("cannot notify NOTIFY_SOCKET {}: {error}", socket.to_string_lossy()));
    }
}

/// The action that a signal requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignalAction {
    Stop,
    ReloadSettings,
}

/// The signals that a service handles.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// True if the service was started in a terminal, which can be closed.
    started_in_terminal: bool,
    /// Handled so that it does not end the process. The write that exceeds the limit returns an error anyway.
    _too_large: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            started_in_terminal: is_in_terminal(),
            _too_large: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    async fn next(&mut self) -> SignalAction {
        tokio::select! {
            _ = self.terminate.recv() => SignalAction::Stop,
            _ = self.interrupt.recv() => SignalAction::Stop,
            // A closed terminal is no longer a terminal.
            _ = self.hang_up.recv() => match self.started_in_terminal && !is_in_terminal() {
                true => SignalAction::Stop,
                false => SignalAction::ReloadSettings,
            },
        }
    }
}

fn is_in_terminal() -> bool {
    io::stdin().is_terminal() || io::stderr().is_terminal()
}
