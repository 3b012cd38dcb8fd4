//! Source locations of panics. Only a panic hook learns them, and it can pass them on only in a thread-local.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use zerver_trace::Name;

/// Source location of a panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PanicLocation {
    pub(crate) file: Name,
    /// From 1.
    pub(crate) line: u32,
    /// From 1.
    pub(crate) column: u32,
}

thread_local! {
    /// Location of the last panic on this thread.
    static LAST: RefCell<Option<PanicLocation>> = const { RefCell::new(None) };
}

/// Installs a panic hook so that traces contain the location of a panic. The previous hook still runs; a hook that is
/// set later must call this one. Further calls do nothing.
pub fn install_panic_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let location = info.location().map(|at| PanicLocation {
                file: Name::from(at.file().to_owned()),
                line: at.line(),
                column: at.column(),
            });
            let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = location));
            previous(info);
        }));
    });
}

/// Takes the location of the panic that was just caught on this thread. Returns `None` without the hook.
pub(crate) fn take_last_location() -> Option<PanicLocation> {
    LAST.try_with(RefCell::take).ok().flatten()
}
