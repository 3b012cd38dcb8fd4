//! A service before it runs: its flows, its interpreters and its settings.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zerver_engine::{
    EffectKind, Failure, Flow, FlowDef, RenderFailure, Request, Response, SchedulingSettings, TargetPolicy,
};
use zerver_trace::{CatalogFlow, FlowInfo, secret};

use super::startup::{BoxError, Startup, StartupHook};
use crate::catalog::declaration::catalog_flows;
use crate::catalog::openapi::{self, ApiInfo};
use crate::config::{Compression, Config, Egress, Idempotency, Limits, Proxies, Recording};
use crate::effects::effect_function::Binding;
use crate::effects::interpreter::{Interpreter, Interpreters};
use crate::effects::kv;
use crate::effects::{EffectFunction, Resources};
use crate::fallback::{Fallback, FallbackBody};
use crate::scheduler::ClassRule;
#[cfg(feature = "metrics")]
use crate::server::service::RecorderStatusFn;
use crate::start_error::StartError;

/// A service before it runs: its flows, interpreters and settings.
///
/// ```no_run
/// use zerver::prelude::*;
///
/// #[step]
/// fn hello(request: &Request) -> Response {
///     Response::text(format!("hello, {}", request.param_str("name").unwrap_or("you")))
/// }
///
/// fn app() -> zerver::App {
///     zerver::App::new().flow(flow!("hello", GET "/hello/{name}", steps: [hello]))
/// }
///
/// zerver::main!(app);
/// ```
#[must_use = "an app does nothing until it is run"]
pub struct App {
    pub(super) flows: Vec<FlowDef>,
    pub(super) interpreters: Interpreters,
    pub(super) functions: Vec<Binding>,
    pub(super) resources: Resources,
    pub(super) startup: Option<StartupHook>,
    pub(super) render: RenderFailure,
    pub(super) fallback: Option<Fallback>,
    pub(super) api: ApiInfo,
    pub(super) config: Config,
    /// Names of secret parameters of all flows.
    secret_params: Vec<String>,
    /// True if each flow must be protected or public.
    pub(super) requires_protection: bool,
    /// Status of the recorder, if requests are recorded.
    #[cfg(feature = "metrics")]
    pub(super) recorder: Option<RecorderStatusFn>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flows: Vec<_> = self.flows.iter().map(FlowDef::name).collect();
        f.debug_struct("App")
            .field("flows", &flows)
            .field("interpreters", &self.interpreters)
            .finish_non_exhaustive()
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl App {
    /// Creates a service without flows. It performs the effects of [`http`](crate::effects::http),
    /// [`sleep`](crate::effects::sleep()), [`clock`](crate::effects::clock) and [`kv`](crate::effects::kv). The key-value
    /// store is in memory; use a [`kv::Disk`](crate::effects::kv::Disk) for data that must outlive the process.
    pub fn new() -> Self {
        Self {
            flows: Vec::new(),
            interpreters: Interpreters::builtin(),
            functions: Vec::new(),
            resources: Resources::default(),
            startup: None,
            render: |failure, _| failure.to_response(),
            fallback: None,
            api: ApiInfo { title: "A service".to_owned(), version: "0".to_owned(), has_problems: true },
            config: Config::default(),
            secret_params: Vec::new(),
            requires_protection: false,
            #[cfg(feature = "metrics")]
            recorder: None,
        }
    }

    /// Adds a flow.
    ///
    /// A path is matched as it arrived: nothing is decoded before the match, dots are not resolved, and slashes are not merged.
    /// Each parameter is percent-decoded after the match, so that `%2F` is a slash within the parameter and does not change the
    /// route. A parameter that is not UTF-8 or contains NUL is rejected with 400. `{*rest}` matches the rest of a path, including
    /// slashes.
    ///
    /// A GET flow also answers HEAD. `OPTIONS` is answered with the allowed methods, unless a flow takes it.
    ///
    /// A client that closes its side of the connection has left, even if it would still read. Its request ends, and the effects
    /// in flight are canceled.
    pub fn flow(mut self, flow: FlowDef) -> Self {
        self.flows.push(flow);
        self
    }

    /// Adds flows.
    pub fn flows(mut self, flows: impl IntoIterator<Item = FlowDef>) -> Self {
        self.flows.extend(flows);
        self
    }

    /// Sets the interpreter of a kind of effect. It replaces the previous interpreter of the kind.
    pub fn interpreter<K: EffectKind>(mut self, interpreter: impl Interpreter<K>) -> Self {
        self.interpreters.set::<K>(interpreter);
        self
    }

    /// Adds an effect that is an async function with [`#[effect]`](macro@crate::prelude::effect). The service does not start if
    /// a resource that the function takes is missing.
    ///
    /// ```
    /// # use zerver::prelude::*;
    /// #[derive(Clone, Debug, Serialize, Deserialize)]
    /// struct Receipt(u64);
    ///
    /// struct Bank { fee: u64 }
    ///
    /// #[effect(idempotent)]
    /// async fn charge(#[resource] bank: &Bank, card: &str, cents: u64) -> std::io::Result<Receipt> {
    ///     // A real one would ask the bank.
    ///     if card.is_empty() { Err(std::io::ErrorKind::InvalidInput.into()) } else { Ok(Receipt(cents + bank.fee)) }
    /// }
    ///
    /// #[slot]
    /// struct Paid(u64);
    ///
    /// #[step]
    /// fn pay(request: &Request) -> Decision<Paid> {
    ///     let card = request.param_str("card").unwrap_or_default();
    ///     Need(charge(card, 1250).map(|receipt| Paid(receipt.0)))
    /// }
    ///
    /// let app = App::new().effect::<charge>().resource(Bank { fee: 30 });
    /// ```
    pub fn effect<K: EffectFunction>(mut self) -> Self {
        self.functions.push(Binding::of::<K>());
        self
    }

    /// Provides a value that effects take as `#[resource]`. There is one of each type. What has to be opened first, such as a pool,
    /// is provided by [`Startup::resource`] in a startup hook.
    pub fn resource<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.resources.set(value);
        self
    }

