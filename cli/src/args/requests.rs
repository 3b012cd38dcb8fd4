//! Arguments of commands that read recorded requests.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use zerver_replay::ValuePath;
use zerver_trace::duration::HumanDuration;

use super::value::{assignment, at_least_one, header, value_path};
use super::{Limit, Program, RequestArgs, TraceRef};
use crate::candidates::{flows, query_words, requests};

pub(super) const ID_HELP: &str = "Request id, unique prefix of one, @last, @failed, @slowest or @fastest (of those \
                                  that succeeded), each also as @last:FLOW, a portable file, or - for one on standard input";

const WHY_HELP: &str = "Request as for `zerver trace`, or a query: what the requests that it selects have in common, \
                        compared with the rest of their flows";

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    /// Show at most N requests or groups, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "50")]
    pub(crate) limit: Limit,
    /// Show only requests of this node of a fleet: its name, or the start of its id
    #[arg(long, value_name = "NODE", conflicts_with = "follow")]
    pub(crate) node: Option<String>,
    /// Order of the requests; `took` shows the slowest first
    #[arg(long, value_name = "KEY", default_value = "started")]
    pub(crate) sort: RequestOrder,
    /// Show groups of requests with equal values: their number and how long they took
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub(crate) group_by: Vec<GroupKey>,
    /// Print only the number of requests, or of the requests in each group
    #[arg(long)]
    pub(crate) count: bool,
    /// Show how many requests took how long
    #[arg(long, conflicts_with_all = ["group_by", "count"])]
    pub(crate) histogram: bool,
    /// Columns to show, in this order
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', conflicts_with_all = ["group_by", "count", "histogram"])]
    pub(crate) columns: Vec<RequestColumn>,
    /// Print the newest N requests, oldest first, and then each one that is recorded, until Ctrl-C
    #[arg(long, short, conflicts_with_all = ["sort", "group_by", "count", "histogram", "columns"])]
    pub(crate) follow: bool,
    /// Print one JSON object per line: a request, or a group
    #[arg(long, conflicts_with_all = ["json", "count", "histogram"])]
    pub(crate) ndjson: bool,
}

/// Column of a list of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequestColumn {
    Id,
    /// Time since the start
    Age,
    /// Time of the start, in UTC
    Started,
    Method,
    /// Host that the request target names
    Host,
    Path,
    Status,
    /// Time from the arrival of the head to the response
    Took,
    Flow,
    Class,
    Outcome,
    Worker,
    /// Node of a fleet that recorded the request
    Node,
}

/// Order of requests in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequestOrder {
    /// Newest first
    Started,
    /// Slowest first
    Took,
    /// Highest status first
    Status,
    /// By flow, newest first
    Flow,
}

/// Part of a request by which requests are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GroupKey {
    Flow,
    Status,
    Method,
    Path,
    Host,
    Outcome,
    Class,
    Worker,
}

#[derive(Debug, Args)]
pub(crate) struct Flows {
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    /// Compare with the requests of this query: a period ("since:2h until:1h"), a build ("build:3a44")
    #[arg(long, value_name = "QUERY", add = ArgValueCompleter::new(query_words))]
    pub(crate) vs: Option<String>,
    /// Order of the flows
    #[arg(long, value_name = "KEY", default_value = "share")]
    pub(crate) sort: FlowSort,
}

/// Order of flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowSort {
    /// Largest share of the total time first
    Share,
    /// By name
    Flow,
    /// Most requests first
    Requests,
    /// Most errors first
    Errors,
    /// Longest median first
    P50,
    /// Longest 99th percentile first
    P99,
    /// Largest increase of the median first; needs --vs
    Change,
}

#[derive(Debug, Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    pub(crate) requests: RequestArgs,
    /// Use at most the newest N requests, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "10000", value_parser = at_least_one)]
    pub(crate) limit: Limit,
    /// Machine that recorded the requests, if it differs from this one: workers, cores, batch.workers, ...
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) recorded: Vec<(String, String)>,
    /// Setting to change: workers, batch.workers, CLASS.quantum, CLASS.queue, ...
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[arg(help = ID_HELP, value_name = "ID", required = true, add = ArgValueCompleter::new(requests))]
    pub(crate) ids: Vec<TraceRef>,
}

#[derive(Debug, Args)]
pub(crate) struct Tui {
    /// Request to open: an id, a unique prefix of one, @last, @slowest, @fastest, @failed, or a file: portable, or
    /// spans of OpenTelemetry
    /// [default: the list]
    #[arg(add = ArgValueCompleter::new(requests))]
    pub(crate) id: Option<TraceRef>,
    /// Address of a running service, to show its scheduler
    #[arg(long, value_name = "HOST:PORT", value_hint = ValueHint::Other)]
    pub(crate) addr: Option<String>,
    /// Folder of the service's package, for replays [default: the package that holds or recorded the store, or this
    /// folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
    #[command(flatten)]
    pub(crate) theme: ThemeArgs,
    /// Print a file with the default keys and colors, to begin ~/.config/zerver/tui.toml with
    #[arg(long, conflicts_with = "check_config")]
    pub(crate) print_config: bool,
    /// Print the mistakes in the file with keys and colors
    #[arg(long)]
    pub(crate) check_config: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Unpack the store into this new folder and keep it, for other commands to read with --store
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
    /// Print the requests instead of opening the terminal UI
    #[arg(long)]
    pub(crate) no_tui: bool,
    #[command(flatten)]
    pub(crate) theme: ThemeArgs,
}

