//! Files of the same views that need no server and no network: one request, the diff of two, and a replay of many.
//!
//! A file has no script. Its style is a part of it, and its policy admits this style by its hash and nothing else.

mod corpus;
mod document;
mod request;

use maud::html;
use zerver_analysis::{Diff, IgnoredHeaders};
use zerver_trace::Trace;

pub use corpus::{CorpusReport, corpus_html};
pub use request::request_html;

use crate::view::diff::{DiffView, diff_page};

/// Returns the comparison of two requests as a file.
pub fn diff_html(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> String {
    let diff = Diff::of(a, b, ignored);
    let content = diff_page(&DiffView { a, b, diff: &diff, nodes: [None; 2], is_in_file: true });
    document::document("Comparison", &html! { (content) })
}
