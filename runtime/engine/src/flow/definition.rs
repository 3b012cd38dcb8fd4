//! Definition of a flow, as written in the source.

use std::time::Duration;

use zerver_trace::Class;

use super::chain::Chain;
use super::step_order;
use crate::failure::Failure;
use crate::message::{Request, Response};
use crate::slot::SlotDesc;
use crate::step::StepDesc;

/// Definition of a flow: a route and the steps that serve it. [`flow!`](crate::flow) makes one.
#[derive(Debug, Clone, Copy)]
pub struct FlowDef {
    name: &'static str,
    pub(super) method: &'static str,
    pub(super) pattern: &'static str,
    pub(super) chains: &'static [Chain],
    unwritten: &'static [SlotDesc],
    pub(super) recovery: Option<StepDesc>,
    pub(super) class: Class,
    pub(super) deadline: Option<Duration>,
    pub(super) render: Option<RenderFailure>,
    /// Unused entries are empty.
    secret_params: [&'static str; MAX_SECRET_PARAMS],
    is_public: bool,
}

/// Maximum number of secret parameters of a flow.
const MAX_SECRET_PARAMS: usize = 8;

impl FlowDef {
    /// Creates a flow of these chains, one after another. It does not check their order.
    pub const fn new(
        name: &'static str,
        method: &'static str,
        pattern: &'static str,
        chains: &'static [Chain],
    ) -> Self {
        Self {
            name,
            method,
            pattern,
            chains,
            unwritten: &[],
            recovery: None,
            class: Class::Default,
            deadline: None,
            render: None,
            secret_params: [""; MAX_SECRET_PARAMS],
            is_public: false,
        }
    }

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Checks the order of the steps.
    ///
    /// # Panics
    /// If a step reads a slot that no earlier step writes, and the like. In a constant, this is a compile error.
    #[track_caller]
    pub const fn check_order(&self) {
        step_order::check(self.name, self.pattern, self.chains, self.unwritten, self.recovery.as_ref());
    }

    /// Declares slots that its steps read as an `Option`, and that none of its steps writes on purpose.
    #[must_use]
    pub const fn unwritten(mut self, slots: &'static [SlotDesc]) -> Self {
        self.unwritten = slots;
        self
    }

    /// Sets its recovery step, which runs once if the request fails: because a step fails, or because an effect fails,
    /// reaches its time limit or passes its own deadline. It reads the failure as the slot [`Failure`], and each slot
    /// that may have been written as an `Option`. It ends the request with a response, or with a failure.
    ///
    /// It does not run after a panic, because the state that led to it is unknown; when the deadline of the request
    /// passes, because no time is left; and when the client leaves. A failure of the recovery step itself is final.
    #[must_use]
    pub const fn recover(mut self, step: StepDesc) -> Self {
        self.recovery = Some(step);
        self
    }

    /// Sets the class of its requests.
    #[must_use]
    pub const fn class(mut self, class: Class) -> Self {
        self.class = class;
        self
    }

    /// Sets the deadline of its requests, instead of that of the program.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Sets the function that renders its failures as responses, instead of that of the program. These are failures of
    /// its steps, its effects and its deadline, and of requests to it that are rejected before a step runs.
    ///
    /// The function must be pure: a replay calls it again and compares the responses.
    #[must_use]
    pub const fn on_failure(mut self, render: RenderFailure) -> Self {
        self.render = Some(render);
        self
    }

    /// Marks the path or query parameter of this name as a secret: its value is sealed in recordings, and masked
    /// wherever it is shown.
    ///
    /// # Panics
    /// If the flow has more than eight secret parameters.
    #[must_use]
    pub const fn secret_param(mut self, name: &'static str) -> Self {
        let mut at = 0;
        while at < MAX_SECRET_PARAMS && !self.secret_params[at].is_empty() {
            at += 1;
        }
        assert!(at < MAX_SECRET_PARAMS, "a flow has at most eight secret parameters");
        self.secret_params[at] = name;
        self
    }

    /// Declares that anyone may use it, for services that require each flow to be protected or public.
    #[must_use]
    pub const fn public(mut self) -> Self {
        self.is_public = true;
        self
    }

    /// Returns true if it is declared as public.
    pub const fn is_public(&self) -> bool {
        self.is_public
    }

    /// Returns the name of the first step that protects it, if there is one.
    pub fn protected_by(&self) -> Option<&'static str> {
        let mut steps = self.chains.iter().flat_map(|chain| chain.steps);
        steps.find(|step| step.protects).map(|step| step.name)
    }

    /// Returns the parameters that are marked as secrets.
    pub fn secret_params(&self) -> impl Iterator<Item = &'static str> {
        self.secret_params.into_iter().filter(|name| !name.is_empty())
    }
}

/// Renders a failure of a request as its response. Must be pure.
pub type RenderFailure = fn(&Failure, &Request) -> Response;
