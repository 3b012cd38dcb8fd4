//! Support of `zerver-tower` for programs that are no services of zerver: a recorder with the settings of a service, request ids,
//! and the socket.

use std::net::TcpListener;
use std::sync::Arc;

use http::HeaderValue;
use zerver_recorder::Recorder;
use zerver_trace::{FlowInfo, RequestId};

use super::environment::Environment;
use super::shipped_recorder::ShippedRecorder;
use super::{recorder_startup, run};
use crate::config::{Config, LoadedSettings};
use crate::execution::request_ids::{RequestIds, header_value};
use crate::http::tokens_match;
use crate::server::listener;
use crate::{App, MountedFlows, Recording, StartError, operator_log};

/// Maximum number of bytes that a recorder keeps of a body. It may keep fewer.
const MAX_BODY: usize = 192 << 10;

/// Exit code of a program that was started to replay requests and cannot.
const CANNOT_REPLAY: i32 = 2;

thread_local! {
    /// `None` if the system provides no random numbers.
    static IDS: Option<RequestIds> = RequestIds::new().ok();
}

/// A recorder with the settings of a service. Dropping it writes what it has accepted.
#[derive(Debug)]
pub struct LayerRecorder {
    owner: RecorderOwner,
    token: Option<String>,
    body_bytes: usize,
}

/// The owner of a recorder.
#[derive(Debug)]
enum RecorderOwner {
    /// The layer. `None` once it is dropped.
    Layer(Option<ShippedRecorder>),
    /// Flows that the program mounts next to its handlers.
    Flows(MountedFlows),
}

/// An extension of responses: a flow has recorded the request.
#[derive(Debug, Clone, Copy)]
pub struct RecordedByFlow;

impl LayerRecorder {
    /// Opens the store. Settings in `zerver.toml` and in the environment override those of the program. Returns `None` if they
    /// turn recording off.
    ///
    /// If `zerver` has started the program to ask for its settings or its flows, prints them, and ends the process. The flows
    /// are unknown here.
    ///
    /// # Errors
    /// If a setting is invalid, or the store cannot be opened.
    pub fn open(program: Recording) -> Result<Option<Self>, StartError> {
        let (environment, loaded) = load(Config { recording: program, ..Config::default() })?;
        let secrets = App::new().with_config(loaded.config.clone()).secrets();
        operator_log::mask(secrets.clone());
        let recorder = recorder_startup::open(&loaded, &environment, secrets)?;
        let LoadedSettings { config: Config { recording, .. }, .. } = loaded;
        Ok(recorder.map(|recorder| Self {
            owner: RecorderOwner::Layer(Some(recorder)),
            token: recording.token,
            body_bytes: recording.body_bytes,
        }))
    }

    /// Shares the recorder of mounted flows, since a store has one writer. Returns `None` if they are not recorded.
    pub fn of_flows(flows: &MountedFlows) -> Option<Self> {
        flows.recorder()?;
        let token = flows.record_token().map(str::to_owned);
        Some(Self { owner: RecorderOwner::Flows(flows.clone()), token, body_bytes: MAX_BODY })
    }

    /// Returns the recorder.
    pub fn recorder(&self) -> Option<&Recorder> {
        match &self.owner {
            RecorderOwner::Layer(recorder) => recorder.as_deref(),
            RecorderOwner::Flows(flows) => flows.recorder(),
        }
    }

    /// Stores the flows of this build: those that are mounted, and these.
    pub fn declare(&self, flows: &[Arc<FlowInfo>]) {
        let mounted = match &self.owner {
            RecorderOwner::Layer(_) => Vec::new(),
            RecorderOwner::Flows(flows) => flows.catalog(),
        };
        if let Some(recorder) = self.recorder() {
            recorder.declare(&[&mounted, flows].concat());
        }
    }

    /// Returns the maximum number of bytes that are recorded of each body.
    pub const fn body_bytes(&self) -> usize {
        self.body_bytes
    }

    /// Returns true if clients can have requests recorded.
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns true if the value of `x-zerver-record` is the token with which a client may have a request recorded.
    pub fn is_token(&self, received: &[u8]) -> bool {
        self.token.as_ref().is_some_and(|token| tokens_match(received, token.as_bytes()))
    }
}

impl Drop for LayerRecorder {
    fn drop(&mut self) {
        if let RecorderOwner::Layer(recorder) = &mut self.owner
            && let Some(recorder) = recorder.take()
        {
            recorder.close();
        }
    }
}

/// Loads the settings. If `zerver` itself has started the program, answers it, and ends the process.
fn load(program: Config) -> Result<(Environment, LoadedSettings), StartError> {
    let environment = match Environment::read() {
        Err(StartError::MissingFeature { setting, .. }) if setting == "ZERVER_IPC" => refuse_replay(),
        read => read?,
    };
    if environment.ipc.is_some() {
        refuse_replay();
    }
    if environment.catalog {
        // The program does not know its routes. Those that have been requested are in the store.
        exit_after(run::print(&[(); 0]));
    }
    if environment.openapi {
        exit_after(run::print(&App::new().openapi_json()));
    }
    let loaded = environment.layers(program).load()?;
    if environment.settings {
        exit_after(run::print(&loaded.document()));
    }
    Ok((environment, loaded))
}

fn refuse_replay() -> ! {
    run::print_message("error", "this program is recorded by a layer; zerver cannot run its steps");
    std::process::exit(CANNOT_REPLAY);
}

fn exit_after(printed: Result<(), StartError>) -> ! {
    std::process::exit(i32::from(printed.is_err()));
}

/// Reports that requests are not recorded, and why.
pub fn report_unrecorded(error: &StartError) {
    let message = format!("recording is off: {}", error.full_message());
    if tracing::dispatcher::has_been_set() {
        operator_log::warn(&message);
    } else {
        // Without a subscriber, the message would be lost.
        run::print_message("warning", &message);
    }
}

/// Returns the id of a request that arrived at this time. `None` if the system provides no random numbers.
pub fn next_request_id(unix_ns: u64) -> Option<RequestId> {
    IDS.with(|ids| ids.as_ref().map(|ids| ids.next(unix_ns)))
}

/// Returns the value of the header `x-request-id`.
pub fn request_id_header(id: RequestId) -> HeaderValue {
    header_value(id)
}

/// Returns the socket that `zerver dev` or systemd passes, and otherwise one that listens on the address. `addr` in `zerver.toml`
/// and `ZERVER_ADDR` override it. The service manager learns that the program accepts connections.
///
/// # Errors
/// If a setting is invalid, or the address cannot be listened on.
pub fn listen(addr: &str) -> Result<TcpListener, StartError> {
    let (environment, loaded) = load(Config { addr: addr.to_owned(), ..Config::default() })?;
    let listener = match listener::inherited()? {
        Some(listener) => listener,
        None => listener::listen(&loaded.config.addr)?,
    };
    run::notify_manager(environment.notify.as_deref(), "READY=1");
    Ok(listener)
}
