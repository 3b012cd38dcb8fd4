//! Settings of a service that decide who may use it, and how.

use super::builder::App;
use crate::config::{Cors, Csrf, SecurityHeaders};

impl App {
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
