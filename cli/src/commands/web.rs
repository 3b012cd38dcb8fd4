//! `zerver web`: the web UI over a store.

use std::sync::Arc;

use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use zerver_web::WebOptions;

use crate::args::{Global, Web};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::replayer::Replayer;
use crate::store_source::StoreSource;
use crate::{locate, web_ui};

/// `{"url": ..}`.
#[derive(Serialize)]
struct UrlJson {
    url: String,
}

pub(super) fn run(args: &Web, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let mut page = String::new();
    let source = match &args.path {
        Some(path) if !path.is_dir() => {
            let trace = locate::read_portable(path)?;
            page = format!("requests/{}", trace.id);
            // The list shows the store, if there is one.
            StoreSource::new(locate::store_place(global).unwrap_or_default()).with_extra(vec![trace])
        }
        path => {
            let place = match path {
                Some(dir) => dir.clone().into(),
                None => locate::store_place(global)?,
            };
            let reader = locate::open_reader(&place)?;
            StoreSource::from_reader(place, reader)
        }
    };
    let replayer = Replayer::new(args.app.clone(), args.program.clone());
    let services = web_ui::services(Arc::new(source), replayer, args.service.clone());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
        .map_err(|error| CommandError::new("cannot listen for signals").caused_by(&error))?;
    let listener = web_ui::listen(args.addr.as_deref(), "--addr")?;
    let server = web_ui::start(listener, &WebOptions { names: args.name.clone() }, services)?;
    if !server.addr().ip().is_loopback() {
        output.warn(
            "other machines can reach the web UI, and anyone who has the token can see all recorded requests",
        );
    }
    let url = server.url().replacen("/?", &format!("/{page}?"), 1);
    if output.is_json {
        output.json_line(&UrlJson { url })?;
    } else {
        output.print(&format!("{url}\n"))?;
        output.info("open it in a browser; Ctrl-C ends the server");
    }
    signals.forever().next();
    drop(server);
    Ok(CommandOutcome::Success)
}
