//! What a call may be called, where somebody wants to say something about it. Nothing is put into words before.

use std::cell::OnceCell;

use zerver_engine::Call;

use crate::observed;
use crate::observed::ObservedCall;
use crate::value::label;

/// The names of a call of today's code.
pub(crate) struct CallNames<'a> {
    call: &'a Call,
    number: u32,
    /// The recorded call that it is.
    known: Option<&'a ObservedCall<'a>>,
    told: OnceCell<String>,
}

impl<'a> CallNames<'a> {
    pub(crate) const fn new(call: &'a Call, number: u32, known: Option<&'a ObservedCall<'a>>) -> Self {
        Self { call, number, known, told: OnceCell::new() }
    }

    /// The kind and the summary, as it is told.
    pub(crate) fn told(&self) -> &str {
        self.told.get_or_init(|| label::effect(self.call.kind(), &observed::plain(self.call.args_value())))
    }

    /// Whether this is one of them: as it is told, by its number, as it was recorded, or as any view prints it.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == self.number.to_string()
            || is_shown_as(self.told(), name)
            || self.known.is_some_and(|known| is_shown_as(known.label(), name))
    }
}

/// Whether a name is printed in this way by some view: whole, with control characters escaped, cut to the room of a
/// column (`http GET identity.internal/ver…`), or without its query (`http GET figures.internal/figures?..`).
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
    fn a_name_is_known_in_every_form_in_which_it_is_printed() {
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
