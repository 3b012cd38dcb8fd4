//! Exports requests in the formats of other tools, to a file, to standard output or, as spans, to a collector.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use zerver_otel::{ExportOptions, chrome_trace, encode_json, folded_stacks, har, protobuf, spans_of};
use zerver_recorder::Reader;
use zerver_trace::{Summary, Trace};

use super::otlp_endpoint::OtlpEndpoint;
use super::write;
use crate::args::{Export, ExportFormat, Global, OtlpEncoding, TraceRef};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::requests::selection;
use crate::store_place::StorePlace;
use crate::view::count;
use crate::{locate, paths};

/// Number of spans after which a new message begins. Collectors limit the size of a message to a few megabytes.
const MAX_SPANS: usize = 2_000;

pub(super) fn run(
    args: &Export,
    format: ExportFormat<'_>,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let ExportFormat::Otlp(to) = format
        && encoding(args, to) == OtlpEncoding::Protobuf
        && to == "-"
        && output.is_terminal()
    {
        return Err(CommandError::new("Protocol Buffers are binary, and standard output is a terminal")
            .with_hint("name a file, or use a pipe"));
    }
    // An address that is no URL fails before anything is read.
    let endpoint = match format {
        ExportFormat::Otlp(to) => {
            OtlpEndpoint::parse(to, &args.otlp_header, Duration::from_nanos(args.timeout.ns))?
        }
        _ => None,
    };
    let Selected { traces, service_name } = select(args, global, output)?;
    check_any(traces.len())?;
    let options = ExportOptions { service_name, with_values: args.slots };
    let (path, content) = match (format, endpoint) {
        (ExportFormat::Otlp(to), Some(endpoint)) => {
            return send(&endpoint, encoding(args, to), &traces, &options, output);
        }
        (ExportFormat::Otlp(to), None) => {
            let spans = spans_of(&traces, &options);
            let content = match encoding(args, to) {
                OtlpEncoding::Json => Content::Json(encode_json(&spans)),
                OtlpEncoding::Protobuf => Content::Bytes(protobuf::encode(&spans)),
            };
            (Path::new(to), content)
        }
        (ExportFormat::Chrome(path), _) => (path.as_path(), Content::Json(chrome_trace(&traces))),
        (ExportFormat::Har(path), _) => (path.as_path(), Content::Json(har(&traces))),
        (ExportFormat::Folded(path), _) => {
            (path.as_path(), Content::Bytes(folded_stacks(&traces).into_bytes()))
        }
    };
    finish(path, content, traces.len(), args, output)
}

/// Writes the content to a file, or to standard output.
fn finish(
    path: &Path,
    content: Content,
    requests: usize,
    args: &Export,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if path == Path::new("-") {
        match content {
            Content::Json(document) => output.json(&document)?,
            Content::Bytes(bytes) => output.bytes(&bytes)?,
        }
        return Ok(CommandOutcome::Success);
    }
    let bytes = content.into_bytes();
    write(path, &bytes, args.force)?;
    if output.is_json {
        output.json(&serde_json::json!({ "file": path, "requests": requests, "bytes": bytes.len() }))?;
    } else {
        output.print(&format!("{}\n", paths::display(path)))?;
    }
    Ok(CommandOutcome::Success)
}

/// Writes a table of summaries.
pub(super) fn run_table(
    args: &Export,
    path: &Path,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if cfg!(not(feature = "parquet")) {
        return Err(CommandError::new("this command was built without the Cargo feature parquet")
            .with_hint("install it with `cargo install zerver-cli --features parquet`"));
    }
    let requests = select_summaries(args, global, output)?;
    check_any(requests.len())?;
    finish(path, Content::Bytes(as_parquet(&requests)?), requests.len(), args, output)
}

#[cfg(feature = "parquet")]
fn as_parquet(requests: &[Summary]) -> Result<Vec<u8>, CommandError> {
    super::parquet_file::parquet(requests)
        .map_err(|error| CommandError::new("cannot write a Parquet file").caused_by(&error))
}

#[cfg(not(feature = "parquet"))]
const fn as_parquet(_: &[Summary]) -> Result<Vec<u8>, CommandError> {
    Ok(Vec::new())
}

fn check_any(requests: usize) -> Result<(), CommandError> {
    match requests {
        0 => {
            Err(CommandError::new("no request matches the query").with_hint("`zerver ls` lists the requests"))
        }
        _ => Ok(()),
    }
}

/// Content of a file.
enum Content {
    Json(Value),
    Bytes(Vec<u8>),
}

