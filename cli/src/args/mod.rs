//! The command line as clap parses it: commands, options, and their help.

mod debugger;
mod export;
mod filter;
mod fleet;
mod query;
mod replay;
mod requests;
mod service;
#[cfg(test)]
mod tests;
mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

pub(crate) use self::debugger::Debugger;
pub(crate) use self::export::{Expect, Export, ExportFormat, OtlpEncoding};
pub(crate) use self::filter::Filter;
pub(crate) use self::fleet::{
    Fleet, FleetArchive, FleetCommand, FleetCompact, FleetKey, FleetKeyCommand, NewFleetKey, UnwrapKey,
};
pub(crate) use self::query::{RequestArgs, parse_query};
pub(crate) use self::replay::{CorpusSelection, Replay, Selection};
#[cfg(feature = "mcp")]
pub(crate) use self::requests::Mcp;
pub(crate) use self::requests::{
    Completions, Demo, Diff, Doctor, Explain, FlowSort, Flows, GroupKey, Import, Ls, ManPages, RequestColumn,
    RequestOrder, Resend, Simulate, Slo, Theme, ThemeArgs, Trace, Tui, Why, WhyValue,
};
pub(crate) use self::service::{
    Catalog, CatalogDiff, ComparedDocuments, Config, Dap, Dev, New, OpenApi, OpenApiDiff, Program, Template,
    Top, TopOrder, Web,
};
pub(crate) use self::value::{Limit, TraceRef, host_and_port};

const EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  success, with a finding
  2  error";

const QUERY_HELP: &str = "\
Queries:
  flow:report status:5xx 'took>10ms'       every term must hold
  'status:404,500' '!flow:health'          one of several values; not
  '(is:failed or took>1s)' since:10m       alternatives, and a time
  slot.Claims.sub=ann 'query.limit>=100'   values of slots and parameters
  'effect.sql~\"from todos\"' step:lookup   effects and steps
docs/reference/queries.md lists all fields and operators.

Exit codes:
  0  success
  1  success, with a finding
  2  error";

const SLO_EXIT_CODES: &str = "\
Exit codes:
  0  all budgets last
  1  a budget burns fast or slowly
  2  error";

const DIFFERENCE_EXIT_CODES: &str = "\
Exit codes:
  0  no difference
  1  a difference
  2  error";

const DIFF_EXIT_CODES: &str = "\
Exit codes:
  0  same request, decisions, values and response; timing alone is not a difference
  1  different
  2  error, or no difference found but not everything could be compared

With --a and --b:
  0  no change found
  1  a change found
  2  error, or too few requests for a test";

const REPLAY_HELP: &str = "\
Examples:
  zerver replay @last                                     replay with today's code
  zerver replay @last --set 'Todo.title=\"x\"'              replace a value in a slot
  zerver replay @last --edit                              edit the slots in an editor
  zerver replay @last --answer 'kv get todo:1=\"Absent\"'   replace the result of an effect
  zerver replay @last --fail 'kv get todo:1=timeout'      make an effect fail
  zerver replay @last --latency 'kv get todo:1=250ms'     make an effect slow
  zerver replay @last --batched                           answer repeated SQL statements together
  zerver replay @last --faults                            inject every fault, one at a time
  zerver replay @last --set TodoId=2 --live kv            perform new effects for real
  zerver replay @last --debugger rust-gdb                 stop in each step, with a native debugger

EFFECT is a name as `zerver trace` prints it, or the number of a call, counted from 0.
With edits, time is virtual: steps and effects take their recorded time, and the replay never waits.

Exit codes:
  0  same; with --edit, also if nothing was changed
  1  different; with --faults, if a fault makes a step panic, kills the service, is reported by a step as a
     bug, or is ended only by the default deadline
  2  error, or no difference found but not everything could be compared (exit code 0 with --all)";

const WHY_VALUE_HELP: &str = "\
Examples:
  zerver why-value @last response.body.total     a field of the response
  zerver why-value @failed response.status       the status
  zerver why-value @last slot.Todo.title         a part of a slot
  zerver why-value @last effect.0.args.url       an argument of the first effect

Exit codes:
  0  success
  1  success, but some inputs could not be decided
  2  error";

const EXPORT_HELP: &str = "\
Examples:
  zerver export @last                                     a portable file
  zerver export @failed --test                            a Rust test
  zerver export @last --otlp http://localhost:4318        send its spans to a collector
  zerver export flow:report since:10m --otlp spans.json   the spans of several requests, as OTLP/JSON
  zerver export @slowest --chrome trace.json              open it in ui.perfetto.dev
  zerver export since:1h --folded - | flamegraph.pl       where the time went

