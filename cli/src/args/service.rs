//! Arguments of commands that need a service or its program.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use zerver_replay::ChaosRule;

use super::ThemeArgs;

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Folder to create; its name is the name of the package
    #[arg(value_name = "NAME", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,
    /// Starting point of the service
    #[arg(long, value_enum, default_value_t = Template::Hello)]
    pub(crate) template: Template,
    /// Clone of zerver's repository to depend on [default: the one from which this program was built]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) zerver: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// A flow with a counter in the key-value store
    Hello,
    /// Two flows with a SQLite database and its migrations
    Sqlite,
    /// A service of axum, with one route as a flow
    Axum,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Folder of the service's package; its .zerver is the default store
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) app: PathBuf,
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    pub(crate) addr: String,
    #[command(flatten)]
    pub(crate) program: Program,
    /// Inject a fault into a share of the effects, such as 'http GET rates..=timeout:10%'; repeat it for several
    ///
    /// RULE is `KIND [SUMMARY] [@TARGET]=FAULT:PERCENT%`, with the effect as `zerver trace` prints it. `..` stands for
    /// any text. Faults: timeout, unreachable, malformed, error:KIND, status:CODE (of http), latency:DURATION. These
    /// rules replace those of chaos.rules in zerver.toml.
    #[arg(long, value_name = "RULE")]
    pub(crate) chaos: Vec<ChaosRule>,
    /// Repeat a drill: the seed that an earlier one printed
    #[arg(long, value_name = "N")]
    pub(crate) chaos_seed: Option<u64>,
    /// Do not rebuild or restart on change
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Print one line per request instead of opening the terminal UI
    #[arg(long)]
    pub(crate) no_tui: bool,
    /// Do not serve the web UI
    #[arg(long)]
    pub(crate) no_web: bool,
    /// Address of the web UI; port 0 picks a free one [default: 127.0.0.1:7377, or a free port]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "no_web")]
    pub(crate) web_addr: Option<String>,
    #[command(flatten)]
    pub(crate) theme: ThemeArgs,
    /// Arguments for the service
    #[arg(last = true, value_name = "ARGS")]
    pub(crate) args: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct Web {
    /// Store, or portable file, to browse [default: the store that --store or the current folder names]
    #[arg(value_name = "STORE|FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) path: Option<PathBuf>,
    /// Address to listen on; port 0 picks a free one [default: 127.0.0.1:7377, or a free port]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) addr: Option<String>,
    /// Name by which browsers may reach the server besides its address and localhost, with the port
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) name: Vec<String>,
    /// Address of a running service, to show its scheduler
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Other)]
    pub(crate) service: Option<String>,
    /// Folder of the service's package, for replays [default: the package that holds or recorded the store, or this
    /// folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Dap {
    /// Folder of the service's package, to find its sources [default: the folders above the store and this folder]
    #[arg(long, value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
}

/// The program of a service, and how to build it.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Program {
    /// Build with optimizations, without LTO
    #[arg(long)]
    pub(crate) release: bool,
    /// Binary of the package to use
    #[arg(long, value_name = "NAME", conflicts_with = "exe")]
    pub(crate) bin: Option<String>,
    /// Use this program instead of building one with Cargo
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath, conflicts_with = "release")]
    pub(crate) exe: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Address of the service; http:// may precede it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000")]
    pub(crate) addr: String,
    /// Path of its metrics, as metrics.path sets it
    #[arg(long, value_name = "PATH", default_value = "/metrics")]
    pub(crate) path: String,
    /// Order of the flows and steps; the key s selects the next one
    #[arg(long, value_enum, default_value_t = TopOrder::Time)]
    pub(crate) sort: TopOrder,
    /// Print once and exit
    #[arg(long)]
    pub(crate) once: bool,
}

/// Order of the flows and steps of `top`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TopOrder {
    /// By the time that requests spend in them, the longest first
    Time,
    /// By rate, the highest first
    Rate,
    /// Flows by their 99th percentile, steps by their mean time, the longest first
    Slowest,
    /// By name
    Name,
}

impl TopOrder {
    /// Returns the next order.
    pub(crate) const fn next(self) -> Self {
        match self {
            Self::Time => Self::Rate,
            Self::Rate => Self::Slowest,
            Self::Slowest => Self::Name,
            Self::Name => Self::Time,
        }
    }

    /// Returns what comes first, in words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Time => "time spent",
            Self::Rate => "rate",
            Self::Slowest => "slowest",
            Self::Name => "name",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Folder of the service's package
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Catalog {
    /// Folder of a service's package, to build and query [default: read the store]
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
    #[command(subcommand)]
    pub(crate) diff: Option<CatalogDiff>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CatalogDiff {
    /// Compare two catalogs: flows that were added or removed, what has changed, and what breaks clients
    ///
    /// A catalog is a file that `zerver catalog --json` has written, the folder of a store, the folder of a package,
    /// which is built, or a program. A route or an alias that is gone breaks clients, unless another flow takes its
    /// requests or the alias has reached its end. A part of the request that has changed may break clients.
    #[command(after_help = super::DIFFERENCE_EXIT_CODES)]
    Diff(ComparedDocuments),
}

/// Two documents to compare.
#[derive(Debug, Args)]
pub(crate) struct ComparedDocuments {
    /// The earlier one: a file of JSON, a store, a package or a program
    #[arg(value_name = "OLD", value_hint = ValueHint::AnyPath)]
    pub(crate) old: PathBuf,
    /// The later one
    #[arg(value_name = "NEW", value_hint = ValueHint::AnyPath)]
    pub(crate) new: PathBuf,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct OpenApi {
    /// Folder of the service's package
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) app: PathBuf,
    #[command(flatten)]
    pub(crate) program: Program,
    #[command(subcommand)]
    pub(crate) diff: Option<OpenApiDiff>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OpenApiDiff {
    /// Compare two OpenAPI documents: operations that were added or removed, what has changed, and what breaks clients
    ///
    /// A document is a file of JSON, the folder of a package, which is built, or a program. A change breaks clients if a
    /// request that was valid no longer is, or a response can be what it could not be before.
    #[command(after_help = super::DIFFERENCE_EXIT_CODES)]
    Diff(ComparedDocuments),
}
