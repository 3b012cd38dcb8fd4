//! Files that need no server.

use std::time::Duration;

use zerver_analysis::{Corpus, IgnoredHeaders};
use zerver_replay::{Edits, MissingInput, Report};
use zerver_testkit::sample;
use zerver_web::Services;
use zerver_web::report::{CorpusReport, corpus_html, diff_html, request_html};

use crate::sample_service::{HOSTILE, SampleService, hostile, long};

/// Returns a file of every kind, with its name.
pub(crate) fn all_files(service: &SampleService) -> Vec<(&'static str, String)> {
    let mut corpus = Corpus::default();
    let trace = sample::slow();
    let different = service.replay(trace.clone(), Edits::default()).unwrap().report;
    corpus.add(trace.id, HOSTILE, &different);
    corpus.add(trace.id, "todos-item", &Report::default());
    let missing = Report { missing_inputs: vec![MissingInput::Other(HOSTILE.into())], ..Report::default() };
    corpus.add(trace.id, "todos-item", &missing);
    let report = CorpusReport {
        corpus: &corpus,
        build: HOSTILE,
        took: Duration::from_secs(2),
        is_partial: true,
        name: &|id| format!("{} {HOSTILE}", id.short(12)),
    };
    vec![
        ("slow.html", request_html(&sample::slow())),
        ("failed.html", request_html(&sample::failed())),
        ("hostile.html", request_html(&hostile())),
        ("long.html", request_html(&long(10_000))),
        ("diff.html", diff_html(&sample::slow(), &sample::failed(), &IgnoredHeaders::default())),
        ("diff-hostile.html", diff_html(&hostile(), &sample::held(), &IgnoredHeaders::default())),
        ("corpus.html", corpus_html(&report)),
    ]
}

#[test]
fn files_are_small_and_complete_and_load_nothing() {
    for (name, file) in all_files(&SampleService::default()) {
        assert!(file.starts_with("<!DOCTYPE html>") && file.ends_with("</html>"), "{name}");
        assert_eq!(file.matches("http-equiv=\"Content-Security-Policy\"").count(), 1, "{name}");
        for harm in
            ["<script", "<img src=x", "</textarea></title>", "<a ", "<form", " style=", "\u{202e}", "\u{1b}"]
        {
            assert!(!file.contains(harm), "{name} contains {harm:?}");
        }
        assert!(!file.contains("the-secret-of-a-slot"), "{name} shows a secret");
        assert!(file.len() < 500_000, "{name}: {} bytes", file.len());
    }
    let file = request_html(&long(100));
    assert!(file.len() < 300_000, "{} bytes", file.len());
    assert!(file.contains("Buy milk") && file.contains("get todo:1"));
}

#[test]
fn a_request_with_large_values_still_makes_a_small_file() {
    let mut trace = long(100);
    let large = "x".repeat(60_000);
    trace.response_body.bytes = sample::wire(large.as_bytes());
    (trace.response_body.full_len, trace.response_body.kept_len) = (60_000, 60_000);
    for at in 0..50 {
        trace.events.push(sample::wrote(0, 0, at, sample::plain(&large)));
    }
    let file = request_html(&trace);
    assert!(file.len() < 300_000, "{} bytes", file.len());
    assert!(file.contains("shown: the first 4096 of"));
}
