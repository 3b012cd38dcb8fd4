//! A flow, run without a server by what a test says.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_engine::{
    Arrival, Call, Effect, EffectError, EffectErrorKind, EffectKind, Flow, Job, Next, Performed, Request,
    RequestId, Response, Slot,
};
use zerver_trace::{Event, FlowInfo, Outcome, SharedValue, TypedValue, Value};

use crate::effects::kv;
use crate::interpreter::{Begun, Context, Interpreter, Interpreters};
use crate::recorded::is_asked;
use crate::shell::{Found, Router};
use crate::time::nanos;
use crate::{App, StartError};

/// One request to one flow, with what its effects give: a test without a server, and without I/O but what it asks for.
///
/// ```
/// use zerver::prelude::*;
///
/// #[derive(Clone, Debug, PartialEq, Slot, Serialize, Deserialize)]
/// struct Todo { title: String }
///
/// #[step]
/// fn load(request: &Request) -> Result<Decision<Todo>, Failure> {
///     let id: u64 = request.param("id")?;
///     Ok(Need(kv::get(("todo", id)).or_not_found("todo", id)))
/// }
///
/// #[step]
/// fn render(todo: &Todo) -> Response {
///     Response::json(todo)
/// }
///
/// fn app() -> App {
///     App::new().flow(flow!("todo", GET "/todos/{id}", steps: [load, render]))
/// }
///
/// let milk = Todo { title: "milk".to_owned() };
/// let run = app().test("todo").get("/todos/7").kv(kv::Memory::new().entry(("todo", 7), milk.clone())).run();
/// assert_eq!(run.json::<Todo>(), milk);
///
/// let run = app().test("todo").get("/todos/7").answer(kv::get::<Todo>(("todo", 7)), kv::Answer::Absent).run();
/// assert_eq!(run.status(), 404);
/// ```
#[must_use = "a script does nothing until it is run"]
pub struct Script {
    flow: Arc<Flow>,
    request: Request,
    interpreters: Interpreters,
    answers: Vec<Scripted>,
    unix_ns: u64,
    seed: u64,
    id: Option<RequestId>,
}

/// What an effect is to give.
struct Scripted {
    wanted: Wanted,
    given: Given,
}

/// Which effect.
pub(crate) enum Wanted {
    Call(Call, Value),
    /// One of this kind, with these arguments in JSON.
    Json(String, serde_json::Value),
}

/// What it gives.
pub(crate) enum Given {
    Performed(Performed),
    /// An output of its kind, as a value.
    Value(Value),
}

impl Wanted {
    fn is(&self, call: &Call, args: &Value) -> bool {
        match self {
            Self::Call(wanted, wanted_args) => wanted.kind() == call.kind() && wanted_args == args,
            Self::Json(kind, wanted) => kind == call.kind() && is_asked(wanted, args),
        }
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call, _) => call.fmt(f),
            Self::Json(kind, args) => write!(f, "{kind} {args}"),
        }
    }
}

impl Given {
    /// As an answer to this call.
    fn to(self, call: &Call) -> Performed {
        match self {
            Self::Performed(performed) => performed,
            Self::Value(value) => match call.decode(&value) {
                Ok(output) => Ok(output),
                Err(error) => panic!("{value} is not what {call:?} gives: {error}"),
            },
        }
    }
}

impl App {
    /// Begins a test of the flow with this name.
    ///
    /// # Panics
    /// When there is no such flow; the message lists those that there are.
    pub fn test(self, slug: &str) -> Script {
        let flows = or_panic(self.ready_flows());
        let Some(flow) = flows.iter().find(|flow| flow.info().name == slug) else {
            let names: Vec<_> = flows.iter().map(|flow| flow.info().name.as_str()).collect();
            panic!("no flow is called {slug}; there are {}", names.join(", "))
        };
        Script {
            flow: Arc::clone(flow),
            request: Request { version: http::Version::HTTP_11, ..Request::default() },
            interpreters: Interpreters::new(),
            answers: Vec::new(),
            unix_ns: 1_700_000_000_000_000_000,
            seed: 0,
            id: None,
        }
    }
}

