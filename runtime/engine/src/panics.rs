//! Where a step panicked: the place in the source, which only a panic hook is told.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use zerver_trace::Name;

/// A place in the source of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Name,
    /// From 1.
    pub(crate) line: u32,
    /// From 1.
    pub(crate) column: u32,
}

thread_local! {
    /// Of the last panic on this thread.
    static LAST: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Has panics tell where they are, so that traces can. The panic hook that there is does what it did; one that is set later
/// must call the one before it. Called again, it does nothing.
pub fn watch_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info.location().map(|at| Place {
                file: Name::from(at.file().to_owned()),
                line: at.line(),
                column: at.column(),
            });
            let _ = LAST.try_with(|last| last.try_borrow_mut().map(|mut last| *last = place));
            before(info);
        }));
    });
}

/// Where the panic was that has just been caught on this thread, once; none where that is not known.
pub(crate) fn last_place() -> Option<Place> {
    LAST.try_with(RefCell::take).ok().flatten()
}
