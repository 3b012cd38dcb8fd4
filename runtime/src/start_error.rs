//! Reasons why a service cannot start.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::effects::MissingResource;

/// Reason why a service cannot start.
///
/// The message does not repeat the cause, which [`source`](Error::source) returns.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two flows have the same name.
    #[error("two flows are named {name}: {first} and {second}; rename one of them")]
    DuplicateName {
        /// Name of both flows.
        name: String,
        /// Route of the first flow.
        first: String,
        /// Route of the second flow.
        second: String,
    },
    /// Two flows match the same requests.
    #[error("flows {first} ({first_route}) and {second} ({second_route}) match the same requests")]
    Conflict {
        /// Name of the first flow.
        first: String,
        /// Name of the second flow.
        second: String,
        /// Route of the first flow.
        first_route: String,
        /// Route of the second flow.
        second_route: String,
    },
    /// A route is malformed.
    #[error("flow {flow} has an invalid route, {route}: {reason}")]
    Route {
        /// Name of the flow.
        flow: String,
        /// Route of the flow.
        route: String,
        /// Fault of the route.
        reason: String,
    },
    /// Slots of a flow cannot be distinguished by name.
    #[error("flow {flow} is invalid")]
    Slots {
        /// Name of the flow.
        flow: String,
        /// The ambiguity.
        #[source]
        error: zerver_engine::FlowError,
    },
    /// A limit names a kind of effect that the program does not have.
    #[error("limits.effects_per_kind names {kind}, but this program performs only {kinds}")]
    UnknownEffectKind {
        /// Name in the limit.
        kind: String,
        /// Names of the existing kinds.
        kinds: String,
    },
    /// The limit of effects of a request is 0.
    #[error("limits.effects is 0, so that no effect could be performed; it must be at least 1")]
    NoEffects,
    /// The settings of CORS would let each site act for each user.
    #[error(
        "cors.credentials is true, and cors.origins contains *, so that any site could use this service as the user of the \
         browser; list the origins"
    )]
    CorsCredentials,
    /// Proxies announce connections, but none is trusted.
    #[error(
        "proxy.protocol is set, but proxy.trusted lists no proxy from which a connection may be announced"
    )]
    UntrustedProxies,
    /// A setting of CORS cannot be in a header.
    #[error("the settings of CORS contain {value:?}, which cannot be in a header")]
    CorsValue {
        /// The value.
        value: String,
    },
    /// Flows are neither protected nor public, in a service that requires it.
    #[error(
        "anyone may use the {flows}: put a step that protects before its own, such as RequireJwt, or declare it as public in \
         flow!"
    )]
    Unprotected {
        /// Names of the flows.
        flows: String,
    },
    /// The numbers of certificates and of keys differ.
    #[error(
        "tls.cert names {certs} file{} and tls.key {keys}; each certificate needs its key, in the same order",
        if *certs == 1 { "" } else { "s" }
    )]
    TlsPairs {
        /// Number of files with certificates.
        certs: usize,
        /// Number of files with keys.
        keys: usize,
    },
    /// A certificate or a key cannot be used.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Certificate(crate::tls::CertificateError),
    /// TLS cannot be set up.
    #[cfg(feature = "tls")]
    #[error("cannot use TLS")]
    Tls(#[source] rustls::Error),
    /// A rule of chaos is for a kind of effect that the program does not have.
    #[error(
        "chaos rule {rule} is for a kind of effect that this program does not perform; it performs {kinds}"
    )]
    UnknownChaosKind {
        /// The rule.
        rule: String,
        /// Names of the existing kinds.
        kinds: String,
    },
    /// Rules of chaos are set where they would affect real users.
    #[error(
        "{place}: chaos.rules inject faults into real requests, and only `zerver dev` accepts them; remove them, or set \
         chaos.allow_outside_dev = true"
    )]
    ChaosOutsideDev {
        /// File and line, or the variable.
        place: String,
    },
    /// Two kinds of effects have the same name.
    #[error(
        "two kinds of effects are named {kind}; give one of them another name with #[effect(kind = \"..\")]"
    )]
    DuplicateEffectKind {
        /// Name of both kinds.
        kind: &'static str,
    },
    /// An effect takes a resource that the program does not provide.
    #[error(transparent)]
    Resource(MissingResource),
    /// The address to listen on is malformed, or its host is unknown.
    #[error("not an address to listen on: {addr:?}; an address looks like 127.0.0.1:3000")]
    Address {
        /// The given address.
        addr: String,
    },
    /// Another program listens on the address.
    #[error("port {} of {} is in use{}", addr.port(), addr.ip(), suggestion(*free))]
    InUse {
        /// The address.
        addr: SocketAddr,
        /// Next free port of the same host.
        free: Option<SocketAddr>,
    },
    /// The system does not allow listening on the address.
    #[error("cannot listen on {addr}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// Error of the system.
        #[source]
        error: io::Error,
    },
    /// The socket that was handed over cannot be listened on.
    #[error("cannot use the socket from LISTEN_FDS")]
    Inherited(#[source] io::Error),
    /// An environment variable has an invalid value.
    #[error("invalid {name}={value:?}: must be {requirement}")]
    Variable {
        /// Name of the variable.
        name: String,
        /// Value of the variable.
        value: String,
        /// Description of a valid value.
        requirement: String,
    },
    /// A setting in `zerver.toml` or in the environment is invalid or unknown.
    #[error("{place}: {reason}")]
    Setting {
        /// File and line, or the variable.
        place: String,
        /// Fault of the setting, with a valid alternative.
        reason: String,
    },
    /// A setting needs a Cargo feature that the program is built without.
    #[error("{setting} needs the Cargo feature {feature}, which this program is built without")]
    MissingFeature {
        /// Setting, with the place where it is set.
        setting: String,
        /// Name of the feature of the crate `zerver`.
        feature: &'static str,
    },
    /// `zerver.toml` cannot be read.
    #[error("cannot read the settings in {}: {reason}", path.display())]
    ConfigFile {
        /// Path of the file.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// The store cannot be opened.
    #[error("cannot record")]
    Store {
        /// Directory of the store.
        dir: PathBuf,
        /// Error of the store.
        #[source]
        error: zerver_recorder::OpenError,
    },
    /// The fleet is out of reach, and the settings require it.
    #[error(
        "{place}: the fleet is out of reach: {reason}; {hint}without fleet.required, the service starts and ships later"
    )]
    Fleet {
        /// File and line, or the variable.
        place: String,
        /// Reason.
        reason: String,
        /// Advice on what to do, or nothing.
        hint: String,
    },
    /// The wall clock shows a time before 1970, for which no response could be written.
    #[error(
        "the system clock shows a time before 1970, which the date header of a response cannot express; set the clock"
    )]
    WallClock,
    /// The system provides no threads, timers or random numbers.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
    /// The scheduling settings contradict each other.
    #[error("cannot use the settings of App::scheduling")]
    Scheduling(#[source] zerver_engine::SettingError),
    /// The program that requests replays cannot be reached.
    #[error("cannot communicate on ZERVER_IPC={}", socket.display())]
    Ipc {
        /// Path of the socket.
        socket: PathBuf,
        /// Error of the system.
        #[source]
        error: io::Error,
    },
    /// A hook that [`App::on_startup`](crate::App::on_startup) added has failed.
    #[error(transparent)]
    Startup(crate::BoxError),
}

impl StartError {
    /// Returns the message followed by its causes and a hint, for printing.
    pub(crate) fn full_message(&self) -> String {
        let message = with_causes(self);
        match self {
            Self::Store { .. } => format!(
                "{message}; ZERVER_STORE (for zerver dev also --store) sets the directory, and ZERVER_RECORD=off turns \
                 recording off"
            ),
            _ => message,
        }
    }
}

/// Returns the message of an error followed by the messages of its causes. A cause that the message already ends with, as
/// in errors of other crates, is not repeated.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut message = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        next = cause.source();
    }
    message
}

fn suggestion(free: Option<SocketAddr>) -> String {
    free.map(|addr| format!("; port {} is free: ZERVER_ADDR={addr}", addr.port())).unwrap_or_default()
}