impl Script {
    /// A GET of this path and query.
    pub fn get(self, target: &str) -> Self {
        self.request(Method::GET, target)
    }

    /// A POST of this value as JSON.
    pub fn post<T: Serialize + ?Sized>(self, target: &str, body: &T) -> Self {
        self.request(Method::POST, target).json(body)
    }

    /// A request of any method.
    ///
    /// # Panics
    /// When `target` is no path.
    pub fn request(mut self, method: Method, target: &str) -> Self {
        self.request.method = method;
        self.request.uri = match target.parse() {
            Ok(uri) => uri,
            Err(error) => panic!("{target:?} is no request target: {error}"),
        };
        self
    }

    /// With this header.
    ///
    /// # Panics
    /// When HTTP does not allow the name or the value.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => drop(self.request.headers.append(name, value)),
            _ => panic!("{name:?}: {value:?} is no header"),
        }
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.request.body = body.into();
        self
    }

    /// With this value as JSON in its body.
    ///
    /// # Panics
    /// When the value does not serialise.
    pub fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => self.header("content-type", "application/json").body(json),
            Err(error) => panic!("the body does not serialise: {error}"),
        }
    }

    /// At this time; 2023-11-14 22:13:20 UTC otherwise.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.unix_ns = time.duration_since(UNIX_EPOCH).map_or(0, nanos);
        self
    }

    /// With randomness derived from this; 0 otherwise.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the first call of `effect` gives, once: an output of its kind, such as [`http::Reply`](crate::http::Reply)
    /// or [`kv::Answer`]. What tells calls apart are their kind and their arguments.
    ///
    /// # Panics
    /// When `effect` makes no call, or `output` is no output of its kind.
    pub fn answer<T>(self, effect: Effect<T>, output: impl Serialize) -> Self {
        self.scripted(effect, |call| {
            let performed = Value::from_serialize(&output).map_err(|error| error.to_string());
            match performed.and_then(|value| call.decode(&value).map_err(|error| error.to_string())) {
                Ok(output) => Ok(output),
                Err(error) => panic!("not what {call:?} gives: {error}"),
            }
        })
    }

    /// How the first call of `effect` fails, once.
    ///
    /// # Panics
    /// When `effect` makes no call.
    pub fn fail<T>(self, effect: Effect<T>, kind: EffectErrorKind, message: &str) -> Self {
        self.scripted(effect, |_| Err(EffectError::new(kind, message)))
    }

    /// What performs a kind of effect, where no answer is given.
    pub fn interpreter<K: EffectKind>(mut self, interpreter: impl Interpreter<K>) -> Self {
        self.interpreters.set::<K>(interpreter);
        self
    }

    /// The store which performs the effects of kind `kv`.
    pub fn kv(self, store: impl Interpreter<kv::Op>) -> Self {
        self.interpreter::<kv::Op>(store)
    }

    /// Runs it.
    ///
    /// # Panics
    /// When the request is not one for this flow; when the flow asks for an effect that no answer is given for; when an
    /// answer is given that it never asks for. The message names the effect.
    pub fn run(mut self) -> Run {
        zerver_engine::watch_panics();
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
        let mut starts = VecDeque::new();
        while next != Next::Ended {
            starts.extend(job.take_starts());
            next = match next {
                Next::Run => job.run(tick(), &mut tick),
                Next::Advance => job.advance(tick()),
                Next::Wait | Next::Ended => match starts.pop_front() {
                    Some(start) => job.complete(start.number, tick(), self.perform(&start.call)),
                    None => break,
                },
            };
        }
        let ended = job.finish();
        assert!(
            self.answers.is_empty(),
            "flow {} never asked for{}",
            self.flow.info().name,
            list(self.answers.iter().map(|scripted| &scripted.wanted)),
        );
        let Some(response) = ended.response else { panic!("flow {} gave no answer", self.flow.info().name) };
        let info = Arc::clone(self.flow.info());
        Run { response, outcome: ended.outcome, events: ended.events, info }
    }

    fn route(&mut self) {
        let info = Arc::clone(self.flow.info());
        let router = or_panic(Router::new(&[Arc::clone(&self.flow)]));
        match router.find(&self.request.method, self.request.uri.path()) {
            Found::Flow(_, params) => self.request.params = params,
            _ => panic!(
                "{} {} is no request for flow {}, which takes {} {}",
                self.request.method,
                self.request.uri.path(),
                info.name,
                info.method,
                info.pattern
            ),
        }
    }

    fn scripted<T>(self, effect: Effect<T>, perform: impl FnOnce(&Call) -> Performed) -> Self {
        let mut alone = zerver_engine::Alone::new(effect, zerver_engine::Random { seed: self.seed });
        alone.advance(None, 0);
        let Some(start) = alone.take_starts().into_iter().next() else { panic!("this effect makes no call") };
        let performed = perform(&start.call);
        let wanted = Wanted::Call(start.call.clone(), args(&start.call));
        self.given(wanted, Given::Performed(performed))
    }

    pub(crate) fn given(mut self, wanted: Wanted, given: Given) -> Self {
        self.answers.push(Scripted { wanted, given });
        self
    }

    pub(crate) const fn with_id(mut self, id: RequestId) -> Self {
        self.id = Some(id);
        self
    }

    fn perform(&mut self, call: &Call) -> Performed {
        let asked = args(call);
        if let Some(at) = self.answers.iter().position(|scripted| scripted.wanted.is(call, &asked)) {
            return self.answers.remove(at).given.to(call);
        }
        assert!(
            self.interpreters.kinds().any(|kind| kind == call.kind()),
            "flow {} asks for\n  {call:?} with {asked}\nand the test has no answer to that; it has answers to{}",
            self.flow.info().name,
            list(self.answers.iter().map(|scripted| &scripted.wanted)),
        );
        // Within a runtime from the start: an interpreter may want a timer or a socket.
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => panic!("no runtime to perform {call:?} in: {error}"),
        };
        runtime.block_on(async {
            match self.interpreters.begin(call, &Context::default()) {
                Begun::Ready(performed) => performed,
                Begun::Pending(future) => future.await,
            }
        })
    }
}

