//! Types of argument values, and how each is parsed.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use zerver_replay::{Fault, FaultKind, ReplayError, ValuePath};
use zerver_trace::TraceSelector;
use zerver_trace::duration::HumanDuration;

use crate::clock::local_clock;

/// Returns the host and port of an address, which may be a URL as a service prints it.
pub(crate) fn host_and_port(addr: &str) -> &str {
    let rest = match addr.split_once("://") {
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            rest
        }
        _ => addr,
    };
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Maximum number of requests; `None` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<usize>);

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self(None)),
            _ => text.parse().map(|limit| Self(Some(limit))).map_err(|_| "write a number, or all".to_owned()),
        }
    }
}

/// Parses the limit of a command that needs at least one request.
pub(super) fn at_least_one(text: &str) -> Result<Limit, String> {
    match text.parse()? {
        Limit(Some(0)) => Err("write a number from 1, or all".to_owned()),
        limit => Ok(limit),
    }
}

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnixTime {
    /// Nanoseconds since the Unix epoch.
    pub(crate) unix_ns: u64,
}

/// Parses a time as queries do.
pub(super) fn time(text: &str) -> Result<UnixTime, String> {
    local_clock().parse(text).map(|unix_ns| UnixTime { unix_ns })
}

/// Parses the name of a value of a request.
pub(super) fn value_path(text: &str) -> Result<ValuePath, String> {
    text.parse().map_err(|error: ReplayError| {
        let ReplayError { message, causes, hints } = error;
        [vec![message], causes, hints].concat().join("; ")
    })
}

pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

pub(super) fn latency(text: &str) -> Result<Fault, String> {
    let (effect, span) =
        text.rsplit_once('=').ok_or("write EFFECT=DURATION, such as 'kv get todo:1=250ms'")?;
    let HumanDuration { ns } = span.trim().parse()?;
    Ok(Fault { effect: effect.trim().to_owned(), kind: FaultKind::Latency { ns } })
}

pub(super) fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_lowercase(), value.trim().to_owned()))
}

/// Reference to a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TraceRef {
    /// In the store.
    Stored(TraceSelector),
    /// In a portable file.
    File(PathBuf),
    /// A portable file on standard input.
    StandardInput,
}

impl FromStr for TraceRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::StandardInput);
        }
        let path = Path::new(text);
        if text.contains(std::path::MAIN_SEPARATOR) || path.extension().is_some_and(|ext| ext == "zrv") {
            return Ok(Self::File(path.to_owned()));
        }
        match text.parse() {
            Ok(find) => Ok(Self::Stored(find)),
            Err(_) if path.exists() => Ok(Self::File(path.to_owned())),
            Err(error) => Err(error),
        }
    }
}
