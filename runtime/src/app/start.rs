//! Starts a service: checks its flows and settings, listens, and starts its threads.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use zerver_engine::{Alias, Flow};

use super::builder::App;
use super::start_options::StartOptions;
use super::startup::{Startup, StartupHook};
use crate::StartError;
use crate::catalog::served_documents::ServedDocuments;
use crate::config::cores;
use crate::execution::effect_runtime::EffectRuntime;
#[cfg(feature = "replay")]
use crate::execution::purity_check::PurityCheck;
use crate::http::{BrowserRules, Router, TrustedProxies, UrlSecretCheck};
use crate::operator_log;
use crate::scheduler::{BatchStatus, SchedulerState, Tuning};
use crate::server::handle::Server;
use crate::server::listener;
use crate::server::readiness::Readiness;
use crate::server::running_service::PreparedService;
use crate::server::service::Service;
use crate::server::startup_thread::finish_startup;
use crate::time::wall_now;
#[cfg(feature = "tls")]
use crate::tls::CertificateStore;

impl App {
    /// Starts the service on separate threads, for tests and for programs that do more than serve. Neither the environment
    /// nor signals are read.
    ///
    /// ```
    /// use zerver::prelude::*;
    /// use zerver::StartOptions;
    ///
    /// # fn main() -> Result<(), zerver::StartError> {
    /// let options = StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..StartOptions::default() };
    /// let server = App::new().start(options)?;
    /// println!("listening on {}", server.addr());
    /// server.stop();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A [`StartError`] if the flows conflict, a setting is invalid, the address cannot be listened on, or the wall clock
    /// shows a time before 1970.
    pub fn start(self, mut options: StartOptions) -> Result<Server, StartError> {
        let checked = self.check()?;
        #[cfg(feature = "tls")]
        let certificates = CertificateStore::open(&checked.app.config.tls)?;
        #[cfg(not(feature = "tls"))]
        if !checked.app.config.tls.cert.is_empty() {
            return Err(StartError::MissingFeature { setting: "tls.cert".to_owned(), feature: "tls" });
        }
        let listener = match options.listener.take() {
            Some(listener) => listener::prepare(listener)?,
            None => listener::listen(options.addr.as_deref().unwrap_or(&checked.app.config.addr))?,
        };
        let prepared = checked.prepare(options)?;
        #[cfg(feature = "tls")]
        let prepared = prepared.with_certificates(certificates);
        Server::start(prepared, listener)
    }

    /// Checks what can be checked before anything starts.
    pub(crate) fn check(self) -> Result<CheckedApp, StartError> {
        check_wall_clock(wall_now())?;
        self.config.scheduling.check().map_err(StartError::Scheduling)?;
        if self.config.limits.effects == 0 {
            return Err(StartError::NoEffects);
        }
        if self.config.proxies.protocol && self.config.proxies.trusted.is_empty() {
            return Err(StartError::UntrustedProxies);
        }
        let compression = &self.config.compression;
        if !cfg!(feature = "compression") && (compression.responses || compression.requests) {
            return Err(StartError::MissingFeature {
                setting: "compression".to_owned(),
                feature: "compression",
            });
        }
        self.check_protection()?;
        let flows = self.ready_flows()?;
        let browser = BrowserRules::new(&self.config)?;
        ended_aliases(&flows, wall_now()).iter().for_each(|message| operator_log::warn(message));
        Ok(CheckedApp { router: Router::new(&flows)?, flows, browser, app: self })
    }
}

/// An app whose flows and settings are valid.
pub(crate) struct CheckedApp {
    app: App,
    flows: Vec<Arc<Flow>>,
    router: Router,
    browser: Option<Box<BrowserRules>>,
}

