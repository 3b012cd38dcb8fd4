//! Starts a service: checks its flows and settings, listens, and starts its threads.

use std::sync::Arc;

use super::builder::App;
use super::start_options::Settings;
use super::startup::{Live, Prepare};
use crate::StartError;
use crate::config::cores;
use crate::execution::effect_runtime::EffectRuntime;
use crate::execution::purity_check::Twice;
use crate::http::Router;
use crate::scheduler::{BatchStatus, Shared};
use crate::server::handle::Running;
use crate::server::listener;
use crate::server::readiness::Readiness;
use crate::server::service::Service;
use crate::server::startup_thread::check_kinds;

impl App {
    /// Starts it on threads of its own; for tests, and for programs that do more than this. Neither the environment nor
    /// signals are looked at.
    ///
    /// # Errors
    /// When the flows contradict each other, or the address cannot be listened on.
    pub fn start(self, settings: Settings) -> Result<Running, StartError> {
        let secrets = self.secrets();
        self.config.scheduling.check().map_err(StartError::Scheduling)?;
        let flows = self.ready_flows()?;
        let config = self.config;
        let router = Router::new(&flows)?;
        let listener = match settings.listener {
            Some(listener) => listener::prepare(listener)?,
            None => listener::listen(settings.addr.as_deref().unwrap_or(&config.addr))?,
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
        let batch = (low_workers > 0).then(|| Arc::new(BatchStatus::new()));
        let tuning = config.tuning();
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
            schedule: Shared::new(tuning, batch, flows, config.stuck_after),
            health: config.health,
            metrics: config.metrics,
            recorder: self.recorder,
        };
        Running::start(service, listener, workers, low_workers, live, open)
    }
}
