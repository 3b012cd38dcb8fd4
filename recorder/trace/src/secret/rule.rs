//! What is a secret: one rule for the recorder, which seals them, for the replayer and the service, which mask them in what
//! they say. `docs/secrets.md` is the same rule for people.
//!
//! A [`Rule`] says it of names and finds secrets in texts and values. It knows nothing of sealing, and of one text at a
//! time: copies of a secret elsewhere are for the caller to look for, where [`is_searchable`] says so.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use super::sensitive_names::{self, Sensitivity, Words};
use super::stems::Stems;
use super::{placeholder, scan};

/// What stands in the place of a secret where there is no key to tell equal ones by.
pub const MASK: &str = "<secret>";

/// The author of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// The client: what stands under the name of a secret is one, whatever it looks like.
    Client,
    /// The service, or another one that it asked: messages about a secret are none.
    Service,
}

/// What counts as a secret. A copy is cheap.
#[derive(Debug, Clone)]
pub struct Rule(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    /// The words of each name that the settings add, in small letters.
    names: Vec<Vec<String>>,
    /// Parameters of the path and the query, each with its flow; none: of any flow.
    params: Vec<(Option<String>, String)>,
    pub(super) stems: Stems,
}

static BUILT_IN: LazyLock<Rule> = LazyLock::new(|| Rule::new::<&str>(&[], &[]));

impl Default for Rule {
    fn default() -> Self {
        BUILT_IN.clone()
    }
}

impl Rule {
    /// The built-in rule with more names, and with secret parameters: of a flow, or of any.
    pub fn new<S: AsRef<str>>(names: &[S], params: &[(Option<&str>, &str)]) -> Self {
        let words = |name: &S| -> Vec<String> {
            let words = Words::of(name.as_ref().as_bytes());
            words.all().iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect()
        };
        let names: Vec<Vec<String>> = names.iter().map(words).filter(|words| !words.is_empty()).collect();
        let stems = names.iter().filter_map(|words| words.iter().max_by_key(|word| word.len()).cloned());
        let params =
            params.iter().map(|(flow, name)| (flow.map(str::to_owned), (*name).to_owned())).collect();
        Self(Arc::new(Inner { stems: Stems::with(stems.collect()), names, params }))
    }

    /// What the name of a field says.
    pub fn name(&self, name: &str) -> Sensitivity {
        match self.may_be_name(name) {
            true => self.words(&Words::of(name.as_bytes())),
            false => Sensitivity::NotSecret,
        }
    }

    /// Quick, and wrong only by saying yes. Names of the settings may be too short for the stems.
    fn may_be_name(&self, name: &str) -> bool {
        !self.0.names.is_empty() || self.may_be_in(name.as_bytes())
    }

    pub(super) fn words(&self, words: &Words<'_>) -> Sensitivity {
        match sensitive_names::said(words) {
            Sensitivity::NotSecret | Sensitivity::SecretText
                if self.0.names.iter().any(|name| sensitive_names::contains(words, name)) =>
            {
                Sensitivity::Secret
            }
            said => said,
        }
    }

    /// Whether the value of the header of this name is a secret.
    pub fn is_header(&self, name: &str) -> bool {
        if !self.may_be_name(name) {
            return false;
        }
        let words = Words::of(name.as_bytes());
        self.words(&words) != Sensitivity::NotSecret || sensitive_names::is_header(&words)
    }

    /// Whether the value of the parameter of a URL with this name is a secret; `flow` is the name of the flow.
    pub fn is_parameter(&self, flow: &str, name: &str) -> bool {
        self.is_path_parameter(flow, name) || sensitive_names::is_parameter(&Words::of(name.as_bytes()))
    }

    /// The same for a parameter of the path, of which short names say less.
    pub(super) fn is_path_parameter(&self, flow: &str, name: &str) -> bool {
        let is_this =
            |(of, param): &(Option<String>, String)| param == name && of.as_ref().is_none_or(|of| of == flow);
        self.name(name) != Sensitivity::NotSecret || self.0.params.iter().any(is_this)
    }

    /// Whether there may be a secret in some bytes, or in the tokens of a value. Quick, and wrong only by saying yes.
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.0.stems.next(bytes, 0).is_some()
    }

    /// Where the secrets of a text are, in their order.
    pub fn spans(&self, text: &[u8], author: Author) -> Vec<Range<usize>> {
        scan::text(self, text, author)
    }

    /// Where the secrets of the value of a header are.
    pub fn header_spans(&self, name: &str, value: &[u8], author: Author) -> Vec<Range<usize>> {
        let is_secret = self.is_header(name) && !placeholder::is_visible(value, Author::Client);
        if is_secret { std::iter::once(0..value.len()).collect() } else { self.spans(value, author) }
    }

    /// Where the secrets of a request's target are. `pattern` is that of the route which `flow` has.
    pub fn target_spans(&self, flow: &str, pattern: &str, target: &[u8]) -> Vec<Range<usize>> {
        scan::target(self, flow, pattern, target)
    }

    /// The text with what `mask` makes of each secret in the place of it; none if there are none in it.
    pub fn masked(&self, text: &str, author: Author, mask: impl Fn(&[u8]) -> String) -> Option<String> {
        let spans = self.spans(text.as_bytes(), author);
        (!spans.is_empty()).then(|| replace_spans(text.as_bytes(), &spans, mask))
    }
}

/// Whether a word is the scheme of an `authorization` header, which is no secret: `Bearer`, `Basic`.
pub fn is_scheme(word: &[u8]) -> bool {
    scan::is_scheme(word)
}

/// The text with something else in the place of each span; these are in order and do not overlap.
pub fn replace_spans(text: &[u8], spans: &[Range<usize>], with: impl Fn(&[u8]) -> String) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for span in spans {
        out.push_str(&String::from_utf8_lossy(&text[from..span.start]));
        out.push_str(&with(&text[span.clone()]));
        from = span.end;
    }
    out.push_str(&String::from_utf8_lossy(&text[from..]));
    out
}

/// The spans in their order; those that overlap or touch are one.
pub fn merge_spans(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    spans.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    spans
}
