//! The items of this module on Unix systems other than Linux. They do less, and the UI works all the same.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;

use rustix::termios::ttyname;

/// Opens the terminal that standard output is. It is opened by its own name, because macOS cannot poll `/dev/tty`
/// (see poll(2)), which is opened only if standard output is no terminal.
pub(crate) fn open_terminal() -> io::Result<File> {
    match ttyname(io::stdout(), Vec::new()) {
        Ok(name) => File::open(OsStr::from_bytes(name.as_bytes())),
        Err(_) => File::open("/dev/tty"),
    }
}
