//! JSON Web Tokens (RFC 7519): steps that write their claims into a slot, and the interpreter that verifies them.
//!
//! A token is verified by an effect of kind `auth`, because the keys are not part of the request. Its answer, the claims or
//! the reason why the token is not valid, is recorded, so that a replay needs neither keys nor the token. Keys that an issuer
//! publishes are fetched by effects of kinds `cache` and `http`.

mod claims_check;
mod jwk;
mod key;
mod key_set;
mod steps;
mod verification;
mod verifier;

pub use jsonwebtoken::Algorithm;
pub use jwk::Jwk;
pub use key::{Key, KeyError};
pub use steps::{JwtClaims, JwtIfAny, RequireJwt, jwt_claims};
pub use verification::{KeySource, TokenProblem, Verdict, Verify};
pub use verifier::{JwksUrlError, JwtVerifier, Verifiers};