Exit codes:
  0  success
  1  success, but the endpoint of --otlp has rejected some spans
  2  error";

const SIMULATE_EXIT_CODES: &str = "\
Exit codes:
  0  success
  1  the simulation does not reproduce the recorded run: do not trust the predictions
  2  error";

/// Run a service made of small steps, and see what its requests did
#[derive(Debug, Parser)]
#[command(name = "zerver", version, after_help = EXIT_CODES, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command accepts.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Store to use: a folder, or the URL of a fleet, such as postgres://user@host/database?ns=shop_prod or
    /// s3://bucket/prefix?ns=shop_prod [default: .zerver in this folder or the nearest folder above]
    #[arg(long, global = true, env = "ZERVER_STORE", hide_env_values = true, value_name = "DIR|URL", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Print only results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Show more detail
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

impl Global {
    /// Returns the options of a command that prints nothing of its own.
    pub(crate) fn silent() -> Self {
        Self { store: None, json: false, color: Color::Never, quiet: true, verbose: false }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a service, rebuild it on change, and record every request
    ///
    /// Prints `listening on http://HOST:PORT` when the service is ready. The socket stays open while the service is
    /// replaced, and the last good build keeps serving if a new one fails.
    ///
    /// Opens the terminal UI on a terminal. Otherwise prints one line per request, or one JSON document with --json.
    #[command(after_help = EXIT_CODES)]
    Dev(Dev),
    /// Create the package of a service from a template
    ///
    /// Works without a network. Nothing that exists is changed.
    #[command(after_help = EXIT_CODES)]
    New(New),
    /// Explore a recorded example in the terminal UI, with nothing to build
    ///
    /// Requests to a todo service were recorded once, slow and failed ones among them. They are unpacked into a
    /// temporary folder and opened; with --dir they stay, and other commands read them with --store.
    #[command(after_help = EXIT_CODES)]
    Demo(Demo),
    /// List recorded requests, newest first
    #[command(after_help = QUERY_HELP)]
    Ls(Ls),
    /// Compare flows: requests, errors, how long they took, and their share of the time
    ///
    /// With --vs, also shows how much the median of each flow has changed.
    #[command(after_help = QUERY_HELP)]
    Flows(Flows),
    /// Show where a request spent its time, what it wrote, and why it failed
    #[command(after_help = EXIT_CODES)]
    Trace(Trace),
    /// Browse recorded requests in the terminal UI
    ///
    /// Press ? for the keys.
    #[command(after_help = EXIT_CODES)]
    Tui(Tui),
    /// Browse recorded requests in a browser
    ///
    /// Prints a URL with a token that signs the browser in, and serves until Ctrl-C. The server listens on this machine
    /// only, and changes nothing: replays run offline, and fire nothing.
    #[command(after_help = EXIT_CODES)]
    Web(Web),
    /// Replay a recorded request with today's code, and compare the results
    ///
    /// Builds the service and feeds it the recording: the replay has no network, store or clock. With --set and the
    /// other edits, the report lists what changes because of them. Exits with 1 if anything differs.
    ///
    /// With --all, replays many requests and groups the findings by cause: `zerver replay --all` takes the requests in
    /// the store, `zerver replay --all flow:report since:1h` those that match a query, and `zerver replay --all corpus/` the
    /// portable files in a folder.
    #[command(after_help = REPLAY_HELP)]
    Replay(Box<Replay>),
    /// Send a recorded request to a running service once more
    ///
    /// The service performs it for real, so that this asks first. The request is sent over HTTP/1.1, with the recorded
    /// method, target, headers and body, and with the secrets that the key of the store opens.
    #[command(after_help = EXIT_CODES)]
    Resend(Resend),
    /// Compare two requests: why the second took longer, and what differs first
    ///
    /// Opens the terminal UI on a terminal. With --no-tui, --json or --all-headers, prints the comparison.
    ///
    /// Ignores times, the HTTP version, the client's address, and headers that change with every request: age, date,
    /// server-timing, traceparent, tracestate, x-request-id, x-response-time.
    ///
    /// With --a and --b, compares two sets of requests, such as two builds, days or tenants: which flows, steps and
    /// effects changed and by how much, with tests that allow for chance.
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(Diff),
    /// Rank a request among others of its flow, and find the fields that correlate with latency
    ///
    /// Compares it with the newest 500 requests of the flow. Correlation is not causation.
    ///
    /// With a query, such as `zerver why flow:report is:failed`, compares the requests that it selects with the other
    /// requests of the same flows, as `zerver diff --a --b` does.
    #[command(after_help = EXIT_CODES)]
    Why(Why),
    /// Show where a value of a request came from: a part of its response, a slot, or the arguments of an effect
    ///
    /// Builds the service and runs the request many times, offline, each time with one input changed: a field of the
    /// request, of the answer of an effect, or of a slot. Lists the inputs that flow into the value, those that decide
    /// whether there is one, and what was ruled out.
    #[command(after_help = WHY_VALUE_HELP)]
    WhyValue(WhyValue),
    /// Show how the database performs a recorded SQL call: its plan, with the recorded parameters
    ///
    /// Builds the service, which explains the call with the database that it uses, in a transaction that can only read.
    /// The statement is not performed unless --analyze says so. Prints the plan as a tree, or as the database gave it with
    /// --json.
    #[command(after_help = EXIT_CODES)]
    Explain(Explain),
    /// Predict latency with other workers or limits, from recorded requests
    ///
    /// Runs the recorded arrivals, steps and waits through the scheduler's own policy in virtual time: first as they
    /// were recorded, which shows how far to trust the result, then with the changes of --set.
    #[command(after_help = SIMULATE_EXIT_CODES)]
    Simulate(Simulate),
    /// Show live metrics of a running service: classes, threads, steps, the recorder
    ///
    /// Refreshes every second, with rates over the last second, and keeps trying if the service goes away. Ctrl-C quits.
    /// With --once, with --json or without a terminal, prints once, with rates since the service started.
    #[command(after_help = EXIT_CODES)]
    Top(Top),
    /// List the flows of a service: routes, owners, aliases, steps, and the slots they read and write
    #[command(after_help = EXIT_CODES)]
    Catalog(Catalog),
    /// Print the OpenAPI 3.1 document of a service
    ///
    /// Builds the service and queries it. The document follows from the routes, the typed inputs of the steps, and what
    /// the flows say about themselves.
    #[command(name = "openapi", after_help = EXIT_CODES)]
    OpenApi(OpenApi),
    /// Show how fast requests use up the error budgets of their flows, and which requests do
    ///
    /// Burn rates of the last 5 minutes, hour and 6 hours, from recorded requests: 1 uses up exactly what the objective
    /// allows. With a flow, compares the requests that missed an objective with the other requests of the flow, as
    /// `zerver why QUERY` does, and shows what they share.
    #[command(after_help = SLO_EXIT_CODES)]
    Slo(Slo),
    /// Show the settings of a service, and where each value comes from
    ///
    /// The environment overrides zerver.toml, which overrides the program. The service is built and queried, so
    /// mistakes in zerver.toml are reported too.
    #[command(after_help = EXIT_CODES)]
    Config(Config),
    /// Export requests without their secrets: as a portable file, a Rust test, an HTML file, OpenTelemetry, or a format of
    /// other tools
    #[command(after_help = EXPORT_HELP)]
    Export(Box<Export>),
    /// Import portable files, or spans of OpenTelemetry of any service, into the store
    ///
    /// Spans become requests with the spans below them as effects. `zerver ls`, `trace` and `tui` show them; they cannot be
    /// replayed, because spans do not contain the request.
    #[command(after_help = EXIT_CODES)]
    Import(Import),
    /// Create, upgrade and inspect the database or bucket of a fleet, to which services ship their requests
    ///
    /// `--store postgres://user@host/database?ns=shop_prod` names the database and a namespace in it. Commands that read
    /// take the same URL.
    #[command(after_help = EXIT_CODES)]
    Fleet(Fleet),
    /// Check the health of the store, and repair it
    #[command(after_help = EXIT_CODES)]
    Doctor(Doctor),
    /// Serve the recordings to an assistant over the Model Context Protocol, on standard input and output
    ///
    /// The tools only read: they list and explain requests, and replay them offline. Recorded text is marked as untrusted.
    #[cfg(feature = "mcp")]
    Mcp(Mcp),
    /// Show recorded requests in the debugger of an editor: the Debug Adapter Protocol, on standard input and output
    ///
    /// Editors start it. A recorded request stands for the process: it is stepped through forwards and backwards, with its
    /// steps and effects as frames, and its slots as variables. Nothing is built, and nothing runs.
    #[command(after_help = EXIT_CODES)]
    Dap(Dap),
    /// Print a shell completion script
    ///
    /// In bash: `source <(zerver completions bash)`. It completes commands, options, requests, flows and queries.
    Completions(Completions),
    /// Print a manual page, or write all of them to a folder
    Man(ManPages),
}
