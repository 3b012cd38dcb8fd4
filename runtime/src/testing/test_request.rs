//! A request under test: the request itself, and the results of the effects that its flow performs.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde_json::Value as Json;
use zerver_engine::__private::{ErrorProbe, RecordValue as _};
use zerver_engine::{
    Arrival, AttemptEnd, Call, CallResult, Effect, EffectError, EffectErrorKind, EffectKind, Flow, Job, Next,
    Request, RequestId,
};
use zerver_trace::{Value, ValueError};

use super::planned_answer::{ExpectedCall, Plan, PlannedAnswer, PlannedResult, RetryDecision, args};
use super::recorded_json::{RecordedJson, parse};
use super::requested_calls::RequestedCalls;
use super::test_response::TestResponse;
use crate::app::builder::App;
use crate::effects::interpreter::{EffectContext, Interpreter, Interpreters, Started};
use crate::effects::kv;
use crate::http::{RouteMatch, Router};
use crate::idempotency::PolicyReader;
use crate::start_error::StartError;
use crate::time::nanos;

/// A request to one flow, with the results of its effects. See the [module documentation](crate::testing).
#[must_use = "a test request does nothing until it is run"]
pub struct TestRequest {
    flow: Arc<Flow>,
    request: Request,
    interpreters: Interpreters,
    plan: Plan,
    unix_ns: u64,
    seed: u64,
    id: Option<RequestId>,
}

impl fmt::Debug for TestRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRequest")
            .field("flow", &self.flow.info().name)
            .field("request", &self.request)
            .field("answers", &self.plan.unused())
            .finish_non_exhaustive()
    }
}

impl App {
    /// Starts a test of the flow with this name. See [`testing`](crate::testing).
    ///
    /// # Panics
    /// If no flow has this name; the message lists the names.
    pub fn test(self, name: &str) -> TestRequest {
        let flows = or_panic(self.ready_flows());
        let Some(flow) = flows.iter().find(|flow| flow.info().name == name) else {
            let names: Vec<_> = flows.iter().map(|flow| flow.info().name.as_str()).collect();
            panic!("no flow is named {name}; the flows are {}", names.join(", "))
        };
        let mut interpreters = Interpreters::new();
        // It performs nothing, so no test has to plan its answer.
        interpreters.set(PolicyReader::default());
        TestRequest {
            flow: Arc::clone(flow),
            request: Request { version: http::Version::HTTP_11, ..Request::default() },
            interpreters,
            plan: Plan::default(),
            unix_ns: 1_700_000_000_000_000_000,
            seed: 0,
            id: None,
        }
    }
}

impl TestRequest {
    /// Makes the request a GET of this path and query.
    ///
    /// # Panics
    /// If `target` is not a request target.
    pub fn get(self, target: &str) -> Self {
        self.request(Method::GET, target)
    }

    /// Makes the request a POST of this value as JSON.
    ///
    /// # Panics
    /// If `target` is not a request target, or the value does not serialize.
    pub fn post<T: Serialize + ?Sized>(self, target: &str, body: &T) -> Self {
        self.request(Method::POST, target).json(body)
    }

    /// Sets the method, as a [`Method`] or as text, and the path and query: `.request("PUT", "/todos/7")`.
    ///
    /// # Panics
    /// If `method` is not an HTTP method, or `target` is not a request target.
    pub fn request<M>(mut self, method: M, target: &str) -> Self
    where
        M: TryInto<Method>,
        M::Error: fmt::Display,
    {
        self.request.method = match method.try_into() {
            Ok(method) => method,
            Err(error) => panic!("not a method: {error}"),
        };
        self.request.uri = match target.parse() {
            Ok(uri) => uri,
            Err(error) => panic!("not a request target: {target:?}: {error}"),
        };
        self
    }

