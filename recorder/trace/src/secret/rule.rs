//! The rule that decides which names mark a secret: the built-in lists with the additions of the settings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use super::names::name_memo::{self, NameClass};
use super::names::{self, NameWords, Sensitivity};
use super::stems::Stems;

/// Rule for recognizing secrets. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Rule(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Number of the rule within this process, from one.
    number: u64,
    /// Words of each name that the settings add, in lower case.
    names: Vec<Vec<String>>,
    /// Parameters of the path and the query. Each belongs to a flow, or to every flow if `None`.
    params: Vec<(Option<String>, String)>,
    stems: Stems,
    /// The only headers whose values are no secrets, in lower case. Empty if names decide.
    clear_headers: Vec<String>,
}

/// Number of the last rule that was created.
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

fn next_number() -> u64 {
    LAST_NUMBER.fetch_add(1, Ordering::Relaxed) + 1
}

static BUILT_IN: LazyLock<Rule> = LazyLock::new(|| Rule::new::<&str>(&[], &[]));

impl Default for Rule {
    fn default() -> Self {
        BUILT_IN.clone()
    }
}

impl Rule {
    /// Creates the built-in rule with additional names, and with secret parameters of one flow or of every flow.
    pub fn new<S: AsRef<str>>(names: &[S], params: &[(Option<&str>, &str)]) -> Self {
        let words = |name: &S| -> Vec<String> {
            let words = NameWords::split(name.as_ref().as_bytes());
            words.all().iter().map(|word| String::from_utf8_lossy(word).to_ascii_lowercase()).collect()
        };
        let names: Vec<Vec<String>> = names.iter().map(words).filter(|words| !words.is_empty()).collect();
        let stems = names.iter().filter_map(|words| words.iter().max_by_key(|word| word.len()).cloned());
        let params =
            params.iter().map(|(flow, name)| (flow.map(str::to_owned), (*name).to_owned())).collect();
        let stems = Stems::with(stems.collect());
        Self(Arc::new(Inner { number: next_number(), stems, names, params, clear_headers: Vec::new() }))
    }

    /// Makes the values of all headers secret but those of the listed ones. An empty list changes nothing.
    #[must_use]
    pub fn with_clear_headers<S: AsRef<str>>(self, clear: &[S]) -> Self {
        let Inner { names, params, stems, .. } = &*self.0;
        let clear_headers = clear.iter().map(|name| name.as_ref().to_ascii_lowercase()).collect();
        let (names, params, stems) = (names.clone(), params.clone(), stems.clone());
        Self(Arc::new(Inner { number: next_number(), names, params, stems, clear_headers }))
    }

    /// Returns true if the value of a header is a secret only because the header is not listed as one in the clear.
    pub fn is_unlisted_header(&self, name: &str) -> bool {
        self.is_unlisted(name) && !self.is_named_header(name)
    }

    fn is_unlisted(&self, name: &str) -> bool {
        let clear = &self.0.clear_headers;
        !clear.is_empty() && !clear.iter().any(|listed| listed.eq_ignore_ascii_case(name))
    }

    /// Classifies the name of a field.
    pub fn name(&self, name: &str) -> Sensitivity {
        self.class(name).field
    }

    fn class(&self, name: &str) -> NameClass {
        name_memo::classified(self.0.number, name.as_bytes(), || {
            let words = NameWords::split(name.as_bytes());
            // Names of URL parameters may be too short for the stems.
            let is_parameter = names::is_parameter(&words);
            if !self.may_be_name(name) {
                return NameClass { is_secret_parameter: is_parameter, ..NameClass::default() };
            }
            let field = self.words(&words);
            let is_secret = field != Sensitivity::NotSecret;
            NameClass {
                field,
                is_secret_header: is_secret || names::is_header(&words),
                is_secret_parameter: is_secret || is_parameter,
            }
        })
    }

    /// Returns false only if the name cannot mark a secret. Names of the settings may be too short for the stems.
    fn may_be_name(&self, name: &str) -> bool {
        !self.0.names.is_empty() || self.may_be_in(name.as_bytes())
    }

    pub(crate) fn words(&self, words: &NameWords<'_>) -> Sensitivity {
        match names::classify(words) {
            Sensitivity::NotSecret | Sensitivity::SecretText
                if self.0.names.iter().any(|name| names::contains(words, name)) =>
            {
                Sensitivity::Secret
            }
            sensitivity => sensitivity,
        }
    }

    /// Returns true if the value of a header with this name is a secret.
    pub fn is_header(&self, name: &str) -> bool {
        self.is_unlisted(name) || self.is_named_header(name)
    }

    fn is_named_header(&self, name: &str) -> bool {
        self.class(name).is_secret_header
    }

    /// Returns true if the value of a URL parameter with this name is a secret in the given flow.
    pub fn is_parameter(&self, flow: &str, name: &str) -> bool {
        self.class(name).is_secret_parameter || self.is_marked_parameter(flow, name)
    }

    /// Returns true if a flow, or the program, marks the parameter of this name as a secret.
    pub fn is_marked_parameter(&self, flow: &str, name: &str) -> bool {
        let is_this =
            |(of, param): &(Option<String>, String)| param == name && of.as_ref().is_none_or(|of| of == flow);
        self.0.params.iter().any(is_this)
    }

    /// Returns true if the value of a path parameter with this name is a secret in the given flow. Short names mean less
    /// here than in a query.
    pub(crate) fn is_path_parameter(&self, flow: &str, name: &str) -> bool {
        self.name(name) != Sensitivity::NotSecret || self.is_marked_parameter(flow, name)
    }

    /// Returns false only if a text, or the tokens of a value, cannot contain a secret. This is a fast check.
    pub fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.next_stem(bytes, 0).is_some()
    }

    /// Returns the index from which a secret or the name of one may begin, at or after `from`.
    pub(crate) fn next_stem(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.0.stems.next(bytes, from)
    }
}
