//! The items of this module on Unix systems other than Linux. They do less, and the command works all the same.

use std::io;

/// `None`: a child cannot be tied to us. It survives if we are killed, and ends in every other case.
pub(crate) const OWN_PROGRAM: Option<&str> = None;

/// Does nothing.
pub(crate) const fn die_with_parent(_parent: i32) -> io::Result<()> {
    Ok(())
}
