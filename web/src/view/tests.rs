//! Every view, with arbitrary traces: none panics, and no recorded text becomes markup.

use proptest::prelude::*;
use zerver_analysis::{Diff, HolderKind, IgnoredHeaders, Moments, QueueHolder, QueueHolders, Why};
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample;
use zerver_trace::RequestId;
use zerver_trace::text::is_dangerous;

use super::diff::{DiffView, diff_page};
use super::request::{SlotsView, TimelineView, slots_page, timeline_page};
use super::why::why_page;
use crate::loaded_trace::LoadedTrace;
use crate::report::request_html;
use crate::url::Params;

fn check(markup: &str) {
    assert_eq!(markup.matches('<').count(), markup.matches('>').count(), "unbalanced: {markup}");
    let is_kept = |c: char| matches!(c, '\n');
    assert!(!markup.contains(|c: char| is_dangerous(c) && !is_kept(c)), "{markup:?}");
    // Coordinates are numbers.
    assert!(!markup.contains("NaN") && !markup.contains("inf%"), "{markup}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_trace_is_shown(trace in any_trace(), other in any_trace(), at in 0..60_usize, row in 0..40_usize) {
        let (loaded, now_unix_ns) = (LoadedTrace::new(trace.clone()), 1);
        for query in [format!("row={row}"), "fold=1&min=10&phases=1".to_owned(), "from=999999".to_owned()] {
            let params = Params::parse(query.as_bytes());
            check(&timeline_page(&TimelineView { loaded: &loaded, params: &params, neighbors: [None, None], now_unix_ns }).0);
        }
        let moments = Moments::new(&loaded.trace, &loaded.timeline, &loaded.rows);
        check(&slots_page(&SlotsView { loaded: &loaded, moments: &moments, at, now_unix_ns }).0);
        check(&why_page(&loaded, &Why::of(&trace, std::slice::from_ref(&other)), now_unix_ns).0);
        let diff = Diff::of(&trace, &other, &IgnoredHeaders::default());
        check(&diff_page(&DiffView { a: &trace, b: &other, diff: &diff, nodes: [None, Some("pod")], is_in_file: false }).0);
        let file = request_html(&trace);
        // The style has its own signs.
        check(file.split_once("</head>").unwrap().1);
    }
}

fn timeline_of(loaded: &LoadedTrace) -> String {
    let params = Params::parse(b"");
    timeline_page(&TimelineView { loaded, params: &params, neighbors: [None, None], now_unix_ns: 1 }).0
}

#[test]
fn what_a_request_waited_behind_links_to_it() {
    let request = RequestId::from_u128(0x19aa_4c20 << 96);
    let kind = HolderKind::Step { request, flow: "report".to_owned(), step: "<render>".to_owned() };
    let held = |kind, time_ns| QueueHolder { kind, thread: None, time_ns };
    let holders = vec![held(kind, 180_000_000), held(HolderKind::NotRecorded, 40_000_000)];
    let mut loaded = LoadedTrace::new(sample::slow());
    assert!(!timeline_of(&loaded).contains("Queued behind"));
    loaded.queue = Some(QueueHolders { queue_ns: 220_000_000, holders, is_sampled: true });
    let page = timeline_of(&loaded);
    assert!(page.contains("Queued behind"), "{page}");
    assert!(page.contains(&format!("<a href=\"{}\">", crate::url::request(request, ""))), "{page}");
    assert!(page.contains("behind &lt;render&gt; of report") && page.contains("not recorded"), "{page}");
}

#[test]
fn a_request_is_shown_as_a_command_of_curl() {
    let page = timeline_of(&LoadedTrace::new(sample::slow()));
    assert!(page.contains("curl "), "{page}");
}