    /// Sets the key-value store, such as [`kv::Memory`] or [`kv::Disk`].
    pub fn kv(self, store: impl Interpreter<kv::Op>) -> Self {
        self.interpreter::<kv::Op>(store)
    }

    /// Adds a hook that opens what the service needs to perform effects: files, pools, servers. The hook is called once, before
    /// the service serves or replays effects for real. It is not called when only the catalog is printed, or when a flow is
    /// tested.
    ///
    /// The hook runs in the context of the effect runtime, so that tasks it spawns stay there.
    ///
    /// ```no_run
    /// # use zerver::effects::kv;
    /// # use zerver::prelude::*;
    /// App::new().on_startup(|startup| {
    ///     startup.interpreter(kv::Disk::open("todos.redb")?);
    ///     Ok(())
    /// });
    /// ```
    pub fn on_startup(
        mut self,
        prepare: impl FnOnce(&mut Startup) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        self.startup = Some(StartupHook::Sync(Box::new(prepare)));
        self
    }

    /// Adds a hook that has to wait, such as for a database connection or a token. The service listens meanwhile but is not
    /// ready: requests to its flows are answered with 503 and `Retry-After`, and `/healthz` answers 503 with the status
    /// `starting`. If the hook fails, the service ends with exit code 2 and prints the reason. Tasks that the hook spawns live as
    /// long as the service.
    ///
    /// ```no_run
    /// # use zerver::prelude::*;
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// App::new().on_startup_async(async |startup| {
    ///     let pool = connect().await?;
    ///     startup.keep(pool);
    ///     Ok(())
    /// });
    /// ```
    pub fn on_startup_async<F>(mut self, prepare: F) -> Self
    where
        F: AsyncFnOnce(&mut Startup) -> Result<(), BoxError> + Send + 'static,
    {
        self.startup =
            Some(StartupHook::Async(Box::new(|startup| Box::pin(async move { prepare(startup).await }))));
        self
    }

    /// Sets the function that turns failures into responses, instead of [`Failure::to_response`]. It is called for failures of
    /// steps and for requests that no flow takes. For the latter, HTTP determines the status, which the function cannot change.
    pub fn on_failure(mut self, render: fn(&Failure, &Request) -> Response) -> Self {
        self.render = render;
        self.api.has_problems = false;
        self
    }

