//! Candidates for the completion of arguments: flows, requests and terms of queries from the store.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;
use zerver_analysis::complete_query;
use zerver_recorder::{Reader, find_store};
use zerver_trace::text::clean;
use zerver_trace::{FlowInfo, Query, duration};

use crate::store_place::StorePlace;

/// Number of requests to choose from.
const MAX_REQUESTS: usize = 30;
const KEYWORDS: [(&str, &str); 4] = [
    ("@last", "newest request"),
    ("@failed", "newest request that failed"),
    ("@slowest", "slowest request that succeeded"),
    ("@fastest", "fastest request that succeeded"),
];

/// Completes the name of a flow.
pub(crate) fn flows(current: &OsStr) -> Vec<CompletionCandidate> {
    let names = stored_flows().into_iter().map(|flow| clean(&flow.name).into_owned());
    let started = names.filter(|name| current.to_str().is_some_and(|start| name.starts_with(start)));
    started.map(CompletionCandidate::new).collect()
}

/// Completes a word of a query.
pub(crate) fn query_words(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(word) = current.to_str() else { return Vec::new() };
    let words = complete_query(word, &stored_flows());
    words.into_iter().map(|word| CompletionCandidate::new(clean(&word).into_owned())).collect()
}

/// Completes the reference to a request.
pub(crate) fn requests(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(start) = current.to_str() else { return Vec::new() };
    let keywords = KEYWORDS.iter().filter(|(word, _)| word.starts_with(start));
    let mut candidates: Vec<_> =
        keywords.map(|(word, help)| CompletionCandidate::new(*word).help(Some((*help).into()))).collect();
    let Some(reader) = reader() else { return candidates };
    let newest = Query { limit: Some(MAX_REQUESTS), ..Query::default() };
    for request in reader.list(&newest).unwrap_or_default() {
        let digits = reader.unique_digits(&[request.id]).unwrap_or(32);
        let id = request.id.short(digits);
        if id.starts_with(start) {
            let (method, path) = (clean(&request.method), clean(&request.path));
            let took = duration::show(request.duration_ns);
            let help = format!("{method} {path}  {}  {took}", request.status);
            candidates.push(CompletionCandidate::new(id).help(Some(help.into())));
        }
    }
    candidates
}

fn stored_flows() -> Vec<FlowInfo> {
    reader().and_then(|reader| reader.flows().ok()).unwrap_or_default()
}

/// Opens the store that the command line being completed names, or else the one that a command would find.
fn reader() -> Option<Reader> {
    let named = store_option(env::args_os()).or_else(|| env::var_os("ZERVER_STORE").map(PathBuf::from));
    let place = match named {
        Some(name) => StorePlace::named(&name).ok()?,
        None => find_store(&env::current_dir().ok()?)?.into(),
    };
    place.open().ok()
}

/// Returns the value of `--store` on a command line.
fn store_option(mut line: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    while let Some(word) = line.next() {
        if word == "--store" {
            return line.next().map(PathBuf::from);
        }
        if let Some(dir) = word.to_str().and_then(|word| word.strip_prefix("--store=")) {
            return Some(dir.into());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_of_a_command_line_is_found() {
        let store = |line: &str| store_option(line.split(' ').map(OsString::from));
        assert_eq!(store("zerver -- zerver ls --store a flow:"), Some("a".into()));
        assert_eq!(store("zerver -- zerver --store=b ls"), Some("b".into()));
        assert_eq!(store("zerver -- zerver ls --store"), None);
    }
}
