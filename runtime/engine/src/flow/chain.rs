//! Chains: lists of steps that several flows share.

use crate::step::StepDesc;

/// A reusable list of steps; [`chain!`](crate::chain) makes one.
///
/// ```
/// use zerver_engine::{Chain, Failure, Request, Response, chain, flow, slot, step};
///
/// #[slot(secret)]
/// struct Token(String);
///
/// #[step]
/// fn parse_token(request: &Request) -> Result<Token, Failure> {
///     request.bearer().map(|token| Token(token.to_owned())).ok_or_else(|| Failure::unauthorized("session"))
/// }
///
/// #[step]
/// fn render(_token: &Token) -> Response {
///     Response::no_content()
/// }
///
/// const AUTH: Chain = chain![parse_token];
///
/// let flow = flow!("account", GET "/account", before: AUTH, steps: [render]);
/// assert_eq!(flow.name(), "account");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Chain {
    pub(crate) steps: &'static [StepDesc],
}

impl Chain {
    /// Creates a chain of these steps.
    pub const fn new(steps: &'static [StepDesc]) -> Self {
        Self { steps }
    }
}