    /// Sets the service that answers requests which no flow takes, such as the router of an axum service whose handlers are moved to
    /// flows one by one. Any [`tower` service](https://docs.rs/tower-service) fits.
    ///
    /// ```
    /// use axum::Router;
    /// use axum::routing::get;
    /// use zerver::prelude::*;
    ///
    /// let router = Router::new().route("/old", get(|| async { "as before" }));
    /// let app = App::new().fallback(router);
    /// ```
    ///
    /// It runs on the effect runtime, not on the workers, so its handlers may wait and spawn tasks. Bodies of both directions are
    /// passed on while they arrive, with trailers; upgrades to other protocols are not. The [`RequestId`](crate::prelude::RequestId) and the address of
    /// the client ([`SocketAddr`](std::net::SocketAddr)) are extensions of the request. Deadlines, classes and compression do not
    /// apply. Its requests are recorded from outside, as the flow `fallback`, and cannot be replayed.
    pub fn fallback<S, B>(mut self, service: S) -> Self
    where
        S: tower_service::Service<::http::Request<FallbackBody>, Response = ::http::Response<B>>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.fallback = Some(Fallback::new(service));
        self
    }

    /// Sets the time that the steps and effects of a request may take, unless its flow sets another. The default is 30 s. After
    /// that time, the request is answered with 504 and its effects in flight are canceled. Reading the body has separate
    /// [`Limits`].
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = deadline;
        self
    }

    /// Sets the maximum size of a request body, in bytes. The default is 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.config.limits.body_bytes = bytes;
        self
    }

    /// Sets all limits on what clients may use.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Sets the policy for the calls to one target, such as `rates.example.com:443`, or to all others with the name `default`.
    /// See `docs/reference/policies.md`.
    ///
    /// ```
    /// use zerver::TargetPolicy;
    /// use zerver::prelude::*;
    ///
    /// let patient = TargetPolicy { attempts: 3, rate: 20.0, ..TargetPolicy::default() };
    /// let app = App::new().target("rates.example.com:443", patient);
    /// ```
    pub fn target(mut self, name: impl Into<String>, policy: TargetPolicy) -> Self {
        let name = name.into();
        match name.as_str() {
            "default" => self.config.targets.default = policy,
            _ => {
                self.config.targets.named.insert(name, policy);
            }
        }
        self
    }

    /// Sets the hosts and addresses that the service may connect to. By default, it may connect to any.
    pub fn egress(mut self, egress: Egress) -> Self {
        self.config.egress = egress;
        self
    }

    /// Sets how the keys of idempotent requests are kept.
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.config.idempotency = idempotency;
        self
    }

    /// Sets the address to listen on. The default is `127.0.0.1:3000`. Like all settings, it is overridden by `zerver.toml` and by
    /// the environment.
    pub fn addr(mut self, addr: impl Into<String>) -> Self {
        self.config.addr = addr.into();
        self
    }

    /// Sets the number of worker threads. The default is one for each core.
    pub fn workers(mut self, workers: usize) -> Self {
        self.config.workers = Some(workers);
        self
    }

    /// Sets the number of batch workers: threads of low priority that run batch requests, and requests of flows whose steps delay
    /// others. The default is one for each core. With 0, workers run these requests after all others.
    pub fn batch_workers(mut self, workers: usize) -> Self {
        self.config.batch_workers = Some(workers);
        self
    }

    /// Sets how requests are queued, and when they are shed.
    pub fn scheduling(mut self, scheduling: SchedulingSettings) -> Self {
        self.config.scheduling = scheduling;
        self
    }

    /// Adds a rule that reclassifies requests. The first rule that matches applies.
    pub fn class_rule(mut self, rule: ClassRule) -> Self {
        self.config.rules.push(rule);
        self
    }

    /// Sets the time after which a worker counts as stuck in a step. The default is 1 s. The connections of a stuck worker wait,
    /// and another worker takes new connections.
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.config.stuck_after = time;
        self
    }

    /// Sets the path of the health endpoint, unless a flow takes that path. The default is `/healthz`; `None` disables it. The
    /// response is 200, or 503 if all workers are stuck. Local clients also see the step that each worker runs. These requests are
    /// not recorded.
    pub fn health(mut self, path: Option<&str>) -> Self {
        self.config.health = path.map(str::to_owned);
        self
    }

    /// Sets the path of the metrics endpoint, unless a flow takes that path. The default is `/metrics`; `None` disables it. The
    /// response is OpenMetrics text for Prometheus, or JSON for clients that accept only JSON, as `zerver top` does. Only local
    /// clients are answered, unless [`App::metrics_for_all`] is set; others receive 404. These requests are not recorded.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn metrics(mut self, path: Option<&str>) -> Self {
        self.config.metrics.path = path.map(str::to_owned);
        self
    }

    /// Sets the proxies in front of the service, which know the address of the client.
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.config.proxies = proxies;
        self
    }

    /// Sets what is compressed between the service and its clients, which needs the Cargo feature `compression`. Recordings are
    /// not affected.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.config.compression = compression;
        self
    }

    /// Sets whether the metrics endpoint answers remote clients too. It then reveals the names of all flows and steps to anyone
    /// who can send a request.
    #[cfg(feature = "metrics")]
    #[cfg_attr(docsrs, doc(cfg(feature = "metrics")))]
    pub fn metrics_for_all(mut self, remote: bool) -> Self {
        self.config.metrics.remote = remote;
        self
    }

    /// Sets what is recorded when the app runs as a program ([`run`](crate::run())).
    pub fn recording(mut self, recording: Recording) -> Self {
        self.config.recording = recording;
        self
    }

    /// Marks parameters with this name, in the path or the query, as secret: they are sealed in recordings and masked in all
    /// output. `FlowDef::secret_param` marks a parameter of one flow only. Names that are known to be secret, such as `token`,
    /// need neither.
    pub fn secret_param(mut self, name: impl Into<String>) -> Self {
        self.secret_params.push(name.into());
        self
    }

    /// Allows requests for this host, a name without a port. Each call adds one host. Requests for other hosts are rejected with
    /// 421. By default, all hosts are allowed.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.config.hosts.push(host.into());
        self
    }

    /// Sets the title and the version of the API for its OpenAPI document, such as `env!("CARGO_PKG_VERSION")`.
    pub fn api(mut self, title: impl Into<String>, version: impl Into<String>) -> Self {
        (self.api.title, self.api.version) = (title.into(), version.into());
        self
    }

    /// Sets the path at which all clients get the OpenAPI document, unless a flow takes that path. The default is `None`: the
    /// document is not served. These requests are not recorded.
    pub fn openapi(mut self, path: Option<&str>) -> Self {
        self.config.openapi = path.map(str::to_owned);
        self
    }

    /// Sets the path at which local clients get the catalog of the flows, unless a flow takes that path. The default is
    /// `/_zerver/catalog`; `None` disables it. These requests are not recorded.
    pub fn catalog_path(mut self, path: Option<&str>) -> Self {
        self.config.catalog = path.map(str::to_owned);
        self
    }

    /// Returns the OpenAPI document: version 3.1, as JSON.
    ///
    /// ```
    /// # use zerver::prelude::*;
    /// # #[step]
    /// # fn hello(Path(name): Path<String>) -> Response { Response::text(name) }
    /// let app = App::new().api("Greetings", "1.0").flow(flow!("hello", GET "/hello/{name}", steps: [hello]));
    /// assert!(app.openapi_document().contains("/hello/{name}"));
    /// ```
    pub fn openapi_document(&self) -> String {
        self.openapi_json().to_string()
    }

    pub(crate) fn openapi_json(&self) -> serde_json::Value {
        openapi::document(&self.flows, &self.api)
    }

    /// Returns the flows of the catalog, with what their definitions say.
    pub(crate) fn full_catalog(&self) -> Result<Vec<CatalogFlow>, StartError> {
        Ok(catalog_flows(&self.flows, &self.catalog()?))
    }

    /// Returns the descriptions of all flows.
    ///
    /// # Errors
    /// [`StartError::Slots`] if slots of a flow cannot be distinguished by name.
    pub fn catalog(&self) -> Result<Vec<Arc<FlowInfo>>, StartError> {
        Ok(self.ready_flows()?.iter().map(|flow| Arc::clone(flow.info())).collect())
    }

    /// Runs the startup hook, and nothing else.
    #[cfg(feature = "replay")]
    pub(crate) fn open(self, runtime: &tokio::runtime::Runtime) -> Result<Startup, BoxError> {
        Startup::new(self.interpreters, self.functions, self.resources).open(self.startup, runtime)
    }

    /// Returns the rule for secrets.
    pub(crate) fn secrets(&self) -> secret::Rule {
        let of_any = self.secret_params.iter().map(|param| (None, param.as_str()));
        let of_flow =
            |flow: &FlowDef| flow.secret_params().map(|param| (Some(flow.name()), param)).collect::<Vec<_>>();
        let of_flows = self.flows.iter().flat_map(of_flow);
        let Recording { secrets, clear_headers, .. } = &self.config.recording;
        secret::Rule::new(secrets, &of_any.chain(of_flows).collect::<Vec<_>>())
            .with_clear_headers(clear_headers)
    }

    /// Returns the settings of the program.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the settings.
    pub(crate) fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn recorded_by(self, status: RecorderStatusFn) -> Self {
        Self { recorder: Some(status), ..self }
    }

    pub(crate) fn ready_flows(&self) -> Result<Vec<Arc<Flow>>, StartError> {
        ready_flows(&self.flows, self.render)
    }
}

fn ready_flows(flows: &[FlowDef], render: RenderFailure) -> Result<Vec<Arc<Flow>>, StartError> {
    let ready = |(at, def): (usize, &FlowDef)| match Flow::new(def, render) {
        Ok(flow) => Ok(Arc::new(flow.with_number(u16::try_from(at).unwrap_or(u16::MAX)))),
        Err(error) => Err(StartError::Slots { flow: def.name().to_owned(), error }),
    };
    flows.iter().enumerate().map(ready).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_parameters_are_secret() {
        let invites = FlowDef::new("invites", "GET", "/i/{invite}", &[]).secret_param("invite");
        let secrets = vec!["tax-id".to_owned()];
        let app = App::new()
            .secret_param("ref")
            .flow(invites)
            .recording(Recording { secrets, ..Recording::default() });
        let rule = app.secrets();
        assert!(rule.is_parameter("invites", "invite") && !rule.is_parameter("other", "invite"));
        assert!(rule.is_parameter("other", "ref") && !rule.is_parameter("other", "page"));
        assert!(rule.is_header("x-customer-tax-id"));
    }
}
