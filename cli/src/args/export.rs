//! Arguments of `zerver export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use zerver_trace::duration::HumanDuration;

use super::value::{assignment, at_least_one};
use super::{Filter, Limit, RequestArgs, TraceRef};
use crate::candidates::requests;
use crate::error::CommandError;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Request id, unique prefix of one, @last, @failed, @slowest or @fastest, or a portable file. For the formats of other
    /// tools, several of them, or a query
    #[arg(value_name = "ID|QUERY", add = ArgValueCompleter::new(requests))]
    pub(crate) requests: Vec<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Export at most the newest N requests of a query, or `all`
    #[arg(long, short = 'n', value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub(crate) limit: Limit,
    /// File to write, or - for standard output [default: ID.zrv, ID.html, or standard output with --test]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with_all = ["otlp", "chrome", "har", "folded", "parquet"])]
    pub(crate) output: Option<PathBuf>,
    /// Write a Rust test: the request, the results of its effects, and the expected outcome
    #[arg(long, group = "format")]
    pub(crate) test: bool,
    /// Write an HTML file to read in a browser, which needs neither zerver nor the network
    #[arg(long, group = "format")]
    pub(crate) html: bool,
    /// Print a command line of curl that sends the request
    #[arg(long, group = "format")]
    pub(crate) curl: bool,
    /// Outcome that the test asserts
    #[arg(long, requires = "test", value_name = "OUTCOME", default_value = "recorded")]
    pub(crate) expect: Expect,
    /// Write secrets into the test, decrypted with the store's key
    #[arg(long, requires = "test")]
    pub(crate) with_secrets: bool,
    /// Write the spans of OpenTelemetry to a file, to - for standard output, or send them to a collector
    #[arg(long, group = "format", value_name = "FILE|URL")]
    pub(crate) otlp: Option<String>,
    /// Encoding of the spans [default: protobuf for a URL and for FILE.pb, else json]
    #[arg(long, requires = "otlp", value_name = "ENCODING")]
    pub(crate) otlp_format: Option<OtlpEncoding>,
    /// Header to send to the collector
    #[arg(long, requires = "otlp", value_name = "NAME=VALUE", value_parser = assignment)]
    #[arg(env = "OTEL_EXPORTER_OTLP_HEADERS", hide_env_values = true, value_delimiter = ',')]
    pub(crate) otlp_header: Vec<(String, String)>,
    /// Maximum time to spend on sending, with all repetitions
    #[arg(long, requires = "otlp", value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: HumanDuration,
    /// Name of the service [default: its program, if the store knows it]
    #[arg(long, requires = "otlp", value_name = "NAME", env = "OTEL_SERVICE_NAME")]
    pub(crate) service: Option<String>,
    /// Include the values of slots and SQL parameters in the spans; secrets stay masked
    #[arg(long, requires = "otlp")]
    pub(crate) slots: bool,
    /// Write the trace event format of Chrome, for Perfetto, Firefox Profiler and speedscope
    #[arg(long, group = "format", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) chrome: Option<PathBuf>,
    /// Write an HTTP Archive: the request, and its calls to other services
    #[arg(long, group = "format", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) har: Option<PathBuf>,
    /// Write folded stacks, from which flame graphs are drawn
    #[arg(long, group = "format", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) folded: Option<PathBuf>,
    /// Write a table of summaries as a Parquet file, for tools that read tables
    ///
    /// Needs a command that was built with the Cargo feature `parquet`.
    #[arg(long, group = "format", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) parquet: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    pub(crate) force: bool,
}

/// Format of other tools to export requests in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ExportFormat<'a> {
    /// Spans, to a file or a URL.
    Otlp(&'a str),
    Chrome(&'a PathBuf),
    Har(&'a PathBuf),
    Folded(&'a PathBuf),
}

impl Export {
    /// Returns the format if it is one of other tools, which take several requests.
    pub(crate) fn format(&self) -> Option<ExportFormat<'_>> {
        let Self { otlp, chrome, har, folded, .. } = self;
        otlp.as_deref()
            .map(ExportFormat::Otlp)
            .or_else(|| chrome.as_ref().map(ExportFormat::Chrome))
            .or_else(|| har.as_ref().map(ExportFormat::Har))
            .or_else(|| folded.as_ref().map(ExportFormat::Folded))
    }

    /// Returns the only request, for formats of one request.
    pub(crate) fn one_request(&self) -> Result<TraceRef, CommandError> {
        let [request] = self.requests.as_slice() else {
            return Err(CommandError::new("name one request to export")
                .with_hint("--otlp, --chrome, --har, --folded and --parquet take several, or a query"));
        };
        if self.filter != Filter::default() {
            return Err(CommandError::new("a portable file and a test contain one request, which has an id")
                .with_hint("--otlp, --chrome, --har, --folded and --parquet take filters"));
        }
        request.parse().map_err(CommandError::new)
    }

    /// Returns the requests if all words name one, and else the words as a query.
    pub(crate) fn selection(&self) -> Result<Result<Vec<TraceRef>, RequestArgs>, CommandError> {
        let has_filter = self.filter != Filter::default();
        if self.requests.is_empty() && !has_filter {
            return Err(CommandError::new("name the requests to export: ids, files, or a query")
                .with_hint("`zerver ls` lists the requests; a query such as since:1h selects several"));
        }
        let named: Result<Vec<TraceRef>, String> = self.requests.iter().map(|word| word.parse()).collect();
        match named {
            Ok(named) if !has_filter && !named.is_empty() => Ok(Ok(named)),
            _ => Ok(Err(RequestArgs { query: self.requests.clone(), filter: self.filter.clone() })),
        }
    }
}

/// Encoding of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OtlpEncoding {
    /// OTLP/JSON
    Json,
    /// Protocol Buffers
    Protobuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// The recorded decisions, slots, headers and body
    Recorded,
    /// Any success, for a request that failed: the test fails until the bug is fixed
    Fixed,
}