impl Content {
    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Json(document) => format!("{document}\n").into_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

fn encoding(args: &Export, to: &str) -> OtlpEncoding {
    let is_binary = OtlpEndpoint::is_url(to) || Path::new(to).extension().is_some_and(|ext| ext == "pb");
    args.otlp_format.unwrap_or(if is_binary { OtlpEncoding::Protobuf } else { OtlpEncoding::Json })
}

/// Requests to export.
struct Selected {
    /// The oldest first.
    traces: Vec<Trace>,
    service_name: String,
}

fn select(args: &Export, global: &Global, output: &mut Output) -> Result<Selected, CommandError> {
    let mut traces = Vec::new();
    let mut reader: Option<(StorePlace, Reader)> = None;
    match args.selection()? {
        Ok(named) => {
            for request in &named {
                match (request, &mut reader) {
                    (TraceRef::File(path), _) => traces.append(&mut locate::read_traces(path)?),
                    (TraceRef::StandardInput, _) => traces.append(&mut locate::read_traces(Path::new("-"))?),
                    (TraceRef::Stored(find), Some((place, reader))) => {
                        traces.push(locate::find_trace(place, reader, find)?);
                    }
                    (TraceRef::Stored(find), none) => {
                        let (place, opened) = open(global)?;
                        traces.push(locate::find_trace(&place, &opened, find)?);
                        *none = Some((place, opened));
                    }
                }
            }
        }
        Err(requests) => {
            let query = requests.parse()?;
            let (place, opened) = open(global)?;
            let stored = requests.filter.query(now_unix_ns(), args.limit.0);
            for summary in selection::select(&opened, stored, &query, output)? {
                let loaded =
                    opened.load(summary.id).map_err(|error| locate::unreadable_store(&place, &error))?;
                // Removed in the meantime, if there is none.
                traces.extend(loaded);
            }
            traces.reverse();
            reader = Some((place, opened));
        }
    }
    let recorded = || reader.as_ref().and_then(|(_, reader)| service_name(reader));
    let service_name = args.service.clone().or_else(recorded).unwrap_or_default();
    Ok(Selected { traces, service_name })
}

/// Returns the summaries of the requests, the oldest first. A query loads nothing else of them.
fn select_summaries(
    args: &Export,
    global: &Global,
    output: &mut Output,
) -> Result<Vec<Summary>, CommandError> {
    let Err(requests) = args.selection()? else {
        return Ok(select(args, global, output)?.traces.iter().map(Trace::summary).collect());
    };
    let query = requests.parse()?;
    let (_, opened) = open(global)?;
    let stored = requests.filter.query(now_unix_ns(), args.limit.0);
    let mut found = selection::select(&opened, stored, &query, output)?;
    found.reverse();
    Ok(found)
}

fn open(global: &Global) -> Result<(StorePlace, Reader), CommandError> {
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    Ok((place, reader))
}

/// Returns the name of the program that wrote to the store last.
fn service_name(reader: &Reader) -> Option<String> {
    let origin = reader.origin().ok()?;
    let path = origin.program.or(origin.package)?;
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Sends the spans of traces in messages of a limited size.
fn send(
    endpoint: &OtlpEndpoint,
    encoding: OtlpEncoding,
    traces: &[Trace],
    options: &ExportOptions,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let (mut sent_traces, mut sent_spans, mut rejected) = (0, 0, 0);
    let mut rest = traces;
    while !rest.is_empty() {
        let mut message = spans_of(&rest[..1], options);
        let mut taken = 1;
        while taken < rest.len() && message.span_count() < MAX_SPANS {
            let more = spans_of(&rest[taken..=taken], options);
            message.append(more);
            taken += 1;
        }
        let (body, media_type) = match encoding {
            OtlpEncoding::Json => (encode_json(&message).to_string().into_bytes(), "application/json"),
            OtlpEncoding::Protobuf => (protobuf::encode(&message), "application/x-protobuf"),
        };
        output.progress(&format!("sending spans: {sent_traces} of {} requests", traces.len()));
        let answer = endpoint.post(&body, media_type, output).map_err(|error| match sent_traces {
            0 => error,
            _ => error.with_hint(format!(
                "{sent_traces} of {} requests were sent before; sending them again does no harm, because their spans \
                 keep their ids",
                traces.len()
            )),
        })?;
        if let Some(partial) = answer {
            rejected += partial.rejected_spans;
            let message = if partial.message.is_empty() { "no reason given" } else { &partial.message };
            output.warn(&format!(
                "{} rejected {}: {}",
                endpoint.url(),
                count(partial.rejected_spans, "span", "spans"),
                zerver_trace::text::clean(message)
            ));
        }
        sent_spans += message.span_count() as u64;
        sent_traces += taken;
        rest = &rest[taken..];
    }
    output.clear_progress();
    if output.is_json {
        output.json(&serde_json::json!({
            "url": endpoint.url(), "requests": sent_traces, "spans": sent_spans, "rejected_spans": rejected,
        }))?;
    } else {
        output.info(&format!(
            "sent {} of {} to {}",
            count(sent_spans, "span", "spans"),
            count(sent_traces as u64, "request", "requests"),
            endpoint.url()
        ));
    }
    Ok(if rejected > 0 { CommandOutcome::Finding } else { CommandOutcome::Success })
}
