//! The thread that looks for new certificates. It is separate, because a file may be on a network that hangs.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::certificate_store::CertificateStore;

/// Interval between looks at the files. Reading them is cheaper than watching the folders that links lead to.
const INTERVAL: Duration = Duration::from_secs(10);

/// The thread. It ends when this is dropped, or as soon as a file that it reads allows.
#[derive(Debug)]
pub(crate) struct ReloadThread(Sender<()>);

impl ReloadThread {
    pub(crate) fn start(store: Arc<CertificateStore>) -> io::Result<Self> {
        let (sender, asked) = channel();
        let thread = std::thread::Builder::new().name("zerver-tls".to_owned());
        thread.spawn(move || {
            while !matches!(asked.recv_timeout(INTERVAL), Err(RecvTimeoutError::Disconnected)) {
                store.reload();
            }
        })?;
        Ok(Self(sender))
    }

    /// Has the files read now.
    pub(crate) fn reload(&self) {
        let _ = self.0.send(());
    }
}