/// Appearance of the terminal UI.
#[derive(Debug, Clone, Args)]
pub(crate) struct ThemeArgs {
    /// Colors of the terminal UI
    #[arg(long, value_name = "THEME", env = "ZERVER_THEME", hide_env_values = true, default_value = "auto")]
    pub(crate) theme: Theme,
    /// Draw the terminal UI in plain ASCII
    #[arg(long)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Theme {
    /// Detect what the terminal supports
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// The terminal's own 16 colors
    #[value(name = "16")]
    Sixteen,
}

#[derive(Debug, Args)]
pub(crate) struct Slo {
    /// Flow whose burning budget to explain [default: show all flows with objectives]
    #[arg(add = ArgValueCompleter::new(flows))]
    pub(crate) flow: Option<String>,
    /// Objective to explain [default: the one that burns fastest]
    #[arg(long, value_name = "NAME", value_parser = ["p95", "p99", "errors"], requires = "flow")]
    pub(crate) objective: Option<String>,
    /// End of the windows, such as "14:30" or "2h" ago [default: the end of the newest recorded request]
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Name at most N of the requests that missed an objective
    #[arg(long, short = 'n', value_name = "N", default_value = "5")]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[arg(help = ID_HELP, required_unless_present_any = ["slow", "set_a"], add = ArgValueCompleter::new(requests))]
    pub(crate) a: Option<TraceRef>,
    /// The request to explain, relative to A
    #[arg(required_unless_present_any = ["slow", "set_a"], add = ArgValueCompleter::new(requests))]
    pub(crate) b: Option<TraceRef>,
    /// Compare two sets of requests instead: those that this query selects, such as "build:3a44" or "since:2h until:1h"
    #[arg(long = "a", value_name = "QUERY", requires = "set_b", conflicts_with_all = ["a", "b", "slow"], add = ArgValueCompleter::new(query_words))]
    pub(crate) set_a: Option<String>,
    /// The set to explain, relative to --a
    #[arg(long = "b", value_name = "QUERY", requires = "set_a", add = ArgValueCompleter::new(query_words))]
    pub(crate) set_b: Option<String>,
    /// Read the steps and effects of at most N requests of each flow and set, evenly chosen, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "1000", requires = "set_a", value_parser = at_least_one)]
    pub(crate) limit: Limit,
    /// Compare a typical fast request of this flow with a typical slow one: the median of the fastest 90% with the
    /// median of the slowest 10%, of the newest 1000 that succeeded
    #[arg(long, value_name = "FLOW", conflicts_with_all = ["a", "b"], add = ArgValueCompleter::new(flows))]
    pub(crate) slow: Option<String>,
    /// Compare all headers, and print the result
    #[arg(long)]
    pub(crate) all_headers: bool,
    /// Write the comparison as an HTML file, or to standard output with -; an existing file is replaced
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// Print the result instead of opening the terminal UI
    #[arg(long)]
    pub(crate) no_tui: bool,
    #[command(flatten)]
    pub(crate) theme: ThemeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    #[arg(help = WHY_HELP, value_name = "ID|QUERY", required = true, add = ArgValueCompleter::new(requests))]
    pub(crate) request: Vec<String>,
    /// For a query: read the steps and effects of at most N requests of each flow and set, evenly chosen, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub(crate) limit: Limit,
}

#[derive(Debug, Args)]
pub(crate) struct Resend {
    #[arg(help = ID_HELP, add = ArgValueCompleter::new(requests))]
    pub(crate) id: TraceRef,
    /// Address of the service; http:// may precede it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:3000", value_hint = ValueHint::Other)]
    pub(crate) addr: String,
    /// Replace or add a header of the request
    #[arg(long, value_name = "NAME=VALUE", value_parser = header)]
    pub(crate) request_header: Vec<(String, String)>,
    /// Replace the body of the request
    #[arg(long, value_name = "TEXT")]
    pub(crate) request_body: Option<String>,
    /// Maximum time for the response
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) timeout: HumanDuration,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WhyValue {
    #[arg(help = ID_HELP, add = ArgValueCompleter::new(requests))]
    pub(crate) id: TraceRef,
    /// Value: response.status, response.header.NAME, response.body.PATH, slot.NAME.PATH or effect.NUMBER.args.PATH
    #[arg(value_name = "VALUE", value_parser = value_path)]
    pub(crate) value: ValuePath,
    /// Narrow the sources by what the steps read and write, without building or running the service
    #[arg(long = "static")]
    pub(crate) is_static: bool,
    /// Folder of the service's package [default: the package that holds or recorded the store, or this folder]
    #[arg(long, value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[arg(help = ID_HELP, add = ArgValueCompleter::new(requests))]
    pub(crate) id: TraceRef,
    /// SQL call: its number, counted from 0 over all effects, or a part of its name or statement [default: the slowest]
    pub(crate) call: Option<String>,
    /// Perform the statement to measure its plan; only if it is recognized as one that reads
    #[arg(long)]
    pub(crate) analyze: bool,
    /// Folder of the service's package [default: the package that holds or recorded the store, or this folder]
    #[arg(long, value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) program: Program,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Files to import: requests from `zerver export`, or spans of OpenTelemetry as JSON or Protocol Buffers; - for standard
    /// input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Repair what can be repaired
    #[arg(long)]
    pub(crate) repair: bool,
}

#[cfg(feature = "mcp")]
#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// Folder of the service's package, for replays [default: the package that holds or recorded the store, or this folder]
    #[arg(long, value_name = "APP", value_hint = ValueHint::DirPath)]
    pub(crate) app: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// Shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManPages {
    /// Command whose page to print [default: that of zerver itself]
    #[arg(conflicts_with = "dir")]
    pub(crate) command: Option<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}
