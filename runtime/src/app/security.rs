//! Settings of a service that decide who may use it, and how.

use std::path::PathBuf;

use zerver_engine::FlowDef;

use super::builder::App;
use crate::config::{Cors, Csrf, SecurityHeaders};
use crate::start_error::StartError;

impl App {
    /// Refuses to start while a flow is neither protected by a step, such as `RequireJwt` of `zerver-auth` or one with
    /// `#[step(protects)]`, nor declared as `public` in `flow!`.
    ///
    /// ```
    /// use zerver::prelude::*;
    ///
    /// #[step]
    /// fn show() -> Response {
    ///     Response::no_content()
    /// }
    ///
    /// fn app() -> App {
    ///     App::new()
    ///         .require_protection()
    ///         .flow(flow!("about", GET "/about", public, steps: [show]))
    ///         .flow(flow!("forgotten", GET "/forgotten", steps: [show]))
    /// }
    ///
    /// assert_eq!(app().unprotected_flows(), ["forgotten"]);
    /// let error = app().start(Default::default()).unwrap_err();
    /// assert!(error.to_string().starts_with("anyone may use the flow forgotten"));
    /// ```
    pub fn require_protection(mut self) -> Self {
        self.requires_protection = true;
        self
    }

    /// Returns the names of the flows that are neither protected nor public, for a test.
    pub fn unprotected_flows(&self) -> Vec<&'static str> {
        let is_open = |flow: &&FlowDef| !flow.is_public() && flow.protected_by().is_none();
        self.flows.iter().filter(is_open).map(FlowDef::name).collect()
    }

    pub(super) fn check_protection(&self) -> Result<(), StartError> {
        let flows = if self.requires_protection { self.unprotected_flows() } else { Vec::new() };
        match flows.as_slice() {
            [] => Ok(()),
            [flow] => Err(StartError::Unprotected { flows: format!("flow {flow}") }),
            flows => Err(StartError::Unprotected { flows: format!("flows {}", flows.join(", ")) }),
        }
    }

    /// Serves TLS with a certificate and its key, which are files of PEM. With several, a client gets the one for the name that it
    /// asks for, or else the first. The settings `tls.cert` and `tls.key` override them.
    ///
    /// The files are read again every 10 seconds, and at SIGHUP. New connections use a new certificate as soon as it can be used.
    pub fn tls(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.config.tls.cert.push(cert.into());
        self.config.tls.key.push(key.into());
        self
    }

    /// Sets which sites may read responses with scripts (CORS). By default none may. A preflight is answered without running a
    /// step, unless a flow handles `OPTIONS` at its path.
    ///
    /// A [mounted](App::mount) flow leaves this, and the two settings below, to its host.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.config.cors = cors;
        self
    }

    /// Sets the protection from requests that other sites make a browser send (CSRF). It is off by default.
    pub fn csrf(mut self, csrf: Csrf) -> Self {
        self.config.csrf = csrf;
        self
    }

    /// Sets the headers that make browsers more careful with responses. By default there are none.
    pub fn security_headers(mut self, headers: SecurityHeaders) -> Self {
        self.config.security_headers = headers;
        self
    }
}