    /// Adds a header.
    ///
    /// # Panics
    /// If HTTP does not allow the name or the value.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => drop(self.request.headers.append(name, value)),
            _ => panic!("not a header: {name:?}: {value:?}"),
        }
        self
    }

    /// Adds the headers with which a client asks for a WebSocket.
    pub fn websocket(self) -> Self {
        let request = self.header("upgrade", "websocket").header("connection", "upgrade");
        request.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets the body to this value as JSON, and the content type with it.
    ///
    /// # Panics
    /// If the value does not serialize.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => self.header("content-type", "application/json").body(json),
            Err(error) => panic!("the body does not serialize: {error}"),
        }
    }

    /// Sets the request id, in hexadecimal. By default it is derived from the seed.
    ///
    /// # Panics
    /// If `id` does not have 32 hexadecimal digits; hyphens are allowed.
    pub fn id(mut self, id: &str) -> Self {
        let digits: String = id.chars().filter(|c| *c != '-').collect();
        match u128::from_str_radix(&digits, 16) {
            Ok(number) if digits.len() == 32 => self.id = Some(RequestId::from_u128(number)),
            _ => panic!("not a request id: {id:?}; an id has 32 hexadecimal digits"),
        }
        self
    }

    /// Sets the time at which the request arrives. By default it is 2023-11-14 22:13:20 UTC.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.unix_ns = time.duration_since(UNIX_EPOCH).map_or(0, nanos);
        self
    }

    /// Sets the seed of the request's random numbers. By default it is 0.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Plans the output of the first call of `effect`, once: an output of its kind, such as
    /// [`http::Reply`](crate::effects::http::Reply) or [`kv::Answer`]. A call is recognized by its kind and its arguments. If the
    /// effect is an `#[effect]` function that returns a `Result`, the output is the value in its `Ok`;
    /// [`answer_error`](Self::answer_error) plans an `Err`.
    ///
    /// # Panics
    /// If `effect` makes no call, or `output` is not an output of its kind.
    pub fn answer<T>(self, effect: Effect<T>, output: impl Serialize) -> Self {
        self.plan_first(effect, |call| {
            let decoded = |value: Result<Value, ValueError>| {
                let value = value.map_err(|error| error.to_string())?;
                call.decode_output(&value).map_err(|error| error.to_string())
            };
            let of_result = || decoded(Value::from_serialize(&Ok::<_, ()>(&output))).ok();
            match decoded(Value::from_serialize(&output)).or_else(|error| of_result().ok_or(error)) {
                Ok(output) => Ok(output),
                Err(error) => panic!("not an output of {call:?}: {error}"),
            }
        })
    }

    /// Plans the error that the first call of an `#[effect]` function returns, once. The error is recorded as a value, like one
    /// of the function itself.
    ///
    /// # Panics
    /// If `effect` makes no call, or is no function that returns a `Result`.
    pub fn answer_error<T>(self, effect: Effect<T>, error: impl Error + Serialize) -> Self {
        let recorded = ErrorProbe(error).record();
        self.plan_first(effect, |call| {
            let value = recorded.and_then(|error| {
                let value = Value::from_serialize(&Err::<(), _>(error));
                value.map_err(|error| EffectError::new(EffectErrorKind::Malformed, error.to_string()))
            });
            match value.and_then(|value| call.decode_output(&value)) {
                Ok(output) => Ok(output),
                Err(error) => panic!("{call:?} cannot return this error: {error}"),
            }
        })
    }

    /// Plans a failure of the first call of `effect`, once.
    ///
    /// # Panics
    /// If `effect` makes no call.
    pub fn fail<T>(self, effect: Effect<T>, kind: EffectErrorKind, message: &str) -> Self {
        self.plan_first(effect, |_| Err(EffectError::new(kind, message)))
    }

    /// Plans the output of a call of this kind with these arguments, once. Both are JSON, as `zerver trace --json` prints
    /// them. `<secret>` in an expected text matches any text.
    ///
    /// # Panics
    /// If `args` or `output` is not JSON. [`run`](Self::run) panics if `output` is not an output of the kind.
    pub fn answer_json(self, kind: &str, args: &str, output: &str) -> Self {
        let output = match Value::from_serialize(&RecordedJson(&parse(output))) {
            Ok(output) => output,
            Err(error) => panic!("{output} is not a value: {error}"),
        };
        self.plan(ExpectedCall::Json(kind.to_owned(), parse(args)), PlannedResult::Value(output))
    }

    /// Plans a failure of a call of this kind with these arguments, once:
    /// `.fail_json("http", args, "timeout", "after 1s")`.
    ///
    /// # Panics
    /// If `args` is not JSON, or `error` is not the name of an [`EffectErrorKind`].
    pub fn fail_json(self, kind: &str, args: &str, error: &str, message: &str) -> Self {
        let error: EffectErrorKind = match serde_json::from_value(Json::String(error.to_owned())) {
            Ok(error) => error,
            Err(error) => panic!("not a kind of effect error: {error}"),
        };
        let result = PlannedResult::Performed(Err(EffectError::new(error, message)));
        self.plan(ExpectedCall::Json(kind.to_owned(), parse(args)), result)
    }

    /// Plans that a call of this kind with these arguments is never answered, such as the slower one of a hedge: it stays in
    /// flight until another call has made it superfluous. The call need not be made.
    ///
    /// # Panics
    /// If `args` is not JSON.
    pub fn no_answer_json(self, kind: &str, args: &str) -> Self {
        self.plan(ExpectedCall::Json(kind.to_owned(), parse(args)), PlannedResult::Never)
    }

    /// Plans that the policy of the target repeats the call whose result was planned last.
    pub fn repeated(self) -> Self {
        self.decide(RetryDecision::Repeated)
    }

    /// Plans that the policy of the target does not repeat the call whose result was planned last, although its effect would.
    pub fn not_repeated(self) -> Self {
        self.decide(RetryDecision::NotRepeated)
    }

    fn decide(mut self, decision: RetryDecision) -> Self {
        match self.plan.last() {
            Some(planned) => planned.decision = decision,
            None => panic!("no result is planned yet"),
        }
        self
    }

    /// Sets the interpreter of a kind. It performs the calls for which no result is planned.
    pub fn interpreter<K: EffectKind>(mut self, interpreter: impl Interpreter<K>) -> Self {
        self.interpreters.set::<K>(interpreter);
        self
    }

    /// Sets the store that performs effects of kind `kv`, such as [`kv::Memory`].
    pub fn kv(self, store: impl Interpreter<kv::Op>) -> Self {
        self.interpreter::<kv::Op>(store)
    }

    /// Runs the flow.
    ///
    /// # Panics
    /// If the flow does not take the request, if the flow requests an effect for which there is neither a planned result
    /// nor an interpreter, or if a planned result is never used. The message names the effect.
    pub fn run(mut self) -> TestResponse {
        zerver_engine::install_panic_hook();
        self.route();
        let arrival = Arrival {
            request: Arc::new(std::mem::take(&mut self.request)),
            id: self.id.unwrap_or_else(|| RequestId::from_u128(u128::from(self.seed))),
            unix_ns: self.unix_ns,
            seed: self.seed,
        };
        let mut now_ns = 0;
        let mut tick = || {
            now_ns += 1;
            now_ns
        };
        let mut job = Job::new(Arc::clone(&self.flow), arrival, tick());
        let mut next = Next::Run;
        let mut requested = RequestedCalls::default();
        // The body of a streamed response is not made.
        while !matches!(next, Next::Ended | Next::Stream) {
            for start in job.take_requested_calls() {
                requested.add(start, &mut self.plan);
            }
            next = match next {
                Next::Run => job.run(tick(), &mut tick),
                Next::Advance => job.advance(tick()),
                Next::Undo => {
                    requested = RequestedCalls::default();
                    job.undo(tick())
                }
                Next::Wait | Next::Stream | Next::Ended => match requested.pop(&job) {
                    Some((start, planned)) => {
                        let decision =
                            planned.as_ref().map_or(RetryDecision::Own, |planned| planned.decision);
                        let Some(result) = self.perform(&start.call, planned) else { continue };
                        let mut verdict = |_: &AttemptEnd<'_>| decision.verdict(&start.call);
                        job.complete_with(start.number, tick(), result, &mut verdict)
                    }
                    None => break,
                },
            };
        }
        let streamed =
            job.streamed_response().and_then(|_| job.outcome()).map(|(outcome, _)| outcome.clone());
        let ended = job.finish();
        let outcome = streamed.unwrap_or(ended.outcome);
        let name = &self.flow.info().name;
        assert!(self.plan.unused().is_empty(), "flow {name} never requested{}", self.plan);
        let Some(response) = ended.response else { panic!("flow {name} gave no response") };
        let info = Arc::clone(self.flow.info());
        TestResponse { response, outcome, events: ended.events, info }
    }

    /// Matches the request with the route of the flow, which sets its parameters.
    fn route(&mut self) {
        let info = Arc::clone(self.flow.info());
        let router = or_panic(Router::new(&[Arc::clone(&self.flow)]));
        match router.find(&self.request.method, self.request.uri.path()) {
            RouteMatch::Flow(_, params, _) => self.request.params = params,
            _ => panic!(
                "flow {} does not take {} {}; its route is {} {}",
                info.name,
                self.request.method,
                self.request.uri.path(),
                info.method,
                info.pattern
            ),
        }
    }

    /// Plans a result for the first call that an effect makes.
    fn plan_first<T>(self, effect: Effect<T>, perform: impl FnOnce(&Call) -> CallResult) -> Self {
        let mut standalone =
            zerver_engine::StandaloneEffect::new(effect, zerver_engine::Random { seed: self.seed });
        standalone.advance(None, 0);
        let Some(start) = standalone.take_requested_calls().into_iter().next() else {
            panic!("this effect makes no call")
        };
        let performed = perform(&start.call);
        let call = ExpectedCall::Call(start.call.clone(), args(&start.call));
        self.plan(call, PlannedResult::Performed(performed))
    }

    fn plan(mut self, call: ExpectedCall, result: PlannedResult) -> Self {
        self.plan.add(call, result);
        self
    }

    /// Performs a call: with its planned result, or else with the interpreter of its kind. Returns `None` if the call is
    /// never answered.
    fn perform(&self, call: &Call, planned: Option<PlannedAnswer>) -> Option<CallResult> {
        if let Some(planned) = planned {
            return planned.result.into_performed(call);
        }
        assert!(
            self.interpreters.kinds().any(|kind| kind == call.kind()),
            "flow {} requests\n  {call:?} with {}\nfor which the test plans no result; it plans results for{}",
            self.flow.info().name,
            args(call),
            self.plan,
        );
        // The interpreter runs within a runtime from the start, since it may create a timer or a socket.
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("cannot start a runtime to perform {call:?}: {error}"),
        };
        Some(runtime.block_on(async {
            match self.interpreters.start(call, &EffectContext::default()) {
                Started::Ready(performed) => performed,
                Started::Pending(future) => future.await,
            }
        }))
    }
}

fn or_panic<T>(result: Result<T, StartError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