impl CheckedApp {
    /// Starts the effect runtime and runs the startup hook, unless it is asynchronous.
    pub(crate) fn prepare(self, options: StartOptions) -> Result<PreparedService, StartError> {
        let Self { app, flows, router, browser } = self;
        let secrets = app.secrets();
        let config = app.config;
        let workers = config.workers.unwrap_or_else(cores).max(1);
        let effect_runtime = EffectRuntime::start(workers).map_err(StartError::Worker)?;
        let mut startup =
            Startup::new(app.interpreters, app.functions, app.resources).with_chaos(options.chaos);
        let open = match app.startup {
            Some(StartupHook::Sync(prepare)) => {
                // Resources opened here are used on the effect runtime.
                let _context = effect_runtime.enter();
                prepare(&mut startup).map_err(StartError::Startup)?;
                None
            }
            Some(StartupHook::Async(open)) => Some(open),
            None => None,
        };
        if open.is_none() {
            finish_startup(&config.limits, &mut startup)?;
        }
        let batch_workers = config.batch_workers.unwrap_or_else(cores);
        let batch = (batch_workers > 0).then(|| Arc::new(BatchStatus::new()));
        let tuning = Tuning::new(&config);
        let service = Service {
            router,
            readiness: Readiness::starting(),
            effect_runtime,
            render: app.render,
            documents: ServedDocuments::new(
                app.flows,
                flows.iter().map(|flow| Arc::clone(flow.info())).collect(),
                app.api,
            ),
            catalog_path: config.catalog,
            openapi_path: config.openapi,
            limits: config.limits,
            allowed_hosts: config.hosts,
            browser,
            // Only a service that listens uses TLS.
            #[cfg(feature = "tls")]
            certificates: None,
            proxies: TrustedProxies::new(&config.proxies),
            passes_baggage: !config.egress.baggage.is_empty(),
            #[cfg(feature = "compression")]
            compression: config.compression,
            sink: options.sink,
            secrets: secrets.clone(),
            record_token: options.record_token,
            url_secrets: options.report_url_secrets.then(UrlSecretCheck::default),
            #[cfg(feature = "replay")]
            purity_check: options.on_impure_step.map(|report| PurityCheck::new(report, secrets)),
            #[cfg(not(feature = "replay"))]
            purity_check: None,
            fallback: app.fallback,
            no_flow: Arc::default(),
            scheduler: SchedulerState::new(tuning, batch, flows, config.stuck_after),
            health_path: config.health,
            #[cfg(feature = "metrics")]
            metrics: config.metrics,
            #[cfg(feature = "metrics")]
            recorder_status: app.recorder,
        };
        Ok(PreparedService { service, workers, batch_workers, startup, open })
    }
}

/// Returns a message for each alias that was to end before now. It is served nevertheless.
fn ended_aliases(flows: &[Arc<Flow>], now: SystemTime) -> Vec<String> {
    let now_s = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let aliases = flows.iter().flat_map(|flow| flow.aliases().iter().map(move |alias| (flow, alias)));
    let message = |(flow, alias): (&Arc<Flow>, &Alias)| {
        let until = alias.sunset().filter(|until| until.unix_seconds() <= now_s)?;
        let (pattern, name) = (alias.pattern(), &flow.info().name);
        Some(format!(
            "alias {pattern} of flow {name} was to end on {until}, and is still served; remove it from the flow"
        ))
    };
    aliases.filter_map(message).collect()
}

/// Checks the wall clock. hyper reads it at each poll of an HTTP/1 connection, and panics if the first time that a thread
/// reads is before 1970, so that clients would get no response at all. Later times may be; see
/// [`initialize_date`](crate::http::initialize_date).
fn check_wall_clock(now: SystemTime) -> Result<(), StartError> {
    if now < UNIX_EPOCH { Err(StartError::WallClock) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_limit_of_no_effects_is_refused() {
        let limits = crate::Limits { effects: 0, ..crate::Limits::default() };
        let error = App::new().limits(limits).start(StartOptions::default()).unwrap_err();
        assert_eq!(
            error.full_message(),
            "limits.effects is 0, so that no effect could be performed; it must be at least 1"
        );
    }

    #[test]
    fn an_alias_that_was_to_end_is_named() {
        const ALIASES: &[Alias] =
            &[Alias::serve("/old").deprecated("2026-12-01").until("2027-03-01"), Alias::serve("/other")];
        let flow = zerver_engine::FlowDef::new("orders", "GET", "/orders", &[]).aliases(ALIASES);
        let flows = App::new().flow(flow).ready_flows().unwrap();
        let end = UNIX_EPOCH + Duration::from_secs(1_803_859_200);
        assert!(ended_aliases(&flows, end - Duration::from_secs(1)).is_empty());
        assert_eq!(
            ended_aliases(&flows, end),
            [
                "alias /old of flow orders was to end on 2027-03-01, and is still served; remove it from the flow"
            ]
        );
    }

    #[test]
    fn a_wall_clock_before_1970_is_refused() {
        assert!(check_wall_clock(UNIX_EPOCH).is_ok());
        let error = check_wall_clock(UNIX_EPOCH - Duration::from_nanos(1)).unwrap_err();
        assert_eq!(
            error.full_message(),
            "the system clock shows a time before 1970, which the date header of a response cannot express; set the clock"
        );
    }
}
