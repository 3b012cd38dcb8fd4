//! Runs what may panic without being ours: a database on a damaged file, a user's `Serialize`. The panic becomes a value,
//! and nothing is printed about it.
//!
//! Hooks for panics stand on top of each other in the order in which they were set, so the hook of this module may have
//! another one above it. Each hook asks [`is_quiet`] first, and does nothing for a panic that is dealt with.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread becomes a value, and is nobody's business.
pub fn is_quiet() -> bool {
    QUIET.get()
}

/// Runs `f`; a panic is an error with its message.
///
/// # Errors
/// When it panics.
pub fn run<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_quiet() {
                before(info);
            }
        }));
    });
    let outer = QUIET.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    QUIET.set(outer);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        // A payload whose own drop panics must not get through either.
        std::mem::forget(payload);
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_becomes_its_message() {
        assert!(!super::is_quiet());
        assert_eq!(super::run(super::is_quiet), Ok(true));
        assert_eq!(super::run(|| 7), Ok(7));
        assert_eq!(super::run(|| -> u8 { panic!("at {}", "sea") }), Err("at sea".to_owned()));
        assert_eq!(super::run(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
    }
}
