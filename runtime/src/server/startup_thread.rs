//! Thread that runs the async startup hook of a service, which already listens, and then marks the service as ready.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::service::Service;
use crate::Limits;
use crate::app::startup::{AsyncHook, BoxError, KeptValues, Startup};
use crate::start_error::{StartError, with_causes};

/// Runs the startup hook `open` on a new thread and within the effect runtime, where its resources live. Dropping the
/// returned sender cancels the hook.
pub(crate) fn spawn_startup(
    service: Arc<Service>,
    open: AsyncHook,
    mut startup: Startup,
    kept: Arc<Mutex<KeptValues>>,
) -> std::io::Result<oneshot::Sender<()>> {
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || {
        let result = catch_unwind(AssertUnwindSafe(|| {
            service.effect_runtime.handle().block_on(async {
                tokio::select! {
                    result = open(&mut startup) => Some(result),
                    _ = stopped => None,
                }
            })
        }));
        let result = match result {
            Ok(Some(result)) => {
                result.and_then(|()| finish_startup(&service.limits, &mut startup).map_err(BoxError::from))
            }
            // The service is stopping.
            Ok(None) => return,
            Err(_) => Err(BoxError::from("the startup hook panicked")),
        };
        match result {
            Ok(()) => {
                let Startup { interpreters, kept: new_values, .. } = startup;
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(new_values);
                service.scheduler.set_effect_kinds(interpreters.kinds());
                interpreters.configure(&service.scheduler.tuning().outbound);
                service.readiness.set_ready(interpreters);
            }
            Err(error) => {
                service.readiness.set_failed(with_causes(&*error).into());
            }
        }
    };
    std::thread::Builder::new().name("zerver-startup".to_owned()).spawn(run)?;
    Ok(stop)
}

/// Registers the effect functions with their resources, checks that every limit for a kind of effects is for a
/// registered kind, and turns chaos on.
pub(crate) fn finish_startup(limits: &Limits, startup: &mut Startup) -> Result<(), StartError> {
    startup.bind_functions()?;
    let kinds: Vec<_> = startup.interpreters.kinds().collect();
    match limits.effects_per_kind.keys().find(|kind| !kinds.contains(&kind.as_str())) {
        Some(kind) => Err(StartError::UnknownEffectKind { kind: kind.clone(), kinds: kinds.join(", ") }),
        None => startup.start_chaos(),
    }
}
