//! Authentication and authorization for services of zerver, as steps of their flows.
//!
//! ```
//! use zerver::prelude::*;
//! use zerver_auth::{JwtClaims, JwtVerifier, Principal, RequireJwt, RequireRole};
//!
//! /// The user, as the claims of the token describe them.
//! #[slot]
//! #[derive(Debug, Clone)]
//! struct Viewer { sub: String, #[serde(default)] roles: Vec<String> }
//!
//! impl JwtClaims for Viewer {}
//!
//! impl Principal for Viewer {
//!     fn has_role(&self, role: &str) -> bool {
//!         self.roles.iter().any(|own| own == role)
//!     }
//! }
//!
//! zerver_auth::names! { Admin = "admin"; }
//!
//! const SIGNED_IN: Chain = chain![RequireJwt<Viewer>];
//! const ADMIN: Chain = chain![RequireJwt<Viewer>, RequireRole<Viewer, Admin>];
//!
//! #[step]
//! fn greet(viewer: &Viewer) -> Response {
//!     Response::text(format!("hello, {}", viewer.sub))
//! }
//!
//! fn app() -> App {
//!     App::new()
//!         .flow(flow!("home", GET "/home", before: SIGNED_IN, steps: [greet]))
//!         .flow(flow!("admin", GET "/admin", before: ADMIN, steps: [greet]))
//!         .on_startup(|startup| {
//!             let jwks = "https://idp.example.com/.well-known/jwks.json";
//!             startup.interpreter(JwtVerifier::with_jwks("https://idp.example.com", "shop", jwks)?);
//!             Ok(())
//!         })
//! }
//!
//! assert_eq!(app().test("home").get("/home").run().status(), 401);
//! ```
//!
//! - [`RequireJwt`] and [`JwtIfAny`] verify a JSON Web Token and write its claims into a slot of the service.
//! - [`RequireBearer`] and [`BearerIfAny`] look up an opaque token.
//! - [`session::RequireSession`] and [`session::SessionIfAny`] load the session that a signed cookie names.
//! - [`RequireRole`], [`RequireCapability`] and [`RequireTenant`] check that slot, which implements [`Principal`].
//!
//! A request without valid credentials fails with 401, one that lacks a right with 403, both with the challenge of RFC 6750.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod access;
mod bearer_header;
mod challenge;
mod jwt;
pub mod session;
mod step_desc;
mod token_lookup;

pub use access::{
    AnyOf, Named, Principal, RequireCapability, RequireRole, RequireTenant, Tenant, scope_contains,
};
pub use jwt::{
    Algorithm, Jwk, JwksUrlError, JwtClaims, JwtIfAny, JwtVerifier, Key, KeyError, KeySource, RequireJwt,
    TokenProblem, Verdict, Verifiers, Verify, jwt_claims,
};
pub use token_lookup::{BearerIfAny, BearerToken, RequireBearer};
