//! The web UI of `dev`.

use std::path::Path;
use std::sync::Arc;

use zerver_web::{WebOptions, WebServer};

use crate::args::Dev;
use crate::error::CommandError;
use crate::service::replayer::{CurrentProgram, Replayer};
use crate::store_source::StoreSource;
use crate::web_ui;

/// The web UI on a thread of its own.
pub(super) struct DevWeb {
    server: WebServer,
    /// The store, which is not shared with the terminal UI: each of them has to notice that it was replaced.
    pub(super) source: Arc<StoreSource>,
    /// The program that replays use.
    pub(super) current: CurrentProgram,
}

impl DevWeb {
    /// Starts to serve. `service` is the URL of the service.
    pub(super) fn start(args: &Dev, store: &Path, service: &str) -> Result<Self, CommandError> {
        let source = Arc::new(StoreSource::new(store.to_owned().into()));
        let replayer = Replayer::new(Some(args.app.clone()), args.program.clone());
        let current = replayer.current();
        let services = web_ui::services(Arc::clone(&source), replayer, Some(service.to_owned()));
        let listener = web_ui::listen(args.web_addr.as_deref(), "--web-addr")?;
        let server = web_ui::start(listener, &WebOptions::default(), services)?;
        Ok(Self { server, source, current })
    }

    /// Returns the URL that signs in.
    pub(super) fn url(&self) -> String {
        self.server.url()
    }
}
