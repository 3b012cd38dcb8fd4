//! Why a service cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two flows have one name.
    #[error("two flows are called {slug}: {first} and {second}; rename one of them")]
    DuplicateSlug {
        /// The name.
        slug: String,
        /// The route of one.
        first: String,
        /// The route of the other.
        second: String,
    },
    /// Two flows want the same requests.
    #[error("flows {first} ({first_route}) and {second} ({second_route}) want the same requests")]
    Conflict {
        /// The name of one.
        first: String,
        /// The name of the other.
        second: String,
        /// The route of one.
        first_route: String,
        /// The route of the other.
        second_route: String,
    },
    /// A route is malformed.
    #[error("flow {slug} has the route {route}: {why}")]
    Route {
        /// The flow.
        slug: String,
        /// Its route.
        route: String,
        /// What is wrong with it.
        why: String,
    },
    /// The slots of a flow cannot be told apart.
    #[error("flow {slug}: {error}")]
    Slots {
        /// The flow.
        slug: String,
        /// Why.
        error: zerver_engine::FlowError,
    },
    /// A limit is for a kind of effect that the program does not have.
    #[error("limits.effects_per_kind names {kind}, and this program performs {kinds}")]
    NoSuchKind {
        /// The name.
        kind: String,
        /// The kinds there are.
        kinds: String,
    },
    /// The address is no address.
    #[error("{addr:?} is no address to listen on; write one like 127.0.0.1:3000")]
    Address {
        /// What was given.
        addr: String,
    },
    /// Another program listens there.
    #[error("port {} of {} is in use{}", addr.port(), addr.ip(), suggest(*free))]
    InUse {
        /// Where.
        addr: SocketAddr,
        /// The next port that is free there.
        free: Option<SocketAddr>,
    },
    /// The system does not let it listen there.
    #[error("cannot listen on {addr}: {error}")]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The socket that was handed over is none to listen on.
    #[error("the socket handed over by LISTEN_FDS cannot be used: {0}")]
    Inherited(io::Error),
    /// An environment variable has a wrong value.
    #[error("{name}={value:?} is wrong; {allowed}")]
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// A setting of `zerver.toml` has a wrong value, or is none.
    #[error("{place}: {what}")]
    Setting {
        /// The file and the line, or the variable.
        place: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// `zerver.toml` cannot be read.
    #[error("cannot read the settings in {}: {why}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The store cannot be opened.
    #[error(
        "cannot record: {error}; ZERVER_STORE (for zerver dev also --store) names the folder, and ZERVER_RECORD=off records nothing"
    )]
    Store {
        /// Its folder.
        dir: PathBuf,
        /// Why.
        error: zerver_recorder::OpenError,
    },
    /// The system gives no threads, no timers or no randomness.
    #[error("cannot start a worker: {0}")]
    Worker(io::Error),
    /// The scheduling cannot be meant.
    #[error("scheduling: {0}")]
    Scheduling(zerver_engine::SettingError),
    /// Whoever wants replays cannot be spoken to.
    #[error("cannot speak on ZERVER_IPC={}: {error}", socket.display())]
    Ipc {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What [`App::on_startup`](crate::App::on_startup) was to open could not be opened.
    #[error("{0}")]
    Startup(crate::BoxError),
}

fn suggest(free: Option<SocketAddr>) -> String {
    free.map(|addr| format!("; port {} is free: ZERVER_ADDR={addr}", addr.port())).unwrap_or_default()
}
