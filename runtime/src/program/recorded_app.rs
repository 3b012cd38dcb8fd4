//! An app with the settings of its file and environment, and with its recorder.

use std::io;
#[cfg(feature = "replay")]
use std::sync::Arc;

use zerver_engine::Chaos;
#[cfg(feature = "metrics")]
use zerver_engine::service_docs::RecorderMetrics;
use zerver_trace::CatalogFlow;

use super::environment::Environment;
use super::recorder_startup;
use super::shipped_recorder::ShippedRecorder;
#[cfg(feature = "replay")]
use crate::ImpureStep;
use crate::config::LoadedSettings;
use crate::operator_log;
use crate::{App, StartError, StartOptions};

/// An app that is ready to start, and its recorder, which must be closed after the service has stopped.
pub(crate) struct RecordedApp {
    pub(crate) app: App,
    pub(crate) options: StartOptions,
    /// `None` if nothing is recorded.
    pub(crate) recorder: Option<ShippedRecorder>,
}

impl RecordedApp {
    /// Opens the recorder of an app that has these settings.
    pub(crate) fn new(
        app: App,
        loaded: &LoadedSettings,
        environment: &Environment,
    ) -> Result<Self, StartError> {
        let recorder = recorder_startup::open(loaded, environment, app.secrets())?;
        if let Some(recorder) = &recorder {
            recorder.declare(&app.catalog()?);
            let declared = |flow: CatalogFlow| Some((flow.flow.name, flow.declaration?));
            recorder.describe(app.full_catalog()?.into_iter().filter_map(declared).collect());
        }
        #[cfg(feature = "metrics")]
        let app = match &recorder {
            Some(recorder) => {
                let (status, fleet) = (recorder.watch(), recorder.watch_fleet());
                app.recorded_by(Box::new(move || RecorderMetrics {
                    fleet: fleet.as_ref().map(|fleet| fleet()),
                    ..recorder_startup::metrics(&status())
                }))
            }
            None => app,
        };
        let options = StartOptions {
            chaos: chaos(loaded, environment.dev)?,
            sink: recorder.as_ref().map(|recorder| recorder.sink()),
            record_token: loaded.config.recording.token.clone(),
            report_url_secrets: environment.dev,
            #[cfg(feature = "replay")]
            on_impure_step: environment.purity_check.then(|| Arc::new(report_impure_step) as _),
            ..StartOptions::default()
        };
        Ok(Self { app, options, recorder })
    }
}

impl App {
    /// Reads the settings from the file and the environment, and opens the recorder.
    pub(crate) fn recorded(self) -> Result<RecordedApp, StartError> {
        let environment = Environment::read()?;
        Environment::unknown_variables().iter().for_each(|message| operator_log::warn(message));
        let loaded = environment.layers(self.config().clone()).load()?;
        let app = self.with_config(loaded.config.clone());
        operator_log::mask(app.secrets());
        RecordedApp::new(app, &loaded, &environment)
    }
}

/// Returns the faults to inject, if the settings name some, and warns that they will be.
///
/// # Errors
/// If they are not allowed here.
fn chaos(loaded: &LoadedSettings, is_dev: bool) -> Result<Option<Chaos>, StartError> {
    let settings = &loaded.config.chaos;
    if !settings.is_on() {
        return Ok(None);
    }
    if !is_dev && !settings.allow_outside_dev {
        let place = loaded.place("chaos.rules").unwrap_or("settings of the program").to_owned();
        return Err(StartError::ChaosOutsideDev { place });
    }
    let random = getrandom::u32().map_err(|error| StartError::Worker(io::Error::other(error.to_string())))?;
    let chaos = settings.plan(random);
    let seed = chaos.seed();
    operator_log::warn(&format!("chaos is on, seed {seed}: faults are injected into effects by these rules"));
    for (rule, _) in chaos.rules() {
        operator_log::warn(&format!("chaos rule {rule}"));
    }
    Ok(Some(chaos))
}

/// Reports a step whose two runs differed.
#[cfg(feature = "replay")]
fn report_impure_step(impure: &ImpureStep) {
    operator_log::warn(&format!(
        "{impure}; a step may use only its slots (ZERVER_PURITY_CHECK=0 turns this check off)"
    ));
}
