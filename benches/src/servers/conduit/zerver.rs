//! The example `conduit`, as it is.

use std::net::SocketAddr;

use zerver::StartOptions;
use zerver_example_conduit::{Settings, app};
use zerver_recorder::{Recorder, RecordingPolicy};

use super::{TOKEN_KEY, database_url};
use crate::servers::todos;

/// Serves until `ready` returns. Without a policy nothing is recorded.
pub(crate) fn serve(policy: Option<RecordingPolicy>, ready: impl FnOnce(SocketAddr)) -> Result<(), String> {
    let recorder = policy.map(todos::open).transpose()?;
    let database_url = database_url()?;
    let settings = move || Ok(Settings { database_url, token_key: TOKEN_KEY.to_owned(), is_seeded: false });
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: recorder.as_ref().map(Recorder::sink),
        ..StartOptions::default()
    };
    let running = app(settings).workers(1).start(options).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(running.ready()).map_err(|error| error.to_string())?;
    ready(running.addr());
    running.stop();
    match recorder.map(Recorder::close) {
        Some(status) if status.dropped + status.lost > 0 => {
            Err(format!("not every request was recorded: {status:?}"))
        }
        _ => Ok(()),
    }
}
