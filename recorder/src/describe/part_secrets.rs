//! Finds the secrets in a new part: where they are, and which of them to search for in the rest of the trace.

use std::borrow::Cow;
use std::ops::Range;

use zerver_trace::secret::{Author, Rule};
use zerver_trace::{FlowInfo, Recorded};

use crate::describe::part_content::{NewPart, OwnSecrets, PartContent};
use crate::secrets::trace_secrets::TraceSecrets;

/// A secret shorter than this, in bytes, is not searched for. A value of the program that contains one is sealed as a
/// whole.
const SHORT: usize = 6;

/// Role of a value in its trace, which decides where its secrets may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueRole<'a> {
    /// A value that is secret as a whole.
    Secret,
    /// Value of the header with this name.
    Header(&'a str, Author),
    /// Value of a header that the service marked as secret.
    MarkedHeader,
    /// Target of a request to this flow.
    Target(&'a FlowInfo),
    /// Scheme and authority of a target.
    Origin,
    /// Text or bytes in a message.
    Text(Author),
    /// A value of the program, such as a slot.
    Other,
}

impl ValueRole<'_> {
    pub(crate) const fn salt(self) -> u64 {
        match self {
            Self::Secret => 0,
            Self::Header(..) => 1,
            Self::MarkedHeader => 2,
            Self::Target(_) => 3,
            Self::Text(_) => 4,
            Self::Other => 5,
            Self::Origin => 6,
        }
    }
}

impl NewPart {
    /// Finds the secrets of a part. `raw` is the text or the bytes that the value consists of, if that is known.
    pub(crate) fn of(rule: &Rule, role: ValueRole<'_>, recorded: Recorded, raw: Option<&[u8]>) -> Self {
        let mut is_secret = matches!(role, ValueRole::Secret | ValueRole::MarkedHeader);
        let (mut own_secrets, mut secrets) = (OwnSecrets::Nothing, TraceSecrets::default());
        if let Recorded::Plain { value, summary } = &recorded {
            // A tree of a large value takes long to make, and most values cannot contain a secret.
            let bytes = || match raw {
                Some(raw) => Cow::Borrowed(raw),
                None => Cow::Owned(value.root().as_bytes().map(Cow::into_owned).unwrap_or_default()),
            };
            match role {
                ValueRole::Secret => secrets.add_all(&value.root()),
                ValueRole::MarkedHeader => secrets.add_header_value(&bytes()),
                ValueRole::Header(name, author) => {
                    let value = bytes();
                    let spans = rule.header_spans(name, &value, author);
                    is_secret = rule.is_header(name) && spans.len() == 1 && spans[0] == (0..value.len());
                    match is_secret {
                        // Copies of what is hidden only because it is not listed, such as a host, stay readable.
                        true if rule.is_unlisted_header(name) => {
                            (own_secrets, secrets) = secrets_at(&value, rule.spans(&value, author));
                        }
                        true => secrets.add_header_value(&value),
                        false => (own_secrets, secrets) = secrets_at(&value, spans),
                    }
                }
                ValueRole::Target(flow) => {
                    let target = bytes();
                    (own_secrets, secrets) =
                        secrets_at(&target, rule.target_spans(&flow.name, &flow.pattern, &target));
                }
                ValueRole::Origin => {
                    let origin = bytes();
                    let user = user_information(&origin);
                    is_secret = user.as_ref().is_some_and(|user| user.len() < SHORT);
                    (own_secrets, secrets) = secrets_at(&origin, user.into_iter().collect());
                }
                ValueRole::Text(author) => {
                    let text = bytes();
                    (own_secrets, secrets) = secrets_at(&text, rule.spans(&text, author));
                }
                ValueRole::Other => {
                    if rule.may_be_in(value.tokens()) {
                        rule.secrets_of(&value.root(), Author::Service, &mut |secret| {
                            own_secrets = OwnSecrets::Named;
                            is_secret |= secret.len() < SHORT;
                            secrets.add_header_value(secret);
                        });
                    }
                    let line = summary.as_deref().unwrap_or_default().as_bytes();
                    for span in rule.spans(line, Author::Service) {
                        own_secrets = OwnSecrets::Named;
                        secrets.add(&line[span]);
                    }
                }
            }
        }
        Self { content: PartContent::Value(recorded), is_secret, own_secrets, secrets }
    }
}

/// Returns the secrets at the given ranges of a text.
pub(crate) fn secrets_at(text: &[u8], spans: Vec<Range<usize>>) -> (OwnSecrets, TraceSecrets) {
    let mut secrets = TraceSecrets::default();
    if spans.is_empty() {
        return (OwnSecrets::Nothing, secrets);
    }
    spans.iter().for_each(|span| secrets.add(&text[span.clone()]));
    (OwnSecrets::Spans(spans), secrets)
}

/// Returns the range of the user information in an origin (RFC 3986, section 3.2.1).
fn user_information(origin: &[u8]) -> Option<Range<usize>> {
    let start = memchr::memmem::find(origin, b"://").map_or(0, |at| at + 3);
    let len = memchr::memrchr(b'@', &origin[start..]).filter(|len| *len > 0)?;
    Some(start..start + len)
}
