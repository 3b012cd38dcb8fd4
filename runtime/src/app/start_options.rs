//! Options for starting a service on separate threads.

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;

use zerver_engine::Chaos;
use zerver_trace::CaptureSink;

#[cfg(feature = "replay")]
use crate::execution::purity_check::OnImpureStep;

/// Options for [`App::start`](crate::App::start).
#[derive(Default)]
pub struct StartOptions {
    /// Address to listen on, instead of [`App::addr`](crate::App::addr). Port 0 selects a free port.
    pub addr: Option<String>,
    /// Socket that already listens. It takes precedence over the address.
    pub listener: Option<TcpListener>,
    /// Receiver of the traces. With `None`, nothing is recorded.
    pub sink: Option<Arc<dyn CaptureSink>>,
    /// Token that a request can send in `x-zerver-record` to be recorded regardless of the policy.
    pub record_token: Option<String>,
    /// Faults to inject into effects. With `None`, as in production, there are none.
    pub chaos: Option<Chaos>,
    /// True to report secrets in the URLs of requests as warnings, each parameter of a flow once, as `zerver dev` does.
    pub report_url_secrets: bool,
    /// Runs each step twice with the same slots, and calls the function for each step whose runs differ, once for each
    /// step. The request uses the first run. With `None`, as in production, each step runs once.
    #[cfg(feature = "replay")]
    #[cfg_attr(docsrs, doc(cfg(feature = "replay")))]
    pub on_impure_step: Option<OnImpureStep>,
}

impl fmt::Debug for StartOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("StartOptions");
        debug
            .field("addr", &self.addr)
            .field("listener", &self.listener)
            .field("sink", &self.sink.is_some())
            .field("record_token", &self.record_token.is_some())
            .field("chaos", &self.chaos)
            .field("report_url_secrets", &self.report_url_secrets);
        #[cfg(feature = "replay")]
        debug.field("on_impure_step", &self.on_impure_step.is_some());
        debug.finish()
    }
}
