//! What a program is made of: its flows, its interpreters, its limits.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use zerver_engine::{EffectKind, Failure, Flow, FlowDef, RenderFailure, Request, Response, Scheduling};
use zerver_trace::{CaptureSink, FlowInfo, secret};

use crate::config::{Config, cores};
use crate::effect_runtime::EffectRuntime;
use crate::effects::kv;
use crate::interpreter::{Interpreter, Interpreters};
use crate::prepare::{Live, LiveError, Prepare};
use crate::readiness::{Readiness, check_kinds};
use crate::schedule::{EffectLimits, Low, Rule, Shared, Tuning};
use crate::service::{Service, StatusOf};
use crate::shell::Router;
use crate::twice::{TellImpure, Twice};
use crate::{Limits, Recording, Running, StartError, listen};

/// A service, before it runs.
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
    flows: Vec<FlowDef>,
    interpreters: Interpreters,
    live: Option<Prepare>,
    render: RenderFailure,
    config: Config,
    /// Parameters that are secret, of any flow.
    secret_params: Vec<String>,
    /// How recording goes, where somebody records.
    recorder: Option<StatusOf>,
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl App {
    /// A service without flows. It performs the effects of [`http`](crate::http), [`sleep`](crate::sleep()) and
    /// [`clock`](crate::clock), and those of [`kv`](crate::kv) in memory: what is to outlive the process wants a
    /// [`kv::Disk`](crate::kv::Disk).
    pub fn new() -> Self {
        Self {
            flows: Vec::new(),
            interpreters: Interpreters::live(),
            live: None,
            render: |failure, _| failure.to_response(),
            config: Config::default(),
            secret_params: Vec::new(),
            recorder: None,
        }
    }

    /// Adds a flow.
    ///
    /// A path is matched as it came: nothing is decoded before, dots are not resolved, slashes are not merged. What is
    /// between the slashes of a parameter is percent-decoded afterwards, so that `%2F` becomes a slash within the
    /// parameter and changes no route; what is not UTF-8, or has a NUL in it, gets a 400. `{*rest}` takes the rest of a
    /// path, slashes and all.
    ///
    /// A GET flow takes HEAD as well. `OPTIONS` is answered with the methods there are, unless a flow takes it.
    ///
    /// A client that closes its side of the connection has gone, also if it would still read: its request ends, and
    /// what is in flight is cancelled.
    pub fn flow(mut self, flow: FlowDef) -> Self {
        self.flows.push(flow);
        self
    }

    /// Adds flows.
    pub fn flows(mut self, flows: impl IntoIterator<Item = FlowDef>) -> Self {
        self.flows.extend(flows);
        self
    }

    /// Says what performs a kind of effect. The one there was for this kind is replaced.
    pub fn interpreter<K: EffectKind>(mut self, interpreter: impl Interpreter<K>) -> Self {
        self.interpreters.set::<K>(interpreter);
        self
    }

    /// Says where keys and values are kept: [`kv::Memory`] or [`kv::Disk`], say.
    pub fn kv(self, store: impl Interpreter<kv::Op>) -> Self {
        self.interpreter::<kv::Op>(store)
    }

    /// Opens what is needed to perform effects: files, pools, servers. It is called once, when the service is about to
    /// serve (or to replay with effects performed for real), and not when somebody only wants its catalog or tests a
    /// flow of it.
    ///
    /// It is called within the runtime on which effects are performed, so that what it spawns goes on there.
    ///
    /// ```no_run
    /// # use zerver::prelude::*;
    /// App::new().live(|live| {
    ///     live.interpreter(kv::Disk::open("todos.redb")?);
    ///     Ok(())
    /// });
    /// ```
    pub fn live(mut self, prepare: impl FnOnce(&mut Live) -> Result<(), LiveError> + Send + 'static) -> Self {
        self.live = Some(Prepare::First(Box::new(prepare)));
        self
    }

    /// The same for what has to wait for others: a database to be reached, a token to be fetched. The service listens
    /// meanwhile, and is not ready: requests to its flows get a 503 with `Retry-After`, and so does `/healthz`, whose status is
    /// `starting`. If it fails the service ends, with exit code 2 and the reason on standard error. What it spawns lives as
    /// long as the service.
    ///
    /// ```no_run
    /// # use zerver::prelude::*;
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// App::new().live_async(async |live| {
    ///     let pool = connect().await?;
    ///     live.keep(pool);
    ///     Ok(())
    /// });
    /// ```
    pub fn live_async<F>(mut self, prepare: F) -> Self
    where
        F: AsyncFnOnce(&mut Live) -> Result<(), LiveError> + Send + 'static,
    {
        self.live = Some(Prepare::Meanwhile(Box::new(|live| Box::pin(async move { prepare(live).await }))));
        self
    }

    /// Says how failures become answers, instead of [`Failure::to_response`]: those of steps, and those of requests
    /// which no flow takes. Of the latter the status stays what HTTP demands.
    pub fn on_failure(mut self, render: fn(&Failure, &Request) -> Response) -> Self {
        self.render = render;
        self
    }

    /// How long the steps and effects of a request may take, where its flow does not say; 30 s. Then it is answered
    /// with a 504 and what is in flight is cancelled. Reading the body has [`Limits`] of its own.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.config.deadline = deadline;
        self
    }

    /// How large the body of a request may be, in bytes; 1 MiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.config.limits.body_bytes = bytes;
        self
    }

    /// All limits of the HTTP shell.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Where to listen; `127.0.0.1:3000`. As all settings it gives way to `zerver.toml`, and to the environment.
    pub fn addr(mut self, addr: impl Into<String>) -> Self {
        self.config.addr = addr.into();
        self
    }

    /// How many threads serve requests; as many as there are cores.
    pub fn workers(mut self, workers: usize) -> Self {
        self.config.workers = Some(workers);
        self
    }

    /// How many threads of low priority run batch requests, and those of flows whose steps keep others waiting; as many as
    /// there are cores. With none, workers run them after all others.
    pub fn batch_workers(mut self, workers: usize) -> Self {
        self.config.batch_workers = Some(workers);
        self
    }

    /// How requests wait for their turn, and when they are sent away.
    pub fn scheduling(mut self, scheduling: Scheduling) -> Self {
        self.config.scheduling = scheduling;
        self
    }

    /// Adds a rule that gives requests another class than that of their flow; the first one that matches counts.
    pub fn class_rule(mut self, rule: Rule) -> Self {
        self.config.rules.push(rule);
        self
    }

    /// For how long a step may run until its worker counts as stuck; 1 s. Its connections wait then, and another worker
    /// takes new ones.
    pub fn stuck_after(mut self, time: Duration) -> Self {
        self.config.stuck_after = time;
        self
    }

    /// Where a GET is told how the service is, unless a flow takes that path; `/healthz`. None: nowhere. It is answered
    /// with 200, or with 503 where every worker is stuck; this machine is also told which step each worker runs. Such
    /// requests are not recorded.
    pub fn health(mut self, path: Option<&str>) -> Self {
        self.config.health = path.map(str::to_owned);
        self
    }

    /// Where a GET is told what the service measures, unless a flow takes that path: as OpenMetrics text for Prometheus, or
    /// as JSON to who accepts only that, as `zerver top` does; `/metrics`. None: nowhere. Only this machine is told, unless
    /// [`App::metrics_for_all`] says otherwise; others get a 404. Such requests are not recorded.
    pub fn metrics(mut self, path: Option<&str>) -> Self {
        self.config.metrics.path = path.map(str::to_owned);
        self
    }

    /// Whether other machines are told as well. Whoever can send a request learns the names of all flows and steps then.
    pub fn metrics_for_all(mut self, remote: bool) -> Self {
        self.config.metrics.remote = remote;
        self
    }

    /// What is recorded, where it runs as a program ([`run`](crate::run())).
    pub fn recording(mut self, recording: Recording) -> Self {
        self.config.recording = recording;
        self
    }

    /// Says that a parameter of this name, of the path or of the query, is a secret: it is sealed in recordings, and masked
    /// wherever it is told. For one flow alone there is `FlowDef::secret_param`; names that say it themselves, such as
    /// `token`, need neither.
    pub fn secret_param(mut self, name: impl Into<String>) -> Self {
        self.secret_params.push(name.into());
        self
    }

    /// Allows requests for this host only, a name without a port; called again, for this one too. Others get a 421.
    /// Without it all hosts are allowed.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.config.hosts.push(host.into());
        self
    }

    /// What is known of the flows.
    ///
    /// # Errors
    /// When a flow's slots cannot be told apart.
    pub fn catalog(&self) -> Result<Vec<Arc<FlowInfo>>, StartError> {
        Ok(self.ready_flows()?.iter().map(|flow| Arc::clone(flow.info())).collect())
    }

    /// Starts it on threads of its own; for tests, and for programs that do more than this. Neither the environment nor
    /// signals are looked at.
    ///
    /// # Errors
    /// When the flows contradict each other, or the address cannot be listened on.
    pub fn start(self, settings: Settings) -> Result<Running, StartError> {
        let secrets = self.secrets();
        let config = self.config;
        config.scheduling.check().map_err(StartError::Scheduling)?;
        let flows = ready_flows(&self.flows, self.render)?;
        let router = Router::new(&flows)?;
        let listener = match settings.listener {
            Some(listener) => listen::prepare(listener)?,
            None => listen::listen(settings.addr.as_deref().unwrap_or(&config.addr))?,
        };
        let workers = config.workers.unwrap_or_else(cores).max(1);
        let effect_runtime = EffectRuntime::start(workers).map_err(StartError::Worker)?;
        let mut live = Live::new(self.interpreters);
        let open = match self.live {
            Some(Prepare::First(prepare)) => {
                // What is opened now is used where effects are performed.
                let _context = effect_runtime.enter();
                prepare(&mut live).map_err(StartError::Live)?;
                None
            }
            Some(Prepare::Meanwhile(open)) => Some(open),
            None => None,
        };
        if open.is_none() {
            check_kinds(&config.limits, &live)?;
        }
        let low_workers = config.batch_workers.unwrap_or_else(cores);
        let low = (low_workers > 0).then(|| Arc::new(Low::new(&config.scheduling)));
        let tuning = Tuning {
            scheduling: config.scheduling,
            rules: config.rules,
            deadline: config.deadline,
            effects: EffectLimits::of(&config.limits),
        };
        let service = Service {
            router,
            readiness: Readiness::starting(),
            effect_runtime,
            render: self.render,
            limits: config.limits,
            hosts: config.hosts,
            sink: settings.sink,
            secrets: secrets.clone(),
            token: settings.record_token,
            twice: settings.twice.map(|tell| Twice::new(tell, secrets)),
            no_flow: Arc::default(),
            schedule: Shared::new(tuning, low, flows, config.stuck_after),
            health: config.health,
            metrics: config.metrics,
            recorder: self.recorder,
        };
        Running::start(service, listener, workers, low_workers, live, open)
    }

    /// Opens what performs effects, and nothing else.
    pub(crate) fn open(self, runtime: &tokio::runtime::Runtime) -> Result<Live, LiveError> {
        Live::open(self.interpreters, self.live, runtime)
    }

    /// What counts as a secret.
    pub(crate) fn secrets(&self) -> secret::Rule {
        let of_any = self.secret_params.iter().map(|param| (None, param.as_str()));
        let of_flow =
            |flow: &FlowDef| flow.secret_params().map(|param| (Some(flow.name()), param)).collect::<Vec<_>>();
        let of_flows = self.flows.iter().flat_map(of_flow);
        secret::Rule::new(&self.config.recording.secrets, &of_any.chain(of_flows).collect::<Vec<_>>())
    }

    /// What the program says of its settings.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// The same service with other settings.
    pub(crate) fn with_config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    pub(crate) fn recorded_by(self, status: StatusOf) -> Self {
        Self { recorder: Some(status), ..self }
    }

    pub(crate) fn ready_flows(&self) -> Result<Vec<Arc<Flow>>, StartError> {
        ready_flows(&self.flows, self.render)
    }
}

fn ready_flows(flows: &[FlowDef], render: RenderFailure) -> Result<Vec<Arc<Flow>>, StartError> {
    let ready = |(at, def): (usize, &FlowDef)| match Flow::new(def, render) {
        Ok(flow) => Ok(Arc::new(flow.numbered(u16::try_from(at).unwrap_or(u16::MAX)))),
        Err(error) => Err(StartError::Slots { slug: def.name().to_owned(), error }),
    };
    flows.iter().enumerate().map(ready).collect()
}

/// What a service is started with.
#[derive(Default)]
pub struct Settings {
    /// Where to listen, instead of [`App::addr`]; port 0 for any that is free.
    pub addr: Option<String>,
    /// A socket that listens already, instead of an address.
    pub listener: Option<TcpListener>,
    /// Where the traces of requests go; none means that nothing is recorded.
    pub sink: Option<Arc<dyn CaptureSink>>,
    /// Requests that show this in `x-zerver-record` are recorded whatever the policy says.
    pub record_token: Option<String>,
    /// Has each step run twice with the same slots, and is told of those that are not the same then, of each once. What
    /// the first run says counts. None, as it is in production: each step runs once.
    pub twice: Option<TellImpure>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_that_are_marked_are_secret() {
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
