//! Runs code that may panic and is not ours: a database on a damaged file, a user's `Serialize`. The panic becomes an
//! error value, and nothing is printed.
//!
//! Panic hooks form a stack in the order in which they were set, so another hook may run before the one of this module.
//! Every hook must therefore check [`is_catching`] first, and ignore the panic if that returns true.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Returns true if a panic of this thread is going to be caught, and must not be reported.
pub fn is_catching() -> bool {
    IS_CATCHING.get()
}

/// Runs `f`, and converts a panic into its message.
///
/// # Errors
/// The message of the panic.
pub fn catch<T>(f: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_catching() {
                before(info);
            }
        }));
    });
    let outer = IS_CATCHING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(f));
    IS_CATCHING.set(outer);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        // Dropping the payload could panic, too.
        std::mem::forget(payload);
        text
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_panic_becomes_its_message() {
        assert!(!super::is_catching());
        assert_eq!(super::catch(super::is_catching), Ok(true));
        assert_eq!(super::catch(|| 7), Ok(7));
        assert_eq!(super::catch(|| -> u8 { panic!("at {}", "sea") }), Err("at sea".to_owned()));
        assert_eq!(super::catch(|| -> u8 { panic!("plain") }), Err("plain".to_owned()));
    }
}