fn args(call: &Call) -> Value {
    match Value::from_recordable(&**call.data()) {
        Ok(value) => value,
        Err(error) => panic!("the arguments of {call:?} cannot be compared: {error}"),
    }
}

fn list<'c>(calls: impl Iterator<Item = &'c Wanted>) -> String {
    let names: Vec<_> = calls.map(|call| format!("{call:?}")).collect();
    if names.is_empty() { " nothing".to_owned() } else { format!("\n  {}", names.join("\n  ")) }
}

fn or_panic<T>(result: Result<T, StartError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// What a flow did.
pub struct Run {
    /// What it answered.
    pub response: Response,
    /// How it ended.
    pub outcome: Outcome,
    /// What happened, in order. The times count looks at the clock.
    pub events: Vec<Event<SharedValue>>,
    pub(crate) info: Arc<FlowInfo>,
}

impl Run {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.response.status.as_u16()
    }

    /// The body of the answer, read as JSON.
    ///
    /// # Panics
    /// When it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.response.body) {
            Ok(value) => value,
            Err(error) => panic!("the answer is {} {:?}: {error}", self.status(), self.text()),
        }
    }

    /// The body of the answer as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    /// What the flow wrote into a slot, if it did.
    pub fn slot<S: Slot>(&self) -> Option<&S> {
        self.events.iter().find_map(|event| match event {
            Event::SlotWritten { value, .. } => {
                let any: &dyn Any = &**value;
                any.downcast_ref::<TypedValue<S>>().map(|held| &held.0)
            }
            _ => None,
        })
    }
}
