//! Options for starting a service on threads of its own.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;

use zerver_trace::CaptureSink;

use crate::execution::purity_check::OnImpureStep;

/// What a service is started with.
#[derive(Default)]
pub struct StartOptions {
    /// Where to listen, instead of [`App::addr`]; port 0 for any that is free.
    pub addr: Option<String>,
    /// A socket that listens already, instead of an address.
    pub listener: Option<TcpListener>,
    /// Where the traces of requests go; none means that nothing is recorded.
    pub sink: Option<Arc<dyn CaptureSink>>,
    /// Requests that show this in `x-zerver-record` are recorded whatever the policy says.
    pub record_token: Option<String>,
    /// Has each step run twice with the same slots, and is told of those that are not the same then, of each once. What
    /// the first run says counts. None, as it is in production: each step runs once.
    pub on_impure_step: Option<OnImpureStep>,
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartOptions")
            .field("addr", &self.addr)
            .field("listener", &self.listener)
            .field("sink", &self.sink.is_some())
            .field("record_token", &self.record_token.is_some())
            .field("on_impure_step", &self.on_impure_step.is_some())
            .finish()
    }
}
