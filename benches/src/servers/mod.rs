//! The servers, their data, and the processes that run them.

mod axum_fastrace;
pub(crate) mod axum_otlp;
mod axum_server;
pub(crate) mod busy;
mod busy_axum;
mod collector;
pub(crate) mod conduit;
pub(crate) mod cpu_work;
pub(crate) mod growth;
mod hyper_server;
pub(crate) mod memory;
pub(crate) mod process;
mod single_thread;
pub(crate) mod todos;
pub(crate) mod variant;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use self::variant::Variant;
use crate::report::print_line;

/// Serves in this process, on the first core, until standard input is closed. [`process::Server`] starts it.
pub(crate) fn serve(name: &str) -> ExitCode {
    process::pin_to(0);
    process::raise_file_limit();
    let ready = |addr: SocketAddr| {
        print_line(&addr.to_string());
        let _ = std::io::stdout().flush();
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    };
    let variant = Variant::ALL.into_iter().find(|variant| variant.argument() == name);
    let result = match (variant, name) {
        (Some(variant), _) => variant.serve(ready),
        (None, "busy") => busy::serve(ready),
        (None, "busy-axum") => busy_axum::serve(false, ready),
        (None, "busy-axum-blocking") => busy_axum::serve(true, ready),
        (None, "conduit-sqlx") => conduit::axum_sqlx::serve(ready),
        (None, "conduit-deadpool") => conduit::axum_deadpool::serve(ready),
        (None, "conduit-off" | "conduit-tail" | "conduit-all") => {
            conduit::zerver::serve(crate::tables::policy(name), ready)
        }
        (None, name) if let Some(more) = name.strip_prefix("growth-") => more
            .parse()
            .map_err(|_| format!("unknown server {name}"))
            .and_then(|more| growth::serve(more, ready)),
        (None, _) => Err(format!("unknown server {name}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent has stopped reading standard output.
            let _ = writeln!(std::io::stderr(), "{name}: {error}");
            ExitCode::from(2)
        }
    }
}
