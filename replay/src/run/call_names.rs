//! Names by which edits may refer to a call. Labels are built only when needed.

use std::cell::OnceCell;

use zerver_engine::Call;

use crate::observed;
use crate::observed::ObservedCall;
use crate::value::label;

/// Names of a call of today's code.
pub(crate) struct CallNames<'a> {
    call: &'a Call,
    number: u32,
    /// Recorded call that it corresponds to.
    known: Option<&'a ObservedCall<'a>>,
    label: OnceCell<String>,
}

impl<'a> CallNames<'a> {
    pub(crate) const fn new(call: &'a Call, number: u32, known: Option<&'a ObservedCall<'a>>) -> Self {
        Self { call, number, known, label: OnceCell::new() }
    }

    /// Returns the label: kind and summary.
    pub(crate) fn label(&self) -> &str {
        self.label.get_or_init(|| label::effect(self.call.kind(), &observed::plain(self.call.args_value())))
    }

    /// Returns true if `name` refers to the call: by its label, its number, its recorded label, or any displayed form
    /// of these.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == self.number.to_string()
            || is_shown_as(self.label(), name)
            || self.known.is_some_and(|known| is_shown_as(known.label(), name))
    }
}

/// Returns true if some view displays `name` as `shown`: in full, with control characters escaped, cut to a column
/// (`http GET identity.internal/ver…`), or without its query (`http GET figures.internal/figures?..`).
fn is_shown_as(name: &str, shown: &str) -> bool {
    if name == shown {
        return true;
    }
    let clean = zerver_trace::text::clean(name);
    let starts_with = |start: &str| !start.is_empty() && clean.starts_with(start);
    clean == shown
        || shown.strip_suffix('…').is_some_and(starts_with)
        || shown.strip_suffix("..").is_some_and(|start| start.ends_with('?') && starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recognized_in_every_displayed_form() {
        let check = |name: &str, shown: &str, expected: bool| {
            assert_eq!(is_shown_as(name, shown), expected, "{name:?} {shown:?}");
        };
        check("kv get todo:1", "kv get todo:1", true);
        check("kv get todo:1", "kv get todo:", false);
        check("kv get todo:1", "kv get tod…", true);
        check("kv get todo:1", "kv put tod…", false);
        check("kv get todo:1", "…", false);
        check("kv get a\u{1b}[2Jb", "kv get a\\u{1b}[2Jb", true);
        check("http GET a.internal/figures?ms=1", "http GET a.internal/figures?..", true);
        check("http GET a.internal/figures", "http GET a.internal/figures?..", false);
        check("kv get todo:…", "kv get todo:…", true);
    }
}
