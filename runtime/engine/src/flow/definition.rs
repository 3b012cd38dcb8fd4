//! Definition of a flow, as written in the source.

use std::time::Duration;

use zerver_trace::Class;

use super::alias::Alias;
use super::chain::Chain;
use super::response_doc::ResponseDoc;
use super::slo::Slo;
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
    pub(super) is_uncompressed: bool,
    pub(super) streamed_body: Option<u64>,
    version: u16,
    owner: &'static str,
    summary: &'static str,
    aliases: &'static [Alias],
    slo: Slo,
    responses: &'static [ResponseDoc],
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
            is_uncompressed: false,
            streamed_body: None,
            version: 1,
            owner: "",
            summary: "",
            aliases: &[],
            slo: Slo::new(),
            responses: &[],
            secret_params: [""; MAX_SECRET_PARAMS],
            is_public: false,
        }
    }

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Checks the name, the aliases, and the order of the steps.
    ///
    /// # Panics
    /// If a step reads a slot that no earlier step writes, and the like. In a constant, this is a compile error.
    #[track_caller]
    pub const fn check_order(&self) {
        assert!(self.version > 0, "the version of a flow must be at least 1");
        let mut at = 0;
        while at < self.aliases.len() {
            self.aliases[at].check(self.name);
            at += 1;
        }
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

    /// Sets its version, which the catalog shows: `v2` in `flow!`. The first is 1.
    #[must_use]
    pub const fn version(mut self, version: u16) -> Self {
        self.version = version;
        self
    }

    /// Sets its owner: the team or person to ask about it.
    #[must_use]
    pub const fn owner(mut self, owner: &'static str) -> Self {
        self.owner = owner;
        self
    }

    /// Sets what it does for its clients, in a few words, for its OpenAPI document.
    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Sets its aliases: other paths that reach it.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [Alias]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Sets its service level objectives. How fast their budgets burn is in the metrics.
    #[must_use]
    pub const fn slo(mut self, slo: Slo) -> Self {
        self.slo = slo;
        self
    }

    /// Describes its responses, for its OpenAPI document. Failures are described without it.
    #[must_use]
    pub const fn responses(mut self, responses: &'static [ResponseDoc]) -> Self {
        self.responses = responses;
        self
    }

    /// Returns the version.
    pub const fn number_of_version(&self) -> u16 {
        self.version
    }

    /// Returns the owner, if there is one.
    pub const fn owner_name(&self) -> Option<&'static str> {
        if self.owner.is_empty() { None } else { Some(self.owner) }
    }

    /// Returns the summary, if there is one.
    pub const fn summary_text(&self) -> Option<&'static str> {
        if self.summary.is_empty() { None } else { Some(self.summary) }
    }

    /// Returns true if it has its own function that renders failures.
    pub const fn renders_failures(&self) -> bool {
        self.render.is_some()
    }

    /// Returns the aliases.
    pub const fn alias_list(&self) -> &'static [Alias] {
        self.aliases
    }

    /// Returns the service level objectives.
    pub const fn objectives(&self) -> Slo {
        self.slo
    }

    /// Returns the described responses.
    pub const fn response_docs(&self) -> &'static [ResponseDoc] {
        self.responses
    }

    /// Returns the steps in order, without the recovery step.
    pub fn steps(&self) -> impl Iterator<Item = &'static StepDesc> {
        self.chains.iter().flat_map(|chain| chain.steps)
    }

    /// Returns the recovery step.
    pub const fn recovery_step(&self) -> Option<StepDesc> {
        self.recovery
    }

    /// Returns the route: its method and its pattern.
    pub const fn route(&self) -> (&'static str, &'static str) {
        (self.method, self.pattern)
    }

    /// Returns its own deadline, if it has one.
    pub const fn own_deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// Returns the class of its requests.
    pub const fn own_class(&self) -> Class {
        self.class
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

    /// Lets an effect read the body of its requests piece by piece, instead of having it read before the first step. The body
    /// may have `max_bytes` bytes, whatever the limit of the program is, and takes no memory. Steps do not see it.
    #[must_use]
    pub const fn streamed_body(mut self, max_bytes: u64) -> Self {
        self.streamed_body = Some(max_bytes);
        self
    }

    /// Excludes its responses from compression. A response that contains a secret beside text from the request needs this, since
    /// the length of a compressed response tells something about the secret (the attack BREACH).
    #[must_use]
    pub const fn uncompressed(mut self) -> Self {
        self.is_uncompressed = true;
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
