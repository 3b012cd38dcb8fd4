//! Serves the RealWorld API. With the argument `seed`, inserts a few users and articles instead.

use std::process::ExitCode;

use zerver_example_conduit::{Settings, app, seed};

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("seed") => seed::run(),
        _ => zerver::run(app(Settings::from_environment)),
    }
}
