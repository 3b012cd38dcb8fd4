//! The items of this module on Linux.

use std::fs::File;
use std::io;

/// Opens the terminal of the process, whatever its standard input is.
pub(crate) fn open_terminal() -> io::Result<File> {
    File::open("/dev/tty")
}
