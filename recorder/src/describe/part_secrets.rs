//! The secrets of a part that has not been seen before: where they are in it, and which of them are looked for in the other
//! parts of its trace.

use std::ops::Range;

use zerver_trace::secret::{Author, Rule};
use zerver_trace::{FlowInfo, Recorded};

use crate::describe::part_table::{Fresh, Own, What};
use crate::secrets::trace_secrets::Secrets;

/// A secret that is shorter is sealed with the whole value that it is in, if that is one of the program's.
const SHORT: usize = 6;

/// What a value of a trace is, as far as secrets go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// Secret as a whole.
    Secret,
    /// The value of the header of this name.
    Header(&'a str, Author),
    /// The same of one which the service has marked as a secret.
    MarkedHeader,
    /// The target of a request to this flow.
    Target(&'a FlowInfo),
    /// Scheme and authority of a target.
    Origin,
    /// Text or bytes in a message.
    Text(Author),
    /// A value of the program.
    Other,
}

impl Role<'_> {
    pub(crate) const fn number(self) -> u64 {
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

impl Fresh {
    pub(crate) fn of(rule: &Rule, role: Role<'_>, recorded: Recorded) -> Self {
        let mut whole = matches!(role, Role::Secret | Role::MarkedHeader);
        let (mut own, mut secrets) = (Own::Nothing, Secrets::default());
        if let Recorded::Plain { value, summary } = &recorded {
            let root = value.root();
            let bytes = || root.as_bytes().unwrap_or_default();
            match role {
                Role::Secret => secrets.add_all(&root),
                Role::MarkedHeader => secrets.add_header(&bytes()),
                Role::Header(name, author) => {
                    let value = bytes();
                    let spans = rule.header_spans(name, &value, author);
                    whole = rule.is_header(name) && spans.len() == 1 && spans[0] == (0..value.len());
                    match whole {
                        true => secrets.add_header(&value),
                        false => (own, secrets) = found(&value, spans),
                    }
                }
                Role::Target(flow) => {
                    let target = bytes();
                    (own, secrets) = found(&target, rule.target_spans(&flow.name, &flow.pattern, &target));
                }
                Role::Origin => {
                    let origin = bytes();
                    let user = user_information(&origin);
                    whole = user.as_ref().is_some_and(|user| user.len() < SHORT);
                    (own, secrets) = found(&origin, user.into_iter().collect());
                }
                Role::Text(author) => {
                    let text = bytes();
                    (own, secrets) = found(&text, rule.spans(&text, author));
                }
                Role::Other => {
                    if rule.may_be_in(value.tokens()) {
                        rule.secrets_of(&root, Author::Service, &mut |secret| {
                            own = Own::Named;
                            whole |= secret.len() < SHORT;
                            secrets.add_header(secret);
                        });
                    }
                    let line = summary.as_deref().unwrap_or_default().as_bytes();
                    for span in rule.spans(line, Author::Service) {
                        own = Own::Named;
                        secrets.add(&line[span]);
                    }
                }
            }
        }
        Self { what: What::Value(recorded), whole, own, secrets }
    }
}

/// What is secret of a text, by where it is.
pub(crate) fn found(text: &[u8], spans: Vec<Range<usize>>) -> (Own, Secrets) {
    let mut secrets = Secrets::default();
    if spans.is_empty() {
        return (Own::Nothing, secrets);
    }
    spans.iter().for_each(|span| secrets.add(&text[span.clone()]));
    (Own::Spans(spans), secrets)
}

/// The user information of an origin (RFC 3986, section 3.2.1).
fn user_information(origin: &[u8]) -> Option<Range<usize>> {
    let start = memchr::memmem::find(origin, b"://").map_or(0, |at| at + 3);
    let len = memchr::memrchr(b'@', &origin[start..]).filter(|len| *len > 0)?;
    Some(start..start + len)
}
